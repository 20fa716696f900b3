"""Work is a row: every change of more than one step is an operation, durable, with do and undo.

An operation's kind is a table of steps:

    BOOT = Operation("boot", Boot, 600, (
        Step("host",  choose_host,  give_host_back, "scheduling"),
        Step("ports", bind_ports,   unbind_ports,   "networking"),
        …))

`Engine.begin` writes the row in the transaction that accepts the request; a message wakes an engine,
which leases the row and runs the steps, writing after each what it did and which comes next. When
the process dies, another engine (or the next start) takes the lease and resumes at the interrupted
step; when a step fails for good, the undos of the steps begun so far run in reverse. So each do and undo must be
idempotent: it may run twice, or again after having run in part.

      pending ──► running ──► done
                   │    ▲
           failed, │    │ rewind: the operation wants to try again from an earlier step
      interrupted, ▼    │
          overdue undoing ──► failed | interrupted

Every operation has a deadline; past it, it fails naming the step that took too long.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from msgspec import Raw, Struct

from nephele.kernel.clock import Instant
from nephele.kernel.context import Context
from nephele.kernel.errors import Error
from nephele.kernel.locks import Turns
from nephele.kernel.store import Json, metadata
from nephele.kernel.trace import Recorder

log = logging.getLogger(__name__)
Data = TypeVar("Data", bound=Struct)

INTERRUPTED = Error("operation.interrupted", 409, "The {kind} was interrupted by a {by}.")
OVERDUE = Error(
    "operation.overdue",
    504,
    "The {kind} did not finish within {within:g} s: it was still at step {step}.",
    "See what that step waits for: `nephele trace` shows the steps and the host.",
)
NOT_OVER = Error("operation.not_over", 503, "The {kind} was not over after {timeout:g} s; it goes on.")
BROKEN = Error(
    "operation.broken",
    500,
    "The {kind} failed at step {step}: {error}",
    "An unexpected error; the log has its traceback under the request id.",
)


class State(StrEnum):
    """Where an operation stands."""

    PENDING = "pending"
    RUNNING = "running"
    UNDOING = "undoing"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


OPEN = (State.PENDING, State.RUNNING, State.UNDOING)
"""States of operations that are not over."""


class Failure(Struct, frozen=True):
    """Why an operation ended without success."""

    code: str
    status: int
    message: str
    step: str
    details: str = ""
    """The traceback, for administrators."""


operations = sa.Table(
    "operations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("context", Json(Context), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("step", sa.Integer, nullable=False, default=0),
    sa.Column("data", Json(Raw), nullable=False),
    sa.Column("after", sa.Text, nullable=False, default=""),
    sa.Column("interrupted_by", sa.Text, nullable=False, default=""),
    sa.Column("owner", sa.Text, nullable=False, default=""),
    sa.Column("epoch", sa.Integer, nullable=False, default=0),
    sa.Column("lease_until", sa.BigInteger, nullable=False, default=0),
    sa.Column("deadline", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("finished_at", sa.BigInteger),
    sa.Column("failure", Json(Failure)),
    sa.Index("operations_of_subject", "subject", "created_at"),
    sa.Index(
        "operations_open",
        "state",
        sqlite_where=sa.text("state IN ('pending', 'running', 'undoing')"),
        postgresql_where=sa.text("state IN ('pending', 'running', 'undoing')"),
    ),
)


class Keep(str):
    """Instead of an undo: the reason why there is nothing to undo."""

    __slots__ = ()


class Work(Generic[Data]):
    """One operation under way, as its steps see it.

    Steps read and change `data`, which is stored after each of them, and record what they do in `trace`.
    """

    def __init__(
        self,
        id: str,
        kind: str,
        subject: str,
        context: Context,
        data: Data,
        deadline: Instant,
        turns: Turns | None = None,
    ) -> None:
        self.id = id
        self.kind = kind
        self.subject = subject
        self.context = context
        self.data = data
        self.deadline = deadline
        self.turns = turns or Turns(1)
        self.step = ""
        self.trace = Recorder()
        self.state: dict[str, str] = {}
        """What spans stored from now on show as the subject's state."""
        self.interrupted = threading.Event()
        """Set when somebody interrupts the operation: steps that wait look at it."""
        self.kept: dict[str, str] = {}
        """What steps keep for those after them in memory only, such as a token: it is never stored."""

    def pause(self, seconds: float) -> bool:
        """Wait for something in a step, and let other operations run; true where this one is interrupted meanwhile."""
        with self.turns.aside():
            return self.interrupted.wait(seconds)


Do = Callable[[Any, Work[Any]], None]
Hook = Callable[[Any, sa.Connection, Work[Any]], None]


@dataclass(frozen=True)
class Step:
    """One step.

    Args:
        name: how traces and faults call it.
        do: does it, given the parts and the work.
        undo: takes it back, whether it was done, done in part or not at all; or `Keep(reason)`.
        shows: what the subject shows meanwhile (a server's task state).
        event: its name in the list of the operation's events, if it has one there.
    """

    name: str
    do: Do
    undo: Do | Keep
    shows: str = ""
    event: str = ""


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Operation(Generic[Data]):
    """One kind of work.

    Args:
        kind: its name.
        data: type of what it carries from step to step, its input included.
        within: seconds until it is overdue.
        steps: in order.
        on_step: runs in the transaction that begins a step.
        on_done: runs in the transaction that ends the last step.
        on_failed: runs in the transaction that ends the last undo; gets the failure as fourth argument.
        rewind: given the failure, the name of the step to try again from, or "" to give up.
        parts: what its steps get as first argument.
    """

    kind: str
    data: type[Data]
    within: float
    steps: tuple[Step, ...]
    on_step: Callable[[Any, sa.Connection, Work[Any], Step], None] = _nothing
    on_done: Hook = _nothing
    on_failed: Callable[[Any, sa.Connection, Work[Any], Failure], None] = _nothing
    rewind: Callable[[Any, Work[Any], Failure], str] = field(default=lambda *_: "")

    def index(self, name: str) -> int:
        """Where the step of that name is."""
        return next(place for place, step in enumerate(self.steps) if step.name == name)
