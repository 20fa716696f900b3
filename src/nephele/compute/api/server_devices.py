"""A server's addresses."""

from typing import TYPE_CHECKING, Any

from nephele.compute.model import Server
from nephele.kernel.errors import Error
from nephele.network.model import ServerPort
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

NETWORK_NOT_FOUND = Error("server.network_not_found", 404, "Instance does not have network {label}")


def _server(compute: "Compute", call: Call) -> Server:
    return compute.servers.show(call.context, call.path["server_id"])


def _ports(compute: "Compute", server: Server) -> list[ServerPort]:
    return compute.networks.ports_of_servers([server.id])[server.id]


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
