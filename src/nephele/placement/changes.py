"""Marks providers as changed: their generation for clients, their revision for the picture in memory."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from nephele.kernel.clock import Instant
from nephele.kernel.statements import Statement
from nephele.placement.tables import providers, removed, revisions

_NEXT = sa.update(revisions).where(revisions.c.id == 1).values(revision=revisions.c.revision + 1)
_NEXT_RETURNING = Statement(_NEXT.returning(revisions.c.revision))
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_TOUCH = Statement(
    sa.update(providers)
    .where(providers.c.id.in_(_IDS))
    .values(
        generation=providers.c.generation + sa.bindparam("step"),
        revision=sa.bindparam("new_revision"),
        updated_at=sa.bindparam("now"),
    )
)
_SHOW_ANEW = Statement(
    sa.update(providers).where(providers.c.id.in_(_IDS)).values(revision=sa.bindparam("new_revision"))
)


def next_revision(db: sa.Connection) -> int:
    """The number of the change about to be made; whoever else wants one waits for this transaction's end.

    Taken first in every transaction that changes providers, so it also puts claims one after the other.
    """
    revision = _NEXT_RETURNING.scalar(db)
    if revision is None:
        db.execute(revisions.insert(), {"id": 1, "revision": 1})
        return 1
    return int(revision)


def touch(db: sa.Connection, provider_ids: Iterable[int], revision: int, now: Instant) -> None:
    """The providers changed: their next generation, seen in `revision`."""
    ids = list(provider_ids)
    if ids:
        _TOUCH.run(db, ids=ids, step=1, new_revision=revision, now=now)


def show_anew(db: sa.Connection, provider_ids: Iterable[int], revision: int) -> None:
    """What is used of the providers changed, and nothing that their generation guards."""
    ids = list(provider_ids)
    if ids:
        _SHOW_ANEW.run(db, ids=ids, new_revision=revision)


def mark_removed(db: sa.Connection, provider_id: int, revision: int) -> None:
    """The provider is gone."""
    db.execute(removed.insert(), {"provider_id": provider_id, "revision": revision})
