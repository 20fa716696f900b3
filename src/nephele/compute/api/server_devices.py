"""A server's addresses, interfaces and volumes: what other services attached to it."""

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, UnsetType

from nephele.compute.api.server_bodies import Bool, truth
from nephele.compute.model import BlockDevice, Server
from nephele.kernel.errors import BAD_REQUEST, UNSUPPORTED, Error
from nephele.network.model import ServerPort
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

NETWORK_NOT_FOUND = Error("server.network_not_found", 404, "Instance does not have network {label}")
PORT_NOT_FOUND = Error("server.port_not_found", 404, "Port {port_id} is not attached to instance {server_id}")
VOLUME_NOT_ATTACHED = Error("server.volume_not_attached", 404, "volume_id not found: {volume_id}")


class ChangedVolume(Struct, frozen=True, forbid_unknown_fields=True):
    """`volumeAttachment` of a change."""

    volumeId: str  # noqa: N815
    delete_on_termination: Bool | UnsetType = UNSET
    device: str | UnsetType | None = UNSET
    serverId: str | UnsetType = UNSET  # noqa: N815
    tag: str | UnsetType | None = UNSET
    id: str | UnsetType = UNSET


def _server(compute: "Compute", call: Call) -> Server:
    return compute.servers.show(call.context, call.path["server_id"])


def _ports(compute: "Compute", server: Server) -> list[ServerPort]:
    return compute.networks.ports_of_servers([server.id])[server.id]


# -- addresses ---------------------------------------------------------------------------------------------------


def ips(compute: "Compute", call: Call) -> dict[str, Any]:
    """Its addresses by the network's name."""
    return {"addresses": _addresses(_ports(compute, _server(compute, call)))}


def ips_of_network(compute: "Compute", call: Call) -> dict[str, Any]:
    """Its addresses in one network."""
    label, found = call.path["network_label"], _addresses(_ports(compute, _server(compute, call)))
    if label not in found:
        raise NETWORK_NOT_FOUND(label=label)
    return {label: found[label]}


def _addresses(ports: list[ServerPort]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for port in ports:
        addresses = [ip.ip_address for ip in port.addresses]
        addresses += [ip.floating_ip for ip in port.addresses if ip.floating_ip]
        entries = [{"version": 6 if ":" in address else 4, "addr": address} for address in addresses]
        found.setdefault(port.network_name, []).extend(entries)
    return found


# -- interfaces --------------------------------------------------------------------------------------------------


def interfaces(compute: "Compute", call: Call) -> dict[str, Any]:
    """Its ports."""
    server = _server(compute, call)
    ports = _ports(compute, server)
    tags = _nic_tags(server, ports)
    return {"interfaceAttachments": [_interface(port, tags, call) for port in ports]}


def interface(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of its ports."""
    server = _server(compute, call)
    ports = _ports(compute, server)
    for port in ports:
        if port.id == call.path["port_id"]:
            return {"interfaceAttachment": _interface(port, _nic_tags(server, ports), call)}
    raise PORT_NOT_FOUND(port_id=call.path["port_id"], server_id=server.id)


def _interface(port: ServerPort, tags: dict[str, str], call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.addresses],
    }
    return body | {"tag": tags.get(port.id)} if call.version >= (2, 70) else body


def _nic_tags(server: Server, ports: list[ServerPort]) -> dict[str, str]:
    """Each port's device tag: that of the request which named the port, or else the first one for its network."""
    found: dict[str, str] = {}
    for nic in server.nics:
        for port in ports:
            if port.id not in found and (
                nic.port_id == port.id or (not nic.port_id and _made_for(port, nic.network_id))
            ):
                found[port.id] = nic.tag
                break
    return {port_id: tag for port_id, tag in found.items() if tag}


def _made_for(port: ServerPort, network_id: str) -> bool:
    return port.created and port.network_id == network_id


# -- volumes -----------------------------------------------------------------------------------------------------


def volumes(compute: "Compute", call: Call) -> dict[str, Any]:
    """Its volumes, a part of them with `limit` and `offset`."""
    server = _server(compute, call)
    found = compute.servers.volumes([server.id])[server.id]
    limit, offset = call.query.whole("limit", len(found)), call.query.whole("offset", 0)
    return {"volumeAttachments": [_attachment(device, call) for device in found[offset : offset + limit]]}


def volume(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of its volumes."""
    return {"volumeAttachment": _attachment(_attached(compute, call), call)}


def _attached(compute: "Compute", call: Call) -> BlockDevice:
    server = _server(compute, call)
    for device in compute.servers.volumes([server.id])[server.id]:
        if device.volume_id == call.path["volume_id"]:
            return device
    raise VOLUME_NOT_ATTACHED(volume_id=call.path["volume_id"])


def change_volume(compute: "Compute", call: Call) -> None:
    """Say whether a volume goes with the server; naming another volume would put that in its place."""
    change: ChangedVolume = call.body.volumeAttachment
    if change.volumeId != call.path["volume_id"]:
        call.enforce("os_compute_api:os-volumes-attachments:swap")
        raise UNSUPPORTED(what="Putting another volume in the place of an attached one")
    call.enforce("os_compute_api:os-volumes-attachments:update")
    device = _attached(compute, call)
    as_it_is = {"device": device.device_name, "serverId": device.server_id, "tag": device.tag, "id": device.volume_id}
    for name, value in as_it_is.items():
        asked = getattr(change, name)
        if asked is not UNSET and (asked or "") != value:
            raise BAD_REQUEST(reason=f"Invalid input for field/attribute {name}: it cannot be changed.")
    if change.id is not UNSET and call.version >= (2, 89):
        raise BAD_REQUEST(reason="Invalid input for field/attribute id: it is gone from microversion 2.89 on.")
    if change.delete_on_termination is not UNSET:
        wanted = truth(change.delete_on_termination)
        compute.servers.mark_volume(call.context, device.server_id, device.volume_id, delete_on_termination=wanted)


def _attachment(device: BlockDevice, call: Call) -> dict[str, Any]:
    version = call.version
    body: dict[str, Any] = {"volumeId": device.volume_id, "serverId": device.server_id, "device": device.device_name}
    if version < (2, 89):
        body["id"] = device.volume_id
    else:
        body |= {"attachment_id": device.attachment_id or None, "bdm_uuid": device.id}
    if version >= (2, 70):
        body["tag"] = device.tag or None
    if version >= (2, 79):
        body["delete_on_termination"] = device.delete_on_termination
    return body
