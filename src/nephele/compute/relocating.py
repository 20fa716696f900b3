"""Accepting live migrations and evacuations."""

import logging

from msgspec import structs

from nephele.compute import errors as e
from nephele.compute.conductor import Conductor
from nephele.compute.hosts import Hosts
from nephele.compute.messages import moving as mv
from nephele.compute.migrations import Migrations
from nephele.compute.model import Migration, MoveStatus, MoveType, Server, Task, Vm
from nephele.compute.operations.evacuate import Evacuation
from nephele.compute.operations.live_migrate import LiveMigration
from nephele.compute.placing import host_request
from nephele.compute.scheduler.messages import SELECT_HOST
from nephele.compute.servers import Servers
from nephele.compute.virt.driver import Sent
from nephele.compute.virt.errors import NOTHING_SENT
from nephele.kernel.bus import Method
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused

log = logging.getLogger(__name__)
WAITING = (MoveStatus.ACCEPTED, MoveStatus.QUEUED, MoveStatus.PREPARING)
"""Statuses of a live migration whose guest does not move yet."""
IN_PROGRESS = (MoveStatus.QUEUED, MoveStatus.PREPARING, MoveStatus.RUNNING, MoveStatus.POST_MIGRATING)
"""Statuses in which the API shows a live migration as in progress."""


class Relocating:
    """nova-api's part of moves of running servers, and of those whose host is down.

    Args:
        servers: where commands are accepted.
        migrations: the record of moves.
        hosts: the hosts that there are.
        conductor: the way to the scheduler and to hosts.
    """

    def __init__(self, servers: Servers, migrations: Migrations, hosts: Hosts, conductor: Conductor) -> None:
        self.servers, self.migrations, self.hosts, self.conductor = servers, migrations, hosts, conductor
        self.store = servers.store

    # -- live --------------------------------------------------------------------------------------------------

    def live_migrate(
        self, caller: Context, server_id: str, *, host: str = "", forced: bool = False, checked: bool
    ) -> None:
        """Move a server while it runs.

        Args:
            caller: who commands.
            server_id: which server.
            host: where to; empty: wherever it fits.
            forced: the host is not checked but for room.
            checked: refuse now what no host could take; else that ends the operation.

        Raises as `Servers.command`, and MOVE_HOST_NOT_FOUND; if `checked` LIVE_TO_ITSELF, HOST_UNAVAILABLE,
        NO_HOST_FOR_MOVE.
        """
        server = self.servers.show(caller, server_id)
        if host and host not in self.hosts.compute_hosts():
            raise e.MOVE_HOST_NOT_FOUND(host=host)
        if checked:
            with self.store.write():
                server = self.servers.check(caller, server_id, "live_migrate", spoken="os-migrateLive")
            self._check_destination(server, host, forced=forced)
        with self.store.write():
            server = self.servers.check(caller, server_id, "live_migrate", spoken="os-migrateLive")
            move = self.migrations.begin(caller, server, MoveType.LIVE, MoveStatus.QUEUED)
            exclude = (server.host,)
            data = LiveMigration(migration=move.id, want_host=host, exclude=exclude, forced=forced and bool(host))
            self.servers.accept(caller, server, "live_migrate", data)

    def _check_destination(self, server: Server, host: str, *, forced: bool) -> None:
        if host == server.host:
            raise e.LIVE_TO_ITSELF(server_id=server.id, host=host)
        for end in (server.host, host):
            if end and not self.hosts.host_is_up(end):
                raise e.HOST_UNAVAILABLE(host=end)
        if not forced:
            group, devices = self.conductor.membership(server), self.conductor.devices(server.id)
            ask = host_request(server, devices, group, host=host, exclude=(server.host,))
            found = self.conductor.bus.call(SELECT_HOST, structs.replace(ask, dry_run=True))
            if not found.host:
                assert found.decision is not None, "a dry run has its decision"
                raise e.NO_HOST_FOR_MOVE(reason=found.decision.summary())

    def in_progress(self, caller: Context, server_id: str) -> list[Migration]:
        """The live migrations of a server that are under way.  Raises SERVER_NOT_FOUND."""
        self.servers.show(caller, server_id)
        move = self.migrations.open_of(server_id)
        return [move] if move is not None and is_live(move) and move.status in IN_PROGRESS else []

    def show(self, caller: Context, server_id: str, number: str) -> Migration:
        """One that is under way.  Raises SERVER_NOT_FOUND, MIGRATION_NOT_FOUND, …_NOT_LIVE, …_NOT_IN_PROGRESS."""
        self.servers.show(caller, server_id)
        move = self.migrations.of_server(server_id, number)
        if not is_live(move):
            raise e.MIGRATION_NOT_LIVE(migration_id=number, server_id=server_id)
        if move.status not in IN_PROGRESS:
            raise e.MIGRATION_NOT_IN_PROGRESS(migration_id=number, server_id=server_id)
        return move

    def progress(self, move: Migration) -> Sent | None:
        """How far a live migration is, as its source says; None where nothing moves, or it does not answer."""
        if move.status != MoveStatus.RUNNING:
            return None
        try:
            ask = mv.Sending(move.server_id)
            return self.conductor.bus.call(mv.ASK_PROGRESS, ask, at=move.source_host, timeout=2).sent
        except Refused as refused:
            log.info("the progress of migration %s is not known: %s", move.uuid, refused.message)
            return None

    def force_complete(self, caller: Context, server_id: str, number: str) -> None:
        """Bring a live migration to its end, at the guest's cost.

        Raises SERVER_NOT_FOUND, LOCKED, WRONG_STATE, MIGRATION_NOT_FOUND, MIGRATION_WRONG_STATE.
        """
        server = self._migrating(caller, server_id, "force_complete", {Vm.ACTIVE})
        move = self.migrations.of_server(server_id, number)
        if move.status != MoveStatus.RUNNING:
            raise _wrong(move, number, "force complete")
        self._tell(server, mv.FINISH_SENDING, _wrong(move, number, "force complete"))
        self._note(caller, server_id, "live_migration_force_complete")

    def abort(self, caller: Context, server_id: str, number: str, *, waiting: bool) -> None:
        """Stop a live migration: the server runs on where it is.  One that did not begin yet, if `waiting`.

        Raises SERVER_NOT_FOUND, LOCKED, WRONG_STATE, MIGRATION_NOT_FOUND, MIGRATION_WRONG_STATE.
        """
        with self.store.write():
            server = self._migrating(caller, server_id, "abort live migration", set(Vm))
            move = self.migrations.of_server(server_id, number)
            if waiting and move.status in WAITING:
                self.migrations.update(move.id, status=MoveStatus.CANCELLED)
                self._note(caller, server_id, "live_migration_cancel")
                return
        if move.status != MoveStatus.RUNNING:
            raise _wrong(move, number, "abort live migration")
        self._tell(server, mv.STOP_SENDING, _wrong(move, number, "abort live migration"))
        self._note(caller, server_id, "live_migration_cancel")

    def _tell(self, server: Server, what: Method[mv.Sending, None], otherwise: Refused) -> None:
        """Tell the host that sends the guest; one that does not send it, not yet or not any more, is `otherwise`."""
        try:
            self.conductor.bus.call(what, mv.Sending(server.id), at=server.host)
        except Refused as refused:
            raise (otherwise if refused.error == NOTHING_SENT else refused) from None

    def _note(self, caller: Context, server_id: str, kind: str) -> None:
        """Keep it among what was done to the server."""
        with self.store.write():
            self.servers.engine.note(kind, caller, server_id, event=kind.replace("live", "compute_live"))

    def _migrating(self, caller: Context, server_id: str, command: str, states: set[Vm]) -> Server:
        server = self.servers.show(caller, server_id)
        self.servers.check_lock(caller, server)
        for attribute, value, fine in (
            ("vm_state", server.vm_state, server.vm_state in states),
            ("task_state", server.task_state, server.task_state == Task.MIGRATING),
        ):
            if not fine:
                raise e.WRONG_STATE(
                    command=command, server_id=server.id, attribute=attribute, value=str(value) or "None"
                )
        return server

    # -- from hosts that are down ------------------------------------------------------------------------------

    def evacuate(
        self, caller: Context, server_id: str, *, host: str = "", forced: bool = False, stopped: bool = False
    ) -> None:
        """Build a server anew on another host; its own must be down.

        Args:
            caller: who commands.
            server_id: which server.
            host: where to; empty: wherever it fits.
            forced: the host is not checked but for room.
            stopped: it stays off there, whatever it was.

        Raises as `Servers.command`, and EVACUATE_HOST_NOT_FOUND, EVACUATE_SAME_HOST, HOST_STILL_UP.
        """
        server = self.servers.show(caller, server_id)
        if host and host not in self.hosts.compute_hosts():
            raise e.EVACUATE_HOST_NOT_FOUND(host=host)
        if host and host == server.host:
            raise e.EVACUATE_SAME_HOST()
        with self.store.write():
            server = self.servers.check(caller, server_id, "evacuate")
            if self.hosts.host_is_up(server.host):
                raise e.HOST_STILL_UP(host=server.host)
            move = self.migrations.begin(caller, server, MoveType.EVACUATION, MoveStatus.ACCEPTED)
            run = not stopped and server.vm_state != Vm.STOPPED
            exclude = (server.host,)
            data = Evacuation(migration=move.id, want_host=host, exclude=exclude, forced=forced and bool(host), run=run)
            self.servers.accept(caller, server, "evacuate", data)


def _wrong(move: Migration, number: str, method: str) -> Refused:
    return e.MIGRATION_WRONG_STATE(migration_id=number, server_id=move.server_id, state=move.status, method=method)


def is_live(move: Migration) -> bool:
    """Whether it is the migration of a running server."""
    return move.type == MoveType.LIVE
