"""The rows of tasks: what was asked of Glance that outlives its request."""

from typing import Any

import sqlalchemy as sa

from nephele.image.model import Task, TaskStatus
from nephele.image.tables import tasks
from nephele.kernel.clock import Instant, seconds
from nephele.web.paging import Page, paged

KEPT = seconds(48 * 3600)
"""How long a finished task is kept, as upstream's default."""
COLUMNS = [tasks.c[name] for name in Task.__struct_fields__]
SORT_KEYS = frozenset({"id", "type", "status", "created_at", "updated_at", "expires_at"})
_WORKING = (TaskStatus.PENDING, TaskStatus.PROCESSING)


def from_row(found: sa.Row[Any]) -> Task:
    """The task of a row of COLUMNS."""
    values = tuple(found)
    return Task(values[0], values[1], TaskStatus(values[2]), *values[3:])


def insert(db: sa.Connection, task: Task, writer: str) -> None:
    """Store a new task; those whose time is over are forgotten."""
    db.execute(tasks.delete().where(tasks.c.expires_at < task.created_at))
    db.execute(tasks.insert(), {**{name: getattr(task, name) for name in Task.__struct_fields__}, "writer": writer})


def find(db: sa.Connection, task_id: str) -> Task | None:
    """One task."""
    found = row(db, task_id)
    return None if found is None else from_row(found)


def of_image(db: sa.Connection, image_id: str) -> tuple[Task, ...]:
    """The tasks that worked on an image, the newest first."""
    query = sa.select(*COLUMNS).where(tasks.c.image_id == image_id)
    return tuple(map(from_row, db.execute(query.order_by(tasks.c.created_at.desc(), tasks.c.id)).all()))


def select(page: Page, filters: dict[str, str], marker: sa.Row[Any] | None) -> sa.Select[Any]:
    """The query for one page; `filters` are values of status, type and owner."""
    conditions = [tasks.c[name] == value for name, value in filters.items()]
    columns: dict[str, sa.ColumnElement[Any]] = {key: tasks.c[key] for key in SORT_KEYS}
    return paged(sa.select(*COLUMNS).where(*conditions), page, columns, marker)


def row(db: sa.Connection, task_id: str) -> sa.Row[Any] | None:
    """The task's row of COLUMNS."""
    return db.execute(sa.select(*COLUMNS).where(tasks.c.id == task_id)).first()


def start(db: sa.Connection, task_id: str, now: Instant) -> None:
    """It runs."""
    db.execute(tasks.update().where(tasks.c.id == task_id).values(status=TaskStatus.PROCESSING, updated_at=now))


def finish(db: sa.Connection, task_id: str, now: Instant, *, failed: str = "", result: Any = None) -> None:
    """It ended, well or with a message that says why not."""
    status = TaskStatus.FAILURE if failed else TaskStatus.SUCCESS
    values = {"status": status, "message": failed, "result": result, "updated_at": now, "expires_at": now + KEPT}
    db.execute(tasks.update().where(tasks.c.id == task_id, tasks.c.status.in_(_WORKING)).values(**values))


def interrupted(db: sa.Connection, writer: str) -> tuple[Task, ...]:
    """The tasks that `writer` was running."""
    query = sa.select(*COLUMNS).where(tasks.c.writer == writer, tasks.c.status.in_(_WORKING))
    return tuple(map(from_row, db.execute(query).all()))
