"""Runs operations: leases their rows, drives their steps, resumes and undoes."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.bus import Bus, Method
from nephele.kernel.clock import Clock, Instant, seconds
from nephele.kernel.context import Context
from nephele.kernel.drive import Around, Drive, Leased, LostLeaseError, StoppedError, failure_of
from nephele.kernel.ids import Ids
from nephele.kernel.locks import Turns
from nephele.kernel.operations import NOT_OVER, OPEN, OVERDUE, Failure, Operation, State, Work, operations
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store, trouble
from nephele.kernel.trace import Span, store_spans

log = logging.getLogger(__name__)
LEASE = seconds(30)
QUEUED = seconds(5)
"""An operation that nobody took for so long is called again."""


class UnderWay(Struct, frozen=True):
    """An operation that is not over: what it waits for and until when."""

    id: str
    kind: str
    subject: str
    project_id: str
    request_id: str
    state: str
    step: str
    after: str
    """The operation that must be over first, if there is one."""
    interrupted_by: str
    created_at: Instant
    deadline: Instant


class Run(Struct, frozen=True):
    """Wakes an engine for one operation."""

    operation_id: str


class Outcome(NamedTuple):
    """How an operation stands."""

    kind: str
    over: bool
    failure: Failure | None


RUN = Method("conductor.run", Run, type(None))


_c = operations.c
_waits_for = operations.alias()
_LEASED = (
    _c.id,
    _c.kind,
    _c.subject,
    _c.context,
    _c.data,
    _c.deadline,
    _c.epoch,
    _c.state,
    _c.step,
    _c.failure,
)
"""The fields of `Leased`."""
_INSERT = Statement(operations.insert())
_LEASE = Statement(
    operations.update()
    .where(
        _c.id == sa.bindparam("this"),
        _c.state.in_(OPEN),
        sa.or_(
            _c.owner == "",
            _c.owner == sa.bindparam("me"),
            _c.lease_until < sa.bindparam("now"),
            sa.bindparam("alone", type_=sa.Boolean),
        ),
        ~sa.exists().where(_waits_for.c.id == _c.after, _waits_for.c.state.in_(OPEN)),
    )
    .values(epoch=_c.epoch + 1)
    .returning(*_LEASED),
    sets=("owner", "lease_until"),
)
_LEASE_OVERDUE = Statement(
    operations.update()
    .where(
        _c.id == sa.bindparam("this"),
        _c.state.in_((State.PENDING, State.RUNNING)),
        _c.deadline < sa.bindparam("now"),
    )
    .values(epoch=_c.epoch + 1, state=State.UNDOING)
    .returning(*_LEASED),
    sets=("owner", "lease_until"),
)
_LAST = Statement(
    sa.select(_c.id)
    .where(_c.subject == sa.bindparam("subject"), _c.state.in_(OPEN))
    .order_by(_c.created_at.desc())
    .limit(1)
)
_FOLLOWERS = Statement(sa.select(_c.id).where(_c.after == sa.bindparam("this"), _c.state == State.PENDING))


@dataclass(frozen=True)
class _Known:
    operation: Operation[Any]
    parts: object


class Engine:
    """One conductor.

    Args:
        store: where the rows are.
        bus: wakes it.
        clock: time.
        ids: names its leases and operations.
        threads: how many operations are under way at once, those included that wait for others.
        at_once: how many of these run.
        alone: no other engine works on this store, so that what was left running when it starts is taken at once.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        ids: Ids,
        *,
        threads: int = 32,
        at_once: int = 32,
        alone: bool = True,
    ) -> None:
        self.store, self.bus, self.clock, self.ids = store, bus, clock, ids
        self.owner = ids.hex()
        self.alone = alone
        self._known: dict[str, _Known] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="operation")
        self._rescue_pool = ThreadPoolExecutor(4, thread_name_prefix="overdue")
        self._mine: Counter[str] = Counter()
        self._works: dict[str, Work[Any]] = {}
        """What is driven here, by id."""
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        """What could not be stored and is to be tried again."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """How many operations ended here, by kind and state."""
        self._looked_at = clock.now()
        self._stopping = threading.Event()
        self._turns = Turns(at_once)
        self._around = Around(store, clock, self._stopping, self._turns, self.count_end)
        self._ticker = threading.Thread(target=self._tick_for_ever, name="conductor", daemon=True)

    def register(self, operation: Operation[Any], parts: object) -> None:
        """Make a kind of operation known; `parts` is what its steps get as first argument."""
        self._known[operation.kind] = _Known(operation, parts)

    def start(self) -> None:
        """Take work from now on, first of all what was left unfinished."""
        self.bus.serve(RUN, lambda run: self._run(run.operation_id), pool=self._pool)
        self._recover(everything=self.alone)
        self._ticker.start()

    def is_running(self) -> bool:
        """Whether it takes work and has looked after it lately."""
        return self._ticker.is_alive() and self.clock.now() - self._looked_at < LEASE

    def stop(self) -> None:
        """Stop at the next step's end; what is unfinished is resumed by the next start."""
        self._stopping.set()
        for pool in (self._pool, self._rescue_pool):
            pool.shutdown(wait=True, cancel_futures=True)

    def pause(self, seconds: float) -> None:
        """Sleep in a step that waits for something.  Raises StoppedError where this process stops meanwhile."""
        with self._turns.aside():
            stopped = self._stopping.wait(seconds)
        if stopped:
            raise StoppedError

    # -- accepting ---------------------------------------------------------------------------------------------

    def begin(
        self, kind: str, data: Struct, context: Context, subject: str, *, after: str = "", spans: tuple[Span, ...] = ()
    ) -> str:
        """Inside a `write()`: accept an operation; it starts once the transaction has committed.

        Args:
            kind: a registered kind.
            data: its input.
            context: the caller; the token is not stored.
            subject: id of the thing that it changes.
            after: an operation that must be over before this one starts.
            spans: what was already done for it.

        Returns:
            the operation's id.
        """
        operation = self._known[kind].operation
        now = self.clock.now()
        id = self.ids.uuid()
        row = _row(id, kind, context, subject, now)
        row |= {"data": data, "after": after, "deadline": now + seconds(operation.within)}
        with self.store.write() as db:
            _INSERT.run(db, **row)
            store_spans(db, id, list(spans))
        if not after:
            self.store.after_commit(lambda: self.bus.cast(RUN, Run(id)))
        return id

    def note(self, kind: str, context: Context, subject: str, *, event: str = "") -> None:
        """Inside a `write()`: keep as an operation what was done at once, with an event if one is named."""
        id, now = self.ids.uuid(), self.clock.now()
        span = Span(part="api", title=kind, started_at=now, event=event, result="Success")
        with self.store.write() as db:
            row = _row(id, kind, context, subject, now)
            _INSERT.run(db, **row | {"state": State.DONE, "deadline": now, "finished_at": now})
            store_spans(db, id, [span])
        self.count_end(kind, State.DONE)

    def interrupt(self, subject: str, by: str) -> str:
        """Inside a `write()`: tell what runs on the subject to stop and be undone.

        What another engine drives hears of it at that one's next look around, or at the end of its step.

        Returns:
            the id of the operation that must be over first, empty where nothing runs.
        """
        with self.store.write() as db:
            mine = sa.and_(operations.c.subject == subject, operations.c.state.in_(OPEN))
            running = list(
                db.execute(sa.select(operations.c.id).where(mine).order_by(operations.c.created_at)).scalars()
            )
            if running:
                db.execute(operations.update().where(mine).values(interrupted_by=by))
                self.store.after_commit(lambda: self._tell_interrupted(running))
        return running[-1] if running else ""

    def _tell_interrupted(self, ids: Iterable[str]) -> None:
        with self._lock:
            for id in ids:
                if id in self._works:
                    self._works[id].interrupted.set()

    def last_on(self, subject: str) -> str:
        """The id of the newest operation that is under way on the subject; empty where none is."""
        with self.store.read() as db:
            ((id,),) = _LAST.rows(db, subject=subject) or (("",),)
        return str(id)

    def last(self, subject: str) -> str:
        """The id of the operation on the subject that was accepted last and is not over; empty where none is."""
        with self.store.read() as db:
            mine = sa.and_(operations.c.subject == subject, operations.c.state.in_(OPEN))
            newest = sa.select(operations.c.id).where(mine).order_by(operations.c.created_at.desc()).limit(1)
            return db.execute(newest).scalar_one_or_none() or ""

    def under_way(self, project_id: str = "", subject: str = "") -> list[UnderWay]:
        """What is not over yet, the first to be overdue first; of one project or subject, or all."""
        c = operations.c
        query = operations.select().where(c.state.in_(OPEN)).order_by(c.deadline)
        if project_id:
            query = query.where(c.project_id == project_id)
        if subject:
            query = query.where(c.subject == subject)
        with self.store.read() as db:
            return [self._under_way(row) for row in db.execute(query)]

    def _under_way(self, row: sa.Row[Any]) -> UnderWay:
        told = {name: getattr(row, name) for name in UnderWay.__struct_fields__}
        return UnderWay(**told | {"step": self._known[row.kind].operation.steps[row.step].name})

    def running(self, subject: str) -> list[str]:
        """The kinds of the operations that are under way on the subject."""
        with self.store.read() as db:
            mine = sa.and_(operations.c.subject == subject, operations.c.state.in_(OPEN))
            return list(db.execute(sa.select(operations.c.kind).where(mine)).scalars())

    def wait(self, id: str, timeout: float) -> Failure | None:
        """Outside of any transaction: wait until an operation is over.

        Returns:
            why it failed, None where it was done.

        Raises NOT_OVER after `timeout` seconds; the operation goes on.
        """
        deadline, pause = time.monotonic() + timeout, 0.001
        while not (ended := self.outcome(id)).over:
            if time.monotonic() > deadline:
                raise NOT_OVER(kind=ended.kind, timeout=timeout)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
        return ended.failure

    def outcome(self, id: str) -> Outcome:
        """Whether an operation is over, and why it failed if it did; looks, and does not wait."""
        c = operations.c
        with self.store.read() as db:
            row = db.execute(sa.select(c.kind, c.state, c.failure).where(c.id == id)).one()
        return Outcome(row.kind, row.state not in OPEN, row.failure)

    # -- driving -----------------------------------------------------------------------------------------------

    def _run(self, id: str) -> None:
        """Drive one operation to its end, unless another thread or engine does.

        Where nothing can be stored, it goes on from where it stood once that is over.
        """
        try:
            with self._turns, self._hold(id) as first:
                row = self._lease(id) if first and not self._stopping.is_set() else None
                if row is not None:
                    self._drive(row)
        except Exception as error:
            if not trouble(error):
                raise
            log.warning("operation %s has to wait: %s", id, trouble(error))
            with self._lock:
                self._waiting.add(id)

    @contextmanager
    def _hold(self, id: str) -> Iterator[bool]:
        """Keep the lease of an operation renewed meanwhile; false where another thread holds it already."""
        with self._lock:
            first = not self._mine[id]
            self._mine[id] += 1
        try:
            yield first
        except StoppedError:
            log.info("operation %s waits for the next start", id)
        except LostLeaseError:
            log.warning("operation %s was taken over by another conductor", id)
        finally:
            with self._lock:
                self._mine[id] -= 1
                if not self._mine[id]:
                    del self._mine[id]

    def _lease(self, id: str) -> Leased | None:
        """Take the row; None where it is over, waits for another, or someone else has it."""
        now = self.clock.now()
        mine = {"owner": self.owner, "lease_until": now + LEASE}
        with self.store.write() as db:
            row = _LEASE.row(db, this=id, me=self.owner, now=now, alone=self.alone, **mine)
        return None if row is None else Leased(*row)

    def _drive(self, row: Leased) -> None:
        known = self._known[row.kind]
        run = Drive(self._around, known.operation, known.parts, row)
        with self._lock:
            self._works[row.id] = run.work
        try:
            run.forward(row.step) if row.state != State.UNDOING else run.backward(row.step, row.failure)
        finally:
            with self._lock:
                self._works.pop(row.id, None)
        self._wake_followers(row.id)

    def _wake_followers(self, id: str) -> None:
        """Call what waited for this one; where this one is not over after all, the lease of those says so."""
        with self.store.read() as db:
            waiting = _FOLLOWERS.rows(db, this=id)
        for (follower,) in waiting:
            self.bus.cast(RUN, Run(follower))

    def count_end(self, kind: str, state: State) -> None:
        """An operation ended."""
        with self._lock:
            self.ended[kind, state] += 1

    # -- looking after -----------------------------------------------------------------------------------------

    def _recover(self, *, everything: bool = False) -> None:
        """Wake what nobody drives: lapsed leases, lost messages, what an earlier process left."""
        c = operations.c
        now = self.clock.now()
        idle = sa.true() if everything else sa.and_(c.lease_until < now, c.created_at < now - QUEUED)
        with self.store.read() as db:
            found = db.execute(sa.select(c.id).where(c.state.in_(OPEN), idle)).scalars().all()
        with self._lock:
            unknown = [id for id in found if id not in self._mine]
        for id in unknown:
            self.bus.cast(RUN, Run(id))

    def tick(self) -> None:
        """Renew the leases, take over what lapsed, and fail what is overdue; called every few seconds."""
        now = self.clock.now()
        c = operations.c
        with self._lock:
            mine = list(self._mine)
        with self.store.write() as db:
            if mine:
                db.execute(
                    operations.update().where(c.id.in_(mine), c.owner == self.owner).values(lease_until=now + LEASE)
                )
                told = sa.and_(c.id.in_(mine), c.interrupted_by != "")
                interrupted = db.execute(sa.select(c.id).where(told)).scalars().all()
                self.store.after_commit(lambda: self._tell_interrupted(interrupted))
            late = sa.and_(c.state.in_((State.PENDING, State.RUNNING)), c.deadline < now)
            overdue = db.execute(sa.select(c.id).where(late)).scalars().all()
        self._looked_at = now
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for id in waiting:
            self.bus.cast(RUN, Run(id))
        for id in overdue:
            self._rescue_pool.submit(self._give_up, id)
        self._recover()

    def _give_up(self, id: str) -> None:
        """Undo an overdue operation, whoever still waits in one of its steps."""
        with self._hold(id):
            row = self._lease_overdue(id)
            if row is None:
                return
            known = self._known[row.kind]
            step = known.operation.steps[row.step].name
            refused = OVERDUE(kind=row.kind, within=known.operation.within, step=step)
            Drive(self._around, known.operation, known.parts, row).backward(row.step, failure_of(refused, step))
            self._wake_followers(id)

    def _lease_overdue(self, id: str) -> Leased | None:
        now = self.clock.now()
        with self.store.write() as db:
            row = _LEASE_OVERDUE.row(db, this=id, now=now, owner=self.owner, lease_until=now + LEASE)
        return None if row is None else Leased(*row)

    def _tick_for_ever(self) -> None:
        while not self._stopping.wait(2):
            try:
                self.tick()
            except Exception:
                log.exception("the conductor's look around failed; it goes on")


def _row(id: str, kind: str, context: Context, subject: str, now: Instant) -> dict[str, Any]:
    """A new operation's row; it carries nothing and waits for nothing yet."""
    return {
        "id": id,
        "kind": kind,
        "subject": subject,
        "request_id": context.request_id,
        "project_id": context.project_id,
        "user_id": context.user_id,
        "context": msgspec.structs.replace(context, token=""),
        "state": State.PENDING,
        "step": 0,
        "data": {},
        "after": "",
        "interrupted_by": "",
        "owner": "",
        "epoch": 0,
        "lease_until": 0,
        "deadline": now,
        "created_at": now,
        "updated_at": now,
        "finished_at": None,
        "failure": None,
    }
