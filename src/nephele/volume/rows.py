"""Volumes, attachments and snapshots as rows: found, listed, changed."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa

from nephele.kernel.store import Store
from nephele.volume.errors import ATTACHMENT_NOT_FOUND, SNAPSHOT_NOT_FOUND, VOLUME_NOT_FOUND
from nephele.volume.model import Attachment, AttachStatus, Snapshot, Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.tables import attachments, snapshots, volume_types, volumes

Thing = TypeVar("Thing")
_volumes: sa.Select[Any] = sa.select(*volumes.c, volume_types.c.name.label("type_name")).join(volume_types)
_attachments: sa.Select[Any] = sa.select(*attachments.c)
_snapshots: sa.Select[Any] = sa.select(*snapshots.c, volumes.c.host.label("host")).join(volumes)
_one_volume = _volumes.where(volumes.c.id == sa.bindparam("id"))
_one_attachment = _attachments.where(attachments.c.id == sa.bindparam("id"))
_one_snapshot = _snapshots.where(snapshots.c.id == sa.bindparam("id"))


def every(db: sa.Connection, kind: Callable[..., Thing], query: sa.Select[Any]) -> list[Thing]:
    """All that a query finds; its columns stand in the order of the thing's fields."""
    return [kind(*row) for row in db.execute(query).all()]


def volume(db: sa.Connection, id: str) -> Volume:
    """One volume.  Raises VOLUME_NOT_FOUND."""
    row = db.execute(_one_volume, {"id": id}).one_or_none()
    if row is None:
        raise VOLUME_NOT_FOUND(volume_id=id)
    return Volume(*row)


def attachment(db: sa.Connection, id: str) -> Attachment:
    """One attachment.  Raises ATTACHMENT_NOT_FOUND."""
    row = db.execute(_one_attachment, {"id": id}).one_or_none()
    if row is None:
        raise ATTACHMENT_NOT_FOUND(attachment_id=id)
    return Attachment(*row)


def snapshot(db: sa.Connection, id: str) -> Snapshot:
    """One snapshot.  Raises SNAPSHOT_NOT_FOUND."""
    row = db.execute(_one_snapshot, {"id": id}).one_or_none()
    if row is None:
        raise SNAPSHOT_NOT_FOUND(snapshot_id=id)
    return Snapshot(*row)


def list_volumes(db: sa.Connection, narrow: Callable[[sa.Select[Any]], sa.Select[Any]]) -> list[Volume]:
    """The volumes that a narrowed query finds."""
    return [Volume(*row) for row in db.execute(narrow(_volumes)).all()]


def list_snapshots(db: sa.Connection, narrow: Callable[[sa.Select[Any]], sa.Select[Any]]) -> list[Snapshot]:
    """The snapshots that a narrowed query finds."""
    return [Snapshot(*row) for row in db.execute(narrow(_snapshots)).all()]


def list_attachments(db: sa.Connection, narrow: Callable[[sa.Select[Any]], sa.Select[Any]]) -> list[Attachment]:
    """The attachments that a narrowed query finds."""
    return [Attachment(*row) for row in db.execute(narrow(_attachments)).all()]


def attachments_of(db: sa.Connection, volume_ids: Collection[str]) -> dict[str, list[Attachment]]:
    """The attachments of some volumes, by volume, oldest first."""
    c = attachments.c
    query = _attachments.where(c.volume_id.in_(volume_ids)).order_by(c.created_at, c.id)
    found: dict[str, list[Attachment]] = {}
    for row in db.execute(query) if volume_ids else ():
        attachment = Attachment(*row)
        found.setdefault(attachment.volume_id, []).append(attachment)
    return found


def move(db: sa.Connection, id: str, sources: Iterable[str] | None, **values: object) -> bool:
    """Change a volume's row if its status is one of `sources` (None: whatever it is); whether it was."""
    update = volumes.update().where(volumes.c.id == id)
    if sources is not None:
        update = update.where(volumes.c.status.in_(list(sources)))
    return db.execute(update.values(**values)).rowcount == 1


def settle(db: sa.Connection, id: str, now: int) -> str:
    """Give a volume the status that its attachments say, after one of them came, changed or went.

    Returns:
        the status: in-use, reserved, attaching, detaching or available.
    """
    statuses = set(db.execute(sa.select(attachments.c.status).where(attachments.c.volume_id == id)).scalars())
    if AttachStatus.ATTACHED in statuses:
        status = V.IN_USE
    elif AttachStatus.ATTACHING in statuses:
        status = V.ATTACHING
    elif AttachStatus.RESERVED in statuses:
        status = V.RESERVED
    else:
        status = V.AVAILABLE
    db.execute(volumes.update().where(volumes.c.id == id).values(status=status, updated_at=now))
    return status


def on_service(service: str) -> sa.ColumnElement[bool]:
    """The condition that a volume is on the backend `host@backend`."""
    return volumes.c.host.startswith(f"{service}#", autoescape=True)


def base_is_used(store: Store, base: str, service: str) -> bool:
    """Whether any volume or snapshot on the backend `host@backend` is an overlay of the shared base."""
    with store.read() as db:
        here = sa.or_(volumes.c.host.is_(None), on_service(service))
        by_volume = sa.select(sa.literal(1)).where(volumes.c.base == base, here)
        by_snapshot = (
            sa.select(sa.literal(1)).select_from(snapshots.join(volumes)).where(snapshots.c.base == base, here)
        )
        return db.execute(by_volume.union_all(by_snapshot).limit(1)).first() is not None
