"""Passwords and secrets: hashed with argon2id, compared in a time that tells nothing.

The hash is kept in the PHC string form, so its parameters can be raised later: what was hashed with the old
ones is still verified.  argon2id comes with `cryptography`, which signs the tokens already; its memory-hard hash is
OWASP's first recommendation, and the defaults (9 MiB, 4 passes, 1 lane) are one of its equivalents, about 20 ms.
"""

import hmac
import os
import re
import secrets
import threading
from base64 import b64decode, b64encode

from msgspec import Struct

_AT_ONCE = threading.BoundedSemaphore(os.cpu_count() or 1)
"""More hashes at once than processors would only take memory."""
MAX_PASSWORD = 4096
"""Characters accepted, as Keystone's `max_password_length`."""

_FORM = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")


class Passwords(Struct, frozen=True, forbid_unknown_fields=True):
    """How passwords are hashed.

    Args:
        memory_kib: memory that one hash takes.
        passes: times that the memory is gone over.
        lanes: threads.
    """

    memory_kib: int = 9216
    passes: int = 4
    lanes: int = 1

    def hash(self, password: str) -> str:
        """The PHC string to store."""
        salt = secrets.token_bytes(16)
        digest = _argon2id(password, salt, self.memory_kib, self.passes, self.lanes)
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p={self.lanes}${_text(salt)}${_text(digest)}"

    def matches(self, password: str, stored: str) -> bool:
        """Whether `password` has the hash `stored`.  Without one (empty) it takes as long and is never true."""
        found = _FORM.fullmatch(stored)
        if not found:
            _argon2id(password, bytes(16), self.memory_kib, self.passes, self.lanes)
            return False
        memory, passes, lanes = int(found[1]), int(found[2]), int(found[3])
        return hmac.compare_digest(_argon2id(password, _raw(found[4]), memory, passes, lanes), _raw(found[5]))


def _argon2id(password: str, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib)
    with _AT_ONCE:
        return kdf.derive(password.encode("utf-8", "surrogatepass"))


def _text(raw: bytes) -> str:
    return b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4))
