"""What is left over of volumes, or waits without an owner: found by comparing rows, operations and storage."""

from collections.abc import Iterator

import sqlalchemy as sa

from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.operations import OPEN, operations
from nephele.volume import rows
from nephele.volume.backends.protocol import Backend
from nephele.volume.backing import backup_disk
from nephele.volume.life import LIFE, MIGRATING
from nephele.volume.model import BackupStatus, GroupStatus, Leftover, LeftoverKind, SnapshotStatus
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import snapshot_disk, volume_disk
from nephele.volume.parts import Parts
from nephele.volume.tables import backups, group_snapshots, groups, snapshots, volumes
from nephele.volume.user_messages import UserMessages
from nephele.volume.work import release_base

UNDER_WAY = frozenset({V.DOWNLOADING, *(move.shows for move in LIFE.values() if move.shows)})
"""Statuses that an operation has to lead out of."""


def leftovers(parts: Parts) -> list[Leftover]:
    """All of them; a healthy cloud has none."""
    return [*_disks(parts), *_bases(parts), *_backups(parts), *_stuck(parts)]


def remove(parts: Parts, leftover: Leftover) -> None:
    """Take one away, unless somebody has come to need it meanwhile."""
    if leftover.kind == LeftoverKind.BACKUP and leftover.subject not in _known_prefixes(parts):
        parts.backups.delete(leftover.subject)
    for backend in parts.backends:
        if leftover.kind == LeftoverKind.BASE and leftover.subject in backend.bases():
            release_base(parts, leftover.subject, parts.pool_of(backend))
        elif leftover.kind == LeftoverKind.DISK and leftover.subject not in _owned(parts, backend):
            backend.delete(leftover.subject)


def _owned(parts: Parts, backend: Backend) -> set[str]:
    """The disks that somebody has on a backend; what was never placed, or moves right now, may have one on any."""
    c = volumes.c
    here = sa.or_(c.host.is_(None), rows.on_service(parts.service_of(backend)), c.migration_status == MIGRATING)
    with parts.store.read() as db:
        mine = {volume_disk(id) for id in db.execute(sa.select(c.id).where(here)).scalars()}
        mine |= {backup_disk(id) for id in db.execute(_backing_up).scalars()}
        taken = sa.select(snapshots.c.id).select_from(snapshots.join(volumes)).where(here)
        return mine | {snapshot_disk(id) for id in db.execute(taken).scalars()}


_backing_up = sa.select(backups.c.id).where(backups.c.status == BackupStatus.CREATING)


def _disks(parts: Parts) -> Iterator[Leftover]:
    for backend in parts.backends:
        there = backend.disks()
        for disk in sorted(there - _owned(parts, backend)):
            yield Leftover(LeftoverKind.DISK, disk, f"no volume or snapshot has it on {backend.name}")


def _bases(parts: Parts) -> Iterator[Leftover]:
    for backend in parts.backends:
        for base in sorted(backend.bases()):
            if not rows.base_is_used(parts.store, base, parts.service_of(backend)):
                yield Leftover(LeftoverKind.BASE, base, f"no volume or snapshot on {backend.name} is an overlay of it")


def _known_prefixes(parts: Parts) -> set[str]:
    with parts.store.read() as db:
        return set(db.execute(sa.select(backups.c.prefix)).scalars())


def _backups(parts: Parts) -> Iterator[Leftover]:
    """Objects of backups that no row knows: of a cloud that shares the store, for all we know, unless it is a file one.

    Only a directory is ours alone; what else speaks S3 may be shared, and is not looked through.
    """
    if parts.backup_store is None or parts.backup_store.name != "file":
        return
    try:
        there = {f"{name.rpartition('/')[0]}/" for name in parts.backup_store.names("")}
    except Refused as refused:
        yield Leftover(LeftoverKind.BACKUP_STORE, parts.backup_store.name, refused.message)
        return
    for prefix in sorted(there - _known_prefixes(parts)):
        yield Leftover(LeftoverKind.BACKUP, prefix, "no backup has these objects")


def clean_up(parts: Parts, ctx: Context, services: set[str], kind: str, resource_id: str) -> None:
    """Let what is stuck on some services arrive at an error, from where it can be deleted; its owner is told."""
    for table, error in ((volumes, V.ERROR), (snapshots, SnapshotStatus.ERROR)):
        name = "volume" if table is volumes else "snapshot"
        if kind not in ("", name):
            continue
        with parts.store.write() as db:
            for id in [leftover.subject for leftover in _stuck(parts)]:
                host = volumes.c.host if table is volumes else _host_of_snapshot
                row = db.execute(sa.select(table.c.project_id, table.c.status, host).where(table.c.id == id)).first()
                if row is None or resource_id not in ("", id) or (row[2] or "").partition("#")[0] not in services:
                    continue
                deleting = row[1] == V.DELETING
                status = V.ERROR_DELETING if deleting else error
                db.execute(table.update().where(table.c.id == id).values(status=status, updated_at=parts.clock.now()))
                what = "VOLUME" if table is volumes else "VOLUME_SNAPSHOT"
                action = f"{'delete' if deleting else 'create'} {'snapshot' if table is snapshots else 'volume'}"
                action = "create volume from backend storage" if action == "create volume" else action
                reason = f"It was {row[1]}, and the service that worked on it was gone."
                UserMessages(parts).tell(ctx, row[0], what, id, action, reason)


_host_of_snapshot = sa.select(volumes.c.host).where(volumes.c.id == snapshots.c.volume_id).scalar_subquery()


def _is_owned(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether an operation works on a row: on itself, its volume, a backup of it, or what it is restored to."""
    subjects: list[sa.ColumnElement[bool]] = [operations.c.subject == table.c.id]
    if table is snapshots:
        subjects.append(operations.c.subject == table.c.volume_id)
    if table is backups:
        subjects.append(operations.c.subject == table.c.restored_to)
    if table in (volumes, snapshots):
        of = backups.c.volume_id if table is volumes else backups.c.snapshot_id
        subjects.append(sa.exists().where(backups.c.id == operations.c.subject, of == table.c.id))
    return sa.exists().where(operations.c.state.in_(OPEN), sa.or_(*subjects))


def _stuck(parts: Parts) -> Iterator[Leftover]:
    passing = (
        (volumes, UNDER_WAY),
        (
            snapshots,
            frozenset(
                {SnapshotStatus.CREATING, SnapshotStatus.DELETING, SnapshotStatus.BACKING_UP, SnapshotStatus.UNMANAGING}
            ),
        ),
        (groups, frozenset({GroupStatus.CREATING, GroupStatus.DELETING})),
        (group_snapshots, frozenset({GroupStatus.CREATING, GroupStatus.DELETING})),
        (backups, frozenset({BackupStatus.CREATING, BackupStatus.DELETING, BackupStatus.RESTORING})),
    )
    for table, statuses in passing:
        query = sa.select(table.c.id, table.c.status).where(table.c.status.in_(statuses), ~_is_owned(table))
        with parts.store.read() as db:
            found = db.execute(query).all()
        for id, status in found:
            yield Leftover(LeftoverKind.STUCK, id, f"it is {status}, and nothing works on it")
