"""A server as JSON, in each microversion."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from nephele.compute.lifecycle import status
from nephele.compute.model import FlavorInfo, Server, Vm
from nephele.compute.pictures import AttachedVolume, read_picture
from nephele.kernel.clock import iso, iso_micros
from nephele.network.model import ShownAddress
from nephele.web.call import Call
from nephele.web.microversions import Version

WITH_PROGRESS = {"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"}
WITH_FAULT = {Vm.ERROR, Vm.DELETED}


RENDERED = 1024
"""Bodies that are kept for the next time that they are asked for: some 4 MB."""
LARGE = 8192
"""Characters of a row that is not worth keeping."""


class Look(NamedTuple):
    """Who looks, and at what: all that bodies depend on besides the servers."""

    base_url: str
    version: Version
    single: bool
    """Whether it is the body of one server, which has its groups and hints."""
    extended: bool
    """Whether the caller may see hosts and the like."""
    host_status_shown: bool


class Around(NamedTuple):
    """What a server's body shows besides its row."""

    addresses: tuple[ShownAddress, ...]
    volumes: tuple[AttachedVolume, ...]
    host_status: str


def brief(call: Call, server_id: str, name: str) -> dict[str, Any]:
    """Id, name and links."""
    return {"id": server_id, "name": name, "links": links(call, server_id)}


def render(look: Look, text: str, around: Around) -> Raw:
    """The body of a server, of its picture: a pure function, whose latest answers are kept."""
    return (_render if len(text) > LARGE else _rendered)(look, text, around)


def _render(look: Look, text: str, around: Around) -> Raw:
    return Raw(_encode(detail(look, read_picture(text), around)))


_rendered = lru_cache(RENDERED)(_render)
_encode = msgspec.json.Encoder().encode


def forget() -> None:
    """Render anew what was kept."""
    _rendered.cache_clear()


def links(call: Call | Look, server_id: str) -> list[dict[str, str]]:
    """The server's own links."""
    return [
        {"rel": "self", "href": f"{call.base_url}/v2.1/servers/{server_id}"},
        {"rel": "bookmark", "href": f"{call.base_url}/servers/{server_id}"},
    ]


def detail(look: Look, server: Server, around: Around) -> dict[str, Any]:
    """Everything."""
    version = look.version
    shown = status(server.vm_state, server.task_state)
    body: dict[str, Any] = {
        "id": server.id,
        "name": server.name,
        "status": shown,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "metadata": server.metadata,
        "hostId": host_id(server.project_id, server.host),
        "image": _image(look, server),
        "flavor": _flavor(look, server.flavor),
        "created": iso(server.created_at),
        "updated": iso(server.updated_at),
        "addresses": addresses(around.addresses),
        "accessIPv4": server.access_ip_v4,
        "accessIPv6": server.access_ip_v6,
        "links": links(look, server.id),
        "OS-DCF:diskConfig": server.disk_config,
        "OS-EXT-AZ:availability_zone": server.availability_zone,
        "config_drive": "True" if server.config_drive else "",
        "key_name": server.key_name,
        "OS-SRV-USG:launched_at": iso_micros(server.launched_at) if server.launched_at else None,
        "OS-SRV-USG:terminated_at": iso_micros(server.terminated_at) if server.terminated_at else None,
        "OS-EXT-STS:task_state": server.task_state or None,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": server.power_state,
        "os-extended-volumes:volumes_attached": _volumes(around.volumes, version),
    }
    if shown in WITH_PROGRESS:
        body["progress"] = server.progress
    if groups := security_groups(around.addresses):
        body["security_groups"] = groups
    if server.fault is not None and server.vm_state in WITH_FAULT:
        body["fault"] = _fault(server, detailed=look.extended)
    if look.extended:
        body |= _extended(server, version)
    if version >= (2, 9):
        body |= _newer(look, server, around)
    return body


def host_id(project_id: str, host: str) -> str:
    """Tells a project whether two of its servers share a host, without telling which."""
    return _hashed(project_id, host) if host else ""


@lru_cache(10_000)
def _hashed(project_id: str, host: str) -> str:
    return hashlib.sha224((project_id + host).encode()).hexdigest()


def _image(look: Look, server: Server) -> Any:
    if not server.image_id:
        return ""
    image: dict[str, Any] = {
        "id": server.image_id,
        "links": [{"rel": "bookmark", "href": f"{look.base_url}/images/{server.image_id}"}],
    }
    if look.version >= (2, 98):
        image["properties"] = _image_properties(server)
    return image


def _image_properties(server: Server) -> dict[str, Any]:
    image = server.image
    basic = {"min_ram": str(image.min_ram), "min_disk": str(image.min_disk)}
    formats = {"disk_format": image.disk_format, "container_format": image.container_format}
    return {**image.properties, **formats, **basic, "base_image_ref": image.id}


def _flavor(look: Look, flavor: FlavorInfo) -> dict[str, Any]:
    if look.version < (2, 47):
        href = f"{look.base_url}/flavors/{flavor.id}"
        return {"id": flavor.id, "links": [{"rel": "bookmark", "href": href}]}
    return {
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "ephemeral": flavor.ephemeral,
        "swap": flavor.swap,
        "original_name": flavor.name,
        "extra_specs": flavor.extra_specs,
    }


def addresses(shown: Sequence[ShownAddress]) -> dict[str, list[dict[str, Any]]]:
    """Fixed and floating addresses by the network's name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rows in _by_port(shown):
        entries = found.setdefault(rows[0].network_name, [])
        for kind, ips in (("fixed", [row.ip_address for row in rows]), ("floating", [row.floating_ip for row in rows])):
            entries += [_address(rows[0].mac, ip, kind) for ip in dict.fromkeys(ips) if ip]
    return found


def _by_port(shown: Sequence[ShownAddress]) -> list[list[ShownAddress]]:
    return [list(rows) for _port, rows in groupby(shown, lambda row: row.port_id)]


def _address(mac: str, address: str, kind: str) -> dict[str, Any]:
    return {
        "version": 6 if ":" in address else 4,
        "addr": address,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": mac,
    }


def security_groups(shown: Sequence[ShownAddress]) -> list[dict[str, str]]:
    """The names of the groups of all ports, each once for each port that has it."""
    names = [dict.fromkeys(row.security_group for row in rows) for rows in _by_port(shown)]
    return [{"name": name} for port in names for name in port if name]


def _volumes(attached: tuple[AttachedVolume, ...], version: Version) -> list[dict[str, Any]]:
    if version < (2, 3):
        return [{"id": device.volume_id} for device in attached]
    return [{"id": device.volume_id, "delete_on_termination": device.delete_on_termination} for device in attached]


def _fault(server: Server, *, detailed: bool) -> dict[str, Any]:
    assert server.fault is not None
    fault: dict[str, Any] = {
        "code": server.fault.code,
        "created": iso(server.fault.created_at),
        "message": server.fault.message,
    }
    if server.fault.details and detailed:
        fault["details"] = server.fault.details
    return fault


def _extended(server: Server, version: Version) -> dict[str, Any]:
    body: dict[str, Any] = {
        "OS-EXT-SRV-ATTR:host": server.host or None,
        "OS-EXT-SRV-ATTR:instance_name": server.domain_name,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.node or None,
    }
    if version >= (2, 3):
        body |= {
            "OS-EXT-SRV-ATTR:hostname": server.hostname,
            "OS-EXT-SRV-ATTR:reservation_id": server.reservation_id,
            "OS-EXT-SRV-ATTR:launch_index": server.launch_index,
            "OS-EXT-SRV-ATTR:kernel_id": server.image.properties.get("kernel_id", ""),
            "OS-EXT-SRV-ATTR:ramdisk_id": server.image.properties.get("ramdisk_id", ""),
            "OS-EXT-SRV-ATTR:root_device_name": server.root_device_name,
            "OS-EXT-SRV-ATTR:user_data": server.user_data,
        }
    return body


def _newer(look: Look, server: Server, around: Around) -> dict[str, Any]:
    """What came with microversions from 2.9 on."""
    version, single = look.version, look.single
    body: dict[str, Any] = {"locked": server.locked}
    if version >= (2, 16) and look.host_status_shown:
        body["host_status"] = around.host_status
    if version >= (2, 19):
        body["description"] = server.description
    if version >= (2, 26):
        body["tags"] = list(server.tags)
    if version >= (2, 63):
        body["trusted_image_certificates"] = None
    if version >= (2, 71) and single:
        body["server_groups"] = [server.group_id] if server.group_id else []
    if version >= (2, 73):
        body["locked_reason"] = server.locked_reason
    if version >= (2, 90):
        body["OS-EXT-SRV-ATTR:hostname"] = server.hostname
    if version >= (2, 96):
        body["pinned_availability_zone"] = server.pinned_zone
    if version >= (2, 100):
        body["scheduler_hints"] = _hints(server)
    return body


def _hints(server: Server) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in server.hints.items()}
