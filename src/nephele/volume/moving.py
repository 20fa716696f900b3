"""Volumes that move to another backend, by themselves or because their new type asks for it.

    available ─ migrating ─→ copy ─→ switch ─→ clean ─→ available, on the other backend
                              └ failed: the copy goes, the volume is where it was

The volume keeps its id and its disk keeps its name; until `switch` the old disk is the volume, after it the new one.
"""

import logging

import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Failure, Keep, Operation, Step, Work
from nephele.volume import life, rows
from nephele.volume.backends.blocks import blocks
from nephele.volume.backends.protocol import Backend
from nephele.volume.errors import INVALID_INPUT, INVALID_VOLUME
from nephele.volume.life import LIFE, MIGRATING
from nephele.volume.model import Layout, Volume, VolumeType
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import volume_disk
from nephele.volume.parts import Parts
from nephele.volume.scheduling import choose, misfit
from nephele.volume.services import Services
from nephele.volume.tables import snapshots
from nephele.volume.types import Types
from nephele.volume.user_messages import UserMessages
from nephele.volume.work import release_base

log = logging.getLogger(__name__)


class Move(Struct):
    """A volume on its way from one backend to another."""

    volume_id: str
    project_id: str
    size_gb: int
    source: str
    target: str
    layout: Layout
    before: str
    type_id: str = ""
    """The type that it has afterwards; empty: the one it has."""
    new_layout: Layout | None = None


class Moving:
    """Accepts migrations, and retypes that need one."""

    def __init__(self, parts: Parts, services: Services) -> None:
        self._parts = parts
        self._services = services

    def migrate(self, ctx: Context, volume: Volume, host: str, *, lock: bool, types: Types) -> None:
        """Move a volume to the backend `host@backend#pool`; with `lock` it is in maintenance meanwhile.

        Raises INVALID_VOLUME where its status, a group or snapshots keep it, or it is there already; INVALID_INPUT
        where the host is unknown, disabled, or does not fit the volume's type.
        """
        backend = self._parts.find_backend(host)
        if backend is None or (("#" in host) and host != self._parts.pool_of(backend)):
            raise INVALID_INPUT(reason=f"No available service named '{host}'")
        if not self._services.takes_volumes(backend):
            raise INVALID_INPUT(reason=f"No available service named '{host}': it is disabled")
        with self._parts.store.write() as db:
            volume = rows.volume(db, volume.id)
            unfit = misfit(self._parts, backend, types.get(db, volume.type_id), volume.size_gb)
            if unfit:
                raise INVALID_INPUT(reason=unfit)
            self._check(db, volume, "migrate")
            if volume.host == self._parts.pool_of(backend):
                raise INVALID_VOLUME(reason="Destination host must be different than the current host.")
            self._begin(ctx, volume, backend, V.MAINTENANCE if lock else volume.status)

    def retype(self, ctx: Context, volume: Volume, kind: VolumeType) -> None:
        """Inside a `write()`: move a volume to a backend that fits its new type.

        Raises INVALID_VOLUME where there is none, or the volume can't move.
        """
        backends = [backend for backend in self._parts.backends if self._services.takes_volumes(backend)]
        backend, unfit = choose(self._parts, kind, volume.size_gb, backends)
        if backend is None:
            raise INVALID_VOLUME(reason=f"Retype of volume {volume.id} is not possible: {unfit}")
        with self._parts.store.write() as db:
            self._check(db, volume, "migrate")
            self._begin(ctx, volume, backend, V.RETYPING, kind.id)

    @staticmethod
    def _check(db: sa.Connection, volume: Volume, move: str) -> None:
        taken = sa.select(sa.literal(1)).where(snapshots.c.volume_id == volume.id).limit(1)
        if not life.allowed(move, volume) or volume.group_id or db.execute(taken).first() is not None:
            raise INVALID_VOLUME(
                reason=f"Volume {volume.id} status must be available, it must not be migrating, have snapshots, "
                f"be replicated, be part of a group; it is {volume.status}."
            )

    def _begin(self, ctx: Context, volume: Volume, backend: Backend, shows: str, type_id: str = "") -> None:
        parts = self._parts
        target = parts.pool_of(backend)
        with parts.store.write() as db:
            now = parts.clock.now()
            rows.move(
                db,
                volume.id,
                None,
                status=shows,
                previous_status=volume.status,
                migration_status=MIGRATING,
                updated_at=now,
            )
            data = Move(
                *(
                    volume.id,
                    volume.project_id,
                    volume.size_gb,
                    volume.host or "",
                    target,
                    volume.layout,
                    volume.status,
                ),
                type_id=type_id,
            )
            parts.engine.begin(MIGRATE.kind, data, ctx, volume.id)


# -- steps ---------------------------------------------------------------------------------------------------------


def copy(parts: Parts, work: Work[Move]) -> None:
    """Copy what the disk holds to a disk of the same name on the other backend."""
    data, disk = work.data, volume_disk(work.data.volume_id)
    content = blocks(parts.backend_at(data.source).export(disk, data.layout, "raw"))
    data.new_layout = parts.backend_at(data.target).create_from_blocks(disk, data.size_gb, content)


def drop_copy(parts: Parts, work: Work[Move]) -> None:
    """The volume stays where it was: delete the copy, unless it is the volume already."""
    if not _has_moved(parts, work):
        parts.backend_at(work.data.target).delete(volume_disk(work.data.volume_id))


def _has_moved(parts: Parts, work: Work[Move]) -> bool:
    with parts.store.read() as db:
        return rows.volume(db, work.data.volume_id).host == work.data.target


def switch(parts: Parts, work: Work[Move]) -> None:
    """From now on the copy is the volume."""
    data = work.data
    assert data.new_layout is not None
    with parts.store.write() as db:
        where = {"host": data.target, "format": data.new_layout.format, "base": data.new_layout.base}
        rows.move(db, data.volume_id, None, **where)


def clean(parts: Parts, work: Work[Move]) -> None:
    """Delete the old disk.  Where that fails it is left to `nephele reap`: the volume has moved."""
    data = work.data
    try:
        parts.backend_at(data.source).delete(volume_disk(data.volume_id))
        if data.layout.base:
            release_base(parts, data.layout.base, data.source)
    except Refused as refused:
        log.warning("volume %s has moved; its old disk is left over: %s", data.volume_id, refused.message)


def _moved(parts: Parts, db: sa.Connection, work: Work[Move]) -> None:
    data = work.data
    values: dict[str, object] = {"migration_status": "success", "previous_status": None}
    if data.type_id:
        kind = Types.get(db, data.type_id)
        values |= {"type_id": kind.id, "multiattach": kind.multiattach}
    rows.move(db, data.volume_id, None, status=data.before, updated_at=parts.clock.now(), **values)


def _not_moved(parts: Parts, db: sa.Connection, work: Work[Move], failure: Failure) -> None:
    data = work.data
    if _has_moved(parts, work):
        _moved(parts, db, work)
        return
    values = {"status": data.before, "previous_status": None, "migration_status": "error"}
    rows.move(db, data.volume_id, (V.MAINTENANCE, V.RETYPING, data.before), updated_at=parts.clock.now(), **values)
    action = "retype volume" if data.type_id else "migrate volume"
    UserMessages(parts).tell(work.context, data.project_id, "VOLUME", data.volume_id, action, failure.message)


MIGRATE = Operation(
    "volume.migrate",
    Move,
    LIFE["migrate"].within,
    (
        Step("copy", copy, drop_copy),
        Step("switch", switch, Keep("its old disk may be gone already: it has moved")),
        Step("clean", clean, Keep("it never fails: what it could not delete, `nephele reap` does")),
    ),
    on_done=_moved,
    on_failed=_not_moved,
)
