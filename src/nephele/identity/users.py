"""Users, their passwords, and the groups that they are in."""

import operator
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.identity.cascades import forget_users, trusts_of
from nephele.identity.errors import (
    GROUP_NOT_FOUND,
    INVALID,
    MEMBER_NOT_FOUND,
    USER_NOT_FOUND,
)
from nephele.identity.model import Actor, Extra, Group, User
from nephele.identity.projects import Projects
from nephele.identity.revocations import EVERYONE, Kind
from nephele.identity.roles import merged_options
from nephele.identity.shared import Filters, Shared, among, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import assignments, groups, memberships, projects, users
from nephele.identity.user_passwords import UserPasswords
from nephele.kernel.clock import Instant, parse_iso

_USER = columns_of(users, User)
_GROUP = columns_of(groups, Group)
_USER_FILTERS = {name: users.c[name] for name in ("name", "domain_id", "enabled", "default_project_id", "description")}
_GROUP_FILTERS = {name: groups.c[name] for name in ("name", "domain_id", "description")}


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


def _expiring(filters: Filters) -> list["sa.ColumnElement[bool]"]:
    """The conditions of `password_expires_at=lt:2026-01-31T00:00:00Z`.  Raises INVALID."""
    found: list[sa.ColumnElement[bool]] = []
    for name, value in filters:
        if name == "password_expires_at":
            way, _, time = value.partition(":")
            try:
                wanted = parse_iso(time)
                found += [_COMPARE[way](users.c.password_expires_at, wanted), users.c.password_expires_at > 0]
            except (KeyError, ValueError):
                raise INVALID(reason=f"password_expires_at={value} is not of the form OPERATOR:TIME.") from None
    return found


class UserChange(Struct, frozen=True, kw_only=True):
    """What an update sets; a password of None takes it away."""

    name: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    default_project_id: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    password: str | UnsetType | None = UNSET
    options: Extra | UnsetType = UNSET
    extra: Extra = {}


class GroupChange(Struct, frozen=True, kw_only=True):
    """What an update sets."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    extra: Extra = {}


class Users:
    """The users of all domains."""

    def __init__(self, shared: Shared, passwords: UserPasswords, owners: Projects) -> None:
        self._shared = shared
        self.passwords = passwords
        self._projects = owners

    def get(self, user_id: str) -> User:
        """One user.  Raises USER_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_USER).where(users.c.id == user_id)).first()
        if row is None:
            raise USER_NOT_FOUND(id=user_id)
        return User(*row)

    def live(self, user_id: str) -> User | None:
        """The user, if it and its domain are enabled."""
        domain_enabled = sa.exists().where(projects.c.id == users.c.domain_id, projects.c.enabled)
        select = sa.select(*_USER).where(users.c.id == user_id, users.c.enabled, domain_enabled)
        with self._shared.store.read() as db:
            row = db.execute(select).first()
        return User(*row) if row else None

    def named(self, name: str, domain_id: str) -> User | None:
        """The user of that name in a domain."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_USER).where(users.c.name == name, users.c.domain_id == domain_id)).first()
        return User(*row) if row else None

    def find(self, filters: Filters) -> list[User]:
        """Users by `name`, `domain_id`, `enabled`."""
        select = narrowed(sa.select(*_USER), filters, _USER_FILTERS).where(*_expiring(filters)).order_by(users.c.name)
        with self._shared.store.read() as db:
            return [User(*row) for row in db.execute(select)]

    def by_ids(self, user_ids: Iterable[str]) -> dict[str, User]:
        """Those of the users that exist."""
        wanted = set(user_ids)
        with self._shared.store.read() as db:
            found = db.execute(sa.select(*_USER).where(among(users.c.id, wanted)))
            return {row[0]: User(*row) for row in found if row[0] in wanted}

    def create(self, user: User, password: str | None) -> User:
        """A new user; its id is made here unless given.  Hashes the password, so call it outside a transaction.

        Raises DOMAIN_NOT_FOUND, INVALID or DUPLICATE.
        """
        given = self.passwords.given(password, user.options)
        with self._shared.store.write() as db:
            self._projects.get_domain(user.domain_id)
            self._check_default_project(user.default_project_id)
            user = msgspec.structs.replace(user, id=user.id or self._shared.ids.hex())
            values = {name: getattr(user, name) for name in user.__struct_fields__}
            store_new(db, users, {**values, **given}, "user")
            return self.get(user.id)

    def update(self, user_id: str, change: UserChange) -> User:
        """Change what is given.  Raises USER_NOT_FOUND, INVALID or DUPLICATE."""
        values: dict[str, object] = {
            name: value
            for name in ("name", "enabled", "default_project_id", "description")
            if (value := getattr(change, name)) is not UNSET
        }
        if change.password is not UNSET:
            options = self.get(user_id).options if change.options is UNSET else change.options
            if change.password is not None:
                self.passwords.check_history(user_id, change.password)
            values |= self.passwords.given(change.password, options)
        with self._shared.store.write() as db:
            user = self.get(user_id)
            if change.password is not UNSET:
                self.passwords.remember_old(db, user_id)
            if change.default_project_id:
                self._check_default_project(change.default_project_id)
            if change.options is not UNSET:
                values["options"] = merged_options(user.options, change.options)
            store_change(db, users, user_id, {**values, "extra": {**user.extra, **change.extra}}, "user")
            if change.enabled is False:
                self._end_tokens(db, user_id)
            elif change.password is not UNSET:
                self._shared.revocations.add((Kind.USER, user_id))
            elif "name" in values:
                self._shared.revocations.add((Kind.RECHECK, user_id))
            return self.get(user_id)

    def delete(self, user_id: str) -> None:
        """Remove a user with its roles and memberships.  Raises USER_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(user_id)
            self._end_tokens(db, user_id)
            forget_users(db, [user_id])

    def _end_tokens(self, db: sa.Connection, user_id: str) -> None:
        """End the user's tokens, and those that it or others got by trusts."""
        trusts = [(Kind.TRUST, trust_id) for trust_id in trusts_of(db, [user_id])]
        self._shared.revocations.add((Kind.USER, user_id), *trusts)

    def _check_default_project(self, project_id: str) -> None:
        found = self._projects.by_ids([project_id]).get(project_id) if project_id else None
        if found and found.is_domain:
            raise INVALID(reason="User's default project must not be a domain.")


class Groups:
    """The groups of all domains and who is in them."""

    def __init__(self, shared: Shared, users_: Users, owners: Projects) -> None:
        self._shared = shared
        self._users = users_
        self._projects = owners

    def get(self, group_id: str) -> Group:
        """One group.  Raises GROUP_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_GROUP).where(groups.c.id == group_id)).first()
        if row is None:
            raise GROUP_NOT_FOUND(id=group_id)
        return Group(*row)

    def find(self, filters: Filters, *, of_user: str = "") -> list[Group]:
        """Groups by `name` and `domain_id`; those that a user is in."""
        select = narrowed(sa.select(*_GROUP), filters, _GROUP_FILTERS).order_by(groups.c.name)
        if of_user:
            mine = sa.select(memberships.c.group_id).where(memberships.c.user_id == of_user)
            select = select.where(groups.c.id.in_(mine))
        with self._shared.store.read() as db:
            return [Group(*row) for row in db.execute(select)]

    def by_ids(self, group_ids: Iterable[str]) -> dict[str, Group]:
        """Those of the groups that exist."""
        wanted = set(group_ids)
        with self._shared.store.read() as db:
            found = db.execute(sa.select(*_GROUP).where(among(groups.c.id, wanted)))
            return {row[0]: Group(*row) for row in found if row[0] in wanted}

    def create(self, group: Group) -> Group:
        """A new group.  Raises DOMAIN_NOT_FOUND or DUPLICATE."""
        with self._shared.store.write() as db:
            self._projects.get_domain(group.domain_id)
            group = msgspec.structs.replace(group, id=self._shared.ids.hex())
            store_new(db, groups, {name: getattr(group, name) for name in group.__struct_fields__}, "group")
            return group

    def update(self, group_id: str, change: GroupChange) -> Group:
        """Change what is given.  Raises GROUP_NOT_FOUND or DUPLICATE."""
        with self._shared.store.write() as db:
            group = self.get(group_id)
            values: dict[str, object] = {"extra": {**group.extra, **change.extra}}
            if change.name is not UNSET:
                values["name"] = change.name
            if change.description is not UNSET:
                values["description"] = change.description
            store_change(db, groups, group_id, values, "group")
            return self.get(group_id)

    def delete(self, group_id: str) -> None:
        """Remove a group with its roles and memberships.  Raises GROUP_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(group_id)
            gone = assignments.c
            db.execute(assignments.delete().where(gone.actor_type == Actor.GROUP, gone.actor_id == group_id))
            db.execute(memberships.delete().where(memberships.c.group_id == group_id))
            db.execute(groups.delete().where(groups.c.id == group_id))
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))

    def members(self, group_id: str, filters: Filters) -> list[User]:
        """Who is in a group.  Raises GROUP_NOT_FOUND."""
        self.get(group_id)
        inside = sa.select(memberships.c.user_id).where(memberships.c.group_id == group_id)
        select = narrowed(sa.select(*_USER).where(users.c.id.in_(inside), *_expiring(filters)), filters, _USER_FILTERS)
        with self._shared.store.read() as db:
            return [User(*row) for row in db.execute(select.order_by(users.c.name))]

    def add(self, group_id: str, user_id: str) -> None:
        """Put a user into a group; nothing changes where it is in it.  Raises GROUP_NOT_FOUND or USER_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(group_id)
            self._users.get(user_id)
            if not self._is_member(db, group_id, user_id):
                self._end_membership(db, group_id, user_id)
                db.execute(memberships.insert().values(user_id=user_id, group_id=group_id))
                self._shared.revocations.add((Kind.RECHECK, user_id))

    def lend(self, user_id: str, group_ids: Iterable[str], until: Instant) -> None:
        """Put a user into those groups for a while, and end the other memberships that were for a while."""
        row, wanted = memberships.c, set(group_ids)
        with self._shared.store.write() as db:
            db.execute(memberships.delete().where(row.user_id == user_id, row.expires_at > 0))
            have = set(db.execute(sa.select(row.group_id).where(row.user_id == user_id)).scalars())
            for group_id in sorted(wanted - have):
                db.execute(memberships.insert().values(user_id=user_id, group_id=group_id, expires_at=until))
            self._shared.revocations.add((Kind.RECHECK, user_id))

    def check(self, group_id: str, user_id: str) -> None:
        """Raise MEMBER_NOT_FOUND (or GROUP_NOT_FOUND, USER_NOT_FOUND) unless the user is in the group."""
        self.get(group_id)
        self._users.get(user_id)
        with self._shared.store.read() as db:
            if not self._is_member(db, group_id, user_id):
                raise MEMBER_NOT_FOUND(user_id=user_id, group_id=group_id)

    def remove(self, group_id: str, user_id: str) -> None:
        """Take a user out of a group.  Raises as `check` does."""
        with self._shared.store.write() as db:
            self.check(group_id, user_id)
            self._end_membership(db, group_id, user_id)
            self._shared.revocations.add((Kind.RECHECK, user_id))

    @staticmethod
    def _end_membership(db: sa.Connection, group_id: str, user_id: str) -> None:
        gone = memberships.c
        db.execute(memberships.delete().where(gone.group_id == group_id, gone.user_id == user_id))

    def _is_member(self, db: sa.Connection, group_id: str, user_id: str) -> bool:
        row = memberships.c
        holds = sa.or_(row.expires_at == 0, row.expires_at > self._shared.clock.now())
        select = sa.select(row.user_id).where(row.group_id == group_id, row.user_id == user_id, holds)
        return db.execute(select).first() is not None
