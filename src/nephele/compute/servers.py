"""Servers as their users see and command them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute import rows
from nephele.compute.errors import LOCKED, NOT_READY, SERVER_NOT_FOUND, TOO_MANY_ITEMS, WRONG_STATE
from nephele.compute.lifecycle import LIFE
from nephele.compute.model import BlockDevice, Server, Task, Vm
from nephele.compute.operations.delete import DELETE, Delete
from nephele.compute.operations.life import ServerData
from nephele.compute.pictures import PICTURE, AttachedVolume, Picture
from nephele.compute.quotas import UNLIMITED, ComputeQuotas
from nephele.compute.states import States
from nephele.compute.tables import block_devices, servers
from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock, Instant, seconds
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store
from nephele.web.paging import MARKER_NOT_FOUND, Page, paged

SORTABLE: dict[str, sa.ColumnElement[Any]] = {
    "id": servers.c.id,
    "uuid": servers.c.id,
    "created_at": servers.c.created_at,
    "updated_at": servers.c.updated_at,
    "launched_at": servers.c.launched_at,
    "terminated_at": servers.c.terminated_at,
    "display_name": servers.c.name,
    "display_description": servers.c.description,
    "host": servers.c.host,
    "hostname": servers.c.hostname,
    "node": servers.c.node,
    "availability_zone": servers.c.availability_zone,
    "image_ref": servers.c.image_id,
    "key_name": servers.c.key_name,
    "launch_index": servers.c.launch_index,
    "locked": servers.c.locked,
    "locked_by": servers.c.locked_by,
    "power_state": servers.c.power_state,
    "progress": servers.c.progress,
    "project_id": servers.c.project_id,
    "root_device_name": servers.c.root_device_name,
    "task_state": servers.c.task_state,
    "user_id": servers.c.user_id,
    "vm_state": servers.c.vm_state,
    "access_ip_v4": servers.c.access_ip_v4,
    "access_ip_v6": servers.c.access_ip_v6,
    "config_drive": servers.c.config_drive,
}
"""What a listing may be sorted by."""


_PICTURE = Statement(
    sa.select(*PICTURE).where(
        servers.c.id == sa.bindparam("server"),
        servers.c.deleted_at.is_(None),
        sa.or_(servers.c.project_id == sa.bindparam("project"), sa.bindparam("everyones", type_=sa.Boolean)),
    )
)
_NEWEST = Statement(
    sa.select(*PICTURE)
    .where(servers.c.project_id == sa.bindparam("project"), servers.c.deleted_at.is_(None))
    .order_by(servers.c.created_at.desc(), servers.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_ATTACHED = Statement(
    sa.select(block_devices.c.server_id, block_devices.c.volume_id, block_devices.c.delete_on_termination)
    .where(block_devices.c.server_id.in_(sa.bindparam("servers", expanding=True)), block_devices.c.volume_id != "")
    .order_by(block_devices.c.device_name)
)
_VOLUMES = Statement(
    block_devices.select()
    .where(block_devices.c.server_id.in_(sa.bindparam("servers", expanding=True)), block_devices.c.volume_id != "")
    .order_by(block_devices.c.device_name)
)
NEED_NO_HOST = frozenset({Vm.SHELVED_OFFLOADED})
"""VM states in which a server is on no host and takes commands all the same."""
NEEDS_NO_HOST = frozenset({"delete", "soft_delete", "restore"})
"""Commands that a server takes that never came to a host."""
SPARE_THE_LOCK = frozenset({"snapshot", "backup"})
"""Commands that a locked server takes: they change nothing of it."""
Order = TypeVar("Order", bound=m.Command)
Delegate = Callable[[Context, str, Instant], str]
"""Makes a token of a caller, for one server, until an instant."""


class Servers:
    """All servers.

    Args:
        store: the database.
        bus: the way to a server's host.
        clock: time.
        engine: takes the work.
        quotas: limits of metadata.
        delegate: makes a token for the work on one server.
    """

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, engine: Engine, quotas: ComputeQuotas, delegate: Delegate
    ) -> None:
        self.store, self.bus, self.clock, self.engine, self.quotas = store, bus, clock, engine, quotas
        self.states = States(clock)
        self._delegate = delegate

    # -- looking -----------------------------------------------------------------------------------------------

    def show(self, caller: Context, server_id: str) -> Server:
        """A server that the caller may see.  Raises SERVER_NOT_FOUND, for those of other projects too."""
        with self.store.read() as db:
            server = rows.server_row(db, server_id)
        if server.deleted_at is not None or not (caller.is_admin or server.project_id == caller.project_id):
            raise SERVER_NOT_FOUND(server_id=server_id)
        return server

    def list_page(
        self, columns: Sequence[sa.ColumnElement[Any]], wanted: Sequence[sa.ColumnElement[bool]], page: Page
    ) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        """These columns of a page of the servers that fulfil all conditions.  Raises MARKER_NOT_FOUND."""
        with self.store.read() as db:
            marker = None
            if page.marker:
                marker = db.execute(servers.select().where(servers.c.id == page.marker)).one_or_none()
                if marker is None:
                    raise MARKER_NOT_FOUND(marker=page.marker)
            return db.execute(paged(sa.select(*columns).where(*wanted), page, SORTABLE, marker)).all()

    def picture(self, caller: Context, server_id: str) -> Picture:
        """The picture of a server that the caller may see.  Raises SERVER_NOT_FOUND, for others' servers too."""
        with self.store.read() as db:
            row = _PICTURE.row(db, server=server_id, project=caller.project_id, everyones=caller.is_admin)
        if row is None:
            raise SERVER_NOT_FOUND(server_id=server_id)
        return Picture(*row)

    def newest(self, project_id: str, limit: int) -> list[Picture]:
        """The latest servers of a project: what most listings ask for, by a statement that is made once."""
        with self.store.read() as db:
            return [Picture._make(row) for row in _NEWEST.rows(db, project=project_id, most=limit)]

    def attached(self, server_ids: Collection[str]) -> dict[str, tuple[AttachedVolume, ...]]:
        """What some servers show of their volumes, by device name; those without a volume are not in the answer."""
        found: dict[str, tuple[AttachedVolume, ...]] = {}
        with self.store.read() as db:
            for server_id, *shown in _ATTACHED.rows(db, servers=list(server_ids)):
                found[server_id] = (*found.get(server_id, ()), AttachedVolume(*shown))
        return found

    def volumes(self, server_ids: Collection[str]) -> dict[str, list[BlockDevice]]:
        """The block devices of some servers that are volumes, by device name."""
        found: dict[str, list[BlockDevice]] = {server_id: [] for server_id in server_ids}
        with self.store.read() as db:
            for device in map(rows.block_device, _VOLUMES.rows(db, servers=list(server_ids))):
                found[device.server_id].append(device)
        return found

    # -- commanding --------------------------------------------------------------------------------------------

    def command(
        self, caller: Context, server_id: str, command: str, data: ServerData | None = None, *, spoken: str = ""
    ) -> None:
        """Accept a command of the server's life; it begins when what runs on the server already is over.

        Args:
            caller: who commands.
            server_id: which server.
            command: a row of `LIFE`.
            data: what the operation carries.
            spoken: how the API calls the command, where not so.

        Raises LOCKED, NOT_READY where it is on no host, or WRONG_STATE naming the command and the state; nothing
        changes then.
        """
        with self.store.write():
            server = self.check(caller, server_id, command, spoken=spoken)
            self.accept(caller, server, command, data)

    def check(self, caller: Context, server_id: str, command: str, *, spoken: str = "") -> Server:
        """Inside a `write()`: the server, if the command may begin now.  Raises as `command` does."""
        self.store.lock(f"server:{server_id}")
        server = self.show(caller, server_id)
        if command not in SPARE_THE_LOCK:
            self.check_lock(caller, server)
        self._check_state(server, command, spoken or command)
        return server

    def accept(self, caller: Context, server: Server, command: str, data: ServerData | None = None) -> str:
        """Inside the `write()` that checked it: begin a command; the id of its operation."""
        data = data or ServerData()
        data.was, data.host = server.vm_state, data.host or server.host
        shows = LIFE[command].shows
        with self.store.write() as db:
            after = self._make_way(caller, server, command)
            if shows:
                self.states.show(db, server.id, shows, deleting=command == DELETE.kind)
            return self.engine.begin(command, data, caller, server.id, after=after)

    def delete(self, caller: Context, server_id: str) -> None:
        """Delete from whatever state; what runs on the server is interrupted.  Asked twice, it is done once."""
        with self.store.write():
            server = self.check(caller, server_id, DELETE.kind)
            if server.task_state == Task.DELETING and DELETE.kind in self.engine.running(server.id):
                return
            self.accept(caller, server, DELETE.kind, Delete())

    def _make_way(self, caller: Context, server: Server, command: str) -> str:
        """Interrupt what the command may interrupt; the operation after which it begins."""
        during = LIFE[command].activities
        if Task.DELETING not in during and server.task_state not in during - {Task.NONE}:
            return self.engine.last_on(server.id)
        return self.interrupt(caller, server, command)

    def interrupt(self, caller: Context, server: Server, command: str) -> str:
        """Inside a `write()`: have what runs on the server give way to a command; the operation to wait for."""
        running = self.engine.interrupt(server.id, command)
        if running and server.host:
            stop = m.Interrupt(server.id, caller.request_id)
            self.store.after_commit(lambda: self.bus.cast(m.INTERRUPT, stop, at=server.host))
        return running

    def update(self, caller: Context, server_id: str, **values: Any) -> Server:
        """Change what may be changed of a server: its name, description, addresses, metadata, tags, lock."""
        with self.store.write() as db:
            server = self.show(caller, server_id)
            if "metadata" in values:
                self.check_metadata(server.project_id, values["metadata"])
            db.execute(servers.update().where(servers.c.id == server.id).values(updated_at=self.clock.now(), **values))
            return rows.server_row(db, server_id)

    def mark_volume(self, caller: Context, server_id: str, volume_id: str, *, delete_on_termination: bool) -> None:
        """Say whether a volume goes with the server.  Raises SERVER_NOT_FOUND, LOCKED."""
        c = block_devices.c
        with self.store.write() as db:
            server = self.show(caller, server_id)
            self.check_lock(caller, server)
            mine = block_devices.update().where(c.server_id == server.id, c.volume_id == volume_id)
            db.execute(mine.values(delete_on_termination=delete_on_termination))

    def console(self, caller: Context, server_id: str, lines: int) -> bytes:
        """The last lines of the guest's console; 0: all that is kept.  Raises WRONG_STATE where it has no host."""
        server = self.show(caller, server_id)
        if not server.host:
            raise WRONG_STATE(
                command="os-getConsoleOutput", server_id=server.id, attribute="vm_state", value=server.vm_state
            )
        order = self.order(caller, server, m.ReadConsole, lines=lines)
        return self.bus.call(m.READ_CONSOLE, order, at=server.host, timeout=20).output

    def order(self, caller: Context, server: Server, of: type[Order], **fields: Any) -> Order:
        """A command to the server's host that begins no operation."""
        now = self.clock.now()
        return of(
            id="",
            expires_at=now + seconds(20),
            server_id=server.id,
            request_id=caller.request_id,
            token=self._delegate(caller, server.id, now + seconds(60)),
            sent_at=now,
            **fields,
        )

    def check_idle(self, server: Server, command: str) -> None:
        """Raise WRONG_STATE while something is being done to the server."""
        if server.task_state != Task.NONE:
            raise WRONG_STATE(
                command=command, server_id=server.id, attribute="task_state", value=str(server.task_state)
            )

    def _check_state(self, server: Server, command: str, spoken: str) -> None:
        move = LIFE[command]
        if server.vm_state not in move.states:
            raise WRONG_STATE(command=spoken, server_id=server.id, attribute="vm_state", value=str(server.vm_state))
        if server.task_state not in move.activities:
            self.check_idle(server, spoken)
        if not server.host and server.vm_state not in NEED_NO_HOST and command not in NEEDS_NO_HOST:
            raise NOT_READY(server_id=server.id)

    @staticmethod
    def check_lock(caller: Context, server: Server) -> None:
        """Raise LOCKED for one that is locked, unless an administrator asks."""
        if server.locked and not caller.is_admin:
            raise LOCKED(server_id=server.id)

    def check_metadata(self, project_id: str, metadata: dict[str, str]) -> None:
        """Refuse more metadata than a server of the project may have.  Raises TOO_MANY_ITEMS."""
        limit = self.quotas.limits(project_id)["metadata_items"]
        if limit != UNLIMITED and len(metadata) > limit:
            raise TOO_MANY_ITEMS(what="metadata items", limit=limit)
