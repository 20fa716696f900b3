"""The network service: what other domains may ask of it, in the name of a caller."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Literal

import sqlalchemy as sa

from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.kernel.trace import Recorder
from nephele.network import placing, server_addresses, servers, tables
from nephele.network.floating_service import FloatingIps
from nephele.network.group_service import SecurityGroups
from nephele.network.messages import (
    AGENTS_ALIVE,
    ALLOCATE_PORTS,
    RELEASE_PORTS,
    REPORT_AGENT,
    AllocatePorts,
    BoundPort,
    BoundPorts,
    NicRequest,
    ReleasePorts,
)
from nephele.network.metering import add_counts
from nephele.network.model import Network, ServerPort, ShownAddress, Subnet
from nephele.network.networks import NETWORKS
from nephele.network.policy import RULES, SCOPES
from nephele.network.ports import remove_ports
from nephele.network.security_groups import resolve_groups
from nephele.network.seed import FirstNetworks, seed
from nephele.network.subnets import SUBNETS
from nephele.network.wiring import (
    ASK_WIRING,
    METERED,
    WIRING_APPLIED,
    AskWiring,
    HostWiring,
    MeteredReport,
    WiringApplied,
)
from nephele.network.work import Core, PortGone, Settings

log = logging.getLogger(__name__)
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
        self.core = Core(store, bus, clock, ids, policy or Policy(RULES, SCOPES), settings or Settings())
        self.core.started_at = clock.now()
        self.groups = SecurityGroups(self.core)
        self.floating_ips = FloatingIps(self.core)

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        return self.core.policy

    def serve(self, bus: Bus, verify: Verify) -> None:
        """Answer the agents: `verify` turns the token in a message into its caller."""

        def allocate(ask: AllocatePorts) -> BoundPorts:
            trace = Recorder()
            with trace.span("neutron", "validates the token, allocates and binds the ports", 15) as span:
                caller = verify(ask.token)
                with self.core.writing(caller) as work:
                    ports = servers.allocate_ports(work, ask)
                span.detail["user"] = caller.user_name
                span.detail["macs"] = [port.mac for port in ports]
                span.detail["addresses"] = [fixed.ip_address for port in ports for fixed in port.fixed_ips]
            return BoundPorts(ports, trace.take())

        def release(ask: ReleasePorts) -> None:
            with self.core.writing(verify(ask.token)) as work:
                servers.release_ports(work, ask.server_id)

        bus.serve(ALLOCATE_PORTS, allocate)
        bus.serve(RELEASE_PORTS, release)
        bus.serve(REPORT_AGENT, lambda report: self.register_agent(report.host, report.kind, address=report.address))
        bus.serve(AGENTS_ALIVE, lambda alive: self.heartbeat(alive.hosts))
        bus.serve(ASK_WIRING, self.wiring)
        bus.serve(WIRING_APPLIED, self.applied)
        bus.serve(METERED, self.metered)

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

    def shown_addresses(self, server_ids: Sequence[str]) -> dict[str, tuple[ShownAddress, ...]]:
        """What these servers show of their ports, in one query; those without a port are not in the answer."""
        if not server_ids:
            return {}
        with self.core.reading(SERVICE) as work:
            return servers.shown_addresses(work, server_ids)

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

    def unbind(self, server_id: str) -> None:
        """Take a server's ports from its host; they stay the server's.  Idempotent."""
        with self.core.writing(SERVICE) as work:
            servers.unbind_ports(work, server_id)

    def attach_port(self, context: Context, ask: AllocatePorts) -> BoundPort:
        """Bind one more port to a server, in the caller's name (the message's token is not used)."""
        with self.core.writing(context) as work:
            return servers.attach_port(work, ask)

    def detach_port(self, server_id: str, port_id: str) -> None:
        """Take one port from a server; one that was made for it is removed.  Idempotent."""
        with self.core.writing(SERVICE) as work:
            servers.detach_port(work, server_id, port_id)

    def add_address(self, port_id: str) -> None:
        """Give a port one more address.  Raises NO_ADDRESS_LEFT, NETWORK_WITHOUT_SUBNET."""
        with self.core.writing(SERVICE) as work:
            server_addresses.add_address(work, port_id)

    def remove_address(self, port_id: str, address: str) -> None:
        """Take an address from a port."""
        with self.core.writing(SERVICE) as work:
            server_addresses.remove_address(work, port_id, address)

    def tell_when_gone(self, tell: PortGone) -> None:
        """Have `tell` called when a user deletes a server's port, in the transaction that does."""
        self.core.port_gone = tell

    def subnets(self, ids: Collection[str]) -> dict[str, Subnet]:
        """Subnets by id."""
        with self.core.reading(SERVICE) as work:
            return {subnet.id: subnet for subnet in SUBNETS.where(work, tables.subnets.c.id.in_(ids))}

    def visible(self, context: Context) -> list[Network]:
        """The networks of the caller's project, and those that are shared with it."""
        with self.core.reading(context) as work:
            rows = work.db.execute(sa.select(tables.networks).where(NETWORKS.visible), {"me": work.me}).all()
            return NETWORKS.read(work, rows)

    def mtus(self, ids: Collection[str]) -> dict[str, int]:
        """The MTUs of networks, by network id."""
        with self.core.reading(SERVICE) as work:
            return {network.id: network.mtu for network in NETWORKS.where(work, tables.networks.c.id.in_(ids))}

    def server_ports(self) -> list[tuple[str, str]]:
        """(port, server) of every port that belongs to a server."""
        with self.core.reading(SERVICE) as work:
            return servers.server_ports(work)

    def servers_with_address(self, pattern: str) -> sa.Select[tuple[str]]:
        """The ids of servers that have a fixed address matching a regular expression, as a subquery."""
        return servers.servers_with_address(pattern)

    def remove_port(self, port_id: str) -> None:
        """Remove a port that no server owns any more.  Nothing there: nothing done."""
        with self.core.writing(SERVICE) as work:
            remove_ports(work, [port_id])

    def seed(self, admin_project: str, demo_project: str, first: FirstNetworks | None = None) -> None:
        """What a new cloud has: `public`, and the demo project's `private` with a router between; idempotent."""
        with self.core.writing(SERVICE) as work:
            seed(work, admin_project, demo_project, first or FirstNetworks())

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

    def heartbeat(self, hosts: Sequence[str]) -> None:
        """The agents of these hosts are alive; what others, silent for too long, did for networks goes to them."""
        with self.core.writing(SERVICE) as work:
            placing.heartbeat(work, hosts)
            left = placing.leave_dead_hosts(work)
        if left:
            log.warning("routers and DHCP services left %s, of which nothing was heard for a while", ", ".join(left))

    def wiring(self, ask: AskWiring) -> HostWiring:
        """What should be on a host."""
        from nephele.network.host_wiring import host_wiring

        with self.core.reading(SERVICE) as work:
            wiring = host_wiring(work, ask.host)
        with self.core.writing(SERVICE) as work:
            placing.heartbeat(work, (ask.host,))
        return wiring

    def metered(self, report: MeteredReport) -> None:
        """What a host's routers have counted since it said so last."""
        with self.core.writing(SERVICE) as work:
            add_counts(work, report.counted)

    def applied(self, report: WiringApplied) -> None:
        """What a host's agent did: ports become ACTIVE, or say why they are not."""
        from nephele.network.host_wiring import record_applied

        with self.core.writing(SERVICE) as work:
            record_applied(work, report)
