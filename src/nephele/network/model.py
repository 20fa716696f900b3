"""What the network service speaks of: each a Struct whose first fields are its table's columns, in their order."""

from enum import StrEnum
from ipaddress import ip_network
from typing import NamedTuple

from msgspec import Struct

from nephele.kernel.clock import Instant
from nephele.network.wiring import FixedIp

DNS_DOMAIN = "openstacklocal."
"""What guests' names end with."""
MECHANISM = "linux-bridge"
"""What plugs ports."""


def bridge_name(network_id: str) -> str:
    """The bridge of a network on a host: at most 15 characters, as Linux wants it."""
    return "nbr" + network_id[:11]


def tap_name(port_id: str) -> str:
    """The tap device of a port."""
    return "tap" + port_id[:11]


def subport_name(port_id: str) -> str:
    """What a host calls a port that another one's tap carries."""
    return "nsp" + port_id[:11]


class Status(StrEnum):
    """Whether a resource works now."""

    ACTIVE = "ACTIVE"
    DOWN = "DOWN"
    DEGRADED = "DEGRADED"
    BUILD = "BUILD"
    ERROR = "ERROR"


class Owner(StrEnum):
    """`device_owner` of ports that the network service made for itself."""

    DHCP = "network:dhcp"
    ROUTER_INTERFACE = "network:router_interface"
    ROUTER_GATEWAY = "network:router_gateway"
    FLOATING_IP = "network:floatingip"
    SUBPORT = "trunk:subport"


class Pool(Struct, frozen=True):
    """A range of addresses, both ends included."""

    start: str
    end: str


class HostRoute(Struct, frozen=True):
    """A route that DHCP hands out or that a router has."""

    destination: str
    nexthop: str


class Pair(Struct, frozen=True):
    """An address (or CIDR) that a port may also use."""

    ip_address: str
    mac_address: str


class DhcpOption(Struct, frozen=True):
    """One DHCP option of a port, besides what its subnet gives."""

    opt_name: str
    opt_value: str
    ip_version: int = 4


class Resource(Struct, frozen=True):
    """What all resources have.

    `revision_number` grows with each change; times are instants.
    """

    id: str
    project_id: str
    description: str
    tags: tuple[str, ...]
    revision_number: int
    created_at: Instant
    updated_at: Instant


class Network(Resource, frozen=True):
    """An L2 domain. `shared` is as this caller sees it."""

    name: str
    admin_state_up: bool
    status: str
    mtu: int
    kind: str
    physical_network: str | None
    segmentation_id: int | None
    external: bool
    is_default: bool
    port_security_enabled: bool
    dns_domain: str
    availability_zone_hints: tuple[str, ...]
    qos_policy_id: str | None = None
    subnets: tuple[str, ...] = ()
    shared: bool = False
    ipv4_address_scope: str | None = None
    ipv6_address_scope: str | None = None


class Subnet(Resource, frozen=True):
    """A range of addresses on a network."""

    name: str
    network_id: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    ipv6_ra_mode: str | None
    ipv6_address_mode: str | None
    dns_nameservers: tuple[str, ...]
    host_routes: tuple[HostRoute, ...]
    allocation_pools: tuple[Pool, ...]
    service_types: tuple[str, ...]
    subnetpool_id: str | None
    dns_publish_fixed_ip: bool

    @property
    def is_automatic(self) -> bool:
        """Whether addresses follow from the MAC (SLAAC), not from the pools."""
        return self.ipv6_address_mode in ("slaac", "dhcpv6-stateless")


class Port(Resource, frozen=True):
    """A connection point of a network."""

    name: str
    network_id: str
    mac_address: str
    admin_state_up: bool
    status: str
    device_id: str
    device_owner: str
    port_security_enabled: bool
    host: str
    vif_type: str
    vnic_type: str
    profile: dict[str, object]
    dns_name: str
    address_pairs: tuple[Pair, ...]
    dhcp_options: tuple[DhcpOption, ...]
    propagate_uplink_status: bool
    failure: str
    made_by_compute: bool
    place: int
    """Which of its server's interfaces it is, from 0."""
    qos_policy_id: str | None = None
    fixed_ips: tuple[FixedIp, ...] = ()
    security_groups: tuple[str, ...] = ()
    qos_network_policy_id: str | None = None

    @property
    def vif_details(self) -> dict[str, object]:
        """What a hypervisor needs to plug it in, or why there is nothing to plug into."""
        why = {"mechanism": MECHANISM, "reason": self.failure} if self.failure else {}
        if self.vif_type == "bridge":
            return {"port_filter": True, "connectivity": "l2", "bridge_name": bridge_name(self.network_id), **why}
        return dict(why)

    @property
    def dns_assignment(self) -> list[dict[str, str]]:
        """The names that the network's DHCP service gives its addresses."""
        return [
            {
                "ip_address": ip.ip_address,
                "hostname": (name := self.hostname(ip.ip_address)),
                "fqdn": f"{name}.{DNS_DOMAIN}",
            }
            for ip in self.fixed_ips
        ]

    def hostname(self, address: str) -> str:
        """The name of the host with this address: its own, or one made of the address."""
        return self.dns_name or "host-" + address.replace(".", "-").replace(":", "-")


class SecurityRule(Resource, frozen=True):
    """What a security group lets through."""

    security_group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None
    belongs_to_default_sg: bool = False

    @property
    def normalized_cidr(self) -> str | None:
        """`remote_ip_prefix` with its host bits cleared."""
        return str(ip_network(self.remote_ip_prefix, strict=False)) if self.remote_ip_prefix else None


class SecurityGroup(Resource, frozen=True):
    """A set of rules that ports share."""

    name: str
    stateful: bool
    rules: tuple[SecurityRule, ...] = ()
    shared: bool = False


class Gateway(Struct, frozen=True):
    """A router's way out."""

    network_id: str
    external_fixed_ips: tuple[FixedIp, ...]
    enable_snat: bool


class Router(Resource, frozen=True):
    """Joins subnets, and leads out through its gateway."""

    name: str
    admin_state_up: bool
    status: str
    host: str
    enable_snat: bool
    routes: tuple[HostRoute, ...]
    availability_zone_hints: tuple[str, ...]
    gateway_port_id: str | None
    external_gateway_info: Gateway | None = None

    @property
    def distributed(self) -> bool:
        """Whether it runs on every host that has a port behind it: routers here run on one host."""
        return False

    @property
    def ha(self) -> bool:
        """Whether a second host stands by for it: it is moved instead."""
        return False


class PortForwarding(Resource, frozen=True):
    """One port, or a range, of a floating IP that leads to an internal one."""

    floatingip_id: str
    internal_port_id: str
    internal_ip_address: str
    protocol: str
    external_port_first: int
    external_port_last: int
    internal_port_first: int
    internal_port_last: int


class FloatingAddress(Resource, frozen=True):
    """An address of an external network that leads to a port."""

    floating_network_id: str
    floating_ip_address: str
    floating_port_id: str
    port_id: str | None
    fixed_ip_address: str | None
    router_id: str | None
    status: str
    dns_name: str
    dns_domain: str
    qos_policy_id: str | None = None
    port_details: dict[str, object] | None = None
    port_forwardings: tuple[dict[str, object], ...] = ()


class AddressScope(Resource, frozen=True):
    """Where addresses are unique."""

    name: str
    ip_version: int
    shared: bool = False


class SubnetPool(Resource, frozen=True):
    """Prefixes that subnets are cut from."""

    name: str
    ip_version: int
    prefixes: tuple[str, ...]
    default_prefixlen: int
    min_prefixlen: int
    max_prefixlen: int
    default_quota: int | None
    is_default: bool
    address_scope_id: str | None
    shared: bool = False


class AddressGroup(Resource, frozen=True):
    """Addresses that rules name as one."""

    name: str
    addresses: tuple[str, ...]
    shared: bool = False


class QosRule(Struct, frozen=True):
    """One rule of a QoS policy: `amount` and `burst` are kbit/s, or thousands of packets a second; a DSCP mark."""

    id: str
    policy_id: str
    kind: str
    direction: str
    """`ingress` or `egress` as the guest sees it; empty where there is none."""
    amount: int
    burst: int


class QosPolicy(Resource, frozen=True):
    """Limits and marks for ports."""

    name: str
    is_default: bool
    rules: tuple[QosRule, ...] = ()
    shared: bool = False


class SubPort(Struct, frozen=True):
    """A port that another one carries, by the tag of its packets."""

    port_id: str
    segmentation_type: str
    segmentation_id: int


class Trunk(Resource, frozen=True):
    """A port that carries others; `status` follows from theirs."""

    name: str
    admin_state_up: bool
    port_id: str
    sub_ports: tuple[SubPort, ...] = ()
    status: str = Status.DOWN


class Segment(Resource, frozen=True):
    """What carries a network."""

    name: str | None
    network_id: str
    network_type: str
    physical_network: str | None
    segmentation_id: int | None


class DefaultRule(Resource, frozen=True):
    """A rule that new security groups begin with: each project's default one, or all others, or both."""

    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None
    used_in_default_sg: bool
    used_in_non_default_sg: bool


class MeteringLabel(Resource, frozen=True):
    """What is counted together: for the routers of its project, or (shared) of all."""

    name: str
    shared: bool


class MeteringRule(Resource, frozen=True):
    """What a label counts, or leaves out; `remote_ip_prefix` is, as upstream has it, on the inner side."""

    metering_label_id: str
    direction: str
    excluded: bool
    remote_ip_prefix: str | None
    source_ip_prefix: str | None
    destination_ip_prefix: str | None


class RbacPolicy(Resource, frozen=True):
    """Lets another project (`*`: every one) use a resource."""

    object_type: str
    object_id: str
    action: str
    target_tenant: str


class Agent(Struct, frozen=True):
    """One role of the agent on a host."""

    id: str
    host: str
    kind: str
    role: str
    admin_state_up: bool
    description: str
    settings: dict[str, object]
    address: str
    created_at: Instant
    started_at: Instant
    heartbeat_at: Instant


class PortAddress(Struct, frozen=True):
    """An address of a server's port, with the floating IP that leads to it (empty: none)."""

    subnet_id: str
    ip_address: str
    floating_ip: str = ""


class ShownAddress(NamedTuple):
    """One row of what a server shows of its ports: each address of a port with each of its security groups."""

    port_id: str
    network_name: str
    mac: str
    ip_address: str | None
    floating_ip: str | None
    security_group: str | None
    """Its name."""


class ServerPort(Struct, frozen=True, kw_only=True):
    """A port as a server shows it."""

    id: str
    network_id: str
    network_name: str
    mac: str
    status: str
    addresses: tuple[PortAddress, ...]
    security_groups: tuple[str, ...]
    """Names."""
    host: str = ""
    failure: str = ""
    created: bool = True
