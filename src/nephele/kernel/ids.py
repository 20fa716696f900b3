"""Identifiers, as a parameter: tests pass a seeded source and get the same ids each time."""

import secrets
import uuid
from collections.abc import Callable


class Ids:
    """Makes version 4 UUIDs in the two forms that OpenStack uses."""

    def __init__(self, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._bits = random_bits

    def uuid(self) -> str:
        """`8-4-4-4-12`: servers, ports, images, volumes."""
        return str(uuid.UUID(int=self._bits(128), version=4))

    def hex(self) -> str:
        """32 digits: users, projects, tokens' audit chains."""
        return uuid.UUID(int=self._bits(128), version=4).hex

    def request(self) -> str:
        """`req-…`: one API request."""
        return "req-" + self.uuid()


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in any form that OpenStack accepts."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
