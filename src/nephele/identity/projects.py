"""Projects in their trees, and the domains that are the roots of these."""

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.identity.cascades import forget_project_parts, forget_users, trusts_of
from nephele.identity.errors import (
    DOMAIN_NOT_FOUND,
    INVALID,
    PROJECT_NOT_FOUND,
    REFUSED,
    TAG_NOT_FOUND,
    TREE_TOO_DEEP,
)
from nephele.identity.model import Actor, Extra, Project
from nephele.identity.revocations import EVERYONE, Kind
from nephele.identity.roles import check_mutable, merged_options
from nephele.identity.shared import Filters, Shared, among, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import assignments, groups, memberships, project_tags, projects, roles, users

MAX_DEPTH = 5
"""Projects above each other below a domain, as Keystone's `max_project_tree_depth`."""

_COLUMNS = columns_of(projects, Project)
_FILTERS = {
    name: projects.c[name] for name in ("name", "domain_id", "parent_id", "is_domain", "enabled", "description")
}


_domain = projects.alias("domain")
_LIVE = sa.select(*_COLUMNS).where(
    projects.c.enabled,
    projects.c.is_domain | sa.exists().where(_domain.c.id == projects.c.domain_id, _domain.c.enabled),
)


class ProjectChange(Struct, frozen=True, kw_only=True):
    """What an update sets."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    options: Extra | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    extra: Extra = {}


class Projects:
    """Projects and domains."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.max_depth = MAX_DEPTH

    def get(self, project_id: str) -> Project:
        """One project, also one that acts as a domain.  Raises PROJECT_NOT_FOUND."""
        found = self._select(projects.c.id == project_id)
        if not found:
            raise PROJECT_NOT_FOUND(id=project_id)
        return found[0]

    def get_domain(self, domain_id: str) -> Project:
        """One domain.  Raises DOMAIN_NOT_FOUND."""
        found = self._select(projects.c.id == domain_id, projects.c.is_domain.is_(True))
        if not found:
            raise DOMAIN_NOT_FOUND(id=domain_id)
        return found[0]

    def live(self, project_id: str) -> Project | None:
        """The project (or domain), if it and its domain are enabled; without its tags."""
        return self._live(projects.c.id == project_id)

    def live_named(self, name: str, domain_id: str) -> Project | None:
        """The project of that name in a domain, if both are enabled; without its tags."""
        return self._live(projects.c.name == name, projects.c.domain_id == domain_id)

    def _live(self, *where: sa.ColumnElement[bool]) -> Project | None:
        with self._shared.store.read() as db:
            row = db.execute(_LIVE.where(*where)).first()
        return Project(*row) if row else None

    def named(self, name: str, domain_id: str) -> Project | None:
        """The project of that name in a domain; with an empty domain id, the domain of that name."""
        found = self._select(projects.c.name == name, projects.c.domain_id == domain_id)
        return found[0] if found else None

    def by_ids(self, project_ids: Iterable[str]) -> dict[str, Project]:
        """Those of the projects that exist."""
        wanted = set(project_ids)
        return {it.id: it for it in self._select(among(projects.c.id, wanted)) if it.id in wanted}

    def find(self, filters: Filters, only: Iterable[str] | None = None) -> list[Project]:
        """Projects by their attributes and tags (`tags`, `tags-any`, `not-tags`, `not-tags-any`).

        Projects acting as domains are left out unless `is_domain` says otherwise; `only`: among these ids.
        """
        select = narrowed(sa.select(*_COLUMNS), filters, _FILTERS)
        if not any(key == "is_domain" for key, _ in filters):
            select = select.where(projects.c.is_domain.is_(False))
        wanted = None if only is None else set(only)
        if wanted is not None:
            select = select.where(among(projects.c.id, wanted))
        for key, value in filters:
            if key in _TAG_FILTERS:
                select = select.where(_tagged(key, value.split(",")))
        with self._shared.store.read() as db:
            found = [Project(*row) for row in db.execute(select.order_by(projects.c.name))]
            return self._with_tags(db, [it for it in found if wanted is None or it.id in wanted])

    def find_domains(self, filters: Filters, only: Iterable[str] | None = None) -> list[Project]:
        """Domains by `name` and `enabled`."""
        return self.find([*(pair for pair in filters if pair[0] != "is_domain"), ("is_domain", "true")], only)

    def parents(self, project: Project) -> list[Project]:
        """The projects above it, the nearest first; its domain is not among them."""
        found: list[Project] = []
        while project.parent_id and project.parent_id != project.domain_id:
            project = self.get(project.parent_id)
            found.append(project)
        return found

    def subtree(self, project_id: str) -> list[Project]:
        """All projects below it, parents before children."""
        found: list[Project] = []
        level = [project_id]
        while level:
            parents = set(level)
            below = [it for it in self._select(among(projects.c.parent_id, parents)) if it.parent_id in parents]
            found += below
            level = [project.id for project in below]
        return found

    def create(self, project: Project) -> Project:
        """A new project or domain; its id is made here unless given; an empty parent means its domain.

        Raises DOMAIN_NOT_FOUND, PROJECT_NOT_FOUND (parent), INVALID, REFUSED, TREE_TOO_DEEP or DUPLICATE.
        """
        with self._shared.store.write() as db:
            if not project.is_domain:
                project = self._placed(project)
            project = msgspec.structs.replace(project, id=project.id or self._shared.ids.hex())
            store_new(db, projects, _row(project), "domain" if project.is_domain else "project")
            self._set_tags(db, project.id, project.tags)
            return project

    def _placed(self, project: Project) -> Project:
        """The project with its parent, checked."""
        domain = self.get_domain(project.domain_id)
        parent = self.get(project.parent_id) if project.parent_id else domain
        if domain.id not in (parent.id, parent.domain_id):
            raise INVALID(reason=f"The parent {parent.id} is not in the domain {domain.id}.")
        if not (domain.enabled and parent.enabled):
            raise REFUSED(action=f"create a project below {parent.id}, which is disabled")
        if not parent.is_domain and len(self.parents(parent)) + 2 > self.max_depth:
            raise TREE_TOO_DEEP(id=parent.id)
        return msgspec.structs.replace(project, parent_id=parent.id)

    def update(self, project_id: str, change: ProjectChange) -> Project:
        """Change what is given.

        Raises PROJECT_NOT_FOUND, IMMUTABLE, DUPLICATE, or REFUSED where it may not be enabled or disabled.
        """
        with self._shared.store.write() as db:
            project = self.get(project_id)
            what = "domain" if project.is_domain else "project"
            check_mutable(what, project_id, project.options, change.options or {})
            values: dict[str, object] = {
                name: value
                for name in ("name", "description", "enabled")
                if (value := getattr(change, name)) is not UNSET
            }
            if change.enabled is not UNSET and change.enabled != project.enabled:
                self._check_switch(project, change.enabled)
            if change.options is not UNSET:
                values["options"] = merged_options(project.options, change.options)
            store_change(db, projects, project_id, {**values, "extra": {**project.extra, **change.extra}}, what)
            if change.tags is not UNSET:
                self._set_tags(db, project_id, change.tags)
            self._announce(project, values)
            return self.get(project_id)

    def _check_switch(self, project: Project, enabled: bool) -> None:
        if enabled and any(not parent.enabled for parent in self.parents(project)):
            raise REFUSED(action=f"enable project {project.id}, which has disabled parents")
        below = [] if enabled or project.is_domain else self.subtree(project.id)
        if any(child.enabled for child in below):
            raise REFUSED(action=f"disable project {project.id}, whose subtree contains enabled projects")

    def _announce(self, project: Project, values: dict[str, object]) -> None:
        if values.get("enabled") is False:
            kind = Kind.DOMAIN if project.is_domain else Kind.PROJECT
            self._shared.revocations.add((kind, project.id), (Kind.RECHECK, EVERYONE))
        elif "name" in values:
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))

    def delete(self, project_id: str) -> None:
        """Remove a project without children, and the roles on it.

        Raises PROJECT_NOT_FOUND, IMMUTABLE, or REFUSED where it has children or is an enabled domain.
        """
        with self._shared.store.write() as db:
            project = self.get(project_id)
            if project.is_domain:
                self.delete_domain(project_id)
                return
            check_mutable("project", project_id, project.options, {})
            if self._select(projects.c.parent_id == project_id):
                raise REFUSED(action=f"delete project {project_id}, which has projects below it")
            self._remove(db, [project_id])
            self._shared.revocations.add((Kind.PROJECT, project_id))

    def delete_domain(self, domain_id: str) -> None:
        """Remove a disabled domain with all that it owns.  Raises DOMAIN_NOT_FOUND, IMMUTABLE or REFUSED."""
        with self._shared.store.write() as db:
            domain = self.get_domain(domain_id)
            check_mutable("domain", domain_id, domain.options, {})
            if domain.enabled:
                raise REFUSED(action="delete a domain that is enabled: please disable it first")
            owned_users = list(db.execute(sa.select(users.c.id).where(users.c.domain_id == domain_id)).scalars())
            lost = [(Kind.TRUST, trust_id) for trust_id in trusts_of(db, owned_users)]
            forget_users(db, owned_users)
            owned = sa.select(groups.c.id).where(groups.c.domain_id == domain_id)
            gone = assignments.c
            db.execute(assignments.delete().where(gone.actor_type == Actor.GROUP, gone.actor_id.in_(owned)))
            db.execute(memberships.delete().where(memberships.c.group_id.in_(owned)))
            db.execute(groups.delete().where(groups.c.domain_id == domain_id))
            owned = sa.select(roles.c.id).where(roles.c.domain_id == domain_id)
            db.execute(assignments.delete().where(assignments.c.role_id.in_(owned)))
            db.execute(roles.delete().where(roles.c.domain_id == domain_id))
            self._remove(db, [domain_id, *(project.id for project in self._select(projects.c.domain_id == domain_id))])
            self._shared.revocations.add((Kind.DOMAIN, domain_id), *lost)

    def _remove(self, db: sa.Connection, project_ids: list[str]) -> None:
        forget_project_parts(db, project_ids)
        db.execute(projects.delete().where(projects.c.id.in_(project_ids)))

    def tag(self, project_id: str, *tags: str) -> None:
        """Add tags.  Raises PROJECT_NOT_FOUND, IMMUTABLE."""
        have = self.get(project_id).tags
        self.update(project_id, ProjectChange(tags=(*have, *(tag for tag in tags if tag not in have))))

    def untag(self, project_id: str, tag: str) -> None:
        """Take a tag away.  Raises PROJECT_NOT_FOUND, TAG_NOT_FOUND, IMMUTABLE."""
        have = self.get(project_id).tags
        if tag not in have:
            raise TAG_NOT_FOUND(id=tag)
        self.update(project_id, ProjectChange(tags=tuple(name for name in have if name != tag)))

    @staticmethod
    def _set_tags(db: sa.Connection, project_id: str, tags: Iterable[str]) -> None:
        db.execute(project_tags.delete().where(project_tags.c.project_id == project_id))
        rows = [{"project_id": project_id, "name": tag} for tag in tags]
        if rows:
            db.execute(project_tags.insert(), rows)

    def _select(self, *where: sa.ColumnElement[bool]) -> list[Project]:
        with self._shared.store.read() as db:
            found = db.execute(sa.select(*_COLUMNS).where(*where).order_by(projects.c.name))
            return self._with_tags(db, [Project(*row) for row in found])

    @staticmethod
    def _with_tags(db: sa.Connection, found: list[Project]) -> list[Project]:
        columns = project_tags.c
        select = sa.select(columns.project_id, columns.name).order_by(columns.name)
        tags: dict[str, list[str]] = {}
        for project_id, tag in db.execute(select.where(among(columns.project_id, [project.id for project in found]))):
            tags.setdefault(project_id, []).append(tag)
        return [
            msgspec.structs.replace(project, tags=tuple(tags[project.id])) if project.id in tags else project
            for project in found
        ]


_TAG_FILTERS = frozenset(("tags", "tags-any", "not-tags", "not-tags-any"))


def _tagged(key: str, tags: list[str]) -> sa.ColumnElement[bool]:
    has = [
        sa.exists().where(project_tags.c.project_id == projects.c.id, project_tags.c.name == tag).correlate(projects)
        for tag in tags
    ]
    found = sa.or_(*has) if key.endswith("any") else sa.and_(*has)
    return sa.not_(found) if key.startswith("not") else found


def _row(project: Project) -> dict[str, object]:
    return {name: getattr(project, name) for name in project.__struct_fields__ if name != "tags"}
