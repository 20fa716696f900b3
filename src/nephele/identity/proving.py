"""Who it is: each method of proving it, and several together."""

import hmac
import struct
from base64 import b32decode
from binascii import Error as Base32Error
from hashlib import sha1

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.app_credentials import AppCredential, AppCredentials
from nephele.identity.directories import Directories
from nephele.identity.errors import INVALID, WRONG_METHOD
from nephele.identity.login import CredentialProof, DomainRef, PasscodeRef, Proofs, UserRef
from nephele.identity.model import User
from nephele.identity.projects import Projects
from nephele.identity.shared import Shared
from nephele.identity.tables import credentials as credentials_table
from nephele.identity.tokens import Claims
from nephele.identity.users import Users
from nephele.kernel.clock import SECOND, Instant
from nephele.kernel.errors import UNAUTHORIZED

METHODS = frozenset(("password", "token", "application_credential", "totp", "mapped", "openid"))
"""The ways to prove who one is."""
TOTP = "totp"
_STEP: Instant = 30 * SECOND
_STEPS_BACK = 1
"""Passcodes of earlier steps that are still taken, as Keystone's `included_previous_windows`."""


class Subject(Struct, frozen=True, kw_only=True):
    """Who it is, and what limits the way it was proven puts on the token."""

    user_id: str
    methods: tuple[str, ...]
    audit_chain: str = ""
    expires_at: Instant | None = None
    credential: AppCredential | None = None
    provider_id: str = ""
    protocol_id: str = ""


class MissingFactors(Exception):  # noqa: N818 - what is there is good, and not enough
    """A user proved something, and its rules demand more.

    Args:
        user: who it is.
        methods: what it proved.
        rules: the sets of methods any of which would do.
    """

    def __init__(self, user: User, methods: tuple[str, ...], rules: list[list[str]]) -> None:
        self.user, self.methods, self.rules = user, methods, rules
        super().__init__("more factors are needed")


class Proving:
    """Checks proofs.

    Args:
        shared: store and time.
        users: whose passwords are known here.
        directories: and elsewhere.
        projects: where domains are named.
        credentials: application credentials.
    """

    def __init__(
        self,
        shared: Shared,
        users: Users,
        directories: Directories,
        projects: Projects,
        credentials: AppCredentials,
    ) -> None:
        self._shared, self.users, self._directories = shared, users, directories
        self._projects, self._credentials = projects, credentials

    def prove(self, proofs: Proofs, before: Claims | None, receipt: Claims | None) -> Subject:
        """Whose proofs these are.  Hashes passwords: call it outside the event loop.

        Raises UNAUTHORIZED, WRONG_METHOD, PASSWORD_EXPIRED, or INVALID for what can't be understood.
        """
        if not proofs.methods:
            raise INVALID(reason="The request names no authentication method.")
        subjects = [self._by_method(method, proofs, before) for method in dict.fromkeys(proofs.methods)]
        if receipt is not None:
            subjects.insert(0, Subject(user_id=receipt.user_id, methods=receipt.methods))
        if len({subject.user_id for subject in subjects}) != 1:
            raise UNAUTHORIZED()
        last = subjects[-1]
        methods = tuple(dict.fromkeys(method for subject in subjects for method in subject.methods))
        limits = [subject.expires_at for subject in subjects if subject.expires_at is not None]
        return msgspec.structs.replace(last, methods=methods, expires_at=min(limits) if limits else None)

    def _by_method(self, method: str, proofs: Proofs, before: Claims | None) -> Subject:
        if method == "password" and proofs.password is not None:
            return self._by_password(proofs.password.user)
        if method == "token" and before is not None:
            return by_token(before)
        if method == "application_credential" and proofs.application_credential is not None:
            return self._by_secret(proofs.application_credential)
        if method == TOTP and proofs.totp is not None:
            return self._by_passcode(proofs.totp.user)
        if method in ("password", "token", "application_credential", TOTP):
            raise INVALID(reason=f"The method {method} needs a part of that name.")
        raise WRONG_METHOD(method=method)

    def _by_password(self, ref: UserRef) -> Subject:
        user_id = self.user_id(ref)
        user = self.users.live(user_id)
        if user is not None and self._directories.has(user):
            good = self._directories.proves(user, ref.password)
        else:
            good = self.users.passwords.prove(user_id, ref.password)
        if not good:
            raise UNAUTHORIZED()
        return Subject(user_id=user_id, methods=("password",))

    def _by_secret(self, proof: CredentialProof) -> Subject:
        user_id = self.user_id(proof.user) if proof.user and not proof.id else ""
        if not proof.id and not (proof.name and proof.user):
            raise INVALID(reason="An application credential is named by its id, or by its name and user.")
        found = self._credentials.proven(proof.id, user_id, proof.name, proof.secret)
        if found is None:
            raise UNAUTHORIZED()
        limit = found.expires_at or None
        return Subject(user_id=found.user_id, methods=("application_credential",), expires_at=limit, credential=found)

    def _by_passcode(self, ref: PasscodeRef) -> Subject:
        """A passcode of this or the last half minute, by any of the user's credentials of type `totp`."""
        user_id, now = self.user_id(ref), self._shared.clock.now()
        row = credentials_table.c
        with self._shared.store.read() as db:
            secrets = db.execute(sa.select(row.blob).where(row.user_id == user_id, row.type == TOTP)).scalars().all()
        good = [passcode(secret, now - back * _STEP) for secret in secrets or ("",) for back in range(_STEPS_BACK + 1)]
        if sum(hmac.compare_digest(ref.passcode.encode(), code.encode()) for code in good if code) == 0:
            raise UNAUTHORIZED()
        return Subject(user_id=user_id, methods=(TOTP,))

    def user_id(self, ref: UserRef | PasscodeRef) -> str:
        """The id of the user that is named; empty where there is none."""
        if not ref.id and not ref.name:
            raise INVALID(reason="Invalid input for field identity/password/user: id or name must be present.")
        if not ref.id and not (ref.domain.id or ref.domain.name):
            raise INVALID(reason="Expecting to find domain in user: a name is unique within a domain only.")
        if ref.id:
            return ref.id
        domain_id = self.domain_id(ref.domain)
        user = self._directories.named(ref.name, domain_id) if domain_id else None
        return user.id if user else ""

    def domain_id(self, ref: DomainRef) -> str:
        """The id of the domain that is named; empty where there is none."""
        if ref.id:
            return ref.id
        found = self._projects.named(ref.name, "") if ref.name else None
        return found.id if found else ""

    def live_user(self, user_id: str) -> User:
        """The user, if it and its domain are enabled, and it was here lately enough.  Raises UNAUTHORIZED."""
        user = self.users.live(user_id)
        if user is None or self.users.passwords.is_inactive(user_id):
            raise UNAUTHORIZED()
        return user


def by_token(before: Claims) -> Subject:
    """The subject that a token brings."""
    return Subject(
        user_id=before.user_id,
        methods=("token", *(method for method in before.methods if method != "token")),
        audit_chain=before.audit_ids[-1],
        expires_at=before.expires_at,
        provider_id=before.provider_id,
        protocol_id=before.protocol_id,
    )


def check_factors(user: User, methods: tuple[str, ...]) -> None:
    """Raise MissingFactors unless the methods fulfil one of the user's multi-factor rules, where it has any.

    Methods that this cloud does not know are left out of a rule, as upstream does, so that nobody is locked out.
    """
    rules = user.options.get("multi_factor_auth_rules")
    if not isinstance(rules, list | tuple) or user.options.get("multi_factor_auth_enabled") is False:
        return
    known = [wanted for rule in rules if (wanted := METHODS & set(rule))]
    if known and not any(wanted <= set(methods) for wanted in known):
        raise MissingFactors(user, methods, [sorted(wanted) for wanted in known])


def passcode(secret: str, now: Instant) -> str:
    """The six digits of RFC 6238 for a secret in base 32; empty where it is none."""
    try:
        key = b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    except (Base32Error, ValueError):
        return ""
    if not key:
        return ""
    digest = hmac.digest(key, struct.pack(">Q", now // _STEP), sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"
