"""Snapshots of volumes."""

import sqlalchemy as sa

from nephele.kernel.context import Context
from nephele.volume import life, rows
from nephele.volume.errors import CONFLICT, INVALID_SNAPSHOT, INVALID_VOLUME, SNAPSHOT_NOT_FOUND
from nephele.volume.model import Snapshot, SnapshotStatus, Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import DropSnapshot, Revert, TakeSnapshot
from nephele.volume.parts import Parts
from nephele.volume.quotas import Quotas
from nephele.volume.tables import snapshots, volumes
from nephele.volume.types import Types
from nephele.volume.work import DROP_SNAPSHOT, REVERT, TAKE_SNAPSHOT

DELETABLE = frozenset({SnapshotStatus.AVAILABLE, SnapshotStatus.ERROR})
"""Statuses from which a snapshot may be deleted without force."""


class Snapshots:
    """All snapshots."""

    def __init__(self, parts: Parts, quotas: Quotas) -> None:
        self._parts = parts
        self._quotas = quotas

    def show(self, ctx: Context, snapshot_id: str) -> Snapshot:
        """One snapshot.  Raises SNAPSHOT_NOT_FOUND, also where it is another project's."""
        with self._parts.store.read() as db:
            found = rows.snapshot(db, snapshot_id)
        if not self._parts.sees(ctx, found.project_id):
            raise SNAPSHOT_NOT_FOUND(snapshot_id=snapshot_id)
        return found

    def create(
        self,
        ctx: Context,
        volume: Volume,
        name: str | None,
        description: str | None,
        metadata: dict[str, str],
        *,
        in_use: bool,
        group_snapshot_id: str | None = None,
        id: str = "",
    ) -> Snapshot:
        """Take a snapshot; `in_use` accepts an attached volume too; an empty `id` is chosen for it.

        Raises INVALID_VOLUME for a volume in another status, TOO_MANY_SNAPSHOTS, TOO_MANY_GIGABYTES.
        """
        parts = self._parts
        with parts.store.write() as db:
            volume = rows.volume(db, volume.id)
            if volume.status == V.ERROR:
                raise INVALID_VOLUME(reason="The snapshot cannot be created when the volume is in error status.")
            move = "snapshot_forced" if in_use else "snapshot"
            sentence = "Volume {id} status must be {expected}, but current status is: {status}."
            life.check(move, volume, sentence)
            self._quotas.take_snapshot(volume.project_id, Types.get(db, volume.type_id), volume.size_gb)
            made = Snapshot(
                id=id or parts.ids.uuid(),
                volume_id=volume.id,
                project_id=volume.project_id,
                user_id=ctx.user_id,
                name=name,
                description=description,
                size_gb=volume.size_gb,
                status=SnapshotStatus.CREATING,
                progress="0%",
                metadata=metadata,
                type_id=volume.type_id,
                format=volume.format,
                base=volume.base,
                group_snapshot_id=group_snapshot_id,
                created_at=parts.clock.now(),
                updated_at=None,
                host=volume.host,
            )
            db.execute(snapshots.insert().values({column.name: getattr(made, column.name) for column in snapshots.c}))
            host = volume.host or ""
            data = TakeSnapshot(made.id, volume.id, volume.project_id, volume.size_gb, volume.layout, host)
            parts.engine.begin(TAKE_SNAPSHOT.kind, data, ctx, made.id)
        return made

    def delete(self, ctx: Context, snapshot_id: str, *, force: bool = False, grouped: bool = False) -> None:
        """Delete a snapshot; with `grouped` one that is part of a group's.

        Raises INVALID_SNAPSHOT in a status that does not let it, or for part of a group's, unless forced.
        """
        parts = self._parts
        with parts.store.write() as db:
            found = self.show(ctx, snapshot_id)
            in_group = found.group_snapshot_id is not None and not grouped
            if not force and (found.status not in DELETABLE or in_group):
                raise INVALID_SNAPSHOT(
                    reason=f"Snapshot status must be {' or '.join(sorted(DELETABLE))} "
                    f"and must not be part of a group; it is {found.status}."
                )
            update = snapshots.update().where(snapshots.c.id == snapshot_id)
            db.execute(update.values(status=SnapshotStatus.DELETING, updated_at=parts.clock.now()))
            after = parts.engine.interrupt(snapshot_id, "delete") if force else ""
            data = DropSnapshot(snapshot_id, found.project_id, found.base, found.host or "")
            parts.engine.begin(DROP_SNAPSHOT.kind, data, ctx, snapshot_id, after=after)

    def update(
        self, ctx: Context, snapshot_id: str, values: dict[str, str | None] | dict[str, dict[str, str]]
    ) -> Snapshot:
        """Change a snapshot's name, description or metadata."""
        with self._parts.store.write() as db:
            self.show(ctx, snapshot_id)
            changed = {**values, "updated_at": self._parts.clock.now()}
            db.execute(snapshots.update().where(snapshots.c.id == snapshot_id).values(changed))
            return self.show(ctx, snapshot_id)

    def reset_status(self, ctx: Context, snapshot_id: str, status: str, progress: str | None = None) -> Snapshot:
        """Let an administrator, or who made the snapshot outside, say how it is."""
        with self._parts.store.write() as db:
            self.show(ctx, snapshot_id)
            values: dict[str, object] = {"status": status, "updated_at": self._parts.clock.now()}
            if progress is not None:
                values["progress"] = progress
            db.execute(snapshots.update().where(snapshots.c.id == snapshot_id).values(values))
            return self.show(ctx, snapshot_id)

    def revert(self, ctx: Context, volume: Volume, snapshot_id: str | None) -> None:
        """Give a volume the content of its latest snapshot again.

        Raises INVALID_VOLUME where the snapshot is not its latest, or has another size; CONFLICT by status.
        """
        parts = self._parts
        with parts.store.write() as db:
            volume = rows.volume(db, volume.id)
            c = snapshots.c
            newest = sa.select(c.id).where(c.volume_id == volume.id).order_by(c.created_at.desc(), c.id.desc()).limit(1)
            latest = db.execute(newest).scalar_one_or_none()
            if latest is None:
                raise INVALID_VOLUME(reason=f"Volume {volume.id} doesn't have any snapshots.")
            if snapshot_id != latest:
                raise INVALID_VOLUME(
                    reason=f"Specified snapshot {snapshot_id} is None or not the latest one of volume {volume.id}."
                )
            snapshot = rows.snapshot(db, latest)
            if snapshot.size_gb != volume.size_gb:
                raise INVALID_VOLUME(
                    reason=f"Can't revert volume {volume.id} to its latest snapshot {latest}. "
                    "The volume size must be equal to the snapshot size."
                )
            life.check("revert", volume, "Volume {id} status must be {expected}, but it is {status}.", CONFLICT)
            if snapshot.status != SnapshotStatus.AVAILABLE:
                raise CONFLICT(reason=f"Snapshot {latest} status must be available, but it is {snapshot.status}.")
            db.execute(volumes.update().where(volumes.c.id == volume.id).values(status=V.REVERTING))
            data = Revert(volume.id, volume.project_id, latest, snapshot.layout, volume.size_gb, volume.host or "")
            parts.engine.begin(REVERT.kind, data, ctx, volume.id)
