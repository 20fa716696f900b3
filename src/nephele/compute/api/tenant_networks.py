"""`/os-tenant-networks` and `/os-networks`: a project's networks in Nova's words, for clients older than 2.36."""

from typing import TYPE_CHECKING, Any

from nephele.kernel.errors import Error
from nephele.network.model import Network
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

_OLD_WORDS = ["cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6"]
_ADMINS_WORDS = [
    "created_at",
    "updated_at",
    "deleted_at",
    "deleted",
    "injected",
    "bridge",
    "vlan",
    "vpn_public_address",
    "vpn_public_port",
    "vpn_private_address",
    "dhcp_start",
    "project_id",
    "host",
    "bridge_interface",
    "multi_host",
    "priority",
    "rxtx_base",
    "mtu",
    "dhcp_server",
    "enable_dhcp",
    "share_address",
]
NETWORK_NOT_FOUND = Error("compute.network_not_found", 404, "Network not found")


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """All that the caller's servers may use."""
    return {"networks": [_view(network) for network in compute.networks.visible(call.context)]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of them."""
    for network in compute.networks.visible(call.context):
        if network.id == call.path["network_id"]:
            return {"network": _view(network)}
    raise NETWORK_NOT_FOUND()


def old_index(compute: "Compute", call: Call) -> dict[str, Any]:
    """All that the caller's servers may use, in the words of nova-network."""
    return {"networks": [_old_view(network, call) for network in compute.networks.visible(call.context)]}


def old_show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of them."""
    for network in compute.networks.visible(call.context):
        if network.id == call.path["network_id"]:
            return {"network": _old_view(network, call)}
    raise NETWORK_NOT_FOUND()


def _old_view(network: Network, call: Call) -> dict[str, Any]:
    """Two of thirty facts are left; the others went with nova-network, and stay as names."""
    names = [*_OLD_WORDS, *(_ADMINS_WORDS if call.context.is_admin else ())]
    return {"id": network.id, "label": network.name, **dict.fromkeys(names)}


def _view(network: Network) -> dict[str, Any]:
    """`cidr` is the word None: Neutron's networks have subnets instead."""
    return {"id": network.id, "label": network.name, "cidr": "None"}
