"""Saying by hand what state a server is in."""

from nephele.compute import reclaim_rows
from nephele.compute.model import Vm
from nephele.compute.operations.delete import DELETE
from nephele.compute.operations.reset import Reset
from nephele.compute.servers import Servers
from nephele.kernel.context import Context


class Resetting:
    """What `os-resetState` does."""

    def __init__(self, servers: Servers) -> None:
        self.servers, self.store = servers, servers.store

    def reset(self, caller: Context, server_id: str, vm_state: Vm) -> None:
        """Put a server into a state, whatever it is in, with nothing being done to it.

        What runs on it is interrupted, and the state said once more when that is over; a delete goes on to its end.
        Raises SERVER_NOT_FOUND.
        """
        with self.store.write() as db:
            self.store.lock(f"server:{server_id}")
            server = self.servers.show(caller, server_id)
            self.servers.states.say(db, server.id, vm_state)
            reclaim_rows.forget(db, server.id)
            running = self.servers.engine.running(server.id)
            if not running or DELETE.kind in running:
                self.servers.engine.note("reset_state", caller, server.id)
            else:
                after = self.servers.interrupt(caller, server, "reset_state")
                self.servers.engine.begin("reset_state", Reset(becomes=vm_state), caller, server.id, after=after)
