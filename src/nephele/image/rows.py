"""Reading and writing the rows of images; each function is one statement."""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from nephele.image.listing import COLUMNS
from nephele.image.model import ARRIVING, TRANSITIONS, Image, Status, Visibility
from nephele.image.tables import images, members
from nephele.kernel.clock import Instant
from nephele.kernel.context import Context
from nephele.kernel.statements import Statement

_ONE = sa.select(*COLUMNS).where(images.c.id == sa.bindparam("image_id"))
_FIND = Statement(_ONE)
_MEMBER_ID = sa.select(members.c.member_id).where(
    members.c.image_id == sa.bindparam("image_id"), members.c.member_id == sa.bindparam("project_id")
)
_FIELDS = Image.__struct_fields__


def from_row(found: Iterable[Any]) -> Image:
    """The image of a row of COLUMNS."""
    values = tuple(found)
    return Image(values[0], values[1], _STATUS[values[2]], _VISIBILITY[values[3]], *values[4:])


_STATUS = {str(each): each for each in Status}
_VISIBILITY = {str(each): each for each in Visibility}


def row(db: sa.Connection, image_id: str) -> sa.Row[Any] | None:
    """The image's row of COLUMNS."""
    return db.execute(_ONE, {"image_id": image_id}).first()


def find(db: sa.Connection, image_id: str) -> Image | None:
    """The image, whoever asks."""
    found = _FIND.row(db, image_id=image_id)
    return None if found is None else from_row(found)


def is_shared_with(db: sa.Connection, image_id: str, project_id: str) -> bool:
    """Whether the project is a member of the image, whatever it said to it."""
    return db.execute(_MEMBER_ID, {"image_id": image_id, "project_id": project_id}).first() is not None


def is_visible(db: sa.Connection, caller: Context, image: Image) -> bool:
    """Whether the caller may know of the image at all."""
    if caller.is_admin or image.owner is None or image.visibility in (Visibility.PUBLIC, Visibility.COMMUNITY):
        return True
    if image.owner == caller.project_id:
        return True
    return image.visibility == Visibility.SHARED and is_shared_with(db, image.id, caller.project_id)


def find_public(db: sa.Connection, name: str) -> str | None:
    """The id of an active public image of that name."""
    is_it = (images.c.name == name, images.c.visibility == Visibility.PUBLIC, images.c.status == Status.ACTIVE)
    return db.execute(sa.select(images.c.id).where(*is_it).order_by(images.c.created_at)).scalars().first()


def insert(db: sa.Connection, image: Image) -> None:
    """Store a new image."""
    db.execute(images.insert(), {**_values(image), "writer": ""})


def update(db: sa.Connection, image: Image) -> None:
    """Store what a user may change of an image."""
    db.execute(images.update().where(images.c.id == image.id), _values(image))


def _values(image: Image) -> dict[str, Any]:
    return {name: getattr(image, name) for name in _FIELDS}


def move(
    db: sa.Connection, image_id: str, source: Status, target: Status, now: Instant, *, writer: str = "", **values: Any
) -> bool:
    """Change the status, if it still is `source`; says whether it was."""
    if target not in TRANSITIONS[source]:
        raise ValueError(f"an image never goes from {source} to {target}")
    changed = db.execute(
        images.update()
        .where(images.c.id == image_id, images.c.status == source)
        .values(status=target, updated_at=now, writer=writer, **values)
    )
    return changed.rowcount == 1


def set_staged(db: sa.Connection, image_id: str, size: int, now: Instant) -> bool:
    """The image's data is staged, and no server works on it; says whether the image still waits for that."""
    waiting = images.update().where(images.c.id == image_id, images.c.status == Status.UPLOADING)
    return db.execute(waiting.values(size=size, writer="", updated_at=now)).rowcount == 1


def delete(db: sa.Connection, image_id: str) -> None:
    """Forget the image, with whom it was shared."""
    db.execute(images.delete().where(images.c.id == image_id))


def abandoned(db: sa.Connection, writer: str) -> list[str]:
    """The images whose data `writer` was working on."""
    found = db.execute(sa.select(images.c.id).where(images.c.writer == writer, images.c.status.in_(sorted(ARRIVING))))
    return list(found.scalars())


def stale(db: sa.Connection, before: Instant) -> list[str]:
    """The images whose data was staged before that, and never imported."""
    waits = (images.c.status == Status.UPLOADING, images.c.writer == "", images.c.updated_at < before)
    return list(db.execute(sa.select(images.c.id).where(*waits)).scalars())


def with_files(db: sa.Connection) -> set[str]:
    """The images that have data, or soon will."""
    return set(db.execute(sa.select(images.c.id).where(images.c.status != Status.QUEUED)).scalars())


def usage(db: sa.Connection, project_id: str) -> tuple[int, int, int, int]:
    """Of a project: images, their bytes, images on their way in, bytes staged."""
    arriving = images.c.status.in_(sorted(ARRIVING))
    size = sa.func.coalesce(images.c.size, 0)
    counts = db.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(sa.case((arriving, 0), else_=size)), 0),
            sa.func.coalesce(sa.func.sum(sa.case((arriving, 1), else_=0)), 0),
            sa.func.coalesce(sa.func.sum(sa.case((arriving, size), else_=0)), 0),
        ).where(images.c.owner == project_id)
    ).one()
    return int(counts[0]), int(counts[1]), int(counts[2]), int(counts[3])


def changed(image: Image, now: Instant, **values: Any) -> Image:
    """The image with other values, as of now."""
    return msgspec.structs.replace(image, updated_at=now, **values)
