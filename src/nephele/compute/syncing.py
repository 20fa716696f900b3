"""A guest that was started past the cloud, and whose server is stopped, is stopped again, as upstream does."""

import logging

from nephele.compute.model import Task, Vm
from nephele.compute.operations.power import Power
from nephele.compute.rows import server_row
from nephele.compute.servers import Servers
from nephele.compute.states import IS_ON
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids

SHUT_DOWN_WITHIN = 10
"""Seconds that such a guest, which may not be up yet, has to shut down."""
log = logging.getLogger(__name__)


class Syncing:
    """Makes hypervisors follow servers, where servers don't follow them."""

    def __init__(self, servers: Servers, ids: Ids) -> None:
        self.servers, self.store, self.ids = servers, servers.store, ids

    def turn_off(self, server_id: str) -> None:
        """Stop a server that is stopped, and whose guest runs."""
        with self.store.write() as db:
            self.store.lock(f"server:{server_id}")
            server = server_row(db, server_id)
            if (server.vm_state, server.task_state) != (Vm.STOPPED, Task.NONE) or server.power_state not in IS_ON:
                return
            log.warning(
                "the guest of server %s, which is stopped, was started past the cloud: it is stopped", server_id
            )
            who = Context(
                request_id=f"req-{self.ids.uuid()}",
                user_id=server.user_id,
                project_id=server.project_id,
                roles=frozenset({"member", "reader"}),
            )
            self.servers.accept(who, server, "stop", Power(timeout=SHUT_DOWN_WITHIN))
