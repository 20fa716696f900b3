"""What happened, step by step: spans, recorded where the work is done and stored with its operation."""

import time
from types import TracebackType

import sqlalchemy as sa
from msgspec import Struct, field, structs

from nephele.kernel.clock import Instant
from nephele.kernel.statements import Statement
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
_INSERT = Statement(spans.insert(), sets=("operation_id", *Span.__struct_fields__))
_OF_OPERATION = Statement(
    sa.select(*_columns).where(spans.c.operation_id == sa.bindparam("operation")).order_by(spans.c.id)
)


class Recorder:
    """Collects spans until they are stored or sent back with a reply."""

    def __init__(self, host: str = "") -> None:
        self.host = host
        self.spans: list[Span] = []

    def span(self, part: str, title: str, step: int = 0) -> "_Recording":
        """Record the block; what it puts into `detail` goes with it, and the error that ends it, if one does."""
        span = Span(part=part, title=title, step=step, started_at=time.time_ns() // 1000, host=self.host)
        self.spans.append(span)
        return _Recording(span)

    def take(self) -> tuple[Span, ...]:
        """What was recorded since the last `take`."""
        taken, self.spans = tuple(self.spans), []
        return taken


class _Recording:
    """Times the block around which it stands."""

    __slots__ = ("_span", "_start")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._start = time.perf_counter_ns()
        return self._span

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        span = self._span
        span.duration_us = (time.perf_counter_ns() - self._start) // 1000
        if isinstance(error, Exception):
            span.result = "Error"
            span.detail["error"] = str(error)


def store_spans(db: sa.Connection, operation_id: str, recorded: list[Span]) -> None:
    """Write the spans of an operation."""
    _INSERT.run_many(db, [{"operation_id": operation_id, **structs.asdict(span)} for span in recorded])


def read_spans(db: sa.Connection, operation_id: str) -> list[Span]:
    """The spans of an operation in the order in which they were stored."""
    fields = Span.__struct_fields__
    return [Span(**dict(zip(fields, row, strict=True))) for row in _OF_OPERATION.rows(db, operation=operation_id)]
