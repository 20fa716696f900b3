"""Which endpoints a project's catalog shows: those chosen for it one by one or by groups; where none was, all."""

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.catalog import Catalog
from nephele.identity.errors import DUPLICATE, ENDPOINT_GROUP_NOT_FOUND, NOT_ASSOCIATED
from nephele.identity.model import Endpoint, Project
from nephele.identity.projects import Projects
from nephele.identity.revocations import Kind
from nephele.identity.shared import Filters, Shared, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import endpoint_groups, project_endpoint_groups, project_endpoints


class EndpointGroup(Struct, frozen=True):
    """The endpoints that have something in common: `filters` by `service_id`, `region_id`, `interface`, `enabled`."""

    id: str
    name: str
    description: str | None
    filters: dict[str, str]


_COLUMNS = columns_of(endpoint_groups, EndpointGroup)
_direct, _through = project_endpoints.c, project_endpoint_groups.c


class EndpointFilters:
    """Endpoint groups, and what was chosen for which project."""

    def __init__(self, shared: Shared, catalog: Catalog, projects: Projects) -> None:
        self._shared = shared
        self._catalog, self._projects = catalog, projects

    def get(self, group_id: str) -> EndpointGroup:
        """One group.  Raises ENDPOINT_GROUP_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_COLUMNS).where(endpoint_groups.c.id == group_id)).first()
        if row is None:
            raise ENDPOINT_GROUP_NOT_FOUND(id=group_id)
        return EndpointGroup(*row)

    def find(self, filters: Filters) -> list[EndpointGroup]:
        """Groups by `name`."""
        select = narrowed(sa.select(*_COLUMNS), filters, {"name": endpoint_groups.c.name})
        with self._shared.store.read() as db:
            return [EndpointGroup(*row) for row in db.execute(select.order_by(endpoint_groups.c.name))]

    def create(self, group: EndpointGroup) -> EndpointGroup:
        """A new group; its id is made here."""
        group = msgspec.structs.replace(group, id=self._shared.ids.hex())
        with self._shared.store.write() as db:
            store_new(db, endpoint_groups, _row(group), "endpoint_group")
        return group

    def update(self, group: EndpointGroup) -> EndpointGroup:
        """Replace a group's attributes.  Raises ENDPOINT_GROUP_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(group.id)
            store_change(db, endpoint_groups, group.id, _row(group), "endpoint_group")
            self._changed()
        return group

    def delete(self, group_id: str) -> None:
        """Remove a group from all projects.  Raises ENDPOINT_GROUP_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(group_id)
            db.execute(project_endpoint_groups.delete().where(_through.group_id == group_id))
            db.execute(endpoint_groups.delete().where(endpoint_groups.c.id == group_id))
            self._changed()

    def endpoints_in(self, group: EndpointGroup) -> list[Endpoint]:
        """The endpoints that a group stands for now."""
        return self._catalog.endpoints(list(group.filters.items()))

    def add(self, project_id: str, endpoint_id: str) -> None:
        """Choose an endpoint for a project.  Raises PROJECT_NOT_FOUND or ENDPOINT_NOT_FOUND."""
        with self._shared.store.write() as db:
            self._projects.get(project_id)
            self._catalog.endpoint(endpoint_id)
            chosen = {"project_id": project_id, "endpoint_id": endpoint_id}
            if not self._has(db, project_endpoints, chosen):
                db.execute(project_endpoints.insert().values(**chosen))
                self._changed()

    def check(self, project_id: str, endpoint_id: str) -> None:
        """Raise NOT_ASSOCIATED (or a NOT_FOUND) unless the endpoint was chosen for the project."""
        self._projects.get(project_id)
        self._catalog.endpoint(endpoint_id)
        with self._shared.store.read() as db:
            if not self._has(db, project_endpoints, {"project_id": project_id, "endpoint_id": endpoint_id}):
                raise NOT_ASSOCIATED(what="Endpoint", id=endpoint_id, project_id=project_id)

    def remove(self, project_id: str, endpoint_id: str) -> None:
        """Choose an endpoint no more.  Raises as `check` does."""
        with self._shared.store.write() as db:
            self.check(project_id, endpoint_id)
            gone = _direct.project_id == project_id, _direct.endpoint_id == endpoint_id
            db.execute(project_endpoints.delete().where(*gone))
            self._changed()

    def add_group(self, project_id: str, group_id: str) -> None:
        """Choose a group for a project.  Raises a NOT_FOUND, or DUPLICATE where it was chosen."""
        with self._shared.store.write() as db:
            self._projects.get(project_id)
            self.get(group_id)
            chosen = {"project_id": project_id, "group_id": group_id}
            if self._has(db, project_endpoint_groups, chosen):
                raise DUPLICATE(what="endpoint group association", found=f"project {project_id} and group {group_id}")
            db.execute(project_endpoint_groups.insert().values(**chosen))
            self._changed()

    def check_group(self, project_id: str, group_id: str) -> EndpointGroup:
        """The group, if it was chosen for the project.  Raises NOT_ASSOCIATED or a NOT_FOUND."""
        self._projects.get(project_id)
        group = self.get(group_id)
        with self._shared.store.read() as db:
            if not self._has(db, project_endpoint_groups, {"project_id": project_id, "group_id": group_id}):
                raise NOT_ASSOCIATED(what="Endpoint group", id=group_id, project_id=project_id)
        return group

    def remove_group(self, project_id: str, group_id: str) -> None:
        """Choose a group no more.  Raises as `check_group` does."""
        with self._shared.store.write() as db:
            self.check_group(project_id, group_id)
            gone = _through.project_id == project_id, _through.group_id == group_id
            db.execute(project_endpoint_groups.delete().where(*gone))
            self._changed()

    def groups_of(self, project_id: str) -> list[EndpointGroup]:
        """The groups chosen for a project.  Raises PROJECT_NOT_FOUND."""
        self._projects.get(project_id)
        mine = sa.select(_through.group_id).where(_through.project_id == project_id)
        with self._shared.store.read() as db:
            found = db.execute(sa.select(*_COLUMNS).where(endpoint_groups.c.id.in_(mine)))
            return [EndpointGroup(*row) for row in found]

    def endpoints_of(self, project_id: str) -> list[Endpoint]:
        """The endpoints chosen for a project, one by one or by groups.  Raises PROJECT_NOT_FOUND."""
        chosen = {endpoint.id for group in self.groups_of(project_id) for endpoint in self.endpoints_in(group)}
        with self._shared.store.read() as db:
            mine = sa.select(_direct.endpoint_id).where(_direct.project_id == project_id)
            chosen |= set(db.execute(mine).scalars().all())
        return [endpoint for endpoint in self._catalog.endpoints([]) if endpoint.id in chosen]

    def projects_of(self, endpoint_id: str) -> list[Project]:
        """The projects that an endpoint was chosen for.  Raises ENDPOINT_NOT_FOUND."""
        self._catalog.endpoint(endpoint_id)
        with self._shared.store.read() as db:
            mine = sa.select(_direct.project_id).where(_direct.endpoint_id == endpoint_id)
            return list(self._projects.by_ids(db.execute(mine).scalars().all()).values())

    def projects_of_group(self, group_id: str) -> list[Project]:
        """The projects that a group was chosen for.  Raises ENDPOINT_GROUP_NOT_FOUND."""
        self.get(group_id)
        with self._shared.store.read() as db:
            mine = sa.select(_through.project_id).where(_through.group_id == group_id)
            return list(self._projects.by_ids(db.execute(mine).scalars().all()).values())

    @staticmethod
    def _has(db: sa.Connection, table: sa.Table, values: dict[str, str]) -> bool:
        same = [table.c[name] == value for name, value in values.items()]
        return db.execute(sa.select(table.c.project_id).where(*same)).first() is not None

    def _changed(self) -> None:
        self._shared.revocations.add((Kind.CHANGE, "catalog"))


def _row(group: EndpointGroup) -> dict[str, object]:
    return {name: getattr(group, name) for name in group.__struct_fields__}
