"""A server's addresses and interfaces: what Neutron attached to it."""

from typing import TYPE_CHECKING, Any

from nephele.compute.model import Server
from nephele.kernel.errors import Error
from nephele.network.model import ServerPort
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

NETWORK_NOT_FOUND = Error("server.network_not_found", 404, "Instance does not have network {label}")
PORT_NOT_FOUND = Error("server.port_not_found", 404, "Port {port_id} is not attached to instance {server_id}")


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
