"""The network service: what other domains may ask of it, in the name of a caller."""

from collections.abc import Callable, Sequence
from typing import Literal

from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.network import placing, servers
from nephele.network.messages import (
    ALLOCATE_PORTS,
    RELEASE_PORTS,
    AllocatePorts,
    BoundPorts,
    NicRequest,
    ReleasePorts,
)
from nephele.network.policy import RULES
from nephele.network.security_groups import resolve_groups
from nephele.network.servers import ServerPort
from nephele.network.wiring import ASK_WIRING, WIRING_APPLIED, AskWiring, HostWiring, WiringApplied
from nephele.network.work import Core, Settings

Verify = Callable[[str], Context]
SERVICE = Context(request_id="", roles=frozenset({"admin"}))
"""The caller of what the service does on its own account."""


class Networks:
    """Networks, ports, security groups, routers, and the wiring of hosts.

    Args:
        store: the database.
        bus: where agents ask and are told.
        clock: the time.
        ids: new ids.
        policy: the rules; None: upstream's defaults.
        settings: what the operator chose.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        ids: Ids,
        policy: Policy | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.core = Core(store, bus, clock, ids, policy or Policy(RULES), settings or Settings())

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        return self.core.policy

    def serve(self, bus: Bus, verify: Verify) -> None:
        """Answer the agents: `verify` turns the token in a message into its caller."""

        def allocate(ask: AllocatePorts) -> BoundPorts:
            with self.core.writing(verify(ask.token)) as work:
                return BoundPorts(servers.allocate_ports(work, ask))

        def release(ask: ReleasePorts) -> None:
            with self.core.writing(verify(ask.token)) as work:
                servers.release_ports(work, ask.server_id)

        bus.serve(ALLOCATE_PORTS, allocate)
        bus.serve(RELEASE_PORTS, release)
        bus.serve(ASK_WIRING, self.wiring)
        bus.serve(WIRING_APPLIED, self.applied)

    # What Compute asks when it accepts a request.

    def check_nics(
        self, context: Context, nics: Sequence[NicRequest] | Literal["auto", "none"], count: int = 1
    ) -> tuple[NicRequest, ...]:
        """What a launch of `count` servers asked for, with defaults filled in; see `servers.check_nics`."""
        with self.core.reading(context) as work:
            return servers.check_nics(work, nics, count)

    def resolve_security_groups(self, context: Context, names_or_ids: Sequence[str]) -> tuple[str, ...]:
        """Ids of the caller's security groups.  Raises GROUP_NOT_FOUND or GROUP_AMBIGUOUS."""
        with self.core.writing(context) as work:
            return resolve_groups(work, names_or_ids)

    def ports_of_servers(self, server_ids: Sequence[str]) -> dict[str, list[ServerPort]]:
        """The ports of each of these servers, in a fixed number of queries."""
        if not server_ids:
            return {}
        with self.core.reading(SERVICE) as work:
            return servers.ports_of_servers(work, server_ids)

    def find_server_by_address(
        self, address: str, *, network_id: str = "", router_id: str = ""
    ) -> tuple[str, str] | None:
        """(server, project) behind an address as seen from a network or a router; None: nobody's."""
        with self.core.reading(SERVICE) as work:
            return servers.find_server(work, address, network_id, router_id)

    def release(self, server_id: str) -> None:
        """Unbind a server's ports and remove those made for it.  Idempotent."""
        with self.core.writing(SERVICE) as work:
            servers.release_ports(work, server_id)

    # Hosts.

    def register_agent(
        self,
        host: str,
        kind: str,
        settings: dict[str, object] | None = None,
        roles: tuple[str, ...] = placing.ROLES,
        address: str = "",
    ) -> None:
        """A host's agent has come; see `placing.register_agent`.  Hosts of kind `sim` never get wiring."""
        with self.core.writing(SERVICE) as work:
            placing.register_agent(work, host, kind, settings or {}, roles, address)

    def heartbeat(self, host: str) -> None:
        """A host's agent is alive."""
        with self.core.writing(SERVICE) as work:
            placing.heartbeat(work, host)

    def wiring(self, ask: AskWiring) -> HostWiring:
        """What should be on a host."""
        from nephele.network.host_wiring import host_wiring

        with self.core.reading(SERVICE) as work:
            return host_wiring(work, ask.host)

    def applied(self, report: WiringApplied) -> None:
        """What a host's agent did: ports become ACTIVE, or say why they are not."""
        from nephele.network.host_wiring import record_applied

        with self.core.writing(SERVICE) as work:
            record_applied(work, report)
