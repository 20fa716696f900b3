"""When softly deleted servers end: the rows."""

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute.tables import reclaims
from nephele.kernel.clock import Instant
from nephele.kernel.context import Context

_c = reclaims.c


class Reclaim(Struct, frozen=True):
    """One server that waits for its end; the fields are the columns, in order."""

    server_id: str
    was: str
    due_at: Instant
    context: Context


def remember(db: sa.Connection, server_id: str, was: str, due_at: Instant, context: Context) -> None:
    """The server ends at `due_at`, on behalf of whom `context` names; it was in the VM state `was`."""
    forget(db, server_id)
    db.execute(reclaims.insert().values(server_id=server_id, was=was, due_at=due_at, context=context))


def forget(db: sa.Connection, server_id: str) -> None:
    """The server does not end, or has ended."""
    db.execute(reclaims.delete().where(_c.server_id == server_id))


def find(db: sa.Connection, server_id: str) -> Reclaim | None:
    """When the server ends; None where it does not."""
    row = db.execute(reclaims.select().where(_c.server_id == server_id)).one_or_none()
    return None if row is None else Reclaim(*row)


def due(db: sa.Connection, now: Instant) -> list[Reclaim]:
    """Those whose time is over."""
    return [Reclaim(*row) for row in db.execute(reclaims.select().where(_c.due_at <= now).order_by(_c.due_at))]


def next_due(db: sa.Connection) -> Instant | None:
    """When the next one ends."""
    found: Instant | None = db.execute(sa.select(sa.func.min(_c.due_at))).scalar_one()
    return found
