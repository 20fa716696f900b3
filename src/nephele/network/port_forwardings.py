"""Port forwardings: single ports of a floating IP that lead to ports of a guest."""

import msgspec
from msgspec import Struct

from nephele.kernel.errors import Error
from nephele.network import errors, tables
from nephele.network.floating_ips import FLOATING_IPS, inner_address, router_between
from nephele.network.model import FloatingAddress, PortForwarding, Status
from nephele.network.ports import PORTS
from nephele.network.records import BLANK, Records, born
from nephele.network.work import Work

_forwardings = tables.port_forwardings
BAD_FORWARDING = Error("network.bad_forwarding", 400, "Bad port_forwarding request: {reason}.", name="BadRequest")

FORWARDINGS: Records[PortForwarding] = Records(_forwardings, PortForwarding, errors.FORWARDING_NOT_FOUND)


class ForwardingWish(Struct, frozen=True, kw_only=True):
    """What a forwarding is made from; ports are (first, last)."""

    internal_port_id: str
    internal_ip_address: str | None
    protocol: str
    external: tuple[int, int]
    internal: tuple[int, int]
    description: str = ""


def forwardings_of(work: Work, floating: FloatingAddress) -> list[PortForwarding]:
    """The forwardings of a floating IP."""
    return FORWARDINGS.where(work, _forwardings.c.floatingip_id == floating.id)


def get_forwarding(work: Work, floating: FloatingAddress, wanted: str) -> PortForwarding:
    """One of a floating IP's forwardings.  Raises FORWARDING_NOT_FOUND."""
    found = FORWARDINGS.any(work, wanted)
    if found.floatingip_id != floating.id:
        raise errors.FORWARDING_NOT_FOUND(id=wanted)
    return found


def create_forwarding(work: Work, floating: FloatingAddress, wish: ForwardingWish) -> PortForwarding:
    """Lead a port (or range) of the floating IP to a guest's."""
    if floating.port_id:
        raise BAD_FORWARDING(reason=f"floating IP {floating.id} is associated with port {floating.port_id}")
    draft = PortForwarding(
        **BLANK | {"description": wish.description},
        project_id=floating.project_id,
        floatingip_id=floating.id,
        internal_port_id=wish.internal_port_id,
        internal_ip_address=wish.internal_ip_address or "",
        protocol=wish.protocol,
        external_port_first=wish.external[0],
        external_port_last=wish.external[1],
        internal_port_first=wish.internal[0],
        internal_port_last=wish.internal[1],
    )
    forwarding = _checked(work, floating, born(work, draft))
    FORWARDINGS.insert(work, forwarding)
    return forwarding


def change_forwarding(
    work: Work, floating: FloatingAddress, old: PortForwarding, new: PortForwarding
) -> PortForwarding:
    """Lead it elsewhere."""
    return FORWARDINGS.save(work, old, _checked(work, floating, new))


def delete_forwarding(work: Work, floating: FloatingAddress, forwarding: PortForwarding) -> None:
    """Take it away; the last one leaves the floating IP without a router."""
    FORWARDINGS.delete(work, forwarding.id)
    if not forwardings_of(work, floating):
        free = msgspec.structs.replace(floating, router_id=None, status=Status.DOWN)
        FLOATING_IPS.save(work, floating, free)
    work.rewire()


def _checked(work: Work, floating: FloatingAddress, forwarding: PortForwarding) -> PortForwarding:
    port = PORTS.get(work, forwarding.internal_port_id)
    subnet_id, address = inner_address(port, forwarding.internal_ip_address or None)
    router_id, host = router_between(work, port, subnet_id, floating.floating_network_id)
    if floating.router_id and floating.router_id != router_id:
        raise BAD_FORWARDING(reason=f"floating IP {floating.id} is on another router already")
    for other in forwardings_of(work, floating):
        clash = (
            other.protocol == forwarding.protocol
            and other.external_port_first <= forwarding.external_port_last
            and forwarding.external_port_first <= other.external_port_last
        )
        if clash and other.id != forwarding.id:
            raise BAD_FORWARDING(reason=f"external port {forwarding.external_port_first} is used by {other.id}")
    led = msgspec.structs.replace(floating, router_id=router_id, status=Status.ACTIVE if host else Status.DOWN)
    FLOATING_IPS.save(work, floating, led)
    work.rewire()
    return msgspec.structs.replace(forwarding, internal_ip_address=address)
