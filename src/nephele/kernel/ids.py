"""Identifiers, as a parameter: tests pass a seeded source and get the same ids each time."""

import secrets
import uuid
from collections.abc import Callable

_RANDOM = ~(0xF000 << 64 | 0xC000 << 48)
_VERSION_4 = 0x4000 << 64 | 0x8000 << 48
"""The version and the variant, as RFC 9562 has them."""


class Ids:
    """Makes version 4 UUIDs in the two forms that OpenStack uses."""

    def __init__(self, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._bits = random_bits

    def uuid(self) -> str:
        """`8-4-4-4-12`: servers, ports, images, volumes."""
        digits = self.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def hex(self) -> str:
        """32 digits: users, projects, tokens' audit chains."""
        return f"{self._bits(128) & _RANDOM | _VERSION_4:032x}"

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
