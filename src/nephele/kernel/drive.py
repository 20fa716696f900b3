"""One operation on its way: its steps forward, its undos backward, and what is written at each."""

import logging
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from nephele.kernel.clock import Clock, Instant
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.locks import Turns
from nephele.kernel.operations import (
    BROKEN,
    INTERRUPTED,
    OVERDUE,
    Failure,
    Keep,
    Operation,
    State,
    Step,
    Work,
    operations,
)
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store, trouble
from nephele.kernel.trace import store_spans

log = logging.getLogger(__name__)
UNDO_PAUSES = (0.2, 1, 5, 15, 30)
"""Seconds to wait before an undo that failed is tried again; after the last it is left for `nephele reap`."""

_c = operations.c
_UPDATE = Statement(
    operations.update()
    .where(_c.id == sa.bindparam("this"), _c.epoch == sa.bindparam("mine"))
    .returning(_c.interrupted_by),
    sets=("state", "step", "data", "updated_at", "finished_at", "failure"),
)
_INTERRUPTED_BY = Statement(sa.select(_c.interrupted_by).where(_c.id == sa.bindparam("this")))


class Leased(NamedTuple):
    """A row that this engine took."""

    id: str
    kind: str
    subject: str
    context: Context
    data: bytes
    deadline: Instant
    epoch: int
    state: str
    step: int
    failure: Failure


class LostLeaseError(Exception):
    """Another engine took the operation over: stop at once."""


class StoppedError(LostLeaseError):
    """The process stops while a step waits: the next start resumes it at that step."""


@dataclass(frozen=True)
class Around:
    """What a conductor's operations share.

    Args:
        store: where the rows are.
        clock: time.
        stopping: set when the process is to stop at the next step's end.
        turns: how many run at once.
        count_end: told the kind and state of what ended.
    """

    store: Store
    clock: Clock
    stopping: threading.Event
    turns: Turns
    count_end: Callable[[str, State], None]


class Drive:
    """One operation on its way; every write checks that the lease is still ours.

    Args:
        around: what all of a conductor's operations share.
        operation: its kind.
        parts: what its steps get as first argument.
        row: as it was leased.
    """

    def __init__(self, around: Around, operation: Operation[Any], parts: object, row: Leased) -> None:
        self.around = around
        self.operation = operation
        self.parts = parts
        self.epoch = row.epoch
        self.place = row.step
        """Of the step that the row names."""
        data = msgspec.json.decode(row.data, type=operation.data)
        self.work: Work[Any] = Work(row.id, row.kind, row.subject, row.context, data, row.deadline, around.turns)

    def forward(self, place: int) -> None:
        """Do the steps from `place` on."""
        steps = self.operation.steps
        try:
            self._note(State.RUNNING, place, begins=steps[place])
            while place < len(steps):
                self._do(steps[place])
                place += 1
                if place < len(steps):
                    if self.around.stopping.is_set():
                        self._note(State.RUNNING, place)
                        return
                    self._note(State.RUNNING, place, begins=steps[place])
            self._finish()
        except LostLeaseError:
            raise
        except Exception as error:
            if trouble(error):
                raise  # the same step is tried again when it is over
            failure = self._why(error, self.work.step or steps[min(place, len(steps) - 1)].name)
            if failure.status >= 500 and not isinstance(error, Refused):
                log.exception("%s: %s", self.work.context.request_id, failure.message)
            self.backward(min(place, len(steps) - 1), failure)

    def _why(self, error: Exception, step: str) -> Failure:
        """What went wrong: an interruption, whatever it made fail."""
        with self.around.store.read() as db:
            ((by,),) = _INTERRUPTED_BY.rows(db, this=self.work.id)
        return failure_of(INTERRUPTED(kind=self.work.kind, by=by) if by else error, step, self.work.kind)

    def _do(self, step: Step) -> None:
        self.work.step = step.name
        with self.work.trace.span("conductor", step.name) as span:
            span.event, span.state = step.event, dict(self.work.state)
            step.do(self.parts, self.work)
            span.result = "Success"

    def backward(self, place: int, failure: Failure) -> None:
        """Undo the steps from `place` back, then end; or go forward again where the operation wants another try."""
        again = "" if failure.code in (INTERRUPTED.code, OVERDUE.code) else self._wants_again(failure)
        first = self.operation.index(again) if again else 0
        while place >= first:
            self._note(State.UNDOING, place, failure=failure)
            undo = self.operation.steps[place].undo
            if not isinstance(undo, Keep) and not self._undo(place, undo, failure):
                return
            place -= 1
        if again:
            self.forward(first)
        else:
            self._end(failure)

    def _wants_again(self, failure: Failure) -> str:
        return self.operation.rewind(self.parts, self.work, failure)

    def _undo(self, place: int, undo: Any, failure: Failure) -> bool:
        """Undo one step, trying again after pauses; False where the process stops meanwhile."""
        name = self.operation.steps[place].name
        for pause in (*UNDO_PAUSES, None):
            try:
                with self.work.trace.span("conductor", f"undo {name}"):
                    undo(self.parts, self.work)
                return True
            except Exception as error:
                log.warning(
                    "%s: undoing %s of %s failed: %s", self.work.context.request_id, name, self.work.kind, error
                )
                self._note(State.UNDOING, place, failure=failure)
                if pause is None:
                    log.exception("%s: %s is left for `nephele reap`", self.work.context.request_id, name)
                elif self._rest(pause):
                    return False
        return True

    def _rest(self, pause: float) -> bool:
        """Let others run; true where the process stops meanwhile."""
        with self.around.turns.aside():
            return self.around.stopping.wait(pause)

    # -- what is written ---------------------------------------------------------------------------------------

    def _note(self, state: State, place: int, *, begins: Step | None = None, failure: Failure | None = None) -> None:
        """Store what was done so far and where the operation stands."""
        with self.around.store.write() as db:
            self._store_spans(db)
            interrupted_by = self._update(db, state, place, failure)
            if begins is not None and not interrupted_by:
                self.operation.on_step(self.parts, db, self.work, begins)
        if interrupted_by and state == State.RUNNING:
            raise INTERRUPTED(kind=self.work.kind, by=interrupted_by)

    def _finish(self) -> None:
        with self.around.store.write() as db:
            self.operation.on_done(self.parts, db, self.work)
            interrupted_by = self._update(db, State.DONE, self.place, finished_at=self.around.clock.now())
            if interrupted_by:
                raise INTERRUPTED(kind=self.work.kind, by=interrupted_by)
            self._store_spans(db)
        self.around.count_end(self.work.kind, State.DONE)

    def _end(self, failure: Failure) -> None:
        state = State.INTERRUPTED if failure.code == INTERRUPTED.code else State.FAILED
        with self.around.store.write() as db:
            self.operation.on_failed(self.parts, db, self.work, failure)
            self._update(db, state, self.place, failure, self.around.clock.now())
            self._store_spans(db)
        self.around.count_end(self.work.kind, state)

    def _update(
        self,
        db: sa.Connection,
        state: State,
        place: int,
        failure: Failure | None = None,
        finished_at: Instant | None = None,
    ) -> str:
        """Write the row if it is still ours; returns who wants to interrupt it."""
        work, now = self.work, self.around.clock.now()
        row = _UPDATE.row(
            db,
            this=work.id,
            mine=self.epoch,
            state=state,
            step=place,
            data=work.data,
            updated_at=now,
            finished_at=finished_at,
            failure=failure,
        )
        if row is None:
            raise LostLeaseError
        self.place = place
        return str(row[0])

    def _store_spans(self, db: sa.Connection) -> None:
        recorded = list(self.work.trace.take())
        for span in recorded:
            span.state = span.state or dict(self.work.state)
        store_spans(db, self.work.id, recorded)


def failure_of(error: Exception, step: str, kind: str = "") -> Failure:
    """The record of what went wrong."""
    if isinstance(error, Refused):
        return Failure(error.error.code, error.status, error.message, step)
    broken = BROKEN(kind=kind, step=step, error=f"{type(error).__name__}: {error}")
    details = "".join(traceback.format_exception(error))
    return Failure(broken.error.code, broken.status, broken.message, step, details)
