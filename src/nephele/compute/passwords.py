"""A server's administrator's password: changed from outside, or told by the guest."""

from nephele.compute import sealing
from nephele.compute.errors import AGENT_DISABLED, NO_AGENT, PASSWORD_FAILED
from nephele.compute.operations.insides import SetPassword
from nephele.compute.servers import Servers
from nephele.compute.virt.errors import AGENT_SILENT
from nephele.kernel.context import Context

FALSE = frozenset({"no", "false", "off", "0"})
PATIENCE = 90.0
"""Seconds that a caller waits for the guest's agent."""


class Passwords:
    """Sets, shows and forgets passwords."""

    def __init__(self, servers: Servers) -> None:
        self.servers, self.store = servers, servers.store

    def change(self, caller: Context, server_id: str, password: str) -> None:
        """Have the guest's agent set its administrator's password, and wait for that.

        Raises AGENT_DISABLED for an image that says that it has none, NO_AGENT where none answers, PASSWORD_FAILED with
        what it said, and what `Servers.command` does.
        """
        with self.store.write():
            server = self.servers.check(caller, server_id, "set_password", spoken="changePassword")
            if server.image.properties.get("hw_qemu_guest_agent", "").lower() in FALSE:
                raise AGENT_DISABLED()
            work = self.servers.accept(caller, server, "set_password", SetPassword(password=password))
        failure = self.servers.engine.wait(work, PATIENCE)
        if failure is not None:
            if failure.code == AGENT_SILENT.code:
                raise NO_AGENT()
            raise PASSWORD_FAILED(server_id=server_id, reason=failure.message)

    def show(self, caller: Context, server_id: str) -> str:
        """The password, sealed; empty where there is none.  Raises SERVER_NOT_FOUND."""
        server = self.servers.show(caller, server_id)
        with self.store.read() as db:
            return sealing.find(db, server.id)

    def clear(self, caller: Context, server_id: str) -> None:
        """Forget it; the guest's own stays as it is.  Raises SERVER_NOT_FOUND."""
        with self.store.write() as db:
            sealing.forget(db, self.servers.show(caller, server_id).id)
