"""`/os-floating-ips` and `/os-floating-ip-pools`: Neutron's floating IPs in Nova's words, for clients before 2.36."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nephele.compute.errors import POOL_MISSING, PORT_QUOTA
from nephele.kernel.errors import Error, Refused
from nephele.network.model import FloatingAddress
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

NOT_FOUND = Error("compute.floating_ip_not_found", 404, "Floating IP not found for ID {id}")


class NewFloatingIp(Struct, frozen=True):
    """What is wanted: an address of a pool; without one, of the first there is."""

    pool: str | None = None


def pools(compute: "Compute", call: Call) -> dict[str, Any]:
    """Where floating IPs come from."""
    found = compute.networks.floating_ips.pools(call.context)
    return {"floating_ip_pools": [{"name": name or id} for id, name in found]}


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """The project's."""
    names = dict(compute.networks.floating_ips.pools(call.context))
    found = compute.networks.floating_ips.list_all(call.context)
    return {"floating_ips": [_view(floating, names) for floating in found]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One."""
    return _shown(compute, call, _get(compute, call))


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """Take one."""
    asked = call.body.pool if call.body else None
    found = compute.networks.floating_ips.pools(call.context)
    network_id = next((id for id, name in found if asked in (None, "", id, name)), None)
    if network_id is None:
        raise POOL_MISSING()
    try:
        made = compute.networks.floating_ips.create(call.context, network_id)
    except Refused as refused:
        if refused.error.name == "OverQuota":
            raise PORT_QUOTA(reason=refused.message) from None
        raise
    return _shown(compute, call, made)


def delete(compute: "Compute", call: Call) -> None:
    """Give one back."""
    compute.networks.floating_ips.delete(call.context, _get(compute, call).id)


def _get(compute: "Compute", call: Call) -> FloatingAddress:
    try:
        return compute.networks.floating_ips.get(call.context, call.path["floating_ip_id"])
    except Refused:
        raise NOT_FOUND(id=call.path["floating_ip_id"]) from None


def _shown(compute: "Compute", call: Call, floating: FloatingAddress) -> dict[str, Any]:
    return {"floating_ip": _view(floating, dict(compute.networks.floating_ips.pools(call.context)))}


def _view(floating: FloatingAddress, names: dict[str, str]) -> dict[str, Any]:
    details = floating.port_details or {}
    return {
        "id": floating.id,
        "ip": floating.floating_ip_address,
        "fixed_ip": floating.fixed_ip_address,
        "instance_id": details.get("device_id") or None,
        "pool": names.get(floating.floating_network_id) or floating.floating_network_id,
    }
