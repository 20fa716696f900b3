"""Volume types: what administrators offer, who may use it, and which one is meant where none is named."""

from typing import Any

import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.kernel.context import Context
from nephele.volume.errors import (
    ACCESS_EXISTS,
    ACCESS_NOT_FOUND,
    DEFAULT_TYPE_NOT_FOUND,
    EXTRA_SPEC_NOT_FOUND,
    INVALID_INPUT,
    LAST_TYPE,
    TYPE_EXISTS,
    TYPE_HAS_VOLUMES,
    TYPE_IN_USE,
    TYPE_NAME_NOT_FOUND,
    TYPE_NOT_FOUND,
)
from nephele.volume.model import VolumeType
from nephele.volume.parts import Parts
from nephele.volume.tables import default_types, type_access, volume_types, volumes

DEFAULT = "__DEFAULT__"
"""The type of volumes for which nobody named one, in every new cloud."""

_types = sa.select(*volume_types.c)


class TypeChange(Struct, frozen=True):
    """What is to be different."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    is_public: bool | UnsetType = UNSET


class Types:
    """All volume types."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def seed(self) -> None:
        """Make the default type of a new cloud."""
        with self._parts.store.write() as db:
            if db.execute(_types.where(volume_types.c.name == DEFAULT)).first() is None:
                self.create(DEFAULT, "Default Volume Type", is_public=True, extra_specs={})

    def create(self, name: str, description: str | None, *, is_public: bool, extra_specs: dict[str, str]) -> VolumeType:
        """A new type.  Raises TYPE_EXISTS."""
        now = self._parts.clock.now()
        made = VolumeType(self._parts.ids.uuid(), name, description, is_public, extra_specs, None, now, None)
        with self._parts.store.write() as db:
            self._check_name(db, name)
            db.execute(volume_types.insert().values(_row(made)))
        return made

    @staticmethod
    def _check_name(db: sa.Connection, name: str, besides: str = "") -> None:
        same = sa.select(volume_types.c.id).where(volume_types.c.name == name, volume_types.c.id != besides)
        if db.execute(same).first() is not None:
            raise TYPE_EXISTS(name=name)

    def find(self, ctx: Context, id_or_name: str) -> VolumeType:
        """The type by its id, else by its name.  Raises TYPE_NOT_FOUND or TYPE_NAME_NOT_FOUND."""
        with self._parts.store.read() as db:
            rows = db.execute(_types.where((volume_types.c.id == id_or_name) | (volume_types.c.name == id_or_name)))
            found = sorted((VolumeType(*row) for row in rows), key=lambda kind: kind.id != id_or_name)
            if not found or not self._may_see(db, ctx, found[0]):
                raise TYPE_NAME_NOT_FOUND(name=id_or_name)
            return found[0]

    def show(self, ctx: Context, type_id: str) -> VolumeType:
        """The type by its id.  Raises TYPE_NOT_FOUND."""
        with self._parts.store.read() as db:
            found = self.get(db, type_id)
            if not self._may_see(db, ctx, found):
                raise TYPE_NOT_FOUND(volume_type_id=type_id)
            return found

    @staticmethod
    def get(db: sa.Connection, type_id: str) -> VolumeType:
        """The type by its id, whoever asks.  Raises TYPE_NOT_FOUND."""
        row = db.execute(_types.where(volume_types.c.id == type_id)).one_or_none()
        if row is None:
            raise TYPE_NOT_FOUND(volume_type_id=type_id)
        return VolumeType(*row)

    @staticmethod
    def _may_see(db: sa.Connection, ctx: Context, kind: VolumeType) -> bool:
        if kind.is_public or ctx.is_admin:
            return True
        c = type_access.c
        granted = sa.select(c.type_id).where(c.type_id == kind.id, c.project_id == ctx.project_id)
        return db.execute(granted).first() is not None

    def visible(self, ctx: Context) -> sa.Select[Any]:
        """A query for the types that the caller may use."""
        granted = sa.select(type_access.c.type_id).where(type_access.c.project_id == ctx.project_id)
        return _types.where(volume_types.c.is_public | volume_types.c.id.in_(granted))

    def every(self) -> sa.Select[Any]:
        """A query for all types."""
        return _types

    def update(self, type_id: str, change: TypeChange) -> VolumeType:
        """Change a type.  Raises TYPE_NOT_FOUND, TYPE_EXISTS."""
        values: dict[str, Any] = {
            field: value
            for field in change.__struct_fields__
            if (value := getattr(change, field)) is not UNSET and not (field == "name" and value is None)
        }
        with self._parts.store.write() as db:
            self.get(db, type_id)
            if isinstance(change.name, str):
                self._check_name(db, change.name, besides=type_id)
            values["updated_at"] = self._parts.clock.now()
            db.execute(volume_types.update().where(volume_types.c.id == type_id).values(values))
            return self.get(db, type_id)

    def delete(self, type_id: str) -> None:
        """Forget a type.  Raises TYPE_NOT_FOUND, TYPE_IN_USE, LAST_TYPE."""
        with self._parts.store.write() as db:
            kind = self.get(db, type_id)
            if kind.name == DEFAULT or self._is_default(db, type_id):
                raise LAST_TYPE(volume_type_id=type_id)
            if self._has_volumes(db, type_id):
                raise TYPE_IN_USE()
            db.execute(type_access.delete().where(type_access.c.type_id == type_id))
            db.execute(volume_types.delete().where(volume_types.c.id == type_id))

    @staticmethod
    def _is_default(db: sa.Connection, type_id: str) -> bool:
        return (
            db.execute(sa.select(default_types.c.type_id).where(default_types.c.type_id == type_id)).first() is not None
        )

    @staticmethod
    def _has_volumes(db: sa.Connection, type_id: str) -> bool:
        return db.execute(sa.select(volumes.c.id).where(volumes.c.type_id == type_id).limit(1)).first() is not None

    # -- extra specs -------------------------------------------------------------------------------------------

    def set_specs(self, type_id: str, specs: dict[str, str]) -> VolumeType:
        """Add or change extra specs.  Raises TYPE_NOT_FOUND, TYPE_HAS_VOLUMES."""
        with self._parts.store.write() as db:
            kind = self.get(db, type_id)
            return self._put_specs(db, kind, {**kind.extra_specs, **specs})

    def delete_spec(self, type_id: str, key: str) -> None:
        """Remove an extra spec.  Raises TYPE_NOT_FOUND, EXTRA_SPEC_NOT_FOUND, TYPE_HAS_VOLUMES."""
        with self._parts.store.write() as db:
            kind = self.get(db, type_id)
            if key not in kind.extra_specs:
                raise EXTRA_SPEC_NOT_FOUND(volume_type_id=type_id, key=key)
            self._put_specs(db, kind, {name: value for name, value in kind.extra_specs.items() if name != key})

    def _put_specs(self, db: sa.Connection, kind: VolumeType, specs: dict[str, str]) -> VolumeType:
        if self._has_volumes(db, kind.id):
            raise TYPE_HAS_VOLUMES()
        values = {"extra_specs": specs, "updated_at": self._parts.clock.now()}
        db.execute(volume_types.update().where(volume_types.c.id == kind.id).values(values))
        return self.get(db, kind.id)

    # -- access ------------------------------------------------------------------------------------------------

    def access(self, type_id: str) -> list[str]:
        """The projects that may use a private type.  Raises TYPE_NOT_FOUND, also for public ones."""
        with self._parts.store.read() as db:
            if self.get(db, type_id).is_public:
                raise TYPE_NOT_FOUND(volume_type_id=type_id)
            found = sa.select(type_access.c.project_id).where(type_access.c.type_id == type_id)
            return list(db.execute(found.order_by(type_access.c.project_id)).scalars())

    def grant(self, type_id: str, project_id: str) -> None:
        """Let a project use a private type.  Raises INVALID_INPUT for a public one, ACCESS_EXISTS."""
        with self._parts.store.write() as db:
            if self.get(db, type_id).is_public:
                raise INVALID_INPUT(reason="Type access modification is not applicable to public volume type.")
            if project_id in self.access(type_id):
                raise ACCESS_EXISTS(volume_type_id=type_id, project_id=project_id)
            db.execute(type_access.insert().values(type_id=type_id, project_id=project_id))

    def withdraw(self, type_id: str, project_id: str) -> None:
        """Let a project no longer use a private type.  Raises INVALID_INPUT for a public one, ACCESS_NOT_FOUND."""
        with self._parts.store.write() as db:
            if self.get(db, type_id).is_public:
                raise INVALID_INPUT(reason="Type access modification is not applicable to public volume type.")
            c = type_access.c
            gone = db.execute(type_access.delete().where(c.type_id == type_id, c.project_id == project_id))
            if gone.rowcount == 0:
                raise ACCESS_NOT_FOUND(volume_type_id=type_id, project_id=project_id)

    # -- defaults ----------------------------------------------------------------------------------------------

    def default(self, project_id: str) -> VolumeType:
        """The type of volumes for which a project names none."""
        with self._parts.store.read() as db:
            own = sa.select(default_types.c.type_id).where(default_types.c.project_id == project_id)
            wanted = (volume_types.c.id == own.scalar_subquery()) | (volume_types.c.name == DEFAULT)
            found = [VolumeType(*row) for row in db.execute(_types.where(wanted))]
            if not found:
                raise TYPE_NAME_NOT_FOUND(name=DEFAULT)
            return next((kind for kind in found if kind.name != DEFAULT), found[0])

    def defaults(self) -> list[tuple[str, str]]:
        """The projects that have a default of their own, each with the type's id."""
        with self._parts.store.read() as db:
            c = default_types.c
            rows = db.execute(sa.select(c.project_id, c.type_id).order_by(c.project_id))
            return [(project_id, type_id) for project_id, type_id in rows]

    def default_of(self, project_id: str) -> str:
        """The id of a project's own default.  Raises DEFAULT_TYPE_NOT_FOUND."""
        found = dict(self.defaults()).get(project_id)
        if found is None:
            raise DEFAULT_TYPE_NOT_FOUND(project_id=project_id)
        return found

    def set_default(self, ctx: Context, project_id: str, id_or_name: str) -> VolumeType:
        """Give a project a default of its own."""
        with self._parts.store.write() as db:
            kind = self.find(ctx, id_or_name)
            self.unset_default(project_id)
            db.execute(default_types.insert().values(project_id=project_id, type_id=kind.id))
            return kind

    def unset_default(self, project_id: str) -> None:
        """Let the cloud's default hold for a project again."""
        with self._parts.store.write() as db:
            db.execute(default_types.delete().where(default_types.c.project_id == project_id))


def _row(kind: VolumeType) -> dict[str, object]:
    return {name: getattr(kind, name) for name in kind.__struct_fields__}
