"""Cinder's operations: what takes more than one step, with do and undo side by side.

The rows of volumes and snapshots say what is under way (`creating`, `deleting`, …); the operation's row says how
far it is and resumes after a crash.  `on_done` and `on_failed` lead to the status that `life.py` names.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nephele.kernel.operations import Failure, Keep, Operation, Step, Work
from nephele.volume import rows
from nephele.volume.backends.protocol import ImageFile
from nephele.volume.errors import CONFLICT
from nephele.volume.life import LIFE
from nephele.volume.model import SnapshotStatus
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import (
    Create,
    Delete,
    DropSnapshot,
    Extend,
    Reimage,
    Revert,
    TakeSnapshot,
    Upload,
    snapshot_disk,
    volume_disk,
)
from nephele.volume.parts import Parts
from nephele.volume.tables import snapshots, volumes
from nephele.volume.user_messages import UserMessages

# -- creating ------------------------------------------------------------------------------------------------------


def place(_parts: Parts, work: Work[Create]) -> None:
    """Refuse what no backend fits."""
    if work.data.misfit:
        raise CONFLICT(reason=work.data.misfit)


def make_disk(parts: Parts, work: Work[Create]) -> None:
    """Make the disk anew, whatever an earlier try left."""
    data, disk = work.data, volume_disk(work.data.volume_id)
    backend = parts.backend_at(data.host)
    if data.image is not None:
        image = ImageFile(data.image.id, Path(data.image.path), data.image.format)
        data.layout = backend.create_from_image(disk, data.size_gb, image)
    elif data.source and data.source_layout is not None:
        data.layout = backend.copy(data.source, data.source_layout, disk, data.size_gb)
    else:
        data.layout = backend.create_blank(disk, data.size_gb)


def remove_disk(parts: Parts, work: Work[Create]) -> None:
    """Take the disk back, and the base that it was an overlay of where nobody else needs it."""
    parts.backend_at(work.data.host).delete(volume_disk(work.data.volume_id))
    with parts.store.write() as db:
        base = rows.volume(db, work.data.volume_id).base
        rows.move(db, work.data.volume_id, None, base="")
    if base:
        release_base(parts, base, work.data.host)


def _shows_downloading(_parts: Parts, db: sa.Connection, work: Work[Create], step: Step) -> None:
    if step.name == "disk" and work.data.image is not None:
        rows.move(db, work.data.volume_id, (V.CREATING,), status=V.DOWNLOADING)


def _created(parts: Parts, db: sa.Connection, work: Work[Create]) -> None:
    layout = work.data.layout
    assert layout is not None
    rows.move(db, work.data.volume_id, None, format=layout.format, base=layout.base, updated_at=parts.clock.now())
    rows.move(db, work.data.volume_id, (V.CREATING, V.DOWNLOADING), status=LIFE["create"].arrives)


def _not_created(parts: Parts, db: sa.Connection, work: Work[Create], failure: Failure) -> None:
    now = parts.clock.now()
    rows.move(db, work.data.volume_id, (V.CREATING, V.DOWNLOADING), status=LIFE["create"].fails_to, updated_at=now)
    action = "create volume from backend storage"
    if failure.step == "place":
        action = "schedule allocate volume"
        rows.move(db, work.data.volume_id, None, host=None)
    elif work.data.image is not None:
        action = "copy image to volume"
    _tell(parts, work, "VOLUME", work.data.volume_id, action, failure)


def _tell(parts: Parts, work: Work[Any], kind: str, resource_id: str, action: str, failure: Failure) -> None:
    UserMessages(parts).tell(work.context, work.data.project_id, kind, resource_id, action, failure.message)


# -- deleting ------------------------------------------------------------------------------------------------------


def await_readers(parts: Parts, work: Work[Delete] | Work[DropSnapshot]) -> None:
    """Wait until nobody copies from the disks any more; the operation's deadline ends a wait that is too long."""
    data = work.data
    doomed = data.snapshot_ids if isinstance(data, Delete) else [data.snapshot_id]
    c = volumes.c
    reads: sa.ColumnElement[bool] = c.snapshot_id.in_(doomed)
    if isinstance(data, Delete):
        reads = reads | (c.source_volid == data.volume_id)
    query = sa.select(sa.literal(1)).where(reads, c.status == V.CREATING).limit(1)
    while parts.clock.now() < work.deadline:
        with parts.store.read() as db:
            if db.execute(query).first() is None:
                return
        parts.engine.pause(0.05)


def delete_disks(parts: Parts, work: Work[Delete]) -> None:
    """Delete the disks, and let the rows no longer claim their bases."""
    with parts.store.read() as db:
        places = {work.data.host, rows.volume(db, work.data.volume_id).host or work.data.host}
    for place in places:
        for doomed in work.data.disks:
            parts.backend_at(place).delete(doomed.disk)
    with parts.store.write() as db:
        db.execute(volumes.update().where(volumes.c.id == work.data.volume_id).values(base=""))
        db.execute(snapshots.update().where(snapshots.c.id.in_(work.data.snapshot_ids)).values(base=""))


def claim_again(parts: Parts, work: Work[Delete]) -> None:
    """What could not be deleted knows its base again, so that the next try gives it back."""
    claims = {doomed.disk: doomed.base for doomed in work.data.disks}
    with parts.store.write() as db:
        rows.move(db, work.data.volume_id, None, base=claims[volume_disk(work.data.volume_id)])
        for snapshot_id in work.data.snapshot_ids:
            _put_snapshot(db, snapshot_id, base=claims[snapshot_disk(snapshot_id)])


def release_bases(parts: Parts, work: Work[Delete]) -> None:
    """Give back the bases that nobody needs any more."""
    for base in {doomed.base for doomed in work.data.disks if doomed.base}:
        release_base(parts, base, work.data.host)


def release_base(parts: Parts, base: str, host: str) -> None:
    """Give a base back unless somebody needs it."""
    backend = parts.backend_at(host)
    service = parts.service_of(backend)
    backend.release_base(base, lambda: rows.base_is_used(parts.store, base, service))


def _deleted(_parts: Parts, db: sa.Connection, work: Work[Delete]) -> None:
    db.execute(snapshots.delete().where(snapshots.c.id.in_(work.data.snapshot_ids)))
    db.execute(volumes.delete().where(volumes.c.id == work.data.volume_id))


def _not_deleted(parts: Parts, db: sa.Connection, work: Work[Delete], failure: Failure) -> None:
    now = parts.clock.now()
    rows.move(db, work.data.volume_id, None, status=LIFE["delete"].fails_to, updated_at=now)
    db.execute(
        snapshots.update()
        .where(snapshots.c.id.in_(work.data.snapshot_ids))
        .values(status=SnapshotStatus.ERROR_DELETING, updated_at=now)
    )
    _tell(parts, work, "VOLUME", work.data.volume_id, "delete volume", failure)


# -- growing -------------------------------------------------------------------------------------------------------


def extend_disk(parts: Parts, work: Work[Extend]) -> None:
    """Let the disk grow."""
    with parts.store.read() as db:
        layout = rows.volume(db, work.data.volume_id).layout
    parts.backend_at(work.data.host).extend(volume_disk(work.data.volume_id), layout, work.data.size_gb)


def _extended(parts: Parts, db: sa.Connection, work: Work[Extend]) -> None:
    now = parts.clock.now()
    rows.move(db, work.data.volume_id, (V.EXTENDING,), status=work.data.before, previous_status=None, updated_at=now)
    if work.data.before == V.IN_USE:
        for tell in parts.tell_grown:
            tell(work.context, work.data.volume_id)


def _not_extended(parts: Parts, db: sa.Connection, work: Work[Extend], failure: Failure) -> None:
    now, data = parts.clock.now(), work.data
    rows.move(db, data.volume_id, None, size_gb=data.old_size_gb, updated_at=now)
    rows.move(db, data.volume_id, (V.EXTENDING,), status=LIFE["extend"].fails_to)
    _tell(parts, work, "VOLUME", data.volume_id, "extend volume", failure)


# -- snapshots -----------------------------------------------------------------------------------------------------


def copy_to_snapshot(parts: Parts, work: Work[TakeSnapshot]) -> None:
    """Copy the volume's disk as it is at one moment."""
    data = work.data
    parts.backend_at(work.data.host).copy(
        volume_disk(data.volume_id), data.layout, snapshot_disk(data.snapshot_id), data.size_gb
    )


def drop_snapshot_disk(parts: Parts, work: Work[TakeSnapshot] | Work[DropSnapshot]) -> None:
    """Delete the snapshot's disk."""
    parts.backend_at(work.data.host).delete(snapshot_disk(work.data.snapshot_id))


def _taken(parts: Parts, db: sa.Connection, work: Work[TakeSnapshot]) -> None:
    _put_snapshot(
        db, work.data.snapshot_id, status=SnapshotStatus.AVAILABLE, progress="100%", updated_at=parts.clock.now()
    )


def _not_taken(parts: Parts, db: sa.Connection, work: Work[TakeSnapshot], failure: Failure) -> None:
    _put_snapshot(db, work.data.snapshot_id, status=SnapshotStatus.ERROR, updated_at=parts.clock.now())
    _tell(parts, work, "VOLUME_SNAPSHOT", work.data.snapshot_id, "create snapshot", failure)


def _put_snapshot(db: sa.Connection, id: str, **values: object) -> None:
    db.execute(snapshots.update().where(snapshots.c.id == id).values(**values))


def release_snapshot_base(parts: Parts, work: Work[DropSnapshot]) -> None:
    """Let the row no longer claim its base, and give that back where nobody needs it."""
    with parts.store.write() as db:
        _put_snapshot(db, work.data.snapshot_id, base="")
    if work.data.base:
        release_base(parts, work.data.base, work.data.host)


def claim_snapshot_again(parts: Parts, work: Work[DropSnapshot]) -> None:
    """As `claim_again`, for a snapshot."""
    with parts.store.write() as db:
        _put_snapshot(db, work.data.snapshot_id, base=work.data.base)


def _dropped(_parts: Parts, db: sa.Connection, work: Work[DropSnapshot]) -> None:
    db.execute(snapshots.delete().where(snapshots.c.id == work.data.snapshot_id))


def _not_dropped(parts: Parts, db: sa.Connection, work: Work[DropSnapshot], failure: Failure) -> None:
    _put_snapshot(db, work.data.snapshot_id, status=SnapshotStatus.ERROR_DELETING, updated_at=parts.clock.now())
    _tell(parts, work, "VOLUME_SNAPSHOT", work.data.snapshot_id, "delete snapshot", failure)


def revert_disk(parts: Parts, work: Work[Revert]) -> None:
    """Put a copy of the snapshot in the place of the volume's disk, in one step."""
    data = work.data
    parts.backend_at(work.data.host).copy(
        snapshot_disk(data.snapshot_id), data.layout, volume_disk(data.volume_id), data.size_gb
    )


def _reverted(parts: Parts, db: sa.Connection, work: Work[Revert]) -> None:
    layout, now = work.data.layout, parts.clock.now()
    rows.move(db, work.data.volume_id, None, format=layout.format, base=layout.base, updated_at=now)
    rows.move(db, work.data.volume_id, (V.REVERTING,), status=LIFE["revert"].arrives)


def _not_reverted(parts: Parts, db: sa.Connection, work: Work[Revert], failure: Failure) -> None:
    rows.move(db, work.data.volume_id, (V.REVERTING,), status=LIFE["revert"].fails_to, updated_at=parts.clock.now())
    _tell(parts, work, "VOLUME", work.data.volume_id, "revert volume", failure)


# -- an image anew -------------------------------------------------------------------------------------------------


def claim_base(parts: Parts, work: Work[Reimage]) -> None:
    """Let the row claim the new image's base, so that it stays while the disk is made."""
    with parts.store.write() as db:
        rows.move(db, work.data.volume_id, None, base=work.data.base)


def claim_old_base(parts: Parts, work: Work[Reimage]) -> None:
    """The old disk is still there: let the row claim its base, and give the new one back."""
    with parts.store.write() as db:
        rows.move(db, work.data.volume_id, None, base=work.data.old_base)
    release_base(parts, work.data.base, work.data.host)


def remake_disk(parts: Parts, work: Work[Reimage]) -> None:
    """Put a disk with the image's content in the place of the old one, in one step."""
    data = work.data
    image = ImageFile(data.image.id, Path(data.image.path), data.image.format)
    data.layout = parts.backend_at(work.data.host).create_from_image(volume_disk(data.volume_id), data.size_gb, image)


def release_old_base(parts: Parts, work: Work[Reimage]) -> None:
    """Give the old image's base back where nobody needs it."""
    if work.data.old_base:
        release_base(parts, work.data.old_base, work.data.host)


def _reimaged(parts: Parts, db: sa.Connection, work: Work[Reimage]) -> None:
    data = work.data
    assert data.layout is not None
    values = {"format": data.layout.format, "bootable": True, "image_metadata": data.words}
    rows.move(db, data.volume_id, None, **values, image_id=data.image.id, updated_at=parts.clock.now())
    if rows.move(db, data.volume_id, (V.DOWNLOADING,), status=data.arrives, previous_status=None):
        rows.settle(db, data.volume_id, parts.clock.now())  # who had it reserved may have gone meanwhile


def _not_reimaged(parts: Parts, db: sa.Connection, work: Work[Reimage], failure: Failure) -> None:
    rows.move(db, work.data.volume_id, None, status=LIFE["reimage"].fails_to, updated_at=parts.clock.now())
    _tell(parts, work, "VOLUME", work.data.volume_id, "reimage volume", failure)


# -- to an image ---------------------------------------------------------------------------------------------------


def upload(parts: Parts, work: Work[Upload]) -> None:
    """Store the volume's content as the image's data."""
    data = work.data
    pieces = parts.backend_at(work.data.host).export(volume_disk(data.volume_id), data.layout, data.format)
    parts.images.upload(work.context, data.image_id, pieces)


def discard_image(parts: Parts, work: Work[Upload]) -> None:
    """Delete the image that got no data."""
    parts.images.discard(work.context, work.data.image_id)


def _back_as_before(parts: Parts, db: sa.Connection, work: Work[Upload]) -> None:
    now = parts.clock.now()
    rows.move(db, work.data.volume_id, (V.UPLOADING,), status=work.data.before, previous_status=None, updated_at=now)


def _not_uploaded(parts: Parts, db: sa.Connection, work: Work[Upload], failure: Failure) -> None:
    _back_as_before(parts, db, work)
    _tell(parts, work, "VOLUME", work.data.volume_id, "copy volume to image", failure)


_GONE = Keep("what is deleted can't come back")
_LARGER = Keep("a disk that is larger than its volume harms nobody, and growing it again finds it so")
_ATOMIC = Keep("the disk is the old one or the new one, never something between")
_LOOKED = Keep("it only looks")

CREATE = Operation(
    "volume.create",
    Create,
    LIFE["create"].within,
    (Step("place", place, _LOOKED), Step("disk", make_disk, remove_disk)),
    on_step=_shows_downloading,
    on_done=_created,
    on_failed=_not_created,
)
DELETE = Operation(
    "volume.delete",
    Delete,
    LIFE["delete"].within,
    (
        Step("readers", await_readers, _LOOKED),
        Step("disks", delete_disks, claim_again),
        Step("bases", release_bases, _GONE),
    ),
    on_done=_deleted,
    on_failed=_not_deleted,
)
EXTEND = Operation(
    "volume.extend",
    Extend,
    LIFE["extend"].within,
    (Step("disk", extend_disk, _LARGER),),
    on_done=_extended,
    on_failed=_not_extended,
)
TAKE_SNAPSHOT = Operation(
    "snapshot.create",
    TakeSnapshot,
    3600,
    (Step("disk", copy_to_snapshot, drop_snapshot_disk),),
    on_done=_taken,
    on_failed=_not_taken,
)
DROP_SNAPSHOT = Operation(
    "snapshot.delete",
    DropSnapshot,
    3600,
    (
        Step("readers", await_readers, _LOOKED),
        Step("disk", drop_snapshot_disk, _GONE),
        Step("base", release_snapshot_base, claim_snapshot_again),
    ),
    on_done=_dropped,
    on_failed=_not_dropped,
)
UPLOAD = Operation(
    "volume.upload",
    Upload,
    LIFE["upload"].within,
    (Step("upload", upload, discard_image),),
    on_done=_back_as_before,
    on_failed=_not_uploaded,
)
REVERT = Operation(
    "volume.revert",
    Revert,
    LIFE["revert"].within,
    (Step("disk", revert_disk, _ATOMIC),),
    on_done=_reverted,
    on_failed=_not_reverted,
)
REIMAGE = Operation(
    "volume.reimage",
    Reimage,
    LIFE["reimage"].within,
    (
        Step("claim", claim_base, claim_old_base),
        Step("disk", remake_disk, _ATOMIC),
        Step("release", release_old_base, _GONE),
    ),
    on_done=_reimaged,
    on_failed=_not_reimaged,
)
OPERATIONS: tuple[Operation[Any], ...] = (
    CREATE,
    DELETE,
    EXTEND,
    TAKE_SNAPSHOT,
    DROP_SNAPSHOT,
    UPLOAD,
    REVERT,
    REIMAGE,
)
