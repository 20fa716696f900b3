"""Who has which role on what: as it was granted, and what follows from it.

A role granted to a group holds for its members; one granted as *inherited* on a domain or project holds on the
projects below, not on the thing itself; a role brings along those that it implies.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.cascades import forget_credentials, trustees_of
from nephele.identity.errors import ASSIGNMENT_NOT_FOUND, REFUSED
from nephele.identity.model import SYSTEM, Actor, Assignment, Role, Target
from nephele.identity.projects import Projects
from nephele.identity.revocations import EVERYONE, Kind
from nephele.identity.roles import Roles
from nephele.identity.shared import Shared, columns_of
from nephele.identity.tables import assignments, memberships, projects
from nephele.identity.users import Groups, Users

_COLUMNS = columns_of(assignments, Assignment)
_row = assignments.c


class Wanted(Struct, frozen=True, kw_only=True):
    """Which assignments a listing asks for; empty means any."""

    user_id: str = ""
    group_id: str = ""
    role_id: str = ""
    target_type: Target | None = None
    target_id: str = ""
    inherited: bool | None = None
    include_subtree: bool = False


class Effective(Struct, frozen=True):
    """A role that a user has, and by way of what."""

    assignment: Assignment
    group_id: str = ""
    inherited_from: tuple[Target, str] | None = None
    prior_role_id: str = ""


class Assignments:
    """All roles of users and groups."""

    def __init__(self, shared: Shared, users: Users, groups: Groups, projects_: Projects, roles: Roles) -> None:
        self._shared = shared
        self._users, self._groups, self._projects, self._roles = users, groups, projects_, roles

    def grant(self, assignment: Assignment) -> None:
        """Give a role; nothing changes where it was given.

        Raises the NOT_FOUND of what does not exist, or REFUSED for a role of another domain.
        """
        with self._shared.store.write() as db:
            self._check_parts(assignment)
            if not self._exists(db, assignment):
                db.execute(assignments.insert().values(**_values(assignment)))
                self._announce(db, assignment)

    def _check_parts(self, assignment: Assignment) -> None:
        role = self._roles.get(assignment.role_id)
        if assignment.actor_type is Actor.USER:
            self._users.get(assignment.actor_id)
        else:
            self._groups.get(assignment.actor_id)
        if assignment.target_type is Target.PROJECT:
            domain_id = self._projects.get(assignment.target_id).domain_id
        elif assignment.target_type is Target.DOMAIN:
            domain_id = self._projects.get_domain(assignment.target_id).id
        else:
            domain_id = ""
        if role.domain_id and role.domain_id != domain_id:
            raise REFUSED(action="assign a role of a domain outside of this domain")

    def check(self, assignment: Assignment) -> None:
        """Raise ASSIGNMENT_NOT_FOUND (or the NOT_FOUND of a part) unless that role was given."""
        self._roles.get(assignment.role_id)
        with self._shared.store.read() as db:
            if not self._exists(db, assignment):
                raise ASSIGNMENT_NOT_FOUND(**_values(assignment))

    def revoke(self, assignment: Assignment) -> None:
        """Take a role away.  Raises as `check` does."""
        with self._shared.store.write() as db:
            self.check(assignment)
            db.execute(assignments.delete().where(*_is(assignment)))
            if assignment.target_type is Target.PROJECT and assignment.actor_type is Actor.USER:
                forget_credentials(db, assignment.actor_id, assignment.target_id)
            self._announce(db, assignment)

    def granted(self, actor: tuple[Actor, str], target: tuple[Target, str], *, inherited: bool = False) -> list[Role]:
        """The roles that were given to just this user or group on just this."""
        wanted = (
            _row.actor_type == actor[0],
            _row.actor_id == actor[1],
            _row.target_type == target[0],
            _row.target_id == target[1],
            _row.inherited.is_(inherited),
        )
        with self._shared.store.read() as db:
            ids = db.execute(sa.select(_row.role_id).where(*wanted)).scalars().all()
        by_id = self._roles.read_graph().by_id
        return [by_id[role_id] for role_id in ids if role_id in by_id]

    def role_ids(self, user_id: str, target: Target, target_id: str) -> set[str]:
        """Every role that a user has on something, with what is inherited and implied."""
        with self._shared.store.read() as db:
            found = db.execute(_ROLES_ON[target], {**self._asked(user_id), "target_id": target_id})
            return self._roles.graph().expand(set(found.scalars()))

    def _asked(self, user_id: str) -> dict[str, object]:
        """The parameters of `_OF_USER`."""
        return {"user_id": user_id, "now": self._shared.clock.now()}

    def role_names(self, user_id: str, target: Target, target_id: str) -> set[str]:
        """The names of those roles, as a token carries them."""
        return self._roles.graph().names(self.role_ids(user_id, target, target_id))

    def names_of(self, role_ids: Iterable[str]) -> set[str]:
        """The names of some roles and of those that they imply, as a token carries them."""
        graph = self._roles.graph()
        return graph.names(graph.expand(set(role_ids)))

    def project_ids(self, user_id: str) -> set[str]:
        """The projects that a user has any role on."""
        with self._shared.store.read() as db:
            rows = db.execute(_MINE, self._asked(user_id)).all()
            found = {target for kind, target, inherited in rows if kind == Target.PROJECT and not inherited}
            domains = [target for kind, target, inherited in rows if kind == Target.DOMAIN and inherited]
            found |= set(db.execute(sa.select(projects.c.id).where(projects.c.domain_id.in_(domains))).scalars())
        for kind, target, inherited in rows:
            if kind == Target.PROJECT and inherited:
                found |= {project.id for project in self._projects.subtree(target)}
        return found

    def domain_ids(self, user_id: str) -> set[str]:
        """The domains that a user has any role on."""
        with self._shared.store.read() as db:
            rows = db.execute(_MINE, self._asked(user_id))
            return {target for kind, target, inherited in rows if kind == Target.DOMAIN and not inherited}

    def find(self, wanted: Wanted) -> list[Assignment]:
        """Assignments as they were given."""
        select = sa.select(*_COLUMNS).order_by(_row.target_id, _row.actor_id, _row.role_id)
        if wanted.user_id or wanted.group_id:
            kind = Actor.USER if wanted.user_id else Actor.GROUP
            select = select.where(_row.actor_type == kind, _row.actor_id == (wanted.user_id or wanted.group_id))
        if wanted.role_id:
            select = select.where(_row.role_id == wanted.role_id)
        if wanted.target_type is not None:
            select = select.where(_row.target_type == wanted.target_type)
        if wanted.target_id:
            select = select.where(_row.target_id.in_(self._targets(wanted)))
        if wanted.inherited is not None:
            select = select.where(_row.inherited.is_(wanted.inherited))
        with self._shared.store.read() as db:
            return [_assignment(row) for row in db.execute(select)]

    def _targets(self, wanted: Wanted) -> list[str]:
        below = self._projects.subtree(wanted.target_id) if wanted.include_subtree else []
        return [wanted.target_id, *(project.id for project in below)]

    def find_effective(self, wanted: Wanted) -> list[Effective]:
        """What follows: users instead of groups, projects instead of inheritance, and implied roles."""
        found = [effective for given in self._bearing_on(wanted) for effective in self._unfold(given, wanted.user_id)]
        targets = set(self._targets(wanted)) if wanted.target_id else None
        return [
            effective
            for effective in dict.fromkeys(found)
            if (not wanted.user_id or effective.assignment.actor_id == wanted.user_id)
            and (not wanted.role_id or effective.assignment.role_id == wanted.role_id)
            and (wanted.target_type is None or effective.assignment.target_type is wanted.target_type)
            and (targets is None or effective.assignment.target_id in targets)
            and (wanted.inherited is None or (effective.inherited_from is not None) is wanted.inherited)
        ]

    def _bearing_on(self, wanted: Wanted) -> list[Assignment]:
        """Assignments from which something wanted may follow."""
        select = sa.select(*_COLUMNS).order_by(_row.target_id, _row.actor_id, _row.role_id)
        if wanted.user_id:
            select = select.where(_OF_USER)
        if wanted.target_type is Target.PROJECT and wanted.target_id:
            ids = self._targets(wanted)
            above = self._projects.parents(self._projects.get(wanted.target_id))
            ids += [project.id for project in above] + [self._projects.get(wanted.target_id).domain_id]
            select = select.where(_row.target_id.in_(ids))
        elif wanted.target_id:
            select = select.where(_row.target_id == wanted.target_id, _row.inherited.is_(False))
        with self._shared.store.read() as db:
            return [
                _assignment(row) for row in db.execute(select, self._asked(wanted.user_id) if wanted.user_id else {})
            ]

    def _unfold(self, given: Assignment, user_id: str) -> list[Effective]:
        users, via_group = [given.actor_id], ""
        if given.actor_type is Actor.GROUP:
            via_group = given.actor_id
            users = [user_id] if user_id else [user.id for user in self._groups.members(via_group, [])]
        targets: list[tuple[Target, str]] = [(given.target_type, given.target_id)]
        origin = targets[0] if given.inherited else None
        if given.inherited:
            targets = [(Target.PROJECT, project.id) for project in self._projects.subtree(given.target_id)]
        graph = self._roles.graph()
        role_ids = [given.role_id, *sorted(graph.expand({given.role_id}) - {given.role_id})]
        return [
            Effective(
                Assignment(Actor.USER, user, kind, target, role_id),
                via_group,
                origin,
                given.role_id if role_id != given.role_id else "",
            )
            for user in users
            for kind, target in targets
            for role_id in role_ids
            if not (role := graph.by_id.get(role_id)) or not role.domain_id
        ]

    def _exists(self, db: sa.Connection, assignment: Assignment) -> bool:
        return db.execute(sa.select(_row.role_id).where(*_is(assignment))).first() is not None

    def _announce(self, db: sa.Connection, assignment: Assignment) -> None:
        """Have the tokens looked at again that this may concern: the user's, and those of whom it trusts."""
        if assignment.actor_type is Actor.GROUP:
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))
            return
        concerned = {assignment.actor_id} | trustees_of(db, assignment.actor_id)
        self._shared.revocations.add(*((Kind.RECHECK, user_id) for user_id in concerned))


def on_system(actor: Actor, actor_id: str, role_id: str) -> Assignment:
    """The assignment of a role on the whole system."""
    return Assignment(actor, actor_id, Target.SYSTEM, SYSTEM, role_id)


def _assignment(row: Sequence[Any]) -> Assignment:
    actor_type, actor_id, target_type, target_id, role_id, inherited = row
    return Assignment(
        Actor(str(actor_type)), str(actor_id), Target(str(target_type)), str(target_id), str(role_id), bool(inherited)
    )


def _values(assignment: Assignment) -> dict[str, object]:
    return {name: getattr(assignment, name) for name in assignment.__struct_fields__}


def _is(assignment: Assignment) -> list[sa.ColumnElement[bool]]:
    return [assignments.c[name] == value for name, value in _values(assignment).items()]


_OF_USER = sa.or_(
    sa.and_(_row.actor_type == Actor.USER, _row.actor_id == sa.bindparam("user_id")),
    sa.and_(
        _row.actor_type == Actor.GROUP,
        _row.actor_id.in_(
            sa.select(memberships.c.group_id).where(
                memberships.c.user_id == sa.bindparam("user_id"),
                sa.or_(memberships.c.expires_at == 0, memberships.c.expires_at > sa.bindparam("now")),
            )
        ),
    ),
)
_MINE = sa.select(_row.target_type, _row.target_id, _row.inherited).where(_OF_USER)
_chain = (
    sa.select(projects.c.parent_id.label("id")).where(projects.c.id == sa.bindparam("target_id")).cte(recursive=True)
)
_chain = _chain.union_all(sa.select(projects.c.parent_id).where(projects.c.id == _chain.c.id))


def _roles_on(target: Target) -> "sa.Select[str]":
    here = sa.and_(_row.target_type == target, _row.target_id == sa.bindparam("target_id"), _row.inherited.is_(False))
    if target is Target.PROJECT:
        here = sa.or_(here, sa.and_(_row.inherited.is_(True), _row.target_id.in_(sa.select(_chain.c.id))))
    return sa.select(_row.role_id).where(_OF_USER, here)


_ROLES_ON = {target: _roles_on(target) for target in Target}
