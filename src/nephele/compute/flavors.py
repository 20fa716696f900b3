"""Flavors: the sizes that servers come in."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from nephele.compute.errors import FLAVOR_EXISTS, FLAVOR_NOT_FOUND
from nephele.compute.model import Flavor
from nephele.compute.tables import flavor_access, flavors
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store

FIRST_FLAVORS = (
    #  id     name         vcpus  ram    disk
    ("42", "m1.nano", 1, 64, 1),
    ("84", "m1.micro", 1, 128, 1),
    ("1", "m1.tiny", 1, 512, 1),
    ("2", "m1.small", 1, 2048, 20),
    ("3", "m1.medium", 2, 4096, 40),
    ("4", "m1.large", 4, 8192, 80),
    ("5", "m1.xlarge", 8, 16384, 160),
)
"""What a new cloud has; memory in MB, disk in GB."""

_ROW = [flavors.c[name] for name in Flavor.__struct_fields__]
_GRANTED = sa.exists().where(
    flavor_access.c.flavor_id == flavors.c.id, flavor_access.c.project_id == sa.bindparam("project")
)
_SHOW = Statement(
    sa.select(*_ROW).where(
        flavors.c.id == sa.bindparam("flavor"),
        sa.or_(sa.bindparam("everything", type_=sa.Boolean), flavors.c.is_public, _GRANTED),
    )
)


class Flavors:
    """The flavors of a cloud."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self.store, self.clock, self.ids = store, clock, ids

    def seed(self) -> None:
        """The flavors of a new cloud."""
        for flavor_id, name, vcpus, ram, disk in FIRST_FLAVORS:
            self.create(flavor_id=flavor_id, name=name, vcpus=vcpus, ram=ram, disk=disk)

    def create(self, *, flavor_id: str, name: str, vcpus: int, ram: int, disk: int, **more: Any) -> Flavor:
        """A new flavor; `more` are its other fields.  Raises FLAVOR_EXISTS where name or id is taken."""
        values: dict[str, Any] = {
            "id": flavor_id if flavor_id not in ("", "auto") else self.ids.uuid(),
            "name": name,
            "vcpus": vcpus,
            "ram": ram,
            "disk": disk,
            "ephemeral": 0,
            "swap": 0,
            "rxtx_factor": 1.0,
            "is_public": True,
            "disabled": False,
            "description": None,
            "extra_specs": {},
            "created_at": self.clock.now(),
            "updated_at": None,
        } | more
        with self.store.write() as db:
            for column in ("name", "id"):
                if db.execute(sa.select(flavors.c.id).where(flavors.c[column] == values[column])).first():
                    raise FLAVOR_EXISTS(what="name" if column == "name" else "ID", value=values[column])
            db.execute(flavors.insert(), values)
        return Flavor(**values)

    def show(self, context: Context, flavor_id: str) -> Flavor:
        """A flavor that the caller may use.  Raises FLAVOR_NOT_FOUND."""
        with self.store.read() as db:
            row = _SHOW.row(db, flavor=flavor_id, everything=context.is_admin, project=context.project_id)
        if row is None:
            raise FLAVOR_NOT_FOUND(flavor_id=flavor_id)
        return _flavor(row)

    def list_visible(self, context: Context, *, is_public: bool | None = True) -> list[Flavor]:
        """The flavors that the caller may use; administrators choose public ones, others (False) or all (None)."""
        query = sa.select(*_ROW).where(~flavors.c.disabled)
        if not context.is_admin:
            query = query.where(sa.or_(flavors.c.is_public, flavors.c.id.in_(_of_project(context.project_id))))
        elif is_public is not None:
            query = query.where(flavors.c.is_public == is_public)
        with self.store.read() as db:
            return [_flavor(row) for row in db.execute(query.order_by(flavors.c.id))]

    def update(self, flavor_id: str, **values: Any) -> None:
        """Change the description or the extra specs.  Raises FLAVOR_NOT_FOUND."""
        change = flavors.update().where(flavors.c.id == flavor_id).values(updated_at=self.clock.now(), **values)
        with self.store.write() as db:
            if db.execute(change).rowcount == 0:
                raise FLAVOR_NOT_FOUND(flavor_id=flavor_id)

    def delete(self, flavor_id: str) -> None:
        """Servers that have it keep it.  Raises FLAVOR_NOT_FOUND."""
        with self.store.write() as db:
            if db.execute(flavors.delete().where(flavors.c.id == flavor_id)).rowcount == 0:
                raise FLAVOR_NOT_FOUND(flavor_id=flavor_id)

    def access(self, flavor_id: str) -> list[str]:
        """The projects that may use a flavor that is not public."""
        query = sa.select(flavor_access.c.project_id).where(flavor_access.c.flavor_id == flavor_id)
        with self.store.read() as db:
            return list(db.execute(query.order_by(flavor_access.c.project_id)).scalars())

    def grant(self, flavor_id: str, project_id: str) -> bool:
        """Let a project use the flavor; False where it may already."""
        with self.store.write() as db:
            if project_id in self.access(flavor_id):
                return False
            db.execute(flavor_access.insert(), {"flavor_id": flavor_id, "project_id": project_id})
        return True

    def revoke(self, flavor_id: str, project_id: str) -> bool:
        """Stop letting a project use the flavor; False where it may not."""
        mine = sa.and_(flavor_access.c.flavor_id == flavor_id, flavor_access.c.project_id == project_id)
        with self.store.write() as db:
            return db.execute(flavor_access.delete().where(mine)).rowcount > 0


def _of_project(project_id: str) -> sa.Select[tuple[str]]:
    return sa.select(flavor_access.c.flavor_id).where(flavor_access.c.project_id == project_id)


def _flavor(row: Iterable[Any]) -> Flavor:
    return Flavor(**dict(zip(Flavor.__struct_fields__, row, strict=True)))
