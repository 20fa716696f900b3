"""Names of what we make: by them it is known as ours, found again and removed.

A link's name has at most 15 characters: a prefix of three and the first eleven of the id.
"""

import re

DHCP_LINK = "dhcp0"
METADATA_ADDRESS = "169.254.169.254"
TABLE = "nephele"
"""The name of all our nftables tables."""

OUR_LINK = re.compile(r"(nbr|nvx|ndh|nrt|nph|npb|nsp)[0-9a-f-]{1,12}")
"""Links in a host's namespace that are ours: bridges, VXLANs, ends of veth pairs, subports."""


def vxlan(network_id: str) -> str:
    """The tunnel device of a network."""
    return "nvx" + network_id[:11]


def bridge_mac(network_id: str) -> str:
    """A locally administered address for the network's bridge."""
    return "02:6e:" + bytes.fromhex(network_id.replace("-", "")[:8]).hex(":")


def dhcp_veth(network_id: str) -> str:
    """The bridge's end of the link to a DHCP namespace."""
    return "ndh" + network_id[:11]


def router_veth(port_id: str) -> str:
    """The bridge's end of the link to a router namespace."""
    return "nrt" + port_id[:11]


def router_leg(port_id: str) -> str:
    """The router's end of a link to a project's network."""
    return "in-" + port_id[:11]


def router_gateway(port_id: str) -> str:
    """The router's end of the link to an external network."""
    return "gw-" + port_id[:11]


def provider_host_leg(network_id: str) -> str:
    """The host's own foot in a provider network."""
    return "nph" + network_id[:11]


def provider_bridge_leg(network_id: str) -> str:
    """The bridge's end of the link to the host's foot, or to an existing bridge."""
    return "npb" + network_id[:11]


def space_prefix(host_netns: str) -> str:
    """What the namespaces of a host's routers and DHCP servers begin with."""
    return (host_netns or "nephele") + "."


def dhcp_space(prefix: str, network_id: str) -> str:
    """The namespace of a network's DHCP server."""
    return f"{prefix}dhcp-{network_id}"


def router_space(prefix: str, router_id: str) -> str:
    """A router's namespace."""
    return f"{prefix}router-{router_id}"


def is_our_space(prefix: str, name: str) -> bool:
    """Whether a namespace belongs to the host with that prefix."""
    return name.startswith((f"{prefix}dhcp-", f"{prefix}router-"))
