"""Cinder: volumes and what belongs to them.  Other domains call this class with their caller's context.

Calls that change something may come inside the caller's own `store.write()`: then both change together or not at
all.  Everything that touches a disk is an operation (`work.py`), begun in the accepting transaction.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.volume import life, rows
from nephele.volume.accept import NewVolume, Wish, complete, image_file, image_words
from nephele.volume.attachments import Attachments
from nephele.volume.backends.protocol import Backend
from nephele.volume.backups import Backups
from nephele.volume.changes import Changes
from nephele.volume.clusters import Clusters
from nephele.volume.encryption import Encryptions
from nephele.volume.errors import INVALID_VOLUME, VOLUME_NOT_FOUND
from nephele.volume.group_snapshots import GroupSnapshots
from nephele.volume.group_types import GroupTypes
from nephele.volume.groups import Groups
from nephele.volume.managing import Managing
from nephele.volume.messages import (
    COMPLETE_ATTACHMENT,
    CONNECT_VOLUME,
    CompleteAttachment,
    ConnectedVolume,
    ConnectVolume,
)
from nephele.volume.model import Attachment, Leftover, Snapshot, SnapshotStatus, Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.moving import Moving
from nephele.volume.operations import ALL
from nephele.volume.orders import Create, Delete, Doomed, SourceImage, snapshot_disk, volume_disk
from nephele.volume.parts import Images, Parts
from nephele.volume.qos import Qos
from nephele.volume.quotas import Quotas
from nephele.volume.scheduling import choose
from nephele.volume.services import Services
from nephele.volume.snapshots import Snapshots
from nephele.volume.stores.protocol import BackupStore
from nephele.volume.tables import snapshots, transfers, volumes
from nephele.volume.transfers import Transfers
from nephele.volume.types import Types
from nephele.volume.upkeep import clean_up, leftovers, remove
from nephele.volume.user_messages import UserMessages
from nephele.volume.work import CREATE, DELETE

log = logging.getLogger(__name__)
Verify = Callable[[str], Context]


class Readiness(StrEnum):
    """Whether a volume can be attached yet."""

    READY = "ready"
    COMING = "coming"
    FAILED = "failed"


class Ready(Struct, frozen=True):
    """Whether a volume can be attached yet, and why not."""

    readiness: Readiness
    status: str
    reason: str = ""


class Volumes:
    """The volume service.

    Args:
        store: the database.
        clock: the time.
        ids: where ids come from.
        engine: runs its operations.
        images: Glance.
        backends: where disks can be; the first one is that of what was never placed.
        host: the name of the part that has the backends, as in `host@backend#pool`.
        zone: the availability zone of all volumes.
        cluster: the cluster that its services are part of; empty: none.
        backup_store: where backups are; None: there are none.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        engine: Engine,
        images: Images,
        backends: Sequence[Backend],
        *,
        host: str = "nephele",
        zone: str = "nova",
        cluster: str = "",
        backup_store: BackupStore | None = None,
    ) -> None:
        self.parts = parts = Parts(
            store, clock, ids, engine, images, tuple(backends), host, zone, cluster, backup_store
        )
        self.types = Types(parts)
        self.quotas = Quotas(parts)
        self.messages = UserMessages(parts)
        self.snapshots = Snapshots(parts, self.quotas)
        self.attachments = Attachments(parts)
        self.services = Services(parts)
        self.clusters = Clusters(parts, self.services)
        self.moving = Moving(parts, self.services)
        self.changes = Changes(parts, self.quotas, self.types, self.moving, Encryptions(parts))
        self.transfers = Transfers(parts, self.quotas)
        self.encryptions = Encryptions(parts)
        self.managing = Managing(parts, self.quotas, self.types)
        self.backups = Backups(parts, self.quotas, self.create)
        self.group_types = GroupTypes(parts)
        self.groups = Groups(parts, self.quotas, self.types, self.group_types, self.create, self._delete_grouped)
        self.group_snapshots = GroupSnapshots(parts, self.groups, self.group_types, self.snapshots)
        self.qos = Qos(parts)
        for operation in ALL:
            engine.register(operation, parts)

    def seed(self) -> None:
        """Make what a new cloud has: the default volume type, and the services.  Idempotent."""
        with self.parts.store.write():
            self.types.seed()
        self.start()

    def start(self) -> None:
        """Note the services and clusters as they are configured now, and start what backends need.  Idempotent."""
        for backend in self.parts.backends:
            try:
                backend.prepare()
            except Refused as refused:
                log.warning("volumes on %s can not be reached: %s", backend.name, refused.message)
        with self.parts.store.write():
            self.group_types.note()
            self.services.note()
            self.clusters.note()

    def serve(self, bus: Bus, verify: Verify) -> None:
        """Answer compute agents, each message's token verified."""

        def connect(ask: ConnectVolume) -> ConnectedVolume:
            return self.attachments.connect_for_server(_caller(verify, ask.token, ask.request_id), ask)

        def finish(ask: CompleteAttachment) -> None:
            self.attachments.complete_for_server(_caller(verify, ask.token, ask.request_id), ask)

        bus.serve(CONNECT_VOLUME, connect)
        bus.serve(COMPLETE_ATTACHMENT, finish)

    def ask_before_detaching(self, is_held: Callable[[Attachment], bool]) -> None:
        """Let users detach only what no server has; compute, which knows, detaches by `detach`."""
        self.attachments.is_held = is_held

    def tell_when_grown(self, tell: Callable[[Context, str], None]) -> None:
        """Have `tell` called, with who asked for it, when a volume that servers have has grown."""
        self.parts.tell_grown.append(tell)

    # -- volumes -----------------------------------------------------------------------------------------------

    def show(self, ctx: Context, volume_id: str) -> Volume:
        """One volume.  Raises VOLUME_NOT_FOUND, also where it is another project's."""
        with self.parts.store.read() as db:
            found = rows.volume(db, volume_id)
        if not self.parts.sees(ctx, found.project_id):
            raise VOLUME_NOT_FOUND(volume_id=volume_id)
        return found

    def create(self, ctx: Context, new: NewVolume) -> Volume:
        """Accept a new volume; its disk is made by an operation.

        Raises whatever `accept.complete` raises, TOO_MANY_VOLUMES, TOO_MANY_GIGABYTES, VOLUME_TOO_LARGE.
        """
        if new.backup_id:
            return self.backups.create_volume(ctx, new)
        parts = self.parts
        wish = complete(parts, self.types, ctx, new)
        self.encryptions.check_plain(wish.kind)
        backend, unfit = self._place(wish)
        with parts.store.write() as db:
            if new.group_id:
                self.groups.check_takes(ctx, new.group_id, wish.kind.id)
            self.quotas.take_volume(ctx.project_id, wish.kind, wish.size_gb)
            made = self._described(ctx, wish, backend)
            values = {name: getattr(made, name) for name in made.__struct_fields__ if name != "type_name"}
            db.execute(volumes.insert().values(values))
            parts.engine.begin(CREATE.kind, _creation(made, wish, unfit), ctx, made.id)
        return made

    def _place(self, wish: Wish) -> tuple[Backend | None, str]:
        """The backend for a new volume, that of its source where it has one; None, and why not, where none fits."""
        origin = wish.snapshot or wish.source
        backends = (self.parts.backend_at(origin.host),) if origin else self.parts.backends
        candidates = [backend for backend in backends if self.services.takes_volumes(backend)]
        return choose(self.parts, wish.kind, wish.size_gb, candidates)

    def _described(self, ctx: Context, wish: Wish, backend: Backend | None) -> Volume:
        """The volume's row, with what it inherits from its source."""
        parts, new, image = self.parts, wish.new, wish.image
        origin = wish.snapshot or wish.source
        parent = self._parent(wish)
        base = origin.base if origin and backend else ""
        if image and backend:
            base = backend.base_of(image_file(image))
        return Volume(
            id=parts.ids.uuid(),
            project_id=ctx.project_id,
            user_id=ctx.user_id,
            name=new.name,
            description=new.description,
            size_gb=wish.size_gb,
            status=V.CREATING,
            previous_status=None,
            type_id=wish.kind.id,
            availability_zone=wish.zone,
            bootable=image is not None or (parent is not None and parent.bootable),
            multiattach=wish.kind.multiattach,
            readonly=None,
            snapshot_id=new.snapshot_id or None,
            source_volid=new.source_volid or None,
            image_id=image.id if image else None,
            host=parts.pool_of(backend) if backend else None,
            migration_status=None,
            metadata=new.metadata,
            image_metadata=image_words(image) if image else parent.image_metadata if parent else {},
            format=origin.format if origin else "raw",
            base=base,
            group_id=new.group_id or None,
            created_at=parts.clock.now(),
            updated_at=None,
            type_name=wish.kind.name,
        )

    def _parent(self, wish: Wish) -> Volume | None:
        """The volume that the new one's content once was."""
        if wish.source is not None or wish.snapshot is None:
            return wish.source
        with self.parts.store.read() as db:
            return rows.volume(db, wish.snapshot.volume_id)

    def delete(
        self, ctx: Context, volume_id: str, *, cascade: bool = False, force: bool = False, grouped: bool = False
    ) -> None:
        """Delete a volume, with `cascade` its snapshots too, with `grouped` though it is in a group.

        Raises INVALID_VOLUME where it is attached, has snapshots, or its status does not let it (unless forced).
        """
        parts = self.parts
        with parts.store.write() as db:
            volume = self.show(ctx, volume_id)
            self.services.check_not_frozen(volume.host)
            mine = rows.list_snapshots(db, lambda query: query.where(snapshots.c.volume_id == volume_id))
            if grouped:
                volume = msgspec.structs.replace(volume, group_id=None)
            self._check_deletable(volume, [snapshot.status for snapshot in mine], cascade=cascade, force=force)
            now = parts.clock.now()
            rows.move(db, volume_id, None, status=V.DELETING, updated_at=now)
            update = snapshots.update().where(snapshots.c.volume_id == volume_id)
            db.execute(update.values(status=SnapshotStatus.DELETING, updated_at=now))
            db.execute(transfers.delete().where(transfers.c.volume_id == volume_id))
            after = parts.engine.interrupt(volume_id, "delete") if force else ""
            doomed = [Doomed(snapshot_disk(snapshot.id), snapshot.base) for snapshot in mine]
            disks = [*doomed, Doomed(volume_disk(volume_id), volume.base)]
            data = Delete(volume_id, volume.project_id, disks, [snapshot.id for snapshot in mine], volume.host or "")
            parts.engine.begin(DELETE.kind, data, ctx, volume_id, after=after)

    def _delete_grouped(self, ctx: Context, volume_id: str) -> None:
        self.delete(ctx, volume_id, grouped=True)

    def _check_deletable(self, volume: Volume, snapshots_are: list[str], *, cascade: bool, force: bool) -> None:
        with self.parts.store.read() as db:
            attached = rows.attachments_of(db, [volume.id])
        fits = force or (life.allowed("delete", volume) and not volume.group_id)
        idle = all(force or status in ("available", "error", "deleting") for status in snapshots_are)
        if fits and not attached and (not snapshots_are or (cascade and idle)):
            return
        expected = "" if force else f"status must be {life.spoken('delete')} and "
        raise INVALID_VOLUME(
            reason=f"Volume {expected}must not be migrating, attached, belong to a group, have snapshots, "
            "awaiting a transfer, or be disassociated from snapshots after volume transfer."
        )

    def on_host(self, host: str) -> list[tuple[str, int, int, int, int]]:
        """What is on a host, by project: volumes, their GB, snapshots, their GB."""
        c = volumes.c
        found: dict[str, list[int]] = {}
        here = c.host.startswith(host, autoescape=True)
        snapped = sa.select(snapshots.c.project_id, sa.func.count(), sa.func.sum(snapshots.c.size_gb))
        queries = (
            (0, sa.select(c.project_id, sa.func.count(), sa.func.sum(c.size_gb)).where(here).group_by(c.project_id)),
            (2, snapped.join(volumes).where(here).group_by(snapshots.c.project_id)),
        )
        with self.parts.store.read() as db:
            for place, query in queries:
                for project_id, count, gigabytes in db.execute(query):
                    found.setdefault(project_id, [0, 0, 0, 0])[place : place + 2] = [count, int(gigabytes)]
        return [(project_id, *counts) for project_id, counts in sorted(found.items())]  # type: ignore[misc]

    # -- for compute -------------------------------------------------------------------------------------------

    def create_for_boot(
        self,
        ctx: Context,
        *,
        size_gb: int | None,
        image_id: str | None = None,
        snapshot_id: str | None = None,
        source_volid: str | None = None,
        volume_type: str | None = None,
        availability_zone: str | None = None,
        name: str = "",
        description: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> str:
        """A volume for a server that is being made, or asked for in Nova's words; its id.  Raises as `create`."""
        new = NewVolume(
            size_gb=size_gb,
            name=name,
            description=description,
            metadata=metadata or {},
            volume_type=volume_type,
            availability_zone=availability_zone,
            image_id=image_id,
            snapshot_id=snapshot_id,
            source_volid=source_volid,
        )
        return self.create(ctx, new).id

    def discard(self, ctx: Context, volume_id: str, *, snapshots: bool = True) -> None:
        """Delete a volume whatever its status, snapshots and all; what is under way with it is interrupted first.

        For who undoes what it made itself.  Who does not know of the snapshots says `snapshots=False`: a volume that
        has any stays then.  Nothing there: nothing done.  Raises INVALID_VOLUME where it is attached.
        """
        if not snapshots and self._is_snapshotted(volume_id):
            return
        try:
            self.delete(ctx, volume_id, cascade=True, force=True)
        except Refused as refused:
            if refused.error != VOLUME_NOT_FOUND:
                raise

    def is_bootable(self, ctx: Context, source: str, id: str) -> bool:
        """Whether a server can boot from a `volume` or a `snapshot`.  Raises VOLUME_NOT_FOUND, SNAPSHOT_NOT_FOUND."""
        volume_id = self.snapshots.show(ctx, id).volume_id if source == "snapshot" else id
        return self.show(ctx, volume_id).bootable

    def readiness(self, ctx: Context, volume_id: str) -> Ready:
        """Whether a volume can be attached yet, now and without waiting; a failed one says why."""
        volume = self.show(ctx, volume_id)
        if volume.status in (V.AVAILABLE, V.IN_USE, V.RESERVED, V.ATTACHING):
            return Ready(Readiness.READY, volume.status)
        if volume.status in (V.CREATING, V.DOWNLOADING):
            return Ready(Readiness.COMING, volume.status)
        return Ready(Readiness.FAILED, volume.status, self.messages.latest(volume_id))

    def take_snapshot(self, ctx: Context, volume_id: str, snapshot_id: str, name: str) -> None:
        """Take a snapshot of a volume that a server may have; its id is the caller's, who may ask twice.

        Raises as `Snapshots.create`.
        """
        with self.parts.store.write():
            volume = self.show(ctx, volume_id)
            if not self._has_snapshot(snapshot_id):
                self.snapshots.create(ctx, volume, name, volume.description, {}, in_use=True, id=snapshot_id)

    def snapshot_readiness(self, ctx: Context, snapshot_id: str) -> Ready:
        """Whether a snapshot is made, now and without waiting."""
        status = self.snapshots.show(ctx, snapshot_id).status
        if status == SnapshotStatus.AVAILABLE:
            return Ready(Readiness.READY, status)
        kind = Readiness.COMING if status == SnapshotStatus.CREATING else Readiness.FAILED
        return Ready(kind, status, self.messages.latest(snapshot_id) if kind == Readiness.FAILED else "")

    def discard_snapshot(self, ctx: Context, snapshot_id: str) -> None:
        """Delete a snapshot whatever its status; for who undoes what it made itself.  Nothing there: nothing done."""
        with self.parts.store.write():
            if self._has_snapshot(snapshot_id):
                self.snapshots.delete(ctx, snapshot_id, force=True)

    def _is_snapshotted(self, volume_id: str) -> bool:
        with self.parts.store.read() as db:
            return db.execute(sa.select(snapshots.c.id).where(snapshots.c.volume_id == volume_id)).first() is not None

    def _has_snapshot(self, snapshot_id: str) -> bool:
        with self.parts.store.read() as db:
            return db.execute(sa.select(snapshots.c.id).where(snapshots.c.id == snapshot_id)).first() is not None

    def check_snapshots(self, ctx: Context, volume_ids: Collection[str]) -> None:
        """Refuse unless the project may have a snapshot of each.  Raises TOO_MANY_SNAPSHOTS, TOO_MANY_GIGABYTES."""
        with self.parts.store.write() as db:
            for volume_id in volume_ids:
                volume = self.show(ctx, volume_id)
                kind = self.types.get(db, volume.type_id)
                self.quotas.take_snapshot(volume.project_id, kind, volume.size_gb)

    def renew_attachment(self, ctx: Context, attachment_id: str) -> str:
        """Let go of the host, not of the server: the volume is reserved for it; answers the new attachment's id."""
        with self.parts.store.write():
            old = self.attachments.show(ctx, attachment_id)
            mode = old.mode if old.mode in ("rw", "ro") else ""
            made = self.attachments.reserve(ctx, old.volume_id, old.server_id, mode)
            self.attachments.remove(ctx, attachment_id)
            return made.id

    def reimage(self, ctx: Context, volume_id: str, image_id: str) -> None:
        """Let a volume that is reserved for a server begin anew with an image.  Raises as `Changes.reimage`."""
        self.changes.reimage(ctx, volume_id, image_id, reserved=True)

    def reserve(self, ctx: Context, volume_id: str, server_id: str, *, mode: str = "rw") -> str:
        """Promise a volume to a server; answers the attachment's id.  Raises as `Attachments.reserve`."""
        return self.attachments.reserve(ctx, volume_id, server_id, mode).id

    def unreserve(self, ctx: Context, attachment_id: str) -> None:
        """Take a promise back.  Nothing there: nothing done."""
        self.attachments.remove(ctx, attachment_id)

    def begin_detach(self, ctx: Context, volume_id: str) -> None:
        """in-use → detaching.  Raises INVALID_VOLUME in another status."""
        self.attachments.begin_detach(ctx, volume_id)

    def roll_detach(self, ctx: Context, volume_id: str) -> None:
        """Detaching → in-use.  Nothing done in another status."""
        self.attachments.roll_detach(ctx, volume_id)

    def detach(self, ctx: Context, attachment_id: str) -> str:
        """Give a volume back once no guest has it; answers its id.  Nothing there: nothing done, empty id."""
        return self.attachments.remove(ctx, attachment_id)

    def complete(self, ctx: Context, attachment_id: str) -> None:
        """The guest, or a server that is on no host, has the volume: it is in use.  Idempotent."""
        self.attachments.complete(ctx, attachment_id)

    def tell(self, ctx: Context, volume_id: str, action: str, reason: str) -> None:
        """Leave a message to who owns the volume: what went wrong with it.  `action`: one of the known ones."""
        self.messages.tell(ctx, self.show(ctx, volume_id).project_id, "VOLUME", volume_id, action, reason)

    def server_attachments(self) -> list[tuple[str, str, str]]:
        """Every attachment to a server: (attachment, volume, server)."""
        return self.attachments.to_servers()

    def half_attached(self) -> list[tuple[str, str, str]]:
        """(volume, status, server) of all that are on their way to a server, or from one."""
        return self.attachments.half_attached()

    def leftovers(self) -> list[Leftover]:
        """What is left over, or waits without an owner; for `nephele doctor`."""
        return leftovers(self.parts)

    def clean_up(self, ctx: Context, services: set[str], kind: str, resource_id: str) -> None:
        """End what waits without an owner on some services (`host@backend`): its status says that it failed.

        Args:
            ctx: who asks.
            services: where.
            kind: `volume`, `snapshot`, or empty for both.
            resource_id: of one of them; empty: all.
        """
        clean_up(self.parts, ctx, services, kind, resource_id)

    def remove_leftover(self, leftover: Leftover) -> None:
        """Take a leftover away; for `nephele reap`."""
        remove(self.parts, leftover)

    def of_project(self, ctx: Context) -> list[Volume]:
        """All volumes of the caller's project, newest first."""
        c = volumes.c
        with self.parts.store.read() as db:
            mine = (c.project_id == ctx.project_id,)
            return rows.list_volumes(db, lambda query: query.where(*mine).order_by(c.created_at.desc(), c.id))

    def snapshots_of_project(self, ctx: Context) -> list[Snapshot]:
        """All snapshots of the caller's project, newest first."""
        c = snapshots.c
        with self.parts.store.read() as db:
            mine = (c.project_id == ctx.project_id,)
            return rows.list_snapshots(db, lambda query: query.where(*mine).order_by(c.created_at.desc(), c.id))

    def attachments_of_volumes(self, volume_ids: Collection[str]) -> dict[str, list[Attachment]]:
        """The attachments of some volumes, by volume, oldest first."""
        with self.parts.store.read() as db:
            return rows.attachments_of(db, volume_ids)

    def attachments_of(self, server_ids: Collection[str]) -> list[Attachment]:
        """The attachments of some servers, oldest first."""
        return self.attachments.of_servers(server_ids)


def _caller(verify: Verify, token: str, request_id: str) -> Context:
    return msgspec.structs.replace(verify(token), request_id=request_id)


def _creation(volume: Volume, wish: Wish, unfit: str) -> Create:
    data = Create(volume.id, volume.project_id, volume.size_gb, misfit=unfit, host=volume.host or "")
    if wish.image is not None:
        data.image = SourceImage(wish.image.id, wish.image.path, wish.image.disk_format)
    elif wish.snapshot is not None:
        data.source, data.source_layout = snapshot_disk(wish.snapshot.id), wish.snapshot.layout
    elif wish.source is not None:
        data.source, data.source_layout = volume_disk(wish.source.id), wish.source.layout
    return data
