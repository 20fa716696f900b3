"""Soft deletes: accepted, taken back, and made real when their time is over."""

import logging
import threading

from nephele.compute import reclaim_rows
from nephele.compute.model import Server, Task, Vm
from nephele.compute.operations.delete import DELETE, Delete
from nephele.compute.operations.soft_delete import Restore, SoftDelete
from nephele.compute.quotas import ComputeQuotas
from nephele.compute.servers import Servers
from nephele.kernel.clock import SECOND, Clock, seconds
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused

log = logging.getLogger(__name__)
LOOK_EVERY = 5.0
"""Seconds between two looks at what is due, at most."""


class Reclaiming:
    """What `DELETE /servers/{id}` means: the end at once, or later.

    Args:
        servers: what is deleted.
        quotas: asked before a server comes back.
        clock: time.
        after: seconds from a soft delete to the real one; 0: servers are deleted at once.
    """

    def __init__(self, servers: Servers, quotas: ComputeQuotas, clock: Clock, after: int) -> None:
        self.servers, self.store, self.quotas, self.clock, self.after = servers, servers.store, quotas, clock, after
        self._stopping = threading.Event()

    def delete(self, caller: Context, server_id: str) -> None:
        """Delete a server, softly where that is set and the server has ever run."""
        with self.store.write():
            server = self.servers.check(caller, server_id, "soft_delete", spoken="delete")
            if not self.after or server.launched_at is None:
                self.servers.delete(caller, server_id)
            elif server.vm_state != Vm.SOFT_DELETED and server.task_state not in (Task.SOFT_DELETING, Task.DELETING):
                due_at = self.clock.now() + seconds(self.after)
                self.servers.accept(caller, server, "soft_delete", SoftDelete(due_at=due_at))

    def restore(self, caller: Context, server_id: str) -> None:
        """Bring a softly deleted server back.  Raises QUOTA_EXCEEDED, and what `Servers.command` does."""
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, "restore")
            self.quotas.check_servers(server.project_id, 1, server.vcpus, server.ram)
            waiting = reclaim_rows.find(db, server.id)
            before = waiting.was if waiting else Vm.ACTIVE
            self.servers.accept(caller, server, "restore", Restore(before=before))

    def start(self) -> None:
        """Look after what is due, until `stop`."""
        threading.Thread(target=self._look_for_ever, name="reclaim", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def reclaim(self) -> int:
        """Begin the deletes that are due; how many."""
        with self.store.read() as db:
            found = reclaim_rows.due(db, self.clock.now())
        return sum(self._end(one) for one in found)

    def _end(self, one: reclaim_rows.Reclaim) -> bool:
        """Delete one server; what is being done to it is over before that, or it is looked at again later."""
        with self.store.write() as db:
            self.store.lock(f"server:{one.server_id}")
            server = self._waiting(one)
            if server is not None and server.task_state != Task.NONE:
                return False
            reclaim_rows.forget(db, one.server_id)
            if server is not None:
                self.servers.accept(one.context, server, DELETE.kind, Delete())
            return server is not None

    def _waiting(self, one: reclaim_rows.Reclaim) -> Server | None:
        try:
            server = self.servers.show(one.context, one.server_id)
        except Refused:
            return None
        return server if server.vm_state == Vm.SOFT_DELETED else None

    def _look_for_ever(self) -> None:
        while not self._stopping.wait(self._pause()):
            try:
                self.reclaim()
            except Exception:
                log.exception("the look for servers to reclaim failed; it goes on")

    def _pause(self) -> float:
        """Seconds until the next server is due."""
        with self.store.read() as db:
            due_at = reclaim_rows.next_due(db)
        if due_at is None:
            return LOOK_EVERY
        return min(LOOK_EVERY, max((due_at - self.clock.now()) / SECOND, 0.05))
