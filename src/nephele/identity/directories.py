"""Domains whose users and groups are those of a directory: `identity.driver` is `ldap` in their configuration.

Each user of the directory has one user here, made when it is first named or listed, so that roles and credentials
can be given to it; groups likewise, by their names.  Memberships are read when somebody signs in, and hold as long as
the token.  Nothing is ever written to the directory.
"""

import sqlalchemy as sa

from nephele.identity.directory import Directory, Entry
from nephele.identity.domain_config import DomainConfig
from nephele.identity.errors import READ_ONLY_DOMAIN
from nephele.identity.model import Group, User
from nephele.identity.shadows import Shadows
from nephele.identity.shared import Shared
from nephele.identity.tables import remote_users
from nephele.identity.users import Groups, UserChange, Users
from nephele.kernel.clock import Instant

_DRIVER = "ldap"


class Directories:
    """The directories behind domains.

    Args:
        shared: store, time.
        config: which domains have one.
        users: the users here.
        groups: the groups here.
        lifetime: of a token, in microseconds: how long memberships hold.
    """

    def __init__(self, shared: Shared, config: DomainConfig, users: Users, groups: Groups, lifetime: Instant) -> None:
        self._shared, self._config, self._users, self._groups = shared, config, users, groups
        self._shadows, self._lifetime = Shadows(shared, users), lifetime
        self._known: tuple[int, dict[str, Directory]] = (-1, {})

    def _all(self) -> dict[str, Directory]:
        """By domain; read again when something changed."""
        epoch = self._shared.revocations.epoch
        if self._known[0] != epoch:
            named = [domain_id for domain_id, driver in self._config.drivers().items() if driver == _DRIVER]
            options = {domain_id: self._config.read(domain_id, secrets=True) for domain_id in named}
            self._known = epoch, {domain_id: Directory(told.get("ldap", {})) for domain_id, told in options.items()}
        return self._known[1]

    def check_writable(self, domain_id: str) -> None:
        """Raise READ_ONLY_DOMAIN where the domain's users and groups are a directory's."""
        if domain_id in self._all():
            raise READ_ONLY_DOMAIN(domain_id=domain_id)

    def named(self, name: str, domain_id: str) -> User | None:
        """The user of that name in a domain, wherever it is known.  May ask the directory: Raises DIRECTORY_AWAY."""
        directory = self._all().get(domain_id)
        if directory is None:
            return self._users.named(name, domain_id)
        found = directory.users(name)
        return self._shadow(domain_id, found[0]) if len(found) == 1 else None

    def _shadow(self, domain_id: str, entry: Entry) -> User:
        user = self._shadows.user(_source(domain_id), entry.id, entry.name, domain_id, email=entry.email)
        if user.enabled != entry.enabled:
            user = self._users.update(user.id, UserChange(enabled=entry.enabled))
        return user

    def has(self, user: User) -> bool:
        """Whether the user's password is a directory's to know."""
        return user.domain_id in self._all()

    def proves(self, user: User, password: str) -> bool:
        """Whether the directory lets the user in; then it is in the directory's groups, too.

        Raises DIRECTORY_AWAY.
        """
        directory = self._all()[user.domain_id]
        entries = [one for one in directory.users(user.name) if self._is(user, one)]
        if len(entries) != 1 or not entries[0].enabled or not directory.proves(entries[0], password):
            return False
        ids = [self._group_id(user.domain_id, name) for name in directory.groups_of(entries[0])]
        self._groups.lend(user.id, ids, self._shared.clock.now() + self._lifetime)
        return True

    def _is(self, user: User, entry: Entry) -> bool:
        row = remote_users.c
        which = row.source == _source(user.domain_id), row.remote_id == entry.id, row.user_id == user.id
        with self._shared.store.read() as db:
            return db.execute(sa.select(row.user_id).where(*which)).first() is not None

    def _group_id(self, domain_id: str, name: str) -> str:
        found = self._groups.find([("name", name), ("domain_id", domain_id)])
        return (found[0] if found else self._groups.create(Group("", name, domain_id, "", {}))).id

    def refresh(self, domain_id: str) -> None:
        """Have the directory's users and groups here, before a domain is listed.  Raises DIRECTORY_AWAY."""
        directory = self._all().get(domain_id)
        if directory is not None:
            for entry in directory.users():
                self._shadow(domain_id, entry)
            for name in directory.groups():
                self._group_id(domain_id, name)


def _source(domain_id: str) -> str:
    return f"ldap/{domain_id}"
