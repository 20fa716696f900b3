"""Group types: kinds of groups that administrators offer."""

import sqlalchemy as sa

from nephele.kernel.context import Context
from nephele.volume.errors import (
    GROUP_SPEC_NOT_FOUND,
    GROUP_TYPE_EXISTS,
    GROUP_TYPE_IN_USE,
    GROUP_TYPE_NAME_NOT_FOUND,
    GROUP_TYPE_NOT_FOUND,
)
from nephele.volume.model import GroupType
from nephele.volume.parts import Parts
from nephele.volume.tables import group_types, groups

FOR_CONSISTENCY_GROUPS = "default_cgsnapshot_type"
"""The type of what the older API of consistency groups makes; the API of groups leaves such groups alone."""


class GroupTypes:
    """All group types."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def note(self) -> None:
        """Make the type that consistency groups have.  Idempotent."""
        with self._parts.store.write() as db:
            known = sa.select(group_types.c.id).where(group_types.c.name == FOR_CONSISTENCY_GROUPS)
            if db.execute(known).first() is None:
                specs = {"consistent_group_snapshot_enabled": "<is> True"}
                self.create(
                    FOR_CONSISTENCY_GROUPS, "Default group type for migrating cgsnapshot", specs, is_public=True
                )

    def create(self, name: str, description: str | None, specs: dict[str, str], *, is_public: bool) -> GroupType:
        """A new type.  Raises GROUP_TYPE_EXISTS."""
        made = GroupType(self._parts.ids.uuid(), name, description, is_public, specs, self._parts.clock.now(), None)
        with self._parts.store.write() as db:
            self._check_name(db, name)
            db.execute(group_types.insert().values({field: getattr(made, field) for field in made.__struct_fields__}))
        return made

    @staticmethod
    def _check_name(db: sa.Connection, name: str, besides: str = "") -> None:
        c = group_types.c
        if db.execute(sa.select(c.id).where(c.name == name, c.id != besides)).first() is not None:
            raise GROUP_TYPE_EXISTS(name=name)

    def show(self, ctx: Context, type_id: str) -> GroupType:
        """One type by its id.  Raises GROUP_TYPE_NOT_FOUND, also where it is not for the caller."""
        with self._parts.store.read() as db:
            row = db.execute(sa.select(*group_types.c).where(group_types.c.id == type_id)).one_or_none()
        if row is None or not (row.is_public or ctx.is_admin):
            raise GROUP_TYPE_NOT_FOUND(group_type_id=type_id)
        return GroupType(*row)

    def find(self, ctx: Context, id_or_name: str) -> GroupType:
        """One type by its id, else by its name.  Raises GROUP_TYPE_NAME_NOT_FOUND."""
        c = group_types.c
        with self._parts.store.read() as db:
            rows = db.execute(sa.select(*c).where((c.id == id_or_name) | (c.name == id_or_name))).all()
        found = sorted((GroupType(*row) for row in rows), key=lambda kind: kind.id != id_or_name)
        if not found or not (found[0].is_public or ctx.is_admin):
            raise GROUP_TYPE_NAME_NOT_FOUND(name=id_or_name)
        return found[0]

    def update(self, ctx: Context, type_id: str, values: dict[str, object]) -> GroupType:
        """Change name, description or is_public.  Raises GROUP_TYPE_NOT_FOUND, GROUP_TYPE_EXISTS."""
        with self._parts.store.write() as db:
            self.show(ctx, type_id)
            if "name" in values:
                self._check_name(db, str(values["name"]), besides=type_id)
            return self._put(ctx, type_id, values)

    def _put(self, ctx: Context, type_id: str, values: dict[str, object]) -> GroupType:
        with self._parts.store.write() as db:
            update = group_types.update().where(group_types.c.id == type_id)
            db.execute(update.values(**values, updated_at=self._parts.clock.now()))
            return self.show(ctx, type_id)

    def delete(self, ctx: Context, type_id: str) -> None:
        """Forget a type.  Raises GROUP_TYPE_NOT_FOUND, GROUP_TYPE_IN_USE."""
        with self._parts.store.write() as db:
            self.show(ctx, type_id)
            if db.execute(sa.select(groups.c.id).where(groups.c.type_id == type_id).limit(1)).first() is not None:
                raise GROUP_TYPE_IN_USE()
            db.execute(group_types.delete().where(group_types.c.id == type_id))

    def set_specs(self, ctx: Context, type_id: str, specs: dict[str, str]) -> GroupType:
        """Add or change specs.  Raises GROUP_TYPE_NOT_FOUND."""
        with self._parts.store.write():
            return self._put(ctx, type_id, {"specs": {**self.show(ctx, type_id).specs, **specs}})

    def delete_spec(self, ctx: Context, type_id: str, key: str) -> None:
        """Remove a spec.  Raises GROUP_TYPE_NOT_FOUND, GROUP_SPEC_NOT_FOUND."""
        with self._parts.store.write():
            specs = dict(self.show(ctx, type_id).specs)
            if key not in specs:
                raise GROUP_SPEC_NOT_FOUND(group_type_id=type_id, key=key)
            del specs[key]
            self._put(ctx, type_id, {"specs": specs})
