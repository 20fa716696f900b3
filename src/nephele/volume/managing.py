"""Disks from outside become volumes and snapshots, and leave again with what is on them.

What can be managed lies in a backend's own place for it; a volume that is no longer managed is put there.
"""

import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.context import Context
from nephele.kernel.operations import Failure, Keep, Operation, Step, Work
from nephele.volume import life, rows
from nephele.volume.backends.protocol import Backend, Found
from nephele.volume.errors import INVALID_INPUT, INVALID_SNAPSHOT, INVALID_VOLUME, NOT_MANAGEABLE, SERVICE_NOT_FOUND
from nephele.volume.life import LIFE
from nephele.volume.model import Layout, Snapshot, SnapshotStatus, Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import snapshot_disk, volume_disk
from nephele.volume.parts import Parts
from nephele.volume.quotas import Quotas
from nephele.volume.services import VOLUME
from nephele.volume.tables import snapshots, volumes
from nephele.volume.types import Types
from nephele.volume.user_messages import UserMessages
from nephele.volume.work import release_base

GB = 1 << 30


class Candidate(Struct, frozen=True):
    """A disk that is there; `id` is the volume or snapshot that it is already, empty where it is nobody's."""

    name: str
    size_gb: int
    id: str = ""


class NewManaged(Struct, frozen=True, kw_only=True):
    """What is asked for; `name` is that of the volume or snapshot, `disk` that of the disk."""

    disk: str
    name: str | None = None
    description: str | None = None
    volume_type: str | None = None
    bootable: bool = False
    metadata: dict[str, str] = {}


class Manage(Struct):
    """A disk on its way in."""

    id: str
    project_id: str
    host: str
    found: str
    size_gb: int
    is_snapshot: bool = False


class Unmanage(Struct):
    """A disk on its way out."""

    id: str
    project_id: str
    host: str
    layout: Layout
    is_snapshot: bool = False


class Managing:
    """Takes disks in and gives them up."""

    def __init__(self, parts: Parts, quotas: Quotas, types: Types) -> None:
        self._parts, self._quotas, self._types = parts, quotas, types

    def backend(self, host: str) -> Backend:
        """The backend that a host names.  Raises SERVICE_NOT_FOUND."""
        found = self._parts.find_backend(host)
        if found is None:
            raise SERVICE_NOT_FOUND(binary=VOLUME, host=host)
        return found

    def candidates(self, host: str, *, of_snapshots: bool) -> list[Candidate]:
        """The disks on a backend: those that can be managed, and those that are, as volumes or as snapshots."""
        backend = self.backend(host)
        here = rows.on_service(self._parts.service_of(backend))
        query = sa.select(volumes.c.id, volumes.c.size_gb).where(here)
        if of_snapshots:
            query = sa.select(snapshots.c.id, snapshots.c.size_gb).select_from(snapshots.join(volumes)).where(here)
        name = snapshot_disk if of_snapshots else volume_disk
        with self._parts.store.read() as db:
            managed = [Candidate(name(id), size_gb, id) for id, size_gb in db.execute(query)]
        return [*(Candidate(found.name, _gigabytes(found)) for found in backend.manageable()), *managed]

    def manage(self, ctx: Context, host: str, new: NewManaged) -> Volume:
        """Let a disk become a volume.

        Raises SERVICE_NOT_FOUND, NOT_MANAGEABLE, INVALID_INPUT for one without content, and what the quotas refuse.
        """
        parts = self._parts
        backend = self.backend(host)
        found = self._found(backend, new.disk)
        kind = self._types.find(ctx, new.volume_type) if new.volume_type else self._types.default(ctx.project_id)
        with parts.store.write() as db:
            self._quotas.take_volume(ctx.project_id, kind, _gigabytes(found))
            made = Volume(
                id=parts.ids.uuid(),
                project_id=ctx.project_id,
                user_id=ctx.user_id,
                name=new.name,
                description=new.description,
                size_gb=_gigabytes(found),
                status=V.MANAGING,
                previous_status=None,
                type_id=kind.id,
                availability_zone=parts.zone,
                bootable=new.bootable,
                multiattach=kind.multiattach,
                readonly=None,
                snapshot_id=None,
                source_volid=None,
                image_id=None,
                host=parts.pool_of(backend),
                migration_status=None,
                metadata=new.metadata,
                image_metadata={},
                format="raw",
                base="",
                group_id=None,
                created_at=parts.clock.now(),
                updated_at=None,
                type_name=kind.name,
            )
            db.execute(volumes.insert().values({column.name: getattr(made, column.name) for column in volumes.c}))
            data = Manage(made.id, made.project_id, made.host or "", found.name, made.size_gb)
            parts.engine.begin(MANAGE.kind, data, ctx, made.id)
        return made

    def manage_snapshot(self, ctx: Context, volume: Volume, new: NewManaged) -> Snapshot:
        """Let a disk become a snapshot of a volume.  Raises NOT_MANAGEABLE, INVALID_INPUT, what the quotas refuse."""
        parts = self._parts
        found = self._found(parts.backend_at(volume.host), new.disk)
        if _gigabytes(found) > volume.size_gb:
            raise INVALID_INPUT(reason=f"{found.name} is larger than the volume, which has {volume.size_gb} GB.")
        with parts.store.write() as db:
            self._quotas.take_snapshot(volume.project_id, Types.get(db, volume.type_id), volume.size_gb)
            made = Snapshot(
                id=parts.ids.uuid(),
                volume_id=volume.id,
                project_id=volume.project_id,
                user_id=ctx.user_id,
                name=new.name,
                description=new.description,
                size_gb=volume.size_gb,
                status=SnapshotStatus.CREATING,
                progress="0%",
                metadata=new.metadata,
                type_id=volume.type_id,
                format="raw",
                base="",
                group_snapshot_id=None,
                created_at=parts.clock.now(),
                updated_at=None,
                host=volume.host,
            )
            db.execute(snapshots.insert().values({column.name: getattr(made, column.name) for column in snapshots.c}))
            data = Manage(made.id, made.project_id, made.host or "", found.name, made.size_gb, is_snapshot=True)
            parts.engine.begin(MANAGE.kind, data, ctx, made.id)
        return made

    @staticmethod
    def _found(backend: Backend, name: str) -> Found:
        for found in backend.manageable():
            if found.name == name:
                if not found.size:
                    raise INVALID_INPUT(reason=f"{name} is empty")
                return found
        raise NOT_MANAGEABLE(name=name)

    def unmanage(self, ctx: Context, volume: Volume) -> None:
        """Give a volume's disk up: it stays, as one that can be managed.  Raises INVALID_VOLUME."""
        parts = self._parts
        with parts.store.write() as db:
            volume = rows.volume(db, volume.id)
            taken = sa.select(snapshots.c.id).where(snapshots.c.volume_id == volume.id).limit(1)
            attached = rows.attachments_of(db, [volume.id])
            bound = bool(attached) or db.execute(taken).first() is not None
            if not life.allowed("unmanage", volume) or volume.group_id or bound:
                raise INVALID_VOLUME(
                    reason=f"Volume status must be {life.spoken('unmanage')} and must not be migrating, attached, "
                    f"belong to a group, or have snapshots; it is {volume.status}."
                )
            rows.move(db, volume.id, None, status=V.UNMANAGING, updated_at=parts.clock.now())
            data = Unmanage(volume.id, volume.project_id, volume.host or "", volume.layout)
            parts.engine.begin(UNMANAGE.kind, data, ctx, volume.id)

    def unmanage_snapshot(self, ctx: Context, snapshot: Snapshot) -> None:
        """Give a snapshot's disk up.  Raises INVALID_SNAPSHOT by status, and for part of a group's."""
        parts = self._parts
        with parts.store.write() as db:
            snapshot = rows.snapshot(db, snapshot.id)
            if snapshot.status not in (SnapshotStatus.AVAILABLE, SnapshotStatus.ERROR) or snapshot.group_snapshot_id:
                raise INVALID_SNAPSHOT(
                    reason=f"Snapshot status must be available or error, and it must not be part of a group; "
                    f"it is {snapshot.status}."
                )
            _put_snapshot(parts, db, snapshot.id, status=SnapshotStatus.UNMANAGING)
            data = Unmanage(snapshot.id, snapshot.project_id, snapshot.host or "", snapshot.layout, is_snapshot=True)
            parts.engine.begin(UNMANAGE.kind, data, ctx, snapshot.id)


def _gigabytes(found: Found) -> int:
    return max(1, -(-found.size // GB))


def _put_snapshot(parts: Parts, db: sa.Connection, id: str, **values: object) -> None:
    update = snapshots.update().where(snapshots.c.id == id)
    db.execute(update.values(**values, updated_at=parts.clock.now()))


# -- steps ---------------------------------------------------------------------------------------------------------


def _disk(data: Manage | Unmanage) -> str:
    return snapshot_disk(data.id) if data.is_snapshot else volume_disk(data.id)


def adopt(parts: Parts, work: Work[Manage]) -> None:
    """Take the disk, and let it be as large as its row says."""
    data, backend = work.data, parts.backend_at(work.data.host)
    layout = backend.adopt(data.found, _disk(data))
    backend.extend(_disk(data), layout, data.size_gb)


def give_back(parts: Parts, work: Work[Manage]) -> None:
    """Put it back to where it was."""
    data, backend = work.data, parts.backend_at(work.data.host)
    if _disk(data) in backend.disks():
        backend.release(_disk(data), Layout("raw"), data.found)


def _managed(parts: Parts, db: sa.Connection, work: Work[Manage]) -> None:
    data = work.data
    if data.is_snapshot:
        _put_snapshot(parts, db, data.id, status=SnapshotStatus.AVAILABLE, progress="100%")
    else:
        rows.move(db, data.id, (V.MANAGING,), status=LIFE["manage"].arrives, updated_at=parts.clock.now())


def _not_managed(parts: Parts, db: sa.Connection, work: Work[Manage], failure: Failure) -> None:
    data = work.data
    if data.is_snapshot:
        _put_snapshot(parts, db, data.id, status=SnapshotStatus.ERROR)
    else:
        rows.move(db, data.id, (V.MANAGING,), status=LIFE["manage"].fails_to, updated_at=parts.clock.now())
    _tell(parts, work, "manage volume", failure)


def _tell(parts: Parts, work: Work[Manage] | Work[Unmanage], action: str, failure: Failure) -> None:
    data = work.data
    kind = "VOLUME_SNAPSHOT" if data.is_snapshot else "VOLUME"
    UserMessages(parts).tell(work.context, data.project_id, kind, data.id, action, failure.message)


def release(parts: Parts, work: Work[Unmanage]) -> None:
    """Put the disk to those that can be managed, under the name by which administrators know such disks."""
    data = work.data
    name = f"_{_disk(data)}" if data.is_snapshot else _disk(data)
    parts.backend_at(data.host).release(_disk(data), data.layout, name)


def give_base_back(parts: Parts, work: Work[Unmanage]) -> None:
    """Let the row no longer claim the image's base, and give that back where nobody needs it."""
    data = work.data
    with parts.store.write() as db:
        if data.is_snapshot:
            _put_snapshot(parts, db, data.id, base="")
        else:
            rows.move(db, data.id, None, base="")
    if data.layout.base:
        release_base(parts, data.layout.base, data.host)


def _unmanaged(_parts: Parts, db: sa.Connection, work: Work[Unmanage]) -> None:
    table = snapshots if work.data.is_snapshot else volumes
    db.execute(table.delete().where(table.c.id == work.data.id))


def _not_unmanaged(parts: Parts, db: sa.Connection, work: Work[Unmanage], failure: Failure) -> None:
    data = work.data
    if data.is_snapshot:
        _put_snapshot(parts, db, data.id, status=SnapshotStatus.ERROR)
    else:
        rows.move(db, data.id, (V.UNMANAGING,), status=LIFE["unmanage"].fails_to, updated_at=parts.clock.now())
    _tell(parts, work, "unmanage volume", failure)


MANAGE = Operation(
    "volume.manage",
    Manage,
    LIFE["manage"].within,
    (Step("adopt", adopt, give_back),),
    on_done=_managed,
    on_failed=_not_managed,
)
UNMANAGE = Operation(
    "volume.unmanage",
    Unmanage,
    LIFE["unmanage"].within,
    (
        Step("release", release, Keep("the disk is there, whole, and can be managed again")),
        Step("base", give_base_back, Keep("nothing needs it")),
    ),
    on_done=_unmanaged,
    on_failed=_not_unmanaged,
)
