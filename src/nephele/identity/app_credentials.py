"""Application credentials: a secret for a program, with some of a user's roles on one project."""

import secrets
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.errors import ACCESS_RULE_NOT_FOUND, APP_CREDENTIAL_NOT_FOUND, REFUSED
from nephele.identity.passwords import Passwords
from nephele.identity.revocations import Kind
from nephele.identity.shared import Filters, Shared, columns_of, narrowed, store_new
from nephele.identity.tables import access_rules, app_credentials
from nephele.kernel.clock import Instant
from nephele.kernel.context import AccessRule as ContextRule


class AppCredential(Struct, frozen=True):
    """An application credential; it ends at `expires_at` unless that is 0."""

    id: str
    user_id: str
    project_id: str
    name: str
    description: str | None
    expires_at: Instant
    unrestricted: bool
    role_ids: tuple[str, ...]
    access_rule_ids: tuple[str, ...]


class AccessRule(Struct, frozen=True):
    """A request that an application credential may make."""

    id: str
    user_id: str
    service: str
    path: str
    method: str


_CREDENTIAL = columns_of(app_credentials, AppCredential)
_RULE = columns_of(access_rules, AccessRule)
_row = app_credentials.c


class AppCredentials:
    """The application credentials of all users."""

    def __init__(self, shared: Shared, passwords: Passwords) -> None:
        self._shared = shared
        self._passwords = passwords

    def create(
        self, credential: AppCredential, rules: Iterable[AccessRule], secret: str
    ) -> tuple[AppCredential, list[AccessRule], str]:
        """A new credential, its access rules, and its secret, which is made here unless given and never shown again.

        Hashes the secret: call it outside the event loop.  A rule with an id is one that the user has; others
        are made, unless the user has just such a rule.  Raises DUPLICATE or ACCESS_RULE_NOT_FOUND.
        """
        secret = secret or secrets.token_urlsafe(64)
        hashed = self._passwords.hash(secret)
        with self._shared.store.write() as db:
            made = [self._ensure_rule(db, rule) for rule in rules]
            credential = msgspec.structs.replace(
                credential, id=self._shared.ids.hex(), access_rule_ids=tuple(rule.id for rule in made)
            )
            values = {name: getattr(credential, name) for name in credential.__struct_fields__}
            store_new(db, app_credentials, {**values, "secret_hash": hashed}, "application_credential")
            return credential, made, secret

    def _ensure_rule(self, db: sa.Connection, rule: AccessRule) -> AccessRule:
        if rule.id:
            return self.rule(rule.user_id, rule.id)
        same = [access_rules.c[name] == getattr(rule, name) for name in ("user_id", "service", "path", "method")]
        row = db.execute(sa.select(*_RULE).where(*same)).first()
        if row:
            return AccessRule(*row)
        rule = msgspec.structs.replace(rule, id=self._shared.ids.hex())
        db.execute(access_rules.insert().values(**{name: getattr(rule, name) for name in rule.__struct_fields__}))
        return rule

    def get(self, user_id: str, credential_id: str) -> AppCredential:
        """One of a user's credentials.  Raises APP_CREDENTIAL_NOT_FOUND."""
        with self._shared.store.read() as db:
            mine = _row.user_id == user_id, _row.id == credential_id
            row = db.execute(sa.select(*_CREDENTIAL).where(*mine)).first()
        if row is None:
            raise APP_CREDENTIAL_NOT_FOUND(id=credential_id)
        return AppCredential(*row)

    def find(self, user_id: str, filters: Filters) -> list[AppCredential]:
        """A user's credentials by `name`."""
        select = narrowed(sa.select(*_CREDENTIAL).where(_row.user_id == user_id), filters, {"name": _row.name})
        with self._shared.store.read() as db:
            return [AppCredential(*row) for row in db.execute(select.order_by(_row.name))]

    def live(self, credential_id: str) -> AppCredential | None:
        """The credential, if it is there and has not expired."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_CREDENTIAL).where(_row.id == credential_id)).first()
        found = AppCredential(*row) if row else None
        return found if found and not 0 < found.expires_at <= self._shared.clock.now() else None

    def proven(self, credential_id: str, user_id: str, name: str, secret: str) -> AppCredential | None:
        """The credential with that id, or of that user and name, if the secret is right and it has not expired.

        It takes as long where there is no such credential.
        """
        which = [_row.id == credential_id] if credential_id else [_row.user_id == user_id, _row.name == name]
        with self._shared.store.read() as db:
            row = db.execute(sa.select(_row.secret_hash, _row.id).where(*which)).first()
        if not self._passwords.matches(secret, row[0] if row else "") or row is None:
            return None
        return self.live(row[1])

    def delete(self, user_id: str, credential_id: str) -> None:
        """Remove a credential; its tokens end.  Raises APP_CREDENTIAL_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(user_id, credential_id)
            db.execute(app_credentials.delete().where(_row.id == credential_id))
            self._shared.revocations.add((Kind.APPLICATION_CREDENTIAL, credential_id))

    def rule(self, user_id: str, rule_id: str) -> AccessRule:
        """One of a user's access rules.  Raises ACCESS_RULE_NOT_FOUND."""
        with self._shared.store.read() as db:
            mine = access_rules.c.user_id == user_id, access_rules.c.id == rule_id
            row = db.execute(sa.select(*_RULE).where(*mine)).first()
        if row is None:
            raise ACCESS_RULE_NOT_FOUND(id=rule_id)
        return AccessRule(*row)

    def rules(self, user_id: str, filters: Filters) -> list[AccessRule]:
        """A user's access rules by `service`, `path`, `method`."""
        columns = {name: access_rules.c[name] for name in ("service", "path", "method")}
        select = narrowed(sa.select(*_RULE).where(access_rules.c.user_id == user_id), filters, columns)
        with self._shared.store.read() as db:
            return [AccessRule(*row) for row in db.execute(select.order_by(access_rules.c.id))]

    def rules_of(self, credential: AppCredential) -> tuple[ContextRule, ...] | None:
        """What a credential's tokens are good for; None where it has no access rules."""
        if not credential.access_rule_ids:
            return None
        with self._shared.store.read() as db:
            select = sa.select(access_rules.c.service, access_rules.c.method, access_rules.c.path)
            found = db.execute(select.where(access_rules.c.id.in_(credential.access_rule_ids)))
            return tuple(ContextRule(*row) for row in found)

    def delete_rule(self, user_id: str, rule_id: str) -> None:
        """Remove an access rule.  Raises ACCESS_RULE_NOT_FOUND, or REFUSED while a credential uses it."""
        with self._shared.store.write() as db:
            self.rule(user_id, rule_id)
            if any(rule_id in credential.access_rule_ids for credential in self.find(user_id, [])):
                raise REFUSED(action=f"delete access rule {rule_id}, which an application credential uses")
            db.execute(access_rules.delete().where(access_rules.c.id == rule_id))
