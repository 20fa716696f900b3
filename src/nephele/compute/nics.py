"""Which of a server's ports was asked for by which of its interface requests."""

from collections.abc import Sequence

from nephele.network.messages import NicRequest
from nephele.network.model import ServerPort


def match(nics: Sequence[NicRequest], ports: Sequence[ServerPort]) -> dict[str, int]:
    """The place in `nics` of the request for each port, by port id.

    A request that names a port has that one; the others have, in order, the first port left that was made for the
    server on their network.  A port that nobody asked for (Neutron gave it to the server) is not there.
    """
    known = {port.id for port in ports}
    found = {nic.port_id: place for place, nic in enumerate(nics) if nic.port_id in known}
    for place, nic in enumerate(nics):
        if not nic.port_id:
            made = (port.id for port in ports if port.id not in found and _made_for(port, nic))
            port_id = next(made, None)
            if port_id is not None:
                found[port_id] = place
    return found


def without(nics: Sequence[NicRequest], ports: Sequence[ServerPort], port_id: str) -> tuple[NicRequest, ...]:
    """The requests that are left when a port goes; unchanged where nobody asked for it."""
    gone = match(nics, ports).get(port_id)
    return tuple(nic for place, nic in enumerate(nics) if place != gone and nic.port_id != port_id)


def pinned(nics: Sequence[NicRequest], ports: Sequence[ServerPort], port_id: str) -> tuple[NicRequest, ...]:
    """The requests with the one for a port naming it, so that its addresses may change."""
    place = match(nics, ports).get(port_id)
    return tuple(
        NicRequest(network_id=nic.network_id, port_id=port_id, tag=nic.tag) if at == place else nic
        for at, nic in enumerate(nics)
    )


def tags(nics: Sequence[NicRequest], ports: Sequence[ServerPort]) -> dict[str, str]:
    """The device tag of each port that has one."""
    return {port_id: nics[place].tag for port_id, place in match(nics, ports).items() if nics[place].tag}


def _made_for(port: ServerPort, nic: NicRequest) -> bool:
    addresses = {address.ip_address for address in port.addresses}
    return port.created and port.network_id == nic.network_id and (not nic.fixed_ip or nic.fixed_ip in addresses)
