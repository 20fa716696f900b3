"""What a host's network should look like: computed by the server, applied by that host's agent.

`HostWiring` is the whole wanted state of one host.  The agent asks for it, compares it with what the kernel
has, applies the difference and says which ports are wired.  A `changed` message only means "ask again".
"""

from msgspec import Struct

from nephele.kernel.bus import Method


class FixedIp(Struct, frozen=True):
    """An address that a port holds."""

    subnet_id: str
    ip_address: str


class AddressPair(Struct, frozen=True):
    """An address (or CIDR) that a port may send from besides its own; `mac` empty: the port's own."""

    ip_address: str
    mac: str = ""


class WiredSubnet(Struct, frozen=True, kw_only=True):
    """A subnet as DHCP and routers need it."""

    id: str
    cidr: str
    ip_version: int
    gateway_ip: str = ""
    enable_dhcp: bool = True
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[tuple[str, str], ...] = ()
    """(destination, next hop)."""
    ipv6_address_mode: str = ""
    ipv6_ra_mode: str = ""


class DhcpLease(Struct, frozen=True, kw_only=True):
    """Who gets which addresses: one entry for each port of the network."""

    port_id: str
    mac: str
    ips: tuple[FixedIp, ...]
    hostname: str
    options: tuple[tuple[str, str], ...] = ()
    """Extra DHCP options: (name or number, value)."""


class Dhcp(Struct, frozen=True, kw_only=True):
    """The DHCP service of one network on this host; its namespace also answers metadata."""

    port_id: str
    mac: str
    ips: tuple[FixedIp, ...]
    leases: tuple[DhcpLease, ...]
    domain: str = "openstacklocal"


class Tunnel(Struct, frozen=True):
    """Another host that has ports of a network: its tunnel address, and the (mac, ips) behind it."""

    address: str
    neighbours: tuple[tuple[str, tuple[str, ...]], ...] = ()


class WiredNetwork(Struct, frozen=True, kw_only=True):
    """A network that this host takes part in."""

    id: str
    bridge: str
    kind: str
    """`vxlan`, `flat` or `local`."""
    mtu: int
    vni: int = 0
    physical_network: str = ""
    subnets: tuple[WiredSubnet, ...] = ()
    dhcp: Dhcp | None = None
    tunnels: tuple[Tunnel, ...] = ()


class Qos(Struct, frozen=True, kw_only=True):
    """What a port may send (egress) and receive (ingress): bytes and packets a second, 0: any; its mark, -1: its own.

    Bursts are bytes and packets.
    """

    egress_rate: int = 0
    egress_burst: int = 0
    ingress_rate: int = 0
    ingress_burst: int = 0
    egress_packets: int = 0
    egress_packet_burst: int = 0
    ingress_packets: int = 0
    ingress_packet_burst: int = 0
    dscp: int = -1


UNLIMITED = Qos()


class WiredPort(Struct, frozen=True, kw_only=True):
    """A guest's port on this host."""

    id: str
    network_id: str
    tap: str
    mac: str
    fixed_ips: tuple[FixedIp, ...]
    mtu: int
    admin_state_up: bool = True
    port_security: bool = True
    security_groups: tuple[str, ...] = ()
    address_pairs: tuple[AddressPair, ...] = ()
    qos: Qos = UNLIMITED
    parent_tap: str = ""
    """Of a trunk's subport: the tap that carries it, with the tag `vlan`; empty: the port has a tap of its own."""
    vlan: int = 0


class WiredRule(Struct, frozen=True, kw_only=True):
    """A security group rule.

    `protocol` is a name or number, empty for any; the ports are ICMP type and code for ICMP; -1: not given.
    """

    direction: str
    ethertype: str
    protocol: str = ""
    port_min: int = -1
    port_max: int = -1
    remote_cidr: str = ""
    remote_group: str = ""


class WiredGroup(Struct, frozen=True, kw_only=True):
    """A security group that a port of this host uses, or that such a group's rules name as remote."""

    id: str
    stateful: bool
    rules: tuple[WiredRule, ...]
    addresses: tuple[str, ...]
    """The addresses of all its members anywhere, for rules that name it as remote group."""


class RouterInterface(Struct, frozen=True, kw_only=True):
    """A router's leg in a network of a project."""

    port_id: str
    network_id: str
    mac: str
    ips: tuple[FixedIp, ...]


class RouterGateway(Struct, frozen=True, kw_only=True):
    """A router's leg in an external network."""

    port_id: str
    network_id: str
    mac: str
    ips: tuple[FixedIp, ...]
    enable_snat: bool = True


class FloatingIp(Struct, frozen=True, kw_only=True):
    """An external address that leads to an internal one."""

    id: str
    floating_ip: str
    fixed_ip: str
    qos: Qos = UNLIMITED


class PortForwarding(Struct, frozen=True, kw_only=True):
    """One port (or range) of a floating IP that leads to an internal one."""

    id: str
    floating_ip: str
    protocol: str
    external_port: tuple[int, int]
    internal_ip: str
    internal_port: tuple[int, int]


class MeterRule(Struct, frozen=True, kw_only=True):
    """What a meter counts, or leaves out: packets to or from the outside, by the addresses inside and outside."""

    direction: str
    excluded: bool = False
    source: tuple[str, ...] = ()
    destination: tuple[str, ...] = ()


class Meter(Struct, frozen=True, kw_only=True):
    """A metering label of a router."""

    label_id: str
    rules: tuple[MeterRule, ...]


class WiredRouter(Struct, frozen=True, kw_only=True):
    """A router that this host runs."""

    id: str
    admin_state_up: bool
    interfaces: tuple[RouterInterface, ...]
    gateway: RouterGateway | None = None
    floating_ips: tuple[FloatingIp, ...] = ()
    port_forwardings: tuple[PortForwarding, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    """Extra routes: (destination, next hop)."""
    meters: tuple[Meter, ...] = ()


class HostWiring(Struct, frozen=True, kw_only=True):
    """Everything that should be on one host."""

    host: str
    revision: int
    """Grows with every change; what was applied last is reported back with it."""
    networks: tuple[WiredNetwork, ...] = ()
    ports: tuple[WiredPort, ...] = ()
    groups: tuple[WiredGroup, ...] = ()
    routers: tuple[WiredRouter, ...] = ()


class AskWiring(Struct, frozen=True):
    """Which host asks."""

    host: str


class WiringApplied(Struct, frozen=True, kw_only=True):
    """What a host's agent has done: the ports now wired, and those it could not wire, with the reason.

    Guests' ports, DHCP servers' and routers' are named alike.  A port named in neither stays as it was: a simulated
    host reports only the ports that it was just asked for, with revision 0.
    """

    host: str
    revision: int
    wired: tuple[str, ...]
    failed: dict[str, str] = {}


class Metered(Struct, frozen=True):
    """What a label has counted."""

    label_id: str
    packets: int
    bytes: int


class MeteredReport(Struct, frozen=True):
    """What a host has counted since its last report."""

    host: str
    counted: tuple[Metered, ...]


class MetadataAsk(Struct, frozen=True, kw_only=True):
    """A guest's request for metadata, as seen by the proxy in a DHCP or router namespace."""

    host: str
    path: str
    guest_ip: str
    network_id: str = ""
    router_id: str = ""
    method: str = "GET"
    body: bytes = b""


class MetadataAnswer(Struct, frozen=True, kw_only=True):
    """What to tell the guest."""

    status: int
    content_type: str = "text/plain; charset=UTF-8"
    body: bytes = b""


ASK_WIRING = Method("network.ask_wiring", AskWiring, HostWiring)
WIRING_APPLIED = Method("network.wiring_applied", WiringApplied, type(None))
WIRING_CHANGED = Method("network_agent.wiring_changed", AskWiring, type(None))
"""Served by each host's agent; cast to it whenever what it should have may have changed."""
METERED = Method("network.metered", MeteredReport, type(None))
ASK_METADATA = Method("compute.ask_metadata", MetadataAsk, MetadataAnswer)
