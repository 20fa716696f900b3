"""Why a port could not be wired."""

from nephele.kernel.errors import Error

PORT_NOT_HERE = Error(
    "network_agent.port_not_here",
    409,
    "Port {port_id} is not bound to host {host}.",
    "See where the port is bound: `openstack port show`.",
)
PORT_NOT_WIRED = Error(
    "network_agent.port_not_wired",
    500,
    "Port {port_id} could not be wired on host {host}: {reason}",
    "The reason names what the host's kernel or programs refused.",
)
WIRING_TIMED_OUT = Error(
    "network_agent.wiring_timed_out",
    504,
    "Host {host} did not wire its ports within {timeout:g} s.",
    "See the network agent's log on that host.",
)
AGENT_STOPPED = Error("network_agent.stopped", 503, "The network agent of host {host} is stopping.")
RULES_REFUSED = Error(
    "network_agent.rules_refused",
    500,
    "nft refused the rules of {space}: {reason}",
    "The host may lack a kernel module: nf_tables, nf_conntrack, nft_ct, nft_nat, br_netfilter.",
)
NO_BRIDGE_FILTER = Error(
    "network_agent.no_bridge_filter",
    500,
    "The kernel of {space} can't filter bridged traffic.",
    "Load the module br_netfilter.",
)
DHCP_NOT_STARTED = Error(
    "network_agent.dhcp_not_started", 500, "dnsmasq did not start: {reason}", "See the files in the agent's run folder."
)
NO_PHYSICAL_NETWORK = Error(
    "network_agent.no_physical_network",
    409,
    "Host has no link to physical network {name!r}.",
    "Name its interface in the host's provider settings.",
)
NO_TUNNELS = Error(
    "network_agent.no_tunnels",
    409,
    "Host has no tunnel address, but the network reaches to {others} other hosts.",
    "Set the host's tunnel address.",
)
UNKNOWN_KIND = Error("network_agent.unknown_kind", 409, "Networks of type {kind} can't be wired on this host.")
