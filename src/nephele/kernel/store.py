"""The database: many readers, one writer, short transactions.

`read()` gives a connection for queries; `write()` gives one inside a transaction that commits when
the block ends and rolls back when it raises.  Both are re-entrant in a thread: a `write()` inside
a `write()` joins the outer transaction, and a `read()` inside a `write()` sees what was written.
So one domain's service can be called in the middle of another's transaction and all of it is
accepted or none.  Never wait for anything (bus, hypervisor, file) inside a `write()`.

SQLite runs in WAL mode with `BEGIN IMMEDIATE`, one writer per process and as many held connections as
ever read at once; PostgreSQL uses SQLAlchemy's pool.
"""

import errno
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool, StaticPool

metadata = sa.MetaData()
"""All tables of all domains."""


PREPARED = 1024
"""Statements that each SQLite connection keeps prepared; the cloud has some hundreds, Python's default is 128."""


class Json(sa.types.TypeDecorator[Any]):
    """A column that holds a value as JSON text, typed where a type is given."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: Any = Any) -> None:
        super().__init__()
        self.kind = kind
        self.decode: Callable[[str], Any] = msgspec.json.Decoder(kind).decode
        self._encode = msgspec.json.Encoder(order="deterministic").encode

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], str | None]:
        encode = self._encode
        return lambda value: None if value is None else encode(value).decode()

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[str | None], Any]:
        """One call for each value, where TypeDecorator's own way makes three."""
        decode = self.decode
        return lambda value: None if value is None else decode(value)


class _Thread(threading.local):
    writer: sa.Connection | None = None
    reader: sa.Connection | None = None
    after_commit: list[Callable[[], None]]


_PASSING = ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_READONLY")
"""Errors of SQLite that are not the statement's fault."""


def trouble(error: BaseException) -> str:
    """Why the database or the disk could not do its work just now; empty where `error` is about something else."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return str(cause.strerror)
    if isinstance(cause, sqlite3.OperationalError):
        return str(cause) if cause.sqlite_errorname.startswith(_PASSING) else ""
    if isinstance(error, sa.exc.DBAPIError) and (
        error.connection_invalidated or isinstance(error, sa.exc.OperationalError)
    ):
        return str(cause).strip()
    return ""


class Store:
    """One database, shared by all threads of this process.

    Args:
        url: an SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://…`.
    """

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._thread = _Thread()
        self._write_lock = threading.Lock()
        self._readers: list[sa.Connection] = []
        self._idle: list[sa.Connection] = []
        if self.is_sqlite:
            self._reading = self._sqlite_engine(read_only=True)
            self._writing = self._sqlite_engine(read_only=False)
            self._held_writer = self._writing.connect()
        else:
            self._writing = sa.create_engine(self.url, pool_size=20, max_overflow=40, pool_pre_ping=True)
            self._reading = self._writing.execution_options(isolation_level="AUTOCOMMIT")

    def _sqlite_engine(self, *, read_only: bool) -> sa.Engine:
        """Connections whose transactions SQLAlchemy leaves alone: `_Writing` begins and ends them."""
        engine = sa.create_engine(
            self.url,
            connect_args={
                "check_same_thread": False,
                "timeout": 30,
                "isolation_level": None,
                "cached_statements": PREPARED,
            },
            poolclass=NullPool if read_only else StaticPool,
        )

        def configure(connection: Any, _record: object) -> None:
            for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            if read_only:
                connection.execute("PRAGMA query_only=ON")

        event.listen(engine, "connect", configure)
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def is_writing(self) -> bool:
        """Whether this thread is inside a `write()`: what it reads may still be rolled back."""
        return self._thread.writer is not None

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A connection to query with; inside a `write()`, that transaction's own."""
        thread = self._thread
        if thread.writer is not None:
            return nullcontext(thread.writer)
        if not self.is_sqlite:
            return self._reading.connect()
        return _Reading(self) if thread.reader is None else nullcontext(thread.reader)

    def _take_reader(self) -> sa.Connection:
        """A connection that nobody reads with now: there are as many as ever read at once, not one for each thread."""
        try:
            return self._idle.pop()
        except IndexError:
            reader = self._reading.connect()
            self._readers.append(reader)
            return reader

    def write(self) -> AbstractContextManager[sa.Connection]:
        """A connection inside a transaction; joins the transaction that this thread is in."""
        thread = self._thread
        return _Writing(self) if thread.writer is None else nullcontext(thread.writer)

    def _transaction(self) -> AbstractContextManager[sa.Connection]:
        return _Immediate(self._write_lock, self._held_writer) if self.is_sqlite else self._writing.begin()

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run `callback` once the transaction that this thread is in has committed; never if it rolls back."""
        if self._thread.writer is None:
            callback()
        else:
            self._thread.after_commit.append(callback)

    def lock(self, key: str) -> None:
        """Inside a `write()`: no other transaction gets past `lock(key)` until this one ends.

        What is counted or checked before it is written (quotas, the last address of a pool) takes this first.
        """
        if self._thread.writer is None:
            raise RuntimeError("lock() outside of a write()")
        if not self.is_sqlite:
            taken = sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0)))
            self._thread.writer.execute(taken)

    def close(self) -> None:
        """Give every connection back."""
        for reader in self._readers:
            reader.close()
        if self.is_sqlite:
            self._held_writer.close()
        self._reading.dispose()
        self._writing.dispose()


class _Reading:
    """The outermost `read()` of a thread on SQLite."""

    __slots__ = ("_connection", "_store")

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> sa.Connection:
        self._connection = self._store._thread.reader = self._store._take_reader()
        return self._connection

    def __exit__(self, *_error: object) -> None:
        thread = self._store._thread
        if thread.reader is self._connection:  # else a generator was closed by another thread: its own keeps it
            thread.reader = None
            self._store._idle.append(self._connection)


class _Writing:
    """The outermost `write()` of a thread."""

    __slots__ = ("_callbacks", "_store", "_transaction")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._transaction = store._transaction()
        self._callbacks: list[Callable[[], None]] = []

    def __enter__(self) -> sa.Connection:
        connection = self._transaction.__enter__()
        thread = self._store._thread
        thread.writer, thread.after_commit = connection, self._callbacks
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store._thread.writer = None
        self._transaction.__exit__(kind, error, trace)
        if kind is None:
            for callback in self._callbacks:
                callback()


class _Immediate:
    """A transaction on SQLite's one writing connection; the lock keeps the other threads out meanwhile."""

    __slots__ = ("_connection", "_lock", "_raw")

    def __init__(self, lock: threading.Lock, connection: sa.Connection) -> None:
        self._lock, self._connection = lock, connection
        self._raw: Any = connection.connection.dbapi_connection

    def __enter__(self) -> sa.Connection:
        self._lock.acquire()
        try:
            self._raw.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._raw.execute("COMMIT")
        finally:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
            self._lock.release()
