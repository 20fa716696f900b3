"""A server's network interfaces, and the old actions on its addresses."""

import asyncio
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from nephele.compute import nics
from nephele.compute.api.server_bodies import Tag
from nephele.compute.errors import FLOATING_MISSING, INTERFACE_FAILED, INTERFACE_NOT_FOUND
from nephele.compute.model import Server
from nephele.kernel.errors import BAD_REQUEST, CONFLICT, Refused
from nephele.network.model import ServerPort
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

WAIT = 120.0
"""Seconds that a caller waits for an interface at most; the work goes on after that."""
Id = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")]


class Address(Struct, frozen=True, forbid_unknown_fields=True):
    """The address of `removeFloatingIp` and `removeFixedIp`, and an entry of `fixed_ips`."""

    address: str


class WantedAddress(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of `fixed_ips`."""

    ip_address: str


class NewInterface(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`interfaceAttachment` of an attachment."""

    net_id: Id = ""
    port_id: Id | None = None
    fixed_ips: Annotated[list[WantedAddress], Meta(min_length=1, max_length=1)] = []


class TaggedInterface(NewInterface, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same from 2.49 on."""

    tag: Tag = ""


class Attachment(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an attachment."""

    interfaceAttachment: NewInterface = NewInterface()  # noqa: N815


class TaggedAttachment(Struct, frozen=True, forbid_unknown_fields=True):
    """The same from 2.49 on."""

    interfaceAttachment: TaggedInterface = TaggedInterface()  # noqa: N815


class FixedIp(Struct, frozen=True, forbid_unknown_fields=True):
    """`addFixedIp`."""

    networkId: Annotated[str, Meta(min_length=1, max_length=36)]  # noqa: N815


class FloatingIp(Struct, frozen=True, forbid_unknown_fields=True):
    """`addFloatingIp`."""

    address: str
    fixed_address: str = ""


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """Its ports."""
    server = _server(compute, call)
    ports = _ports(compute, server)
    tags = nics.tags(server.nics, ports)
    return {"interfaceAttachments": [_view(port, tags, call) for port in ports]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of its ports."""
    return _shown(compute, call, call.path["port_id"])


async def attach(compute: "Compute", call: Call) -> dict[str, Any]:
    """Plug a port in; the answer comes when the guest has it, and no thread waits for that."""
    asked: NewInterface = call.body.interfaceAttachment
    address = _address(asked.fixed_ips[0].ip_address) if asked.fixed_ips else ""
    if asked.net_id and asked.port_id:
        raise BAD_REQUEST(reason="Must not input both network_id and port_id")
    if address and not asked.net_id:
        raise BAD_REQUEST(reason="Must input network_id when request IP address")
    begun = compute.interfaces.attach(
        call.context,
        call.path["server_id"],
        network_id=asked.net_id,
        port_id=asked.port_id or "",
        address=address,
        tag=asked.tag if isinstance(asked, TaggedInterface) else "",
    )
    deadline, pause = time.monotonic() + WAIT, 0.002
    while not compute.interfaces.is_over(begun):
        if time.monotonic() > deadline:
            raise INTERFACE_FAILED(
                server_id=begun.server_id, reason=f"it was not plugged within {WAIT:g} s; it goes on"
            )
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return _shown(compute, call, begun.port_id)


def detach(compute: "Compute", call: Call) -> None:
    """Unplug a port."""
    compute.interfaces.detach(call.context, call.path["server_id"], call.path["port_id"])


# -- until 2.43 --------------------------------------------------------------------------------------------------


def add_fixed_ip(compute: "Compute", call: Call) -> None:
    """One more address on a network."""
    compute.interfaces.add_address(call.context, call.path["server_id"], call.body.networkId)


def remove_fixed_ip(compute: "Compute", call: Call) -> None:
    """One address less."""
    compute.interfaces.remove_address(call.context, call.path["server_id"], _address(call.body.address))


def add_floating_ip(compute: "Compute", call: Call) -> None:
    """Lead a floating IP to one of its addresses, by default its first IPv4."""
    server = _server(compute, call)
    fixed = [ip.ip_address for port in _ports(compute, server) for ip in port.addresses]
    if not fixed:
        raise BAD_REQUEST(reason="No fixed IPs associated to instance")
    asked = _address(call.body.fixed_address) if call.body.fixed_address else ""
    if asked and asked not in fixed:
        raise BAD_REQUEST(reason="Specified fixed address not assigned to instance")
    inner = asked or next((address for address in fixed if ":" not in address), "")
    if not inner:
        raise BAD_REQUEST(reason=f"Instance {server.id} has no fixed IPv4 addresses to associate.")
    try:
        compute.networks.floating_ips.lead_to(call.context, _address(call.body.address), server.id, inner)
    except Refused as refused:
        if refused.error.name == "FloatingIPNotFound":
            raise FLOATING_MISSING() from None
        raise BAD_REQUEST(reason=refused.message) from None


def remove_floating_ip(compute: "Compute", call: Call) -> None:
    """Let a floating IP of the server lead nowhere."""
    server, address = _server(compute, call), _address(call.body.address)
    try:
        floating = compute.networks.floating_ips.of_address(call.context, address)
    except Refused:
        raise FLOATING_MISSING() from None
    if floating.port_id not in {port.id for port in _ports(compute, server)}:
        raise CONFLICT(reason=f"Floating IP {address} is not associated with instance {server.id}.")
    compute.networks.floating_ips.lead_nowhere(call.context, address)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise BAD_REQUEST(reason=f"Invalid input: {text!r} is not a valid IP address.") from None


def _server(compute: "Compute", call: Call) -> Server:
    return compute.servers.show(call.context, call.path["server_id"])


def _ports(compute: "Compute", server: Server) -> list[ServerPort]:
    return compute.networks.ports_of_servers([server.id])[server.id]


def _shown(compute: "Compute", call: Call, port_id: str) -> dict[str, Any]:
    server = _server(compute, call)
    ports = _ports(compute, server)
    for port in ports:
        if port.id == port_id:
            return {"interfaceAttachment": _view(port, nics.tags(server.nics, ports), call)}
    raise INTERFACE_NOT_FOUND(port_id=port_id, server_id=server.id)


def _view(port: ServerPort, tags: dict[str, str], call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.addresses],
    }
    return body | {"tag": tags.get(port.id)} if call.version >= (2, 70) else body
