"""Tokens: what a token says, and the signature that proves it.

    base64url( version 1 · key id 4 · claims in MessagePack · Ed25519 signature 64 )

The signature covers all before it, under a prefix of its own, so that nothing else signed with the key passes for a
token.  There is one algorithm and no field that names another.  Whoever knows the public keys verifies offline;
whether a token was revoked since is asked of `revocations.py`.
"""

from base64 import urlsafe_b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from nephele.kernel.clock import Instant
from nephele.kernel.context import AccessRule
from nephele.kernel.errors import UNAUTHORIZED

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_VERSION = b"\x01"
_PURPOSE = b"nephele token\0"
RECEIPT = b"nephele receipt\0"
"""The purpose of a receipt: what was proven of several factors so far."""
_SIGNATURE = 64
_HEAD = 5
_MAX_LENGTH = 16_384


class Claims(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a token says.  `epoch` is the newest revocation that was known when it was issued."""

    epoch: int
    issued_at: Instant
    expires_at: Instant
    issue_ms: float
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    user_id: str
    user_name: str
    user_domain_id: str
    roles: tuple[str, ...] = ()
    project_id: str = ""
    project_name: str = ""
    project_domain_id: str = ""
    domain_id: str = ""
    system_scope: str = ""
    trust_id: str = ""
    application_credential_id: str = ""
    server_id: str = ""
    access_rules: tuple[AccessRule, ...] | None = None
    password_expires_at: Instant = 0
    provider_id: str = ""
    protocol_id: str = ""

    @property
    def is_scoped(self) -> bool:
        """Whether it is good for a project, a domain or the system."""
        return bool(self.project_id or self.domain_id or self.system_scope)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Claims).decode


class Keyring:
    """The keys that tokens are signed with: the newest signs, all that have not retired verify."""

    def __init__(self) -> None:
        self._public: dict[bytes, Ed25519PublicKey] = {}
        self._signing: tuple[bytes, Ed25519PrivateKey] | None = None

    def add(self, private: bytes) -> bytes:
        """Take in a private key (32 bytes) and sign with it from now on: its id."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(private)
        key_id = self.trust(key.public_key().public_bytes_raw())
        self._signing = key_id, key
        return key_id

    def trust(self, public: bytes) -> bytes:
        """Verify with a public key (32 bytes) too: its id."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        key_id = _key_id(public)
        self._public[key_id] = Ed25519PublicKey.from_public_bytes(public)
        return key_id

    def keep_only(self, key_ids: set[bytes]) -> None:
        """Verify nothing with other keys any more."""
        self._public = {key_id: key for key_id, key in self._public.items() if key_id in key_ids}

    def sign(self, claims: Claims, purpose: bytes = _PURPOSE) -> str:
        """The token that says so, or what else the `purpose` makes of it."""
        if self._signing is None:
            raise RuntimeError("there is no key to sign with: the cloud was not seeded")
        key_id, key = self._signing
        signed = _VERSION + key_id + _encode(claims)
        return urlsafe_b64encode(signed + key.sign(purpose + signed)).decode().rstrip("=")

    def read(self, token: str, purpose: bytes = _PURPOSE) -> Claims:
        """What a token, or what was signed for another purpose, says, if its signature holds.

        Raises UNAUTHORIZED; expiry is the caller's to check.
        """
        from cryptography.exceptions import InvalidSignature

        raw = _bytes_of(token)
        signed = raw[:-_SIGNATURE]
        key = self._public.get(raw[1:_HEAD])
        if raw[:1] != _VERSION or key is None:
            raise UNAUTHORIZED()
        try:
            key.verify(raw[-_SIGNATURE:], purpose + signed)
            return _decode(signed[_HEAD:])
        except (InvalidSignature, msgspec.MsgspecError):
            raise UNAUTHORIZED() from None


def key_id_of(private: bytes) -> bytes:
    """The id of a private key (32 bytes)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _key_id(Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw())


def _key_id(public: bytes) -> bytes:
    from hashlib import sha256

    return sha256(public).digest()[:4]


def _bytes_of(token: str) -> bytes:
    """The token's bytes; there is exactly one text for each.  Raises UNAUTHORIZED."""
    if not token or len(token) > _MAX_LENGTH:
        raise UNAUTHORIZED()
    try:
        text = token.encode("ascii")
        raw = a2b_base64(text.translate(_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True)
    except (Base64Error, UnicodeEncodeError):
        raise UNAUTHORIZED() from None
    if len(raw) <= _HEAD + _SIGNATURE or urlsafe_b64encode(raw).rstrip(b"=") != text:
        raise UNAUTHORIZED()
    return raw


_STANDARD = bytes.maketrans(b"-_", b"+/")
