"""Backups: volumes' content in a store of its own, whole or what changed since an earlier one."""

import base64
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.context import Context
from nephele.volume import life, rows
from nephele.volume.accept import NewVolume
from nephele.volume.backing import BACKUP, FORGET, IMPORT, RESTORE, BackUp, Forget, Restore, put
from nephele.volume.errors import (
    BACKUP_NOT_FOUND,
    INVALID_BACKUP,
    INVALID_INPUT,
    INVALID_SNAPSHOT,
    INVALID_VOLUME,
    SNAPSHOT_NOT_FOUND,
    TOO_MANY_BACKUP_GIGABYTES,
    TOO_MANY_BACKUPS,
    VOLUME_NOT_FOUND,
)
from nephele.volume.groups import Create
from nephele.volume.model import Backup, BackupStatus, Snapshot, SnapshotStatus, Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import snapshot_disk, volume_disk
from nephele.volume.parts import Parts
from nephele.volume.quotas import Quotas
from nephele.volume.stores.content import prefix_of
from nephele.volume.tables import backups, snapshots

DELETABLE = frozenset({BackupStatus.AVAILABLE, BackupStatus.ERROR, BackupStatus.ERROR_DELETING})
_child = backups.alias()
SELECT: sa.Select[Any] = sa.select(
    *backups.c, sa.exists().where(_child.c.parent_id == backups.c.id).label("has_children")
)
SERVICES = {
    "file": "cinder.backup.drivers.posix.PosixBackupDriver",
    "s3": "cinder.backup.drivers.s3.S3BackupDriver",
}
"""What exported records call a store: the names that clients know."""


class NewBackup(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    volume_id: str
    name: str | None = None
    description: str | None = None
    container: str | None = None
    snapshot_id: str | None = None
    incremental: bool = False
    force: bool = False
    metadata: dict[str, str] = {}


class Record(Struct, frozen=True, kw_only=True):
    """What an exported record says of a backup."""

    id: str
    name: str | None
    description: str | None
    volume_id: str
    parent_id: str | None
    size_gb: int
    objects: int
    container: str
    prefix: str
    metadata: dict[str, str]
    place: str
    volume_words: dict[str, object]
    data_at: int


class Backups:
    """All backups."""

    def __init__(self, parts: Parts, quotas: Quotas, create: Create) -> None:
        self._parts, self._quotas, self._create = parts, quotas, create

    def show(self, ctx: Context, backup_id: str) -> Backup:
        """One backup.  Raises BACKUP_NOT_FOUND, also where it is another project's."""
        with self._parts.store.read() as db:
            row = db.execute(SELECT.where(backups.c.id == backup_id)).one_or_none()
        if row is None or not self._parts.sees(ctx, row.project_id):
            raise BACKUP_NOT_FOUND(backup_id=backup_id)
        return Backup(*row)

    # -- made --------------------------------------------------------------------------------------------------

    def create(self, ctx: Context, new: NewBackup) -> Backup:
        """Back a volume up, or a snapshot of it; with `force` though it is in use.

        Raises VOLUME_NOT_FOUND, SNAPSHOT_NOT_FOUND; INVALID_VOLUME, INVALID_SNAPSHOT by status; INVALID_BACKUP where
        there is nothing to add to; TOO_MANY_BACKUPS, TOO_MANY_BACKUP_GIGABYTES.
        """
        parts = self._parts
        with parts.store.write() as db:
            volume = rows.volume(db, new.volume_id)
            if not parts.sees(ctx, volume.project_id):
                raise VOLUME_NOT_FOUND(volume_id=new.volume_id)
            snapshot = self._snapshot(db, ctx, new)
            if snapshot is None:
                self._check_volume(volume, force=new.force)
            parent = self._parent(db, volume, new)
            size = snapshot.size_gb if snapshot else volume.size_gb
            self._check_quota(volume.project_id, size)
            made = self._described(ctx, new, volume, snapshot, parent, size)
            db.execute(backups.insert().values({column.name: getattr(made, column.name) for column in backups.c}))
            data = _order(made, volume, snapshot)
            now = parts.clock.now()
            if snapshot is None:
                rows.move(db, volume.id, None, status=V.BACKING_UP, previous_status=volume.status, updated_at=now)
            else:
                mine = snapshots.update().where(snapshots.c.id == snapshot.id)
                db.execute(mine.values(status=SnapshotStatus.BACKING_UP, updated_at=now))
            parts.engine.begin(BACKUP.kind, data, ctx, made.id)
        return made

    def _snapshot(self, db: sa.Connection, ctx: Context, new: NewBackup) -> Snapshot | None:
        if new.snapshot_id is None:
            return None
        found = rows.snapshot(db, new.snapshot_id)
        if not self._parts.sees(ctx, found.project_id):
            raise SNAPSHOT_NOT_FOUND(snapshot_id=new.snapshot_id)
        if found.volume_id != new.volume_id:
            raise INVALID_SNAPSHOT(reason=f"It is of volume {found.volume_id}, not of {new.volume_id}.")
        if found.status != SnapshotStatus.AVAILABLE:
            raise INVALID_SNAPSHOT(
                reason=f"Snapshot to be backed up must be available, but the current status is {found.status}."
            )
        return found

    @staticmethod
    def _check_volume(volume: Volume, *, force: bool) -> None:
        if volume.status == V.IN_USE and not force:
            raise INVALID_VOLUME(reason="Backing up an in-use volume must use the force flag.")
        life.check(
            "backup_forced" if force else "backup",
            volume,
            "Volume to be backed up must be {expected} but the current status is {status}.",
        )

    def _parent(self, db: sa.Connection, volume: Volume, new: NewBackup) -> Backup | None:
        """The newest backup that an incremental one can add to."""
        if not new.incremental:
            return None
        c = backups.c
        fits = (c.volume_id == volume.id, c.status == BackupStatus.AVAILABLE, c.place == self._parts.backups.name)
        query = SELECT.where(*fits, c.project_id == volume.project_id).order_by(c.data_at.desc(), c.id).limit(1)
        row = db.execute(query).first()
        if row is None:
            raise INVALID_BACKUP(reason="No backups available to do an incremental backup.")
        return Backup(*row)

    def _check_quota(self, project_id: str, size_gb: int) -> None:
        self._parts.store.lock(f"volume-quota/{project_id}")
        usages = self._quotas.usages(project_id)
        count, room = usages["backups"], usages["backup_gigabytes"]
        if room.limit != -1 and room.in_use + size_gb > room.limit:
            raise TOO_MANY_BACKUP_GIGABYTES(requested=size_gb, allowed=room.limit, used=room.in_use)
        if count.limit != -1 and count.in_use >= count.limit:
            raise TOO_MANY_BACKUPS(allowed=count.limit)

    def _described(
        self,
        ctx: Context,
        new: NewBackup,
        volume: Volume,
        snapshot: Snapshot | None,
        parent: Backup | None,
        size_gb: int,
    ) -> Backup:
        now, id = self._parts.clock.now(), self._parts.ids.uuid()
        container = new.container or (parent.container if parent else "backups")
        return Backup(
            id=id,
            project_id=volume.project_id,
            user_id=ctx.user_id,
            name=new.name,
            description=new.description,
            volume_id=volume.id,
            snapshot_id=snapshot.id if snapshot else None,
            parent_id=parent.id if parent else None,
            status=BackupStatus.CREATING,
            size_gb=size_gb,
            objects=0,
            container=container,
            prefix=prefix_of(container, id),
            availability_zone=self._parts.zone,
            fail_reason=None,
            metadata=new.metadata,
            place=self._parts.backups.name,
            volume_words={
                "name": volume.name,
                "bootable": volume.bootable,
                "image_metadata": volume.image_metadata,
                "metadata": volume.metadata,
            },
            data_at=snapshot.created_at if snapshot else now,
            restored_to=None,
            created_at=now,
            updated_at=None,
        )

    def update(self, ctx: Context, backup_id: str, values: dict[str, object]) -> Backup:
        """Change a backup's name, description or metadata."""
        with self._parts.store.write() as db:
            self.show(ctx, backup_id)
            put(self._parts, db, backup_id, **values)
            return self.show(ctx, backup_id)

    def reset_status(self, ctx: Context, backup_id: str, status: str) -> Backup:
        """Let an administrator declare how it is; what is under way with it is interrupted.

        Raises INVALID_BACKUP for other words than `available` and `error`.
        """
        if status not in (BackupStatus.AVAILABLE, BackupStatus.ERROR):
            raise INVALID_BACKUP(reason=f"{status} is no status that a backup can be reset to.")
        with self._parts.store.write() as db:
            self.show(ctx, backup_id)
            self._parts.engine.interrupt(backup_id, "reset")
            put(self._parts, db, backup_id, status=status)
            return self.show(ctx, backup_id)

    # -- deleted -----------------------------------------------------------------------------------------------

    def delete(self, ctx: Context, backup_id: str, *, force: bool = False) -> None:
        """Delete a backup.  Raises INVALID_BACKUP by status (unless forced), and where others add to it."""
        parts = self._parts
        with parts.store.write() as db:
            found = self.show(ctx, backup_id)
            if not force and found.status not in DELETABLE:
                raise INVALID_BACKUP(reason=f"Backup status must be available or error, but it is {found.status}.")
            if found.has_children:
                raise INVALID_BACKUP(reason="Incremental backups exist for this backup.")
            put(parts, db, backup_id, status=BackupStatus.DELETING)
            after = parts.engine.interrupt(backup_id, "delete") if force else ""
            data = Forget(backup_id, found.project_id, found.prefix)
            parts.engine.begin(FORGET.kind, data, ctx, backup_id, after=after)

    # -- restored ----------------------------------------------------------------------------------------------

    def restore(self, ctx: Context, backup_id: str, volume_id: str | None, name: str | None) -> tuple[Backup, Volume]:
        """Write a backup's content to a volume; without `volume_id` to a new one.

        Raises INVALID_BACKUP by the backup's status, INVALID_VOLUME by the volume's, INVALID_INPUT for one that is
        too small, VOLUME_NOT_FOUND, and what making a volume raises.
        """
        parts = self._parts
        with parts.store.write() as db:
            if volume_id is None:
                new = NewVolume(size_gb=None, name=name or f"restore_backup_{backup_id}", backup_id=backup_id)
                volume = self.create_volume(ctx, new)
            else:
                volume = rows.volume(db, volume_id)
                if not parts.sees(ctx, volume.project_id):
                    raise VOLUME_NOT_FOUND(volume_id=volume_id)
                life.check("restore", volume, "Volume to be restored to must be {expected}")
                self._begin_restore(ctx, self._restorable(ctx, backup_id), volume)
            return self.show(ctx, backup_id), rows.volume(db, volume.id)

    def _restorable(self, ctx: Context, backup_id: str) -> Backup:
        found = self.show(ctx, backup_id)
        if found.status != BackupStatus.AVAILABLE:
            raise INVALID_BACKUP(reason="Backup status must be available")
        if found.place != self._parts.backups.name:
            raise INVALID_BACKUP(reason=f"It is in the store {found.place!r}, which this cloud does not use.")
        return found

    def create_volume(self, ctx: Context, new: NewVolume) -> Volume:
        """A new volume with a backup's content (`new.backup_id`), as large as that was or larger."""
        parts = self._parts
        with parts.store.write() as db:
            backup = self._restorable(ctx, str(new.backup_id))
            size = new.size_gb or backup.size_gb
            made = self._create(ctx, msgspec.structs.replace(new, backup_id=None, size_gb=size))
            self._begin_restore(ctx, backup, made, after=True)
            return rows.volume(db, made.id)

    def _begin_restore(self, ctx: Context, backup: Backup, volume: Volume, *, after: bool = False) -> None:
        parts = self._parts
        if volume.size_gb < backup.size_gb:
            raise INVALID_INPUT(
                reason=f"volume size {volume.size_gb} is too small to restore backup of size {backup.size_gb}."
            )
        with parts.store.write() as db:
            first = parts.engine.last(volume.id) if after else ""
            rows.move(db, volume.id, None, status=V.RESTORING, updated_at=parts.clock.now())
            put(parts, db, backup.id, status=BackupStatus.RESTORING, restored_to=volume.id)
            data = Restore(
                *(backup.id, volume.project_id, backup.prefix, volume.id, volume.size_gb, volume.host or ""),
                *(volume.base, after),
            )
            parts.engine.begin(RESTORE.kind, data, ctx, volume.id, after=first)

    # -- records -----------------------------------------------------------------------------------------------

    def export(self, ctx: Context, backup_id: str) -> tuple[str, str]:
        """What another cloud on the same store needs to know of a backup: (service, record).  Raises INVALID_BACKUP."""
        found = self.show(ctx, backup_id)
        if found.status != BackupStatus.AVAILABLE:
            raise INVALID_BACKUP(reason=f"Backup status must be available and not {found.status}.")
        record = Record(**{field: getattr(found, field) for field in Record.__struct_fields__})
        return SERVICES[found.place], base64.b64encode(msgspec.json.encode(record)).decode()

    def import_record(self, ctx: Context, service: str, text: str) -> Backup:
        """Take a backup over that is in the store already; whether it is there is seen by an operation.

        Raises INVALID_INPUT for a record that is none, INVALID_BACKUP for one that is here already or elsewhere.
        """
        parts = self._parts
        if service != SERVICES[parts.backups.name]:
            raise INVALID_BACKUP(reason=f"No backup service of this cloud is {service!r}.")
        try:
            record = msgspec.json.decode(base64.b64decode(text, validate=True), type=Record)
        except (ValueError, msgspec.MsgspecError):
            raise INVALID_INPUT(reason="Can't parse backup record.") from None
        now = parts.clock.now()
        made = Backup(
            **{field: getattr(record, field) for field in Record.__struct_fields__},
            project_id=ctx.project_id,
            user_id=ctx.user_id,
            snapshot_id=None,
            status=BackupStatus.CREATING,
            availability_zone=parts.zone,
            fail_reason=None,
            restored_to=None,
            created_at=now,
            updated_at=None,
        )
        with parts.store.write() as db:
            if db.execute(sa.select(backups.c.id).where(backups.c.id == record.id)).first() is not None:
                raise INVALID_BACKUP(reason="Backup already exists in database.")
            self._check_quota(ctx.project_id, record.size_gb)
            db.execute(backups.insert().values({column.name: getattr(made, column.name) for column in backups.c}))
            data = Forget(made.id, made.project_id, made.prefix)
            parts.engine.begin(IMPORT.kind, data, ctx, made.id)
        return made


def _order(backup: Backup, volume: Volume, snapshot: Snapshot | None) -> BackUp:
    source = snapshot or volume
    return BackUp(
        backup_id=backup.id,
        project_id=backup.project_id,
        prefix=backup.prefix,
        parent_id=backup.parent_id or "",
        volume_id=volume.id,
        snapshot_id=snapshot.id if snapshot else "",
        disk=snapshot_disk(snapshot.id) if snapshot else volume_disk(volume.id),
        layout=source.layout,
        size_gb=source.size_gb,
        host=volume.host or "",
        before=volume.status,
    )
