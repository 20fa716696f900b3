"""Snapshots of groups: of all their volumes, for types that ask for it all as at one moment."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.context import Context
from nephele.kernel.operations import Failure, Operation, Step, Work
from nephele.volume import rows
from nephele.volume.errors import CONFLICT, GROUP_SNAPSHOT_NOT_FOUND, INVALID_GROUP, INVALID_GROUP_SNAPSHOT
from nephele.volume.group_types import GroupTypes
from nephele.volume.groups import LOOKS, Groups, Settle, await_rows, begin_after, tell
from nephele.volume.model import Group, GroupSnapshot, GroupStatus, Snapshot, SnapshotStatus
from nephele.volume.model import VolumeStatus as V
from nephele.volume.parts import Parts
from nephele.volume.snapshots import Snapshots
from nephele.volume.tables import group_snapshots, snapshots, volumes

_DELETABLE = frozenset({GroupStatus.AVAILABLE, GroupStatus.ERROR})


class GroupSnapshots:
    """All group snapshots."""

    def __init__(self, parts: Parts, groups: Groups, kinds: GroupTypes, snapshots: Snapshots) -> None:
        self._parts, self._groups, self._kinds, self._snapshots = parts, groups, kinds, snapshots

    def show(self, ctx: Context, group_snapshot_id: str) -> GroupSnapshot:
        """One group snapshot.  Raises GROUP_SNAPSHOT_NOT_FOUND, also where it is another project's."""
        query = sa.select(*group_snapshots.c).where(group_snapshots.c.id == group_snapshot_id)
        with self._parts.store.read() as db:
            row = db.execute(query).one_or_none()
        if row is None or not self._parts.sees(ctx, row.project_id):
            raise GROUP_SNAPSHOT_NOT_FOUND(group_snapshot_id=group_snapshot_id)
        return GroupSnapshot(*row)

    def members(self, group_snapshot_id: str) -> list[Snapshot]:
        """Its snapshots, oldest first."""
        c = snapshots.c
        mine = c.group_snapshot_id == group_snapshot_id
        with self._parts.store.read() as db:
            return rows.list_snapshots(db, lambda query: query.where(mine).order_by(c.created_at, c.id))

    def create(self, ctx: Context, group: Group, name: str | None, description: str | None) -> GroupSnapshot:
        """Take snapshots of all volumes of a group.

        Raises INVALID_GROUP by the group's status, for an empty group, and where its type wants one moment while
        more than one of its volumes is in use; INVALID_VOLUME by a volume's status; what the quotas refuse.
        """
        parts = self._parts
        with parts.store.write() as db:
            if group.status != GroupStatus.AVAILABLE:
                raise INVALID_GROUP(reason=f"Group status must be available, but current status is: {group.status}.")
            mine = volumes.c.group_id == group.id
            found = rows.list_volumes(db, lambda query: query.where(mine).order_by(volumes.c.created_at, volumes.c.id))
            if not found:
                raise INVALID_GROUP(reason="Group is empty. No group snapshot will be created.")
            consistent = self._kinds.show(ctx, group.type_id).consistent
            if consistent and len([volume for volume in found if volume.status == V.IN_USE]) > 1:
                raise INVALID_GROUP(
                    reason="The group's type asks for snapshots of one moment, and several of its volumes are in use: "
                    "stop their servers first."
                )
            now = parts.clock.now()
            made = GroupSnapshot(
                *(parts.ids.uuid(), group.id, group.project_id, ctx.user_id, name, description),
                *(GroupStatus.CREATING, group.type_id, now, None),
            )
            values = {field: getattr(made, field) for field in made.__struct_fields__}
            db.execute(group_snapshots.insert().values(values))
            for volume in found:
                self._snapshots.create(ctx, volume, name, description, {}, in_use=True, group_snapshot_id=made.id)
            members = {made.id: [snapshot.id for snapshot in self.members(made.id)]}
            begin_after(parts, TAKE.kind, Settle(made.id, made.project_id), ctx, made.id, members)
        return made

    def delete(self, ctx: Context, group_snapshot_id: str) -> None:
        """Delete a group snapshot and its snapshots.  Raises INVALID_GROUP_SNAPSHOT by status."""
        parts = self._parts
        with parts.store.write() as db:
            found = self.show(ctx, group_snapshot_id)
            if found.status not in _DELETABLE:
                raise INVALID_GROUP_SNAPSHOT(
                    reason="Group snapshot status must be available or error, and no Group can be currently using it "
                    f"as source for its creation; it is {found.status}."
                )
            members = self.members(group_snapshot_id)
            for snapshot in members:
                self._snapshots.delete(ctx, snapshot.id, grouped=True)
            _put(db, parts, group_snapshot_id, status=GroupStatus.DELETING)
            ids = {group_snapshot_id: [snapshot.id for snapshot in members]}
            begin_after(parts, DROP.kind, Settle(group_snapshot_id, found.project_id), ctx, group_snapshot_id, ids)

    def reset_status(self, ctx: Context, group_snapshot_id: str, status: str) -> GroupSnapshot:
        """Let an administrator declare how it is.  Raises INVALID_GROUP_SNAPSHOT for a word that says nothing."""
        if status not in list(GroupStatus):
            raise INVALID_GROUP_SNAPSHOT(
                reason=f"Group snapshot status: {status} is invalid, valid statuses are: {', '.join(GroupStatus)}."
            )
        with self._parts.store.write() as db:
            self.show(ctx, group_snapshot_id)
            _put(db, self._parts, group_snapshot_id, status=status)
            return self.show(ctx, group_snapshot_id)

    def restore_as_group(
        self, ctx: Context, name: str | None, description: str | None, group_snapshot: GroupSnapshot
    ) -> Group:
        """A new group made of a group snapshot.  Raises INVALID_GROUP, and what making volumes raises."""
        source = self._groups.show(ctx, group_snapshot.group_id)
        return self._groups.from_snapshots(ctx, name, description, source, self.members(group_snapshot.id))


def _put(db: sa.Connection, parts: Parts, id: str, **values: object) -> None:
    update = group_snapshots.update().where(group_snapshots.c.id == id)
    db.execute(update.values(**values, updated_at=parts.clock.now()))


def _members(work: Work[Settle]) -> sa.Select[Any]:
    return sa.select(snapshots.c.status).where(snapshots.c.group_snapshot_id == work.data.group_id)


def await_snapshots(parts: Parts, work: Work[Settle]) -> None:
    """Wait for the snapshots.  Raises CONFLICT where one came to nothing."""
    found = await_rows(parts, work, _members(work), frozenset({SnapshotStatus.CREATING}))
    if set(found) & {SnapshotStatus.ERROR, SnapshotStatus.CREATING}:
        raise CONFLICT(reason="A snapshot of the group could not be taken; its message says why.")


def await_no_snapshots(parts: Parts, work: Work[Settle]) -> None:
    """Wait until the snapshots are gone.  Raises CONFLICT where one stays."""
    if await_rows(parts, work, _members(work), frozenset({SnapshotStatus.DELETING})):
        raise CONFLICT(reason="A snapshot of the group could not be deleted; its message says why.")


def _taken(parts: Parts, db: sa.Connection, work: Work[Settle]) -> None:
    _put(db, parts, work.data.group_id, status=GroupStatus.AVAILABLE)


def _not_taken(parts: Parts, db: sa.Connection, work: Work[Settle], failure: Failure) -> None:
    _put(db, parts, work.data.group_id, status=GroupStatus.ERROR)
    tell(parts, work, "create group snapshot", failure)


def _dropped(_parts: Parts, db: sa.Connection, work: Work[Settle]) -> None:
    db.execute(group_snapshots.delete().where(group_snapshots.c.id == work.data.group_id))


def _not_dropped(parts: Parts, db: sa.Connection, work: Work[Settle], failure: Failure) -> None:
    _put(db, parts, work.data.group_id, status=GroupStatus.ERROR_DELETING)
    tell(parts, work, "delete group snapshot", failure)


TAKE = Operation(
    "group_snapshot.create",
    Settle,
    7200,
    (Step("snapshots", await_snapshots, LOOKS),),
    on_done=_taken,
    on_failed=_not_taken,
)
DROP = Operation(
    "group_snapshot.delete",
    Settle,
    7200,
    (Step("snapshots", await_no_snapshots, LOOKS),),
    on_done=_dropped,
    on_failed=_not_dropped,
)
