"""Unified limits: a default for each resource of a service, and what projects and domains have instead.

Models are upstream's: by `flat` each limit stands alone; by `strict_two_level` no project has more than its domain, and
there are no projects below projects.
"""

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.catalog import Catalog
from nephele.identity.errors import INVALID, LIMIT_NOT_FOUND, OVER_PARENT_LIMIT, REFUSED, REGISTERED_LIMIT_NOT_FOUND
from nephele.identity.model import LimitModel
from nephele.identity.projects import Projects
from nephele.identity.shared import Filters, Shared, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import limits, registered_limits
from nephele.kernel.errors import Refused


class RegisteredLimit(Struct, frozen=True):
    """The default limit of a resource."""

    id: str
    service_id: str
    region_id: str
    resource_name: str
    default_limit: int
    description: str | None


class Limit(Struct, frozen=True):
    """What one project or domain has instead of the default."""

    id: str
    project_id: str
    domain_id: str
    service_id: str
    region_id: str
    resource_name: str
    resource_limit: int
    description: str | None


_REGISTERED, _LIMIT = columns_of(registered_limits, RegisteredLimit), columns_of(limits, Limit)


class Limits:
    """All limits."""

    def __init__(self, shared: Shared, catalog: Catalog, projects: Projects, model: LimitModel) -> None:
        self._shared, self.model = shared, model
        self._catalog, self._projects = catalog, projects

    def registered(self, limit_id: str) -> RegisteredLimit:
        """One default.  Raises REGISTERED_LIMIT_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_REGISTERED).where(registered_limits.c.id == limit_id)).first()
        if row is None:
            raise REGISTERED_LIMIT_NOT_FOUND(id=limit_id)
        return RegisteredLimit(*row)

    def find_registered(self, filters: Filters) -> list[RegisteredLimit]:
        """Defaults by `service_id`, `region_id`, `resource_name`."""
        columns = {name: registered_limits.c[name] for name in ("service_id", "region_id", "resource_name")}
        select = narrowed(sa.select(*_REGISTERED), filters, columns).order_by(registered_limits.c.resource_name)
        with self._shared.store.read() as db:
            return [RegisteredLimit(*row) for row in db.execute(select)]

    def register(self, wanted: list[RegisteredLimit]) -> list[RegisteredLimit]:
        """New defaults, all or none; their ids are made here.  Raises INVALID or DUPLICATE."""
        made = [msgspec.structs.replace(limit, id=self._shared.ids.hex()) for limit in wanted]
        with self._shared.store.write() as db:
            for limit in made:
                self._check_place(limit.service_id, limit.region_id)
                store_new(db, registered_limits, _row(limit), "registered_limit")
        return made

    def update_registered(self, limit: RegisteredLimit) -> RegisteredLimit:
        """Replace a default.

        Raises REGISTERED_LIMIT_NOT_FOUND, INVALID, DUPLICATE, or REFUSED where it would leave those that override it.
        """
        with self._shared.store.write() as db:
            have = self.registered(limit.id)
            self._check_place(limit.service_id, limit.region_id)
            if _key(have) != _key(limit):
                self._check_unused(have)
            store_change(db, registered_limits, limit.id, _row(limit), "registered_limit")
        return limit

    def unregister(self, limit_id: str) -> None:
        """Remove a default.  Raises REGISTERED_LIMIT_NOT_FOUND, or REFUSED while it is overridden."""
        with self._shared.store.write() as db:
            self._check_unused(self.registered(limit_id))
            db.execute(registered_limits.delete().where(registered_limits.c.id == limit_id))

    def get(self, limit_id: str) -> Limit:
        """One limit.  Raises LIMIT_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_LIMIT).where(limits.c.id == limit_id)).first()
        if row is None:
            raise LIMIT_NOT_FOUND(id=limit_id)
        return Limit(*row)

    def find(self, filters: Filters) -> list[Limit]:
        """Limits by `service_id`, `region_id`, `resource_name`, `project_id`, `domain_id`."""
        names = ("service_id", "region_id", "resource_name", "project_id", "domain_id")
        select = narrowed(sa.select(*_LIMIT), filters, {name: limits.c[name] for name in names})
        with self._shared.store.read() as db:
            return [Limit(*row) for row in db.execute(select.order_by(limits.c.resource_name, limits.c.id))]

    def create(self, wanted: list[Limit]) -> list[Limit]:
        """New limits, all or none; their ids are made here.

        Raises INVALID where there is no default for the resource, the NOT_FOUND of the project, or DUPLICATE.
        """
        made = [msgspec.structs.replace(limit, id=self._shared.ids.hex()) for limit in wanted]
        with self._shared.store.write() as db:
            for limit in made:
                self._check_owner(limit)
                if not self._default_of(limit):
                    raise INVALID(reason=f"There is no registered limit for {limit.resource_name} to override.")
                self._check_tree(limit)
                store_new(db, limits, _row(limit), "limit")
        return made

    def update(self, limit: Limit) -> Limit:
        """Replace a limit's value and description.  Raises LIMIT_NOT_FOUND or OVER_PARENT_LIMIT."""
        with self._shared.store.write() as db:
            self.get(limit.id)
            self._check_tree(limit)
            store_change(db, limits, limit.id, _row(limit), "limit")
        return limit

    def delete(self, limit_id: str) -> None:
        """Remove a limit.  Raises LIMIT_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(limit_id)
            db.execute(limits.delete().where(limits.c.id == limit_id))

    def _check_place(self, service_id: str, region_id: str) -> None:
        if not self._catalog.services_by_id([service_id]):
            raise INVALID(reason=f"Could not find service: {service_id}.")
        if region_id and not self._catalog.has_region(region_id):
            raise INVALID(reason=f"Could not find region: {region_id}.")

    def _check_owner(self, limit: Limit) -> None:
        if bool(limit.project_id) == bool(limit.domain_id):
            raise INVALID(reason="A limit is for either a project or a domain.")
        if limit.project_id:
            self._projects.get(limit.project_id)
        else:
            self._projects.get_domain(limit.domain_id)

    def _check_tree(self, limit: Limit) -> None:
        """Raise OVER_PARENT_LIMIT where a project would have more than its domain; -1 is without end."""
        if self.model is LimitModel.FLAT:
            return
        same = [
            ("service_id", limit.service_id),
            ("region_id", limit.region_id),
            ("resource_name", limit.resource_name),
        ]
        if limit.project_id:
            domain_id = self._projects.get(limit.project_id).domain_id
            above = self.find([*same, ("domain_id", domain_id)])
            most = above[0].resource_limit if above else self._default_of(limit)[0].default_limit
            if _is_more(limit.resource_limit, most):
                raise _over(limit, f"project {limit.project_id}", limit.resource_limit, f"domain {domain_id}", most)
            return
        below = [it for it in self.find(same) if it.project_id]
        owners = self._projects.by_ids([it.project_id for it in below])
        for it in below:
            if owners[it.project_id].domain_id == limit.domain_id and _is_more(it.resource_limit, limit.resource_limit):
                domain = f"domain {limit.domain_id}"
                raise _over(limit, f"project {it.project_id}", it.resource_limit, domain, limit.resource_limit)

    def _default_of(self, limit: Limit) -> list[RegisteredLimit]:
        wanted = [("service_id", limit.service_id), ("resource_name", limit.resource_name)]
        return self.find_registered([*wanted, ("region_id", limit.region_id)])

    def _check_unused(self, limit: RegisteredLimit) -> None:
        if self.find(list(zip(("service_id", "region_id", "resource_name"), _key(limit), strict=True))):
            raise REFUSED(action=f"change or delete registered limit {limit.id}: projects or domains override it")


def _is_more(wanted: int, most: int) -> bool:
    return most != -1 and (wanted == -1 or wanted > most)


def _over(limit: Limit, owner: str, wanted: int, parent: str, most: int) -> Refused:
    facts = {"owner": owner, "limit": wanted, "parent": parent, "parent_limit": most}
    return OVER_PARENT_LIMIT(resource=limit.resource_name, **facts)


def _key(limit: RegisteredLimit) -> tuple[str, str, str]:
    return limit.service_id, limit.region_id, limit.resource_name


def _row(thing: Struct) -> dict[str, object]:
    return {name: getattr(thing, name) for name in thing.__struct_fields__}
