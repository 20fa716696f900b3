"""Port forwardings in the API, below their floating IP."""

from typing import Any

import msgspec

from nephele.network.attributes import Bad, ip, one_of, text, uuid
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY
from nephele.network.floating_ips import FLOATING_IPS
from nephele.network.model import FloatingAddress, PortForwarding
from nephele.network.port_forwardings import (
    ForwardingWish,
    change_forwarding,
    create_forwarding,
    delete_forwarding,
    forwardings_of,
    get_forwarding,
)
from nephele.network.service import Networks
from nephele.network.work import Work
from nephele.web.call import Call

PROTOCOLS = ("tcp", "udp", "icmp", "icmp6", "sctp", "dccp")


def _ports(value: Any) -> tuple[int, int]:
    """`80`, or `8000:8010`, as first and last."""
    first, colon, last = str(value).partition(":")
    if not first.isdecimal() or (colon and not last.isdigit()):
        raise Bad(f"'{value}' is not a port or a range of ports")
    pair = int(first), int(last or first)
    if not 1 <= pair[0] <= pair[1] <= 65535:
        raise Bad(f"'{value}' is not a valid range of ports")
    return pair


_READERS = {
    "internal_port_id": uuid,
    "internal_ip_address": ip,
    "protocol": one_of(*PROTOCOLS),
    "internal_port": _ports,
    "external_port": _ports,
    "internal_port_range": _ports,
    "external_port_range": _ports,
    "description": text(255),
}


def _shown(one: PortForwarding) -> dict[str, Any]:
    single = one.external_port_first == one.external_port_last
    return {
        "id": one.id,
        "floatingip_id": one.floatingip_id,
        "internal_port_id": one.internal_port_id,
        "internal_ip_address": one.internal_ip_address,
        "protocol": one.protocol,
        "internal_port": one.internal_port_first if single else None,
        "external_port": one.external_port_first if single else None,
        "internal_port_range": f"{one.internal_port_first}:{one.internal_port_last}",
        "external_port_range": f"{one.external_port_first}:{one.external_port_last}",
        "description": one.description,
        "revision_number": one.revision_number,
    }


def _given(call: Call) -> dict[str, Any]:
    """The checked values; ranges and single ports under one name."""
    given = call.body.get("port_forwarding")
    if not isinstance(given, dict):
        raise BAD_BODY(reason="Unable to find 'port_forwarding' in request body")
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in ("project_id", "tenant_id"):
            continue
        if name not in _READERS:
            raise BAD_BODY(reason=f"Unrecognized attribute(s) '{name}'")
        try:
            values[name.removesuffix("_range")] = _READERS[name](value)
        except Bad as bad:
            raise BAD_ATTRIBUTE(attribute=name, reason=bad) from None
    external, internal = values.get("external_port"), values.get("internal_port")
    if external and internal and external[1] - external[0] != internal[1] - internal[0] and internal[0] != internal[1]:
        raise BAD_BODY(reason="The internal and external port ranges must have the same size")
    return values


def _floating(work: Work, call: Call, rule: str) -> FloatingAddress:
    floating = FLOATING_IPS.get(work, call.path["id"])
    work.enforce(f"{rule}_floatingip_port_forwarding", {"project_id": floating.project_id})
    return floating


def index(service: Networks, call: Call) -> dict[str, Any]:
    """List those of a floating IP."""
    asked = [(name, value) for name, value in call.query.pairs if name in _READERS or name == "id"]
    with service.core.reading(call.context) as work:
        found = [_shown(one) for one in forwardings_of(work, _floating(work, call, "get"))]
    fitting = [one for one in found if all(str(one[name]) == value for name, value in asked)]
    return {"port_forwardings": fitting}


def show(service: Networks, call: Call) -> dict[str, Any]:
    """Show one."""
    with service.core.reading(call.context) as work:
        floating = _floating(work, call, "get")
        return {"port_forwarding": _shown(get_forwarding(work, floating, call.path["other_id"]))}


def create(service: Networks, call: Call) -> dict[str, Any]:
    """Make one."""
    values = _given(call)
    missing = {"internal_port_id", "protocol", "internal_port", "external_port"} - values.keys()
    if missing:
        raise BAD_BODY(reason=f"Failed to parse request. Required attribute '{sorted(missing)[0]}' not specified")
    wish = ForwardingWish(
        internal_port_id=values["internal_port_id"],
        internal_ip_address=values.get("internal_ip_address"),
        protocol=values["protocol"],
        external=values["external_port"],
        internal=values["internal_port"],
        description=values.get("description", ""),
    )
    with service.core.writing(call.context) as work:
        return {"port_forwarding": _shown(create_forwarding(work, _floating(work, call, "create"), wish))}


def update(service: Networks, call: Call) -> dict[str, Any]:
    """Change one."""
    values = _given(call)
    for name in ("internal_port", "external_port"):
        if name in values:
            values[f"{name}_first"], values[f"{name}_last"] = values.pop(name)
    if "internal_port_id" in values:
        values.setdefault("internal_ip_address", "")
    with service.core.writing(call.context) as work:
        floating = _floating(work, call, "update")
        old = get_forwarding(work, floating, call.path["other_id"])
        new = msgspec.structs.replace(old, **values)
        return {"port_forwarding": _shown(change_forwarding(work, floating, old, new))}


def delete(service: Networks, call: Call) -> None:
    """Take one away."""
    with service.core.writing(call.context) as work:
        floating = _floating(work, call, "delete")
        delete_forwarding(work, floating, get_forwarding(work, floating, call.path["other_id"]))
