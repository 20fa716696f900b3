"""The identity service, as the other parts of the cloud and its own API call it."""

import secrets
from collections.abc import Mapping

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.app_credentials import AppCredentials
from nephele.identity.assignments import Assignments
from nephele.identity.auth import Authentication, new_audit_id
from nephele.identity.catalog import Catalog
from nephele.identity.credentials import Credentials, Policies
from nephele.identity.directories import Directories
from nephele.identity.domain_config import DomainConfig
from nephele.identity.endpoint_filters import EndpointFilters
from nephele.identity.federated import Federated
from nephele.identity.federation import Federation
from nephele.identity.limits import Limits
from nephele.identity.login import Login, Scope
from nephele.identity.model import Compliance, LimitModel, OidcProvider
from nephele.identity.passwords import Passwords
from nephele.identity.projects import Projects
from nephele.identity.proving import MissingFactors, Proving
from nephele.identity.revocations import Kind, Revocations, Verdict
from nephele.identity.roles import Roles
from nephele.identity.shared import Shared
from nephele.identity.tables import signing_keys
from nephele.identity.tokens import RECEIPT, Claims, Keyring, key_id_of
from nephele.identity.trusts import Trusts
from nephele.identity.user_passwords import UserPasswords
from nephele.identity.users import Groups, Users
from nephele.kernel.clock import SECOND, Clock, Instant, stopwatch
from nephele.kernel.context import Context
from nephele.kernel.errors import UNAUTHORIZED
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store

TOKEN_LIFETIME: Instant = 3600 * SECOND
DELEGATION_LIFETIME: Instant = 24 * 3600 * SECOND
RECEIPT_LIFETIME: Instant = 300 * SECOND
_REMEMBERED = 20_000


class SigningKey(Struct, frozen=True):
    """A key that tokens are signed with, without what makes it one.  `retires_at` 0: it signs."""

    id: bytes
    created_at: Instant
    retires_at: Instant


class Identity:
    """Keystone's job.

    Args:
        store: the database.
        clock: the time.
        ids: where ids come from.
        passwords: how passwords are hashed.
        compliance: what is demanded of passwords and users.
        oidc: the OpenID Connect providers that may be signed in with, by the ids of identity providers.
        limit_model: how limits of domains and projects relate.
        token_lifetime: of a token, in microseconds.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        *,
        passwords: Passwords | None = None,
        compliance: Compliance | None = None,
        oidc: Mapping[str, OidcProvider] | None = None,
        limit_model: LimitModel = LimitModel.FLAT,
        token_lifetime: Instant = TOKEN_LIFETIME,
    ) -> None:
        self.store, self.clock, self.ids = store, clock, ids
        self.longest_life = max(token_lifetime, DELEGATION_LIFETIME)
        self.revocations = Revocations(store, clock, self.longest_life)
        self.revocations.on_new_keys = self.load_keys
        shared = Shared(store, clock, ids, self.revocations)
        self.passwords = passwords or Passwords()
        self.projects = Projects(shared)
        self.roles = Roles(shared)
        self.compliance = compliance or Compliance()
        self.users = Users(shared, UserPasswords(shared, self.passwords, self.compliance), self.projects)
        self.groups = Groups(shared, self.users, self.projects)
        self.assignments = Assignments(shared, self.users, self.groups, self.projects, self.roles)
        self.app_credentials = AppCredentials(shared, self.passwords)
        self.trusts = Trusts(shared, self.assignments)
        self.catalog = Catalog(shared)
        self.endpoint_filters = EndpointFilters(shared, self.catalog, self.projects)
        self.credentials = Credentials(shared)
        self.policies = Policies(shared)
        self.limits = Limits(shared, self.catalog, self.projects, limit_model)
        if limit_model is LimitModel.STRICT_TWO_LEVEL:
            self.projects.max_depth = 1
        self.domain_config = DomainConfig(shared, self.projects, self.compliance)
        self.directories = Directories(shared, self.domain_config, self.users, self.groups, token_lifetime)
        self.proving = Proving(shared, self.users, self.directories, self.projects, self.app_credentials)
        self.federation = Federation(shared, self.projects)
        self.federated = Federated(
            shared,
            self.federation,
            self.users,
            self.groups,
            self.projects,
            self.roles,
            self.assignments,
            oidc or {},
            token_lifetime,
        )
        self.authentication = Authentication(
            shared,
            self.proving,
            self.projects,
            self.assignments,
            self.app_credentials,
            self.trusts,
            self.federation,
            token_lifetime,
        )
        self.keys = Keyring()
        self._known: dict[str, tuple[int, Claims, Context]] = {}
        self._domain_names: tuple[int, dict[str, str]] = (-1, {})

    def load_keys(self) -> None:
        """Learn the keys that tokens are signed with: the newest signs, those that have not retired verify."""
        with self.store.read() as db:
            rows = db.execute(signing_keys.select().order_by(signing_keys.c.retires_at.desc()))
            kept = {
                self.keys.add(row.private)
                for row in rows.all()
                if row.retires_at == 0 or row.retires_at > self.clock.now()
            }
        self.keys.keep_only(kept)

    def rotate_keys(self) -> None:
        """Sign with a new key from now on, on every server; tokens of the old ones stay good until they expire."""
        now = self.clock.now()
        with self.store.write() as db:
            self.store.lock("identity.keys")
            db.execute(signing_keys.delete().where(signing_keys.c.retires_at.between(1, now)))
            retire = signing_keys.update().where(signing_keys.c.retires_at == 0)
            db.execute(retire.values(retires_at=now + self.longest_life))
            private = secrets.token_bytes(32)
            values = {"private": private, "created_at": now, "retires_at": 0}
            db.execute(signing_keys.insert().values(id=key_id_of(private), **values))
            self.revocations.add((Kind.KEYS, ""))

    def signing_keys(self) -> list[SigningKey]:
        """The keys that verify tokens now, the newest first."""
        row = signing_keys.c
        select = sa.select(row.id, row.created_at, row.retires_at).order_by(row.created_at.desc())
        with self.store.read() as db:
            found = [SigningKey(*one) for one in db.execute(select)]
        return [key for key in found if key.retires_at == 0 or key.retires_at > self.clock.now()]

    def start(self) -> None:
        """Load keys and revocations; called once the tables are there.  The first cloud of a database makes a key."""
        with self.store.write() as db:
            if db.execute(signing_keys.select()).first() is None:
                self.rotate_keys()
        self.load_keys()
        self.revocations.prune()
        self.revocations.poll()

    def verify(self, token: str, *, delegated: bool = False) -> Context:
        """The caller that a token stands for, without a database query unless something changed since it was issued.

        Args:
            token: as the client sent it.
            delegated: accept a token that was delegated to a host for one server, too.

        Raises:
            UNAUTHORIZED: forged, expired, revoked, or delegated where that is not accepted.
        """
        context = self.examine(token)[1]
        if context.server_id and not delegated:
            raise UNAUTHORIZED()
        return context

    def examine(self, token: str, *, grace: Instant = 0) -> tuple[Claims, Context]:
        """What a token says, brought up to date, and the caller it stands for.

        `grace`: for so many microseconds after its end it still counts.  Raises UNAUTHORIZED.
        """
        self.revocations.follow()
        epoch = self.revocations.epoch
        known = self._known.get(token)
        if known is not None and known[0] == epoch:
            claims, context = known[1], known[2]
        else:
            claims = self._judged(known[1] if known else self.keys.read(token))
            context = _context(claims, token)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[token] = epoch, claims, context
        if claims.expires_at + grace <= self.clock.now():
            raise UNAUTHORIZED()
        return claims, context

    def forget_verified(self) -> None:
        """Drop what was remembered of verified tokens: the next sight of each verifies its signature again."""
        self._known.clear()

    def _judged(self, claims: Claims) -> Claims:
        verdict = self.revocations.judge(claims)
        if verdict is Verdict.REVOKED:
            raise UNAUTHORIZED()
        return self.authentication.refresh(claims) if verdict is Verdict.RECHECK else claims

    def issue(self, login: Login, receipt: str = "") -> tuple[str, Claims]:
        """Authenticate and sign: the token and what it says.  Hashes passwords: call it outside the event loop.

        `receipt` says what was proven before, of several factors.
        Raises MissingFactors, UNAUTHORIZED or INVALID, see `Authentication.authenticate`.
        """
        proven = self._receipt(receipt) if receipt else None
        before = None
        if login.identity.token is not None and "token" in login.identity.methods:
            before, context = self.examine(login.identity.token.id)
            if context.server_id:
                raise UNAUTHORIZED()
        claims = self.authentication.authenticate(login, before, proven)
        return self.keys.sign(claims), claims

    def sign_in(self, provider_id: str, protocol_id: str, token: str) -> tuple[str, Claims]:
        """An unscoped token for whom an identity provider vouches.  Call it outside the event loop.

        Raises as `Federated.sign_in` does.
        """
        elapsed = stopwatch()
        subject = self.federated.sign_in(provider_id, protocol_id, token)
        user = self.proving.live_user(subject.user_id)
        claims = self.authentication.admit(user, subject, "unscoped", None, self.revocations.current())
        claims = msgspec.structs.replace(claims, issue_ms=elapsed())
        return self.keys.sign(claims), claims

    def issue_receipt(self, missing: MissingFactors) -> tuple[str, Claims]:
        """A receipt for what was proven, good for a few minutes to prove the rest."""
        now = self.clock.now()
        claims = Claims(
            epoch=self.revocations.current(),
            issued_at=now,
            expires_at=now + RECEIPT_LIFETIME,
            issue_ms=0,
            methods=missing.methods,
            audit_ids=(new_audit_id(),),
            user_id=missing.user.id,
            user_name=missing.user.name,
            user_domain_id=missing.user.domain_id,
        )
        return self.keys.sign(claims, RECEIPT), claims

    def _receipt(self, text: str) -> Claims:
        """What a receipt says.  Raises UNAUTHORIZED: forged, expired, or its user's password changed since."""
        claims = self.keys.read(text, RECEIPT)
        if claims.expires_at <= self.clock.now() or self.revocations.judge(claims) is Verdict.REVOKED:
            raise UNAUTHORIZED()
        return claims

    def verified(self, claims: Claims, request_id: str) -> Context:
        """The caller that claims stand for, in a request."""
        return msgspec.structs.replace(_context(claims, ""), request_id=request_id)

    def context_of(self, user_id: str, scope: Scope) -> Context:
        """The caller that a user would be with a token for that scope.  Raises UNAUTHORIZED where it gets none."""
        return _context(self.authentication.claims_of(user_id, scope), "")

    def domain_name(self, domain_id: str) -> str:
        """A domain's name, remembered until something changes."""
        epoch = self.revocations.epoch
        if self._domain_names[0] != epoch:
            self._domain_names = epoch, {}
        names = self._domain_names[1]
        if domain_id not in names:
            found = self.projects.by_ids([domain_id]).get(domain_id)
            names[domain_id] = found.name if found else ""
        return names[domain_id]

    def revoke(self, claims: Claims) -> None:
        """End a token now, on every server."""
        self.revocations.add((Kind.AUDIT, claims.audit_ids[0]))

    def delegate(self, context: Context, server_id: str, until: Instant) -> str:
        """A token for the same user, project and roles, good for the work on one server only.

        It is accepted by services that are asked over the bus (and for image data), nowhere else.
        """
        now = self.clock.now()
        claims = Claims(
            epoch=self.revocations.current(),
            issued_at=now,
            expires_at=min(until, now + DELEGATION_LIFETIME),
            issue_ms=context.token_issue_ms,
            methods=context.auth_methods,
            audit_ids=(new_audit_id(),),
            user_id=context.user_id,
            user_name=context.user_name,
            user_domain_id=context.user_domain_id,
            roles=tuple(sorted(context.roles)),
            project_id=context.project_id,
            project_name=context.project_name,
            project_domain_id=context.project_domain_id,
            domain_id=context.domain_id,
            system_scope=context.system_scope,
            trust_id=context.trust_id,
            application_credential_id=context.application_credential_id,
            server_id=server_id,
            access_rules=context.access_rules,
        )
        return self.keys.sign(claims)

    def seed(self, admin_password: str, demo_password: str) -> None:
        """Give a new cloud its first content; what is there stays as it is."""
        from nephele.identity.first_content import seed

        seed(self, admin_password, demo_password)


def _context(claims: Claims, token: str) -> Context:
    return Context(
        request_id="",
        user_id=claims.user_id,
        user_name=claims.user_name,
        user_domain_id=claims.user_domain_id,
        project_id=claims.project_id,
        project_name=claims.project_name,
        project_domain_id=claims.project_domain_id,
        domain_id=claims.domain_id,
        system_scope=claims.system_scope,
        roles=frozenset(claims.roles),
        token=token,
        token_expires_at=claims.expires_at,
        server_id=claims.server_id,
        token_issued_at=claims.issued_at,
        token_issue_ms=claims.issue_ms,
        auth_methods=claims.methods,
        trust_id=claims.trust_id,
        application_credential_id=claims.application_credential_id,
        access_rules=claims.access_rules,
    )
