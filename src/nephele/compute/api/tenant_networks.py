"""`/os-tenant-networks`: a project's networks in Nova's words, for clients older than 2.36."""

from typing import TYPE_CHECKING, Any

from nephele.kernel.errors import Error
from nephele.network.model import Network
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

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


def _view(network: Network) -> dict[str, Any]:
    """`cidr` is the word None: Neutron's networks have subnets instead."""
    return {"id": network.id, "label": network.name, "cidr": "None"}
