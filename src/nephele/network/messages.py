"""What a compute agent asks of Neutron over the bus, with the user's token."""

from msgspec import Struct

from nephele.kernel.bus import Method
from nephele.kernel.trace import Span
from nephele.network.wiring import FixedIp


class NicRequest(Struct, frozen=True, kw_only=True):
    """One network interface that a launch asked for: an existing port, or a new one on a network."""

    network_id: str = ""
    port_id: str = ""
    fixed_ip: str = ""
    tag: str = ""


class AllocatePorts(Struct, frozen=True, kw_only=True):
    """Make (or take) and bind the ports of a server on a host.

    Idempotent: ports that the server already has are bound and returned, not made again.
    `security_groups` are ids and count for new ports only; none: the project's default group.
    """

    token: str
    request_id: str
    server_id: str
    host: str
    availability_zone: str
    hostname: str
    nics: tuple[NicRequest, ...]
    security_groups: tuple[str, ...] = ()


class BoundPort(Struct, frozen=True, kw_only=True):
    """A port, bound to a host: what the hypervisor plugs in."""

    port_id: str
    network_id: str
    network_name: str
    mac: str
    fixed_ips: tuple[FixedIp, ...]
    bridge: str
    tap: str
    mtu: int
    tag: str = ""
    created: bool = True
    """Whether it was made for this server, and so goes with it."""


class BoundPorts(Struct, frozen=True):
    """A server's ports, in the order they were asked for."""

    ports: tuple[BoundPort, ...]
    spans: tuple[Span, ...] = ()


class ReleasePorts(Struct, frozen=True, kw_only=True):
    """Unbind a server's ports; those made for it are deleted.  Idempotent."""

    token: str
    request_id: str
    server_id: str


class AgentReport(Struct, frozen=True, kw_only=True):
    """A host's network agent is there: `kind` is `sim`, or what it wires with; `address` where its tunnels end."""

    host: str
    kind: str
    address: str = ""


class AgentsAlive(Struct, frozen=True):
    """Network agents that are alive."""

    hosts: tuple[str, ...]


ALLOCATE_PORTS = Method("network.allocate_ports", AllocatePorts, BoundPorts)
RELEASE_PORTS = Method("network.release_ports", ReleasePorts, type(None))
REPORT_AGENT = Method("network.report_agent", AgentReport, type(None))
AGENTS_ALIVE = Method("network.agents_alive", AgentsAlive, type(None))
