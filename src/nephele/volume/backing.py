"""The operations of backups, with do and undo side by side.

volume in use: freeze ─→ copy ─→ thaw      its disk is copied at one moment, and the copy is backed up
else:                    copy              the disk itself is read
"""

import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.operations import Failure, Keep, Operation, Step, Work
from nephele.volume import rows
from nephele.volume.errors import BACKUP_DAMAGED, CONFLICT
from nephele.volume.life import LIFE
from nephele.volume.model import BackupStatus, Layout, SnapshotStatus
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import volume_disk
from nephele.volume.parts import Parts
from nephele.volume.stores import content
from nephele.volume.tables import backups, snapshots
from nephele.volume.user_messages import UserMessages
from nephele.volume.work import release_base


class BackUp(Struct):
    """A disk on its way to the backup store."""

    backup_id: str
    project_id: str
    prefix: str
    parent_id: str
    volume_id: str
    snapshot_id: str
    """Empty: the volume itself is backed up."""
    disk: str
    layout: Layout
    size_gb: int
    host: str
    before: str
    """The volume's status when the request came."""
    objects: int = 0


class Restore(Struct):
    """A backup on its way to a volume."""

    backup_id: str
    project_id: str
    prefix: str
    volume_id: str
    size_gb: int
    host: str
    old_base: str
    is_new: bool
    layout: Layout | None = None


class Forget(Struct):
    """A backup whose objects are looked at, or go."""

    backup_id: str
    project_id: str
    prefix: str


def backup_disk(backup_id: str) -> str:
    """The name of the copy that is backed up while its volume is in use."""
    return f"backup-{backup_id}"


def put(parts: Parts, db: sa.Connection, backup_id: str, **values: object) -> None:
    """Change a backup's row."""
    update = backups.update().where(backups.c.id == backup_id)
    db.execute(update.values(**values, updated_at=parts.clock.now()))


# -- backing up ----------------------------------------------------------------------------------------------------


def freeze(parts: Parts, work: Work[BackUp]) -> None:
    """Copy the disk of a volume that is in use, as it is at one moment."""
    data = work.data
    if data.before == V.IN_USE and not data.snapshot_id:
        parts.backend_at(data.host).copy(data.disk, data.layout, backup_disk(data.backup_id), data.size_gb)


def thaw(parts: Parts, work: Work[BackUp]) -> None:
    """Delete that copy."""
    parts.backend_at(work.data.host).delete(backup_disk(work.data.backup_id))


def copy(parts: Parts, work: Work[BackUp]) -> None:
    """Store the disk's blocks that the parent does not have, then the manifest."""
    data, store = work.data, parts.backups
    copied = data.before == V.IN_USE and not data.snapshot_id
    disk = backup_disk(data.backup_id) if copied else data.disk
    parent = None
    if data.parent_id:
        with parts.store.read() as db:
            prefix = db.execute(sa.select(backups.c.prefix).where(backups.c.id == data.parent_id)).scalar_one()
        parent = content.read_manifest(store, prefix)
    pieces = parts.backend_at(data.host).export(disk, data.layout, "raw")
    data.objects = content.write(store, data.prefix, pieces, parent)


def drop_objects(parts: Parts, work: Work[BackUp]) -> None:
    """Delete what was stored."""
    parts.backups.delete(work.data.prefix)


def _back_as_before(parts: Parts, db: sa.Connection, data: BackUp) -> None:
    now = parts.clock.now()
    if data.snapshot_id:
        mine = (snapshots.c.id == data.snapshot_id, snapshots.c.status == SnapshotStatus.BACKING_UP)
        db.execute(snapshots.update().where(*mine).values(status=SnapshotStatus.AVAILABLE, updated_at=now))
    else:
        was = {"status": data.before, "previous_status": None}
        rows.move(db, data.volume_id, (V.BACKING_UP,), updated_at=now, **was)


def _backed_up(parts: Parts, db: sa.Connection, work: Work[BackUp]) -> None:
    _back_as_before(parts, db, work.data)
    put(parts, db, work.data.backup_id, status=BackupStatus.AVAILABLE, objects=work.data.objects)


def _not_backed_up(parts: Parts, db: sa.Connection, work: Work[BackUp], failure: Failure) -> None:
    _back_as_before(parts, db, work.data)
    _fail(parts, db, work, "create backup", failure)


def _fail(parts: Parts, db: sa.Connection, work: Work[BackUp] | Work[Forget], action: str, failure: Failure) -> None:
    data = work.data
    status = BackupStatus.ERROR_DELETING if action == "delete backup" else BackupStatus.ERROR
    put(parts, db, data.backup_id, status=status, fail_reason=failure.message)
    UserMessages(parts).tell(work.context, data.project_id, "VOLUME_BACKUP", data.backup_id, action, failure.message)


# -- restoring -----------------------------------------------------------------------------------------------------


def restore(parts: Parts, work: Work[Restore]) -> None:
    """Put a disk with the backup's content in the place of the volume's, in one step."""
    data = work.data
    if not data.host:
        raise CONFLICT(reason="The volume was not made; its message says why.")
    manifest = content.read_manifest(parts.backups, data.prefix)
    blocks = content.read(parts.backups, manifest)
    disk = volume_disk(data.volume_id)
    data.layout = parts.backend_at(data.host).create_from_blocks(disk, data.size_gb, blocks)


def note_layout(parts: Parts, work: Work[Restore]) -> None:
    """Let the volume's row say how its disk is laid out now, and give the base of the old one back."""
    data = work.data
    assert data.layout is not None
    with parts.store.write() as db:
        rows.move(db, data.volume_id, None, format=data.layout.format, base=data.layout.base)
    if data.old_base:
        release_base(parts, data.old_base, data.host)


def _restored(parts: Parts, db: sa.Connection, work: Work[Restore]) -> None:
    data, now = work.data, parts.clock.now()
    words = db.execute(sa.select(backups.c.volume_words).where(backups.c.id == data.backup_id)).scalar_one()
    told: dict[str, object] = {key: words[key] for key in ("bootable", "image_metadata") if key in words}
    told["metadata"] = {**rows.volume(db, data.volume_id).metadata, **words.get("metadata", {})}
    rows.move(db, data.volume_id, (V.RESTORING,), status=LIFE["restore"].arrives, updated_at=now, **told)
    put(parts, db, data.backup_id, status=BackupStatus.AVAILABLE)


def _not_restored(parts: Parts, db: sa.Connection, work: Work[Restore], failure: Failure) -> None:
    data, now = work.data, parts.clock.now()
    status = V.ERROR if data.is_new else LIFE["restore"].fails_to
    rows.move(db, data.volume_id, (V.RESTORING,), status=status, updated_at=now)
    put(parts, db, data.backup_id, status=BackupStatus.AVAILABLE)
    UserMessages(parts).tell(work.context, data.project_id, "VOLUME", data.volume_id, "restore backup", failure.message)


# -- deleting, taking over -----------------------------------------------------------------------------------------


def forget(parts: Parts, work: Work[Forget]) -> None:
    """Delete the backup's objects, unless it was taken over a second time and the other one needs them."""
    data = work.data
    others = sa.select(backups.c.id).where(backups.c.prefix == data.prefix, backups.c.id != data.backup_id)
    with parts.store.read() as db:
        shared = db.execute(others).first() is not None
    if not shared:
        parts.backups.delete(data.prefix)


def _forgotten(_parts: Parts, db: sa.Connection, work: Work[Forget]) -> None:
    db.execute(backups.delete().where(backups.c.id == work.data.backup_id))


def _not_forgotten(parts: Parts, db: sa.Connection, work: Work[Forget], failure: Failure) -> None:
    _fail(parts, db, work, "delete backup", failure)


def look(parts: Parts, work: Work[Forget]) -> None:
    """See that the store has every object that the manifest names.  Raises BACKUP_DAMAGED."""
    data = work.data
    manifest = content.read_manifest(parts.backups, data.prefix)
    have: set[str] = set()
    for prefix in {f"{one.name.rpartition('/')[0]}/" for one in manifest.blocks}:
        have.update(parts.backups.names(prefix))
    missing = [one.name for one in manifest.blocks if one.name not in have]
    if missing:
        raise BACKUP_DAMAGED(backup_id=data.backup_id, reason=f"{missing[0]} is missing")


def _taken_over(parts: Parts, db: sa.Connection, work: Work[Forget]) -> None:
    put(parts, db, work.data.backup_id, status=BackupStatus.AVAILABLE)


def _not_taken_over(parts: Parts, db: sa.Connection, work: Work[Forget], failure: Failure) -> None:
    _fail(parts, db, work, "create backup", failure)


_ATOMIC = Keep("the disk is the old one or the new one, never something between")
BACKUP = Operation(
    "backup.create",
    BackUp,
    LIFE["backup"].within,
    (
        Step("freeze", freeze, thaw),
        Step("copy", copy, drop_objects),
        Step("thaw", thaw, Keep("the copy of the disk served this backup only")),
    ),
    on_done=_backed_up,
    on_failed=_not_backed_up,
)
RESTORE = Operation(
    "backup.restore",
    Restore,
    LIFE["restore"].within,
    (Step("disk", restore, _ATOMIC), Step("layout", note_layout, Keep("it says what is there"))),
    on_done=_restored,
    on_failed=_not_restored,
)
FORGET = Operation(
    "backup.delete",
    Forget,
    LIFE["delete"].within,
    (Step("objects", forget, Keep("what is deleted can't come back")),),
    on_done=_forgotten,
    on_failed=_not_forgotten,
)
IMPORT = Operation(
    "backup.import",
    Forget,
    600,
    (Step("look", look, Keep("it only looks")),),
    on_done=_taken_over,
    on_failed=_not_taken_over,
)
