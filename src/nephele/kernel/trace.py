"""What happened, step by step: spans, recorded where the work is done and stored with its operation."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from msgspec import Struct, field

from nephele.kernel.clock import Instant
from nephele.kernel.store import Json, metadata


class Span(Struct, kw_only=True):
    """One piece of work by one part.

    `step` is its number in the flow that the operation follows, 0 where it is none of them; `event` its name
    in the list of an operation's events, empty where it is not shown there; `detail` what was decided or moved.
    """

    part: str
    title: str
    started_at: Instant
    duration_us: int = 0
    step: int = 0
    event: str = ""
    result: str = ""
    host: str = ""
    detail: dict[str, str | int | float | bool | list[str]] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)


spans = sa.Table(
    "spans",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("operation_id", sa.Text, nullable=False, index=True),
    sa.Column("part", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("duration_us", sa.BigInteger, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("detail", Json(dict[str, str | int | float | bool | list[str]]), nullable=False),
    sa.Column("state", Json(dict[str, str]), nullable=False),
)
_columns = [spans.c[name] for name in Span.__struct_fields__]


class Recorder:
    """Collects spans until they are stored or sent back with a reply."""

    def __init__(self, host: str = "") -> None:
        self.host = host
        self.spans: list[Span] = []

    @contextmanager
    def span(self, part: str, title: str, step: int = 0) -> Iterator[Span]:
        """Record the block; what it puts into `detail` goes with it, and the error that ends it, if one does."""
        span = Span(part=part, title=title, step=step, started_at=time.time_ns() // 1000, host=self.host)
        start = time.perf_counter_ns()
        self.spans.append(span)
        try:
            yield span
        except Exception as error:
            span.result = "Error"
            span.detail["error"] = str(error)
            raise
        finally:
            span.duration_us = (time.perf_counter_ns() - start) // 1000

    def take(self) -> tuple[Span, ...]:
        """What was recorded since the last `take`."""
        taken, self.spans = tuple(self.spans), []
        return taken


def store_spans(db: sa.Connection, operation_id: str, recorded: list[Span]) -> None:
    """Write the spans of an operation."""
    if recorded:
        rows = [{name: getattr(span, name) for name in Span.__struct_fields__} for span in recorded]
        db.execute(spans.insert(), [{"operation_id": operation_id, **row} for row in rows])


def read_spans(db: sa.Connection, operation_id: str) -> list[Span]:
    """The spans of an operation in the order in which they were stored."""
    query = sa.select(*_columns).where(spans.c.operation_id == operation_id).order_by(spans.c.id)
    return [Span(**dict(zip(Span.__struct_fields__, row, strict=True))) for row in db.execute(query)]
