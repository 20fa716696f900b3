"""Migrations: the record of every move of a server from host to host, and of every change of its size."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from nephele.compute.errors import MIGRATION_NOT_FOUND
from nephele.compute.model import OPEN_MOVES, BlockDevice, FlavorInfo, Migration, MoveStatus, MoveType, Server
from nephele.compute.tables import migrations
from nephele.kernel.clock import Clock, Instant
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store
from nephele.web.paging import MARKER_NOT_FOUND

_c = migrations.c
_IS_OPEN = _c.status.in_(sorted(OPEN_MOVES))
_OPEN_OF = Statement(migrations.select().where(_c.server_id == sa.bindparam("server"), _IS_OPEN).order_by(_c.id.desc()))


class Migrations:
    """All migrations.

    Args:
        store: where they are.
        clock: time.
        ids: their uuids.
    """

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self.store, self.clock, self.ids = store, clock, ids

    def begin(
        self,
        caller: Context,
        server: Server,
        kind: MoveType,
        status: MoveStatus,
        *,
        flavor: FlavorInfo | None = None,
        disks: tuple[BlockDevice, ...] = (),
    ) -> Migration:
        """Inside the `write()` that accepts it: a new migration from where the server is; `flavor` if it changes."""
        now = self.clock.now()
        values: dict[str, Any] = {
            "uuid": self.ids.uuid(),
            "server_id": server.id,
            "type": kind,
            "status": status,
            "source_host": server.host,
            "source_node": server.node,
            "dest_host": "",
            "dest_node": "",
            "dest_zone": "",
            "dest_ip": "",
            "old_flavor": server.flavor,
            "new_flavor": flavor or server.flavor,
            "old_vm_state": server.vm_state,
            "old_disks": disks,
            "project_id": caller.project_id,
            "user_id": caller.user_id,
            "confirm_at": None,
            "created_at": now,
            "updated_at": now,
        }
        with self.store.write() as db:
            number = db.execute(migrations.insert().values(**values).returning(_c.id)).scalar_one()
        return Migration(id=number, **values)

    def update(self, number: int, **values: Any) -> None:
        """Note how far it is."""
        with self.store.write() as db:
            mine = migrations.update().where(_c.id == number)
            db.execute(mine.values(updated_at=self.clock.now(), **values))

    def advance(self, number: int, status: MoveStatus, *, unless: Iterable[MoveStatus] = ()) -> bool:
        """Move on to `status`; False where it is at one of `unless`, and stays there."""
        with self.store.write() as db:
            mine = migrations.update().where(_c.id == number, _c.status.not_in(list(unless)))
            return db.execute(mine.values(updated_at=self.clock.now(), status=status)).rowcount > 0

    def show(self, number: int) -> Migration:
        """One migration.  Raises MIGRATION_NOT_FOUND."""
        with self.store.read() as db:
            row = db.execute(migrations.select().where(_c.id == number)).one_or_none()
        if row is None:
            raise MIGRATION_NOT_FOUND(migration_id=number, server_id="")
        return migration(row)

    def of_server(self, server_id: str, number: str) -> Migration:
        """A server's migration by its number, or (where that is none) its uuid.  Raises MIGRATION_NOT_FOUND."""
        key = _c.id == int(number) if number.isdecimal() and len(number) < 10 else _c.uuid == number
        with self.store.read() as db:
            row = db.execute(migrations.select().where(key, _c.server_id == server_id)).one_or_none()
        if row is None:
            raise MIGRATION_NOT_FOUND(migration_id=number, server_id=server_id)
        return migration(row)

    def open_of(self, server_id: str) -> Migration | None:
        """The server's migration that is not over, if it has one."""
        with self.store.read() as db:
            row = _OPEN_OF.row(db, server=server_id)
        return None if row is None else migration(row)

    def all_open(self) -> list[Migration]:
        """Every migration that is not over."""
        with self.store.read() as db:
            return [migration(row) for row in db.execute(migrations.select().where(_IS_OPEN).order_by(_c.id))]

    def due(self, now: Instant) -> list[Migration]:
        """Resizes that are to confirm themselves now."""
        late = sa.and_(_c.status == MoveStatus.FINISHED, _c.confirm_at <= now)
        with self.store.read() as db:
            return [migration(row) for row in db.execute(migrations.select().where(late).order_by(_c.confirm_at))]

    def complete_evacuations(self, host: str) -> None:
        """A host is back and has removed what was evacuated from it."""
        with self.store.write() as db:
            mine = sa.and_(_c.type == MoveType.EVACUATION, _c.status == MoveStatus.DONE, _c.source_host == host)
            done = migrations.update().where(mine)
            db.execute(done.values(status=MoveStatus.COMPLETED, updated_at=self.clock.now()))

    def list_page(self, wanted: Iterable[sa.ColumnElement[bool]], *, limit: int | None, marker: str) -> list[Migration]:
        """Those that fulfil all conditions: the newest first where paged, else the oldest.  Raises MARKER_NOT_FOUND."""
        query = migrations.select().where(*wanted)
        with self.store.read() as db:
            if marker:
                last = db.execute(sa.select(_c.created_at, _c.id).where(_c.uuid == marker)).one_or_none()
                if last is None:
                    raise MARKER_NOT_FOUND(marker=marker)
                query = query.where(sa.tuple_(_c.created_at, _c.id) < sa.tuple_(*last))
            if limit is None:
                query = query.order_by(_c.id)
            else:
                query = query.order_by(_c.created_at.desc(), _c.id.desc()).limit(limit)
            return [migration(row) for row in db.execute(query)]


def migration(row: Iterable[Any]) -> Migration:
    """A row of `migrations`."""
    return Migration(**dict(zip(Migration.__struct_fields__, row, strict=True)))
