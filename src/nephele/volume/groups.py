"""Groups: volumes that are snapshotted, cloned and deleted together.

The volumes and snapshots of a group are made and deleted by operations of their own; the group's operation
begins once theirs are over, and says how it came out.
"""

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.operations import OPEN, Failure, Keep, Operation, Step, Work, operations
from nephele.volume import rows
from nephele.volume.accept import NewVolume
from nephele.volume.errors import CONFLICT, GROUP_NOT_FOUND, INVALID_GROUP, INVALID_ZONE, TOO_MANY_GROUPS
from nephele.volume.group_types import FOR_CONSISTENCY_GROUPS, GroupTypes
from nephele.volume.life import MIGRATING
from nephele.volume.model import Group, GroupStatus, GroupType, Snapshot, Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.parts import Parts
from nephele.volume.quotas import Quotas
from nephele.volume.tables import group_snapshots, group_types, groups, volumes
from nephele.volume.types import Types
from nephele.volume.user_messages import UserMessages

Create = Callable[[Context, NewVolume], Volume]
Delete = Callable[[Context, str], None]
PAUSE = 0.05
"""Seconds between two looks at what an operation waits for."""
_OF_CONSISTENCY = (
    sa.select(groups.c.id)
    .join(group_types, groups.c.type_id == group_types.c.id)
    .where(group_types.c.name == FOR_CONSISTENCY_GROUPS)
)
_ADDABLE = frozenset({V.AVAILABLE, V.IN_USE})
_REMOVABLE = frozenset({V.AVAILABLE, V.IN_USE, V.ERROR, V.ERROR_DELETING})


class NewGroup(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    name: str | None
    description: str | None
    kind: GroupType
    volume_types: tuple[str, ...]
    availability_zone: str | None = None


class GroupChange(Struct, frozen=True, kw_only=True):
    """What is to be different; None: nothing."""

    name: str | None = None
    description: str | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Groups:
    """All groups.

    Args:
        parts: what all of Cinder shares.
        quotas: counts them.
        types: volume types.
        kinds: group types.
        create: makes a volume.
        delete: deletes a volume, whatever its group.
    """

    def __init__(
        self, parts: Parts, quotas: Quotas, types: Types, kinds: GroupTypes, create: Create, delete: Delete
    ) -> None:
        self._parts, self._quotas, self._types, self._kinds = parts, quotas, types, kinds
        self._create, self._delete = create, delete

    def show(self, ctx: Context, group_id: str) -> Group:
        """One group.  Raises GROUP_NOT_FOUND, also where it is another project's."""
        found = _find(self._parts, group_id)
        if found is None or not self._parts.sees(ctx, found.project_id):
            raise GROUP_NOT_FOUND(group_id=group_id)
        return found

    def volumes(self, group_ids: Iterable[str]) -> dict[str, list[str]]:
        """The ids of the volumes of some groups, by group."""
        query = sa.select(volumes.c.group_id, volumes.c.id).where(volumes.c.group_id.in_(list(group_ids)))
        found: dict[str, list[str]] = {}
        with self._parts.store.read() as db:
            for group_id, volume_id in db.execute(query.order_by(volumes.c.created_at, volumes.c.id)):
                found.setdefault(group_id, []).append(volume_id)
        return found

    def of_consistency(self) -> frozenset[str]:
        """The ids of all groups that are consistency groups."""
        with self._parts.store.read() as db:
            return frozenset(db.execute(_OF_CONSISTENCY).scalars())

    # -- made --------------------------------------------------------------------------------------------------

    def create(self, ctx: Context, new: NewGroup) -> Group:
        """A new group, empty.

        Raises INVALID_ZONE, TOO_MANY_GROUPS, TYPE_NAME_NOT_FOUND.
        """
        parts = self._parts
        if new.availability_zone and new.availability_zone != parts.zone:
            raise INVALID_ZONE(zone=new.availability_zone)
        kinds = [self._types.find(ctx, name).id for name in new.volume_types]
        with parts.store.write():
            return self._insert(ctx, new, kinds, GroupStatus.AVAILABLE)

    def _insert(self, ctx: Context, new: NewGroup, kinds: list[str], status: str, **origin: str | None) -> Group:
        parts = self._parts
        made = Group(
            id=parts.ids.uuid(),
            project_id=ctx.project_id,
            user_id=ctx.user_id,
            name=new.name,
            description=new.description,
            status=status,
            type_id=new.kind.id,
            volume_types=list(dict.fromkeys(kinds)),
            availability_zone=parts.zone,
            host=None,
            group_snapshot_id=origin.get("group_snapshot_id"),
            source_group_id=origin.get("source_group_id"),
            created_at=parts.clock.now(),
            updated_at=None,
        )
        with parts.store.write() as db:
            self._check_quota(db, ctx.project_id)
            db.execute(groups.insert().values({field: getattr(made, field) for field in made.__struct_fields__}))
        return made

    def _check_quota(self, db: sa.Connection, project_id: str) -> None:
        self._parts.store.lock(f"volume-quota/{project_id}")
        usage = self._quotas.usages(project_id)["groups"]
        if usage.limit != -1 and usage.in_use >= usage.limit:
            raise TOO_MANY_GROUPS(allowed=usage.limit)

    def clone(self, ctx: Context, name: str | None, description: str | None, source: Group) -> Group:
        """A new group with clones of another's volumes.  Raises INVALID_GROUP for an empty one."""
        with self._parts.store.write() as db:
            found = rows.list_volumes(db, lambda query: query.where(volumes.c.group_id == source.id))
            if not found:
                raise INVALID_GROUP(reason="Source Group is empty. No group will be created.")
            wishes = [NewVolume(source_volid=volume.id, volume_type=volume.type_id) for volume in found]
            return self._fill(ctx, name, description, source, wishes, source_group_id=source.id)

    def from_snapshots(
        self, ctx: Context, name: str | None, description: str | None, source: Group, taken: list[Snapshot]
    ) -> Group:
        """A new group with volumes made of snapshots.  Raises INVALID_GROUP where there are none."""
        if not taken:
            raise INVALID_GROUP(reason="Group snapshot is empty. No group will be created.")
        wishes = [NewVolume(snapshot_id=snapshot.id, volume_type=snapshot.type_id) for snapshot in taken]
        with self._parts.store.write():
            origin = {"group_snapshot_id": taken[0].group_snapshot_id}
            return self._fill(ctx, name, description, source, wishes, **origin)

    def _fill(
        self,
        ctx: Context,
        name: str | None,
        description: str | None,
        source: Group,
        wishes: list[NewVolume],
        **origin: str | None,
    ) -> Group:
        new = NewGroup(name=name, description=description, kind=self._kind(source), volume_types=())
        made = self._insert(ctx, new, source.volume_types, GroupStatus.CREATING, **origin)
        with self._parts.store.write() as db:
            for wish in wishes:
                volume = self._create(ctx, wish)
                rows.move(db, volume.id, None, group_id=made.id)
        begin_after(self._parts, FILL.kind, Settle(made.id, made.project_id), ctx, made.id, self.volumes([made.id]))
        return made

    def _kind(self, group: Group) -> GroupType:
        return self._kinds.show(Context(request_id="", roles=frozenset({"admin"})), group.type_id)

    # -- changed -----------------------------------------------------------------------------------------------

    def update(self, ctx: Context, group_id: str, change: GroupChange) -> Group:
        """Change a group's words, and which volumes are in it.

        Raises INVALID_GROUP where the group's status, or a volume's type, status, project or group, does not let it.
        """
        with self._parts.store.write() as db:
            group = self.show(ctx, group_id)
            if group.status != GroupStatus.AVAILABLE:
                raise INVALID_GROUP(reason=f"Group status must be available, but current status is: {group.status}.")
            both = set(change.add) & set(change.remove)
            if both:
                raise INVALID_GROUP(reason=f"UUIDs {', '.join(sorted(both))} are in both add and remove volume list.")
            for volume_id in change.remove:
                self._check_removable(db, group, volume_id)
                rows.move(db, volume_id, None, group_id=None)
            for volume_id in change.add:
                self._check_addable(db, ctx, group, volume_id)
                rows.move(db, volume_id, None, group_id=group.id)
            words = {"name": change.name, "description": change.description}
            values = {field: text for field, text in words.items() if text is not None}
            return put(self._parts, group_id, **values)

    @staticmethod
    def _check_removable(db: sa.Connection, group: Group, volume_id: str) -> None:
        try:
            volume = rows.volume(db, volume_id)
        except Refused:
            volume = None  # said below
        if volume is None or volume.group_id != group.id:
            raise INVALID_GROUP(
                reason=f"Cannot remove volume {volume_id} from group {group.id} because it is not in the group."
            )
        if volume.status not in _REMOVABLE:
            raise INVALID_GROUP(
                reason=f"Cannot remove volume {volume_id} from group {group.id} because volume is in an invalid "
                f"state: {volume.status}."
            )

    def _check_addable(self, db: sa.Connection, ctx: Context, group: Group, volume_id: str) -> None:
        try:
            volume = rows.volume(db, volume_id)
        except Refused as refused:
            raise INVALID_GROUP(
                reason=f"Cannot add volume {volume_id} to group {group.id}: {refused.message}"
            ) from None
        wrong = ""
        if volume.project_id != group.project_id:
            wrong = "volume cannot be found"
        elif volume.group_id:
            wrong = f"it is already in group {volume.group_id}"
        elif volume.type_id not in group.volume_types:
            wrong = f"volume type {volume.type_id} is not supported by the group"
        elif volume.status not in _ADDABLE or volume.migration_status == MIGRATING:
            wrong = f"volume is in an invalid state: {volume.status}"
        if wrong:
            raise INVALID_GROUP(reason=f"Cannot add volume {volume_id} to group {group.id} because {wrong}.")

    def check_takes(self, ctx: Context, group_id: str, type_id: str) -> None:
        """Refuse a new volume for which there is no room in a group.  Raises GROUP_NOT_FOUND, INVALID_GROUP."""
        group = self.show(ctx, group_id)
        if group.status not in (GroupStatus.AVAILABLE, GroupStatus.CREATING):
            raise INVALID_GROUP(reason=f"Group status must be available, but current status is: {group.status}.")
        if type_id not in group.volume_types:
            raise INVALID_GROUP(reason=f"Volume type {type_id} is not supported by group {group_id}.")

    def reset_status(self, ctx: Context, group_id: str, status: str) -> Group:
        """Let an administrator declare how a group is.  Raises INVALID_GROUP for a word that says nothing."""
        if status not in list(GroupStatus):
            raise INVALID_GROUP(
                reason=f"Group status: {status} is invalid, valid statuses are: {', '.join(GroupStatus)}."
            )
        with self._parts.store.write():
            self.show(ctx, group_id)
            return put(self._parts, group_id, status=status)

    # -- deleted -----------------------------------------------------------------------------------------------

    def delete(self, ctx: Context, group_id: str, *, with_volumes: bool) -> None:
        """Delete a group, and with `with_volumes` what is in it.

        Raises INVALID_GROUP by status, where it has snapshots, or volumes that are not to be deleted.
        """
        parts = self._parts
        with parts.store.write() as db:
            group = self.show(ctx, group_id)
            if not with_volumes and group.status not in (GroupStatus.AVAILABLE, GroupStatus.ERROR):
                raise INVALID_GROUP(
                    reason=f"Group status must be available or error, but current status is: {group.status}"
                )
            mine = self.volumes([group_id])
            if mine and not with_volumes:
                raise INVALID_GROUP(
                    reason=f"Group {group_id} still contains volumes. The delete-volumes flag is required to delete it."
                )
            if db.execute(sa.select(group_snapshots.c.id).where(group_snapshots.c.group_id == group_id)).first():
                raise INVALID_GROUP(reason=f"Group {group_id} still has dependent group snapshots.")
            for volume_id in mine.get(group_id, []):
                self._delete(ctx, volume_id)
            put(parts, group_id, status=GroupStatus.DELETING)
            begin_after(parts, EMPTY.kind, Settle(group_id, group.project_id), ctx, group_id, mine)


# -- how it comes out ----------------------------------------------------------------------------------------------


class Settle(Struct):
    """A group, or a snapshot of one, that waits for its parts."""

    group_id: str
    project_id: str


def begin_after(
    parts: Parts, kind: str, data: Struct, ctx: Context, subject: str, members: dict[str, list[str]]
) -> None:
    """Begin an operation that comes after those that run on the members."""
    waits_for = [id for ids in members.values() for id in ids]
    mine = sa.and_(operations.c.subject.in_(waits_for), operations.c.state.in_(OPEN))
    with parts.store.write() as db:
        newest = sa.select(operations.c.id).where(mine).order_by(operations.c.created_at.desc()).limit(1)
        parts.engine.begin(kind, data, ctx, subject, after=db.execute(newest).scalar_one_or_none() or "")


def await_rows(parts: Parts, work: Work[Settle], query: sa.Select[Any], passing: frozenset[str]) -> list[str]:
    """The statuses that a query finds, once none is in passing, or the operation's time is over."""
    while True:
        with parts.store.read() as db:
            found = [str(status) for status in db.execute(query).scalars()]
        if not passing & set(found) or parts.clock.now() > work.deadline:
            return found
        parts.engine.pause(PAUSE)


def _members(work: Work[Settle]) -> sa.Select[Any]:
    return sa.select(volumes.c.status).where(volumes.c.group_id == work.data.group_id)


def await_volumes(parts: Parts, work: Work[Settle]) -> None:
    """Wait for the group's volumes.  Raises CONFLICT where one came to nothing."""
    failed = set(await_rows(parts, work, _members(work), frozenset({V.CREATING, V.DOWNLOADING}))) - {V.AVAILABLE}
    if failed & {V.ERROR, V.CREATING, V.DOWNLOADING}:
        raise CONFLICT(reason="A volume of the group could not be made; its message says why.")


def await_no_volumes(parts: Parts, work: Work[Settle]) -> None:
    """Wait until the group is empty.  Raises CONFLICT where a volume stays."""
    if await_rows(parts, work, _members(work), frozenset({V.DELETING})):
        raise CONFLICT(reason="A volume of the group could not be deleted; its message says why.")


def _find(parts: Parts, group_id: str) -> Group | None:
    with parts.store.read() as db:
        row = db.execute(sa.select(*groups.c).where(groups.c.id == group_id)).one_or_none()
    return None if row is None else Group(*row)


def put(parts: Parts, group_id: str, **values: object) -> Group:
    """Change a group's row."""
    with parts.store.write() as db:
        db.execute(groups.update().where(groups.c.id == group_id).values(**values, updated_at=parts.clock.now()))
        return Group(*db.execute(sa.select(*groups.c).where(groups.c.id == group_id)).one())


def _filled(parts: Parts, _db: sa.Connection, work: Work[Settle]) -> None:
    put(parts, work.data.group_id, status=GroupStatus.AVAILABLE)


def _not_filled(parts: Parts, _db: sa.Connection, work: Work[Settle], failure: Failure) -> None:
    put(parts, work.data.group_id, status=GroupStatus.ERROR)
    tell(parts, work, "create group", failure)


def tell(parts: Parts, work: Work[Settle], action: str, failure: Failure) -> None:
    """Leave a message on why a group, or a snapshot of one, came to nothing."""
    data = work.data
    UserMessages(parts).tell(work.context, data.project_id, "VOLUME_GROUP", data.group_id, action, failure.message)


def _emptied(_parts: Parts, db: sa.Connection, work: Work[Settle]) -> None:
    db.execute(groups.delete().where(groups.c.id == work.data.group_id))


def _not_emptied(parts: Parts, _db: sa.Connection, work: Work[Settle], failure: Failure) -> None:
    put(parts, work.data.group_id, status=GroupStatus.ERROR_DELETING)
    tell(parts, work, "delete group", failure)


LOOKS = Keep("it only looks")
FILL = Operation(
    "group.create", Settle, 7200, (Step("volumes", await_volumes, LOOKS),), on_done=_filled, on_failed=_not_filled
)
EMPTY = Operation(
    "group.delete", Settle, 7200, (Step("volumes", await_no_volumes, LOOKS),), on_done=_emptied, on_failed=_not_emptied
)
