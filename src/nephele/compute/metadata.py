"""What a guest can learn of itself: the metadata service's and the config drive's content, in both forms.

OpenStack's: `openstack/latest/meta_data.json`, `network_data.json`, `user_data`, `vendor_data.json`,
`vendor_data2.json`; EC2's: `latest/meta-data/…`, `latest/user-data`.
"""

import base64
import ipaddress
import os
from typing import Any

import msgspec
from msgspec import Struct

from nephele.compute.model import Server

OPENSTACK_VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "latest",
)
EC2_VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "latest",
)
SEED_BYTES = 512
PASSWORD = "password"  # noqa: S105 - a name
_json = msgspec.json.Encoder(order="sorted").encode


class GuestAddress(Struct, frozen=True, kw_only=True):
    """One fixed address of a guest's port, with its subnet's facts."""

    ip_address: str
    cidr: str
    gateway_ip: str
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    dhcp: bool = True


class GuestPort(Struct, frozen=True, kw_only=True):
    """A guest's port, as its metadata shows it."""

    port_id: str
    network_id: str
    mac: str
    mtu: int
    tap: str
    addresses: tuple[GuestAddress, ...]
    floating_ips: tuple[str, ...] = ()
    tag: str = ""


def meta_data(server: Server, devices: list[dict[str, Any]]) -> dict[str, Any]:
    """`meta_data.json`; its `random_seed` is another each time, for the guest's random numbers to begin with."""
    found: dict[str, Any] = {
        "uuid": server.id,
        "name": server.name,
        "hostname": _fqdn(server),
        "availability_zone": server.availability_zone,
        "launch_index": server.launch_index,
        "project_id": server.project_id,
        "devices": devices,
        "dedicated_cpus": [],
        "random_seed": base64.b64encode(os.urandom(SEED_BYTES)).decode(),
    }
    if server.metadata:
        found["meta"] = server.metadata
    if server.key_name and server.key_data:
        found["public_keys"] = {server.key_name: server.key_data}
        found["keys"] = [{"name": server.key_name, "type": server.key_type, "data": server.key_data}]
    return found


def network_data(ports: list[GuestPort]) -> dict[str, Any]:
    """`network_data.json`: links, networks, services."""
    links = [
        {
            "id": port.tap,
            "vif_id": port.port_id,
            "type": "bridge",
            "mtu": port.mtu,
            "ethernet_mac_address": port.mac,
        }
        for port in ports
    ]
    networks = [
        _network(f"network{number}", port, address)
        for number, (port, address) in enumerate((port, address) for port in ports for address in port.addresses)
    ]
    servers = dict.fromkeys(dns for port in ports for address in port.addresses for dns in address.dns)
    return {
        "links": links,
        "networks": networks,
        "services": [{"type": "dns", "address": dns} for dns in servers],
    }


def _network(name: str, port: GuestPort, address: GuestAddress) -> dict[str, Any]:
    version = ipaddress.ip_address(address.ip_address).version
    found: dict[str, Any] = {"id": name, "link": port.tap, "network_id": port.network_id}
    if address.dhcp:
        return found | {"type": f"ipv{version}_dhcp"}
    net = ipaddress.ip_network(address.cidr)
    routes = [_route(destination, gateway) for destination, gateway in address.routes]
    if address.gateway_ip:
        routes.insert(0, _route("0.0.0.0/0" if version == 4 else "::/0", address.gateway_ip))
    return found | {
        "type": f"ipv{version}",
        "ip_address": address.ip_address,
        "netmask": str(net.netmask),
        "routes": routes,
        "services": [{"type": "dns", "address": dns} for dns in address.dns],
    }


def _route(destination: str, gateway: str) -> dict[str, str]:
    net = ipaddress.ip_network(destination)
    return {"network": str(net.network_address), "netmask": str(net.netmask), "gateway": gateway}


def files(
    server: Server, ports: list[GuestPort], devices: list[dict[str, Any]], vendor_data: bytes = b"{}"
) -> dict[str, bytes]:
    """Every file of the guest's metadata, by path: what a config drive holds.

    `vendor_data` is what the operator tells every guest, as JSON.
    """
    found = {
        "openstack/latest/meta_data.json": _json(meta_data(server, devices)),
        "openstack/latest/network_data.json": _json(network_data(ports)),
        "openstack/latest/vendor_data.json": vendor_data,
        "openstack/latest/vendor_data2.json": _json({"static": msgspec.Raw(vendor_data)}),
        "ec2/latest/meta-data.json": _json(ec2(server, ports)),
    }
    if server.user_data:
        data = base64.b64decode(server.user_data)
        found |= {"openstack/latest/user_data": data, "ec2/latest/user-data": data}
    return found


def ec2(server: Server, ports: list[GuestPort]) -> dict[str, Any]:
    """EC2's tree of metadata: branches are dicts, leaves text."""
    fixed = next((address.ip_address for port in ports for address in port.addresses), "")
    floating = next((address for port in ports for address in port.floating_ips), "")
    found: dict[str, Any] = {
        "ami-id": "ami-" + _short(server.image_id),
        "ami-launch-index": str(server.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": server.root_device_name.removeprefix("/dev/"), "root": server.root_device_name},
        "hostname": _fqdn(server),
        "instance-action": "none",
        "instance-id": "i-" + _short(server.id),
        "instance-type": server.flavor.name,
        "local-hostname": _fqdn(server),
        "local-ipv4": fixed,
        "placement": {"availability-zone": server.availability_zone},
        "public-hostname": _fqdn(server),
        "public-ipv4": floating,
        "reservation-id": server.reservation_id,
        "security-groups": "\n".join(server.security_groups) or "default",
    }
    if server.key_name and server.key_data:
        found["public-keys"] = {"0": {"_name": f"0={server.key_name}", "openssh-key": server.key_data}}
    return found


def answer(
    server: Server, ports: list[GuestPort], devices: list[dict[str, Any]], path: str, vendor_data: bytes = b"{}"
) -> bytes | None:
    """What a GET of `path` gives the guest; None where there is nothing."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return "\n".join((*EC2_VERSIONS, "openstack")).encode()
    if parts[0] == "openstack":
        return _openstack(files(server, ports, devices, vendor_data), parts[1:])
    if parts[0] in EC2_VERSIONS:
        return _ec2(server, ports, parts[1:])
    return None


def is_password(path: str) -> bool:
    """Whether a path is where a guest tells its administrator's password."""
    parts = [part for part in path.split("/") if part]
    return len(parts) == 3 and parts[0] == "openstack" and parts[1] in OPENSTACK_VERSIONS and parts[2] == PASSWORD


def _openstack(found: dict[str, bytes], parts: list[str]) -> bytes | None:
    if not parts:
        return "\n".join(OPENSTACK_VERSIONS).encode()
    if parts[0] not in OPENSTACK_VERSIONS:
        return None
    here = {path.rsplit("/", 1)[1]: content for path, content in found.items() if path.startswith("openstack/")}
    if len(parts) == 1:
        return "\n".join(sorted((*here, PASSWORD))).encode()
    return here.get(parts[1]) if len(parts) == 2 else None


def _ec2(server: Server, ports: list[GuestPort], parts: list[str]) -> bytes | None:
    if not parts:
        return b"meta-data/\nuser-data" if server.user_data else b"meta-data/"
    if parts == ["user-data"]:
        return base64.b64decode(server.user_data) if server.user_data else None
    if parts[0] != "meta-data":
        return None
    found: Any = ec2(server, ports)
    for part in parts[1:]:
        if not isinstance(found, dict) or part not in found or part == "_name":
            return None
        found = found[part]
    return _listing(found).encode() if isinstance(found, dict) else str(found).encode()


def _listing(branch: dict[str, Any]) -> str:
    """The names in a branch; deeper branches end in a slash, keys show their own name."""
    names = [
        value["_name"] if isinstance(value, dict) and "_name" in value else name + "/" * isinstance(value, dict)
        for name, value in branch.items()
        if name != "_name"
    ]
    return "\n".join(names)


def _short(id: str) -> str:
    """EC2's ids have eight digits."""
    return id.replace("-", "")[:8]


def _fqdn(server: Server) -> str:
    return server.hostname if "." in server.hostname else f"{server.hostname}.novalocal"
