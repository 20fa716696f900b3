"""Floating IPs as other parts of the cloud ask for them, in the name of a caller."""

from nephele.kernel.context import Context
from nephele.network import server_addresses
from nephele.network.floating_ips import FLOATING_IPS, NewFloatingIp, create_floating_ip, delete_floating_ip
from nephele.network.model import FloatingAddress
from nephele.network.work import Core


class FloatingIps:
    """Floating IPs of projects, and the servers that they lead to."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def pools(self, context: Context) -> list[tuple[str, str]]:
        """(id, name) of the external networks, which floating IPs come from."""
        with self.core.reading(context) as work:
            return server_addresses.pools(work)

    def list_all(self, context: Context) -> list[FloatingAddress]:
        """Those of the caller's project."""
        with self.core.reading(context) as work:
            return server_addresses.mine(work)

    def get(self, context: Context, floating_id: str) -> FloatingAddress:
        """One.  Raises FLOATING_NOT_FOUND."""
        with self.core.reading(context) as work:
            return FLOATING_IPS.get(work, floating_id)

    def of_address(self, context: Context, address: str) -> FloatingAddress:
        """The one with that address.  Raises FLOATING_NOT_FOUND."""
        with self.core.reading(context) as work:
            return server_addresses.of_address(work, address)

    def create(self, context: Context, network_id: str) -> FloatingAddress:
        """A new one.  Raises OVER_QUOTA, NO_ADDRESS_LEFT."""
        with self.core.writing(context) as work:
            work.enforce("create_floatingip")
            return create_floating_ip(work, NewFloatingIp(project_id=work.me, floating_network_id=network_id))

    def delete(self, context: Context, floating_id: str) -> None:
        """Give one back.  Raises FLOATING_NOT_FOUND."""
        with self.core.writing(context) as work:
            delete_floating_ip(work, FLOATING_IPS.get(work, floating_id))

    def lead_to(self, context: Context, address: str, server_id: str, fixed_address: str) -> None:
        """Lead one to a server's address.  Raises as `server_addresses.lead_to`."""
        with self.core.writing(context) as work:
            server_addresses.lead_to(work, address, server_id, fixed_address)

    def lead_nowhere(self, context: Context, address: str) -> None:
        """Let one lead to no server.  Raises FLOATING_NOT_FOUND."""
        with self.core.writing(context) as work:
            server_addresses.lead_nowhere(work, server_addresses.of_address(work, address))
