"""Roles, and which imply which."""

import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.identity.errors import IMMUTABLE, IMPLIED_ROLE_NOT_FOUND, INVALID, REFUSED, ROLE_NOT_FOUND
from nephele.identity.model import Extra, Role
from nephele.identity.revocations import EVERYONE, Kind
from nephele.identity.shared import Filters, Shared, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import assignments, implied_roles, roles

_COLUMNS = columns_of(roles, Role)


class RoleGraph(Struct, frozen=True):
    """All roles and implications at one moment."""

    by_id: dict[str, Role]
    ids_by_name: dict[str, str]
    implies: dict[str, tuple[str, ...]]

    def expand(self, role_ids: set[str]) -> set[str]:
        """Those roles and all that they imply, whether directly or not."""
        found, todo = set(role_ids), list(role_ids)
        while todo:
            for implied in self.implies.get(todo.pop(), ()):
                if implied not in found:
                    found.add(implied)
                    todo.append(implied)
        return found

    def names(self, role_ids: set[str]) -> set[str]:
        """The names that a token carries: of the roles that belong to no domain."""
        found = (self.by_id[role_id] for role_id in role_ids if role_id in self.by_id)
        return {role.name for role in found if not role.domain_id}


class Roles:
    """The roles of the cloud and of its domains."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._graph: tuple[int, RoleGraph] | None = None

    def graph(self) -> RoleGraph:
        """All roles and implications, remembered until something changes."""
        epoch = self._shared.revocations.epoch
        if self._graph is None or self._graph[0] != epoch:
            self._graph = epoch, self.read_graph()
        return self._graph[1]

    def read_graph(self) -> RoleGraph:
        """All roles and implications, as the database has them now."""
        with self._shared.store.read() as db:
            by_id = {row[0]: Role(*row) for row in db.execute(sa.select(*_COLUMNS))}
            implies: dict[str, tuple[str, ...]] = {}
            for prior, implied in db.execute(sa.select(implied_roles.c.prior_id, implied_roles.c.implied_id)):
                implies[prior] = (*implies.get(prior, ()), implied)
        return RoleGraph(by_id, {role.name: role.id for role in by_id.values() if not role.domain_id}, implies)

    def get(self, role_id: str) -> Role:
        """One role.  Raises ROLE_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_COLUMNS).where(roles.c.id == role_id)).first()
        if row is None:
            raise ROLE_NOT_FOUND(id=role_id)
        return Role(*row)

    def find(self, filters: Filters) -> list[Role]:
        """Roles by `name` and `domain_id`; without `domain_id` those of no domain."""
        select = narrowed(sa.select(*_COLUMNS), filters, {"name": roles.c.name, "domain_id": roles.c.domain_id})
        if not any(key == "domain_id" for key, _ in filters):
            select = select.where(roles.c.domain_id == "")
        with self._shared.store.read() as db:
            return [Role(*row) for row in db.execute(select.order_by(roles.c.name))]

    def create(
        self,
        name: str,
        domain_id: str = "",
        description: str | None = None,
        options: Extra | None = None,
        extra: Extra | None = None,
    ) -> Role:
        """A new role.  Raises DUPLICATE."""
        role = Role(self._shared.ids.hex(), name, domain_id, description, options or {}, extra or {})
        with self._shared.store.write() as db:
            store_new(db, roles, _row(role), "role")
            self._shared.revocations.add((Kind.CHANGE, "roles"))
        return role

    def update(
        self,
        role_id: str,
        *,
        name: str | UnsetType = UNSET,
        description: str | UnsetType | None = UNSET,
        options: Extra | UnsetType = UNSET,
        extra: Extra | None = None,
    ) -> Role:
        """Change what is given.  Raises ROLE_NOT_FOUND, IMMUTABLE or DUPLICATE."""
        with self._shared.store.write() as db:
            role = self.get(role_id)
            check_mutable("role", role.id, role.options, {} if options is UNSET else options)
            values: dict[str, object] = {"extra": {**role.extra, **(extra or {})}}
            if options is not UNSET:
                values["options"] = merged_options(role.options, options)
            if name is not UNSET:
                values["name"] = name
            if description is not UNSET:
                values["description"] = description
            store_change(db, roles, role_id, values, "role")
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))
            return self.get(role_id)

    def delete(self, role_id: str) -> None:
        """Remove a role with its assignments and implications.  Raises ROLE_NOT_FOUND or IMMUTABLE."""
        with self._shared.store.write() as db:
            role = self.get(role_id)
            check_mutable("role", role.id, role.options, {})
            db.execute(assignments.delete().where(assignments.c.role_id == role_id))
            pairs = implied_roles.c
            db.execute(implied_roles.delete().where((pairs.prior_id == role_id) | (pairs.implied_id == role_id)))
            db.execute(roles.delete().where(roles.c.id == role_id))
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))

    def imply(self, prior_id: str, implied_id: str) -> None:
        """Whoever has the prior role has the implied one too.

        Raises ROLE_NOT_FOUND; REFUSED for the admin role, a role of a domain, or a circle; INVALID for itself.
        """
        with self._shared.store.write() as db:
            prior, implied = self.get(prior_id), self.get(implied_id)
            if implied.domain_id and not prior.domain_id:
                raise REFUSED(action="imply a role of a domain by a role of the whole cloud")
            if implied.name == "admin" and not implied.domain_id:
                raise REFUSED(action="imply the admin role")
            graph = self.read_graph()
            if prior_id == implied_id or prior_id in graph.expand({implied_id}):
                raise INVALID(reason=f"Role {implied_id} can not be implied by {prior_id}: that would be a circle.")
            if implied_id not in graph.implies.get(prior_id, ()):
                db.execute(implied_roles.insert().values(prior_id=prior_id, implied_id=implied_id))
                self._shared.revocations.add((Kind.RECHECK, EVERYONE))

    def check_implied(self, prior_id: str, implied_id: str) -> tuple[Role, Role]:
        """Both roles of an implication.  Raises ROLE_NOT_FOUND or IMPLIED_ROLE_NOT_FOUND."""
        prior, implied = self.get(prior_id), self.get(implied_id)
        if implied_id not in self.read_graph().implies.get(prior_id, ()):
            raise IMPLIED_ROLE_NOT_FOUND(prior_id=prior_id, implied_id=implied_id)
        return prior, implied

    def imply_no_more(self, prior_id: str, implied_id: str) -> None:
        """Take an implication away.  Raises ROLE_NOT_FOUND or IMPLIED_ROLE_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.check_implied(prior_id, implied_id)
            pairs = implied_roles.c
            db.execute(implied_roles.delete().where(pairs.prior_id == prior_id, pairs.implied_id == implied_id))
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))


def check_mutable(what: str, row_id: str, have: Extra, wanted: Extra) -> None:
    """Raise IMMUTABLE unless the option is off, or is being switched off by this very request."""
    if have.get("immutable") and not ("immutable" in wanted and not wanted["immutable"]):
        raise IMMUTABLE(what=what, id=row_id)


def merged_options(have: Extra, wanted: Extra) -> Extra:
    """The options after a change; null takes one away."""
    return {key: value for key, value in {**have, **wanted}.items() if value is not None}


def _row(role: Role) -> dict[str, object]:
    return {name: getattr(role, name) for name in role.__struct_fields__}
