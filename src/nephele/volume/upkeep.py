"""What is left over of volumes, or waits without an owner: found by comparing rows, operations and storage."""

from collections.abc import Iterator

import sqlalchemy as sa

from nephele.kernel.operations import OPEN, operations
from nephele.volume import rows
from nephele.volume.life import LIFE
from nephele.volume.model import Leftover, LeftoverKind, SnapshotStatus
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import snapshot_disk, volume_disk
from nephele.volume.parts import Parts
from nephele.volume.tables import snapshots, volumes
from nephele.volume.work import release_base

UNDER_WAY = frozenset({V.DOWNLOADING, *(move.shows for move in LIFE.values() if move.shows)})
"""Statuses that an operation has to lead out of."""


def leftovers(parts: Parts) -> list[Leftover]:
    """All of them; a healthy cloud has none."""
    return [*_disks(parts), *_bases(parts), *_stuck(parts)]


def remove(parts: Parts, leftover: Leftover) -> None:
    """Take one away, unless somebody has come to need it meanwhile."""
    if leftover.kind == LeftoverKind.BASE:
        release_base(parts, leftover.subject)
    elif leftover.kind == LeftoverKind.DISK and leftover.subject not in _owned(parts):
        parts.backend.delete(leftover.subject)


def _owned(parts: Parts) -> set[str]:
    with parts.store.read() as db:
        mine = {volume_disk(id) for id in db.execute(sa.select(volumes.c.id)).scalars()}
        return mine | {snapshot_disk(id) for id in db.execute(sa.select(snapshots.c.id)).scalars()}


def _disks(parts: Parts) -> Iterator[Leftover]:
    there = parts.backend.disks()
    for disk in sorted(there - _owned(parts)):
        yield Leftover(LeftoverKind.DISK, disk, "no volume or snapshot has it")


def _bases(parts: Parts) -> Iterator[Leftover]:
    for base in sorted(parts.backend.bases()):
        if not rows.base_is_used(parts.store, base):
            yield Leftover(LeftoverKind.BASE, base, "no volume or snapshot is an overlay of it")


def _stuck(parts: Parts) -> Iterator[Leftover]:
    passing = (
        (volumes, UNDER_WAY),
        (snapshots, frozenset({SnapshotStatus.CREATING, SnapshotStatus.DELETING})),
    )
    for table, statuses in passing:
        parents = [table.c.id] if table is volumes else [table.c.id, table.c.volume_id]
        owned = sa.exists().where(operations.c.subject.in_(parents), operations.c.state.in_(OPEN))
        query = sa.select(table.c.id, table.c.status).where(table.c.status.in_(statuses), ~owned)
        with parts.store.read() as db:
            found = db.execute(query).all()
        for id, status in found:
            yield Leftover(LeftoverKind.STUCK, id, f"it is {status}, and nothing works on it")
