"""A server as JSON, in each microversion."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from nephele.compute.lifecycle import status
from nephele.compute.model import BlockDevice, FlavorInfo, Server, Vm
from nephele.kernel.clock import iso, iso_micros
from nephele.network.model import ServerPort
from nephele.web.call import Call
from nephele.web.microversions import Version

WITH_PROGRESS = {"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"}
WITH_FAULT = {Vm.ERROR, Vm.DELETED}


class Around(NamedTuple):
    """What a server's body shows of other services' things, read for a whole page at once."""

    ports: Mapping[str, list[ServerPort]]
    volumes: Mapping[str, list[BlockDevice]]
    extended: bool
    """Whether the caller may see hosts and the like."""
    host_status: Mapping[str, str]
    host_status_shown: bool


def brief(call: Call, server: Server) -> dict[str, Any]:
    """Id, name and links."""
    return {"id": server.id, "name": server.name, "links": links(call, server.id)}


def links(call: Call, server_id: str) -> list[dict[str, str]]:
    """The server's own links."""
    return [
        {"rel": "self", "href": f"{call.base_url}/v2.1/servers/{server_id}"},
        {"rel": "bookmark", "href": f"{call.base_url}/servers/{server_id}"},
    ]


def detail(call: Call, server: Server, around: Around, *, single: bool) -> dict[str, Any]:
    """Everything; `single` for the body of one server, which has its groups and hints."""
    version = call.version
    ports = around.ports.get(server.id, [])
    shown = status(server.vm_state, server.task_state)
    body: dict[str, Any] = {
        "id": server.id,
        "name": server.name,
        "status": shown,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "metadata": server.metadata,
        "hostId": host_id(server.project_id, server.host),
        "image": _image(call, server, version),
        "flavor": _flavor(call, server.flavor, version),
        "created": iso(server.created_at),
        "updated": iso(server.updated_at),
        "addresses": addresses(ports),
        "accessIPv4": server.access_ip_v4,
        "accessIPv6": server.access_ip_v6,
        "links": links(call, server.id),
        "OS-DCF:diskConfig": server.disk_config,
        "OS-EXT-AZ:availability_zone": server.availability_zone,
        "config_drive": "True" if server.config_drive else "",
        "key_name": server.key_name,
        "OS-SRV-USG:launched_at": iso_micros(server.launched_at) if server.launched_at else None,
        "OS-SRV-USG:terminated_at": iso_micros(server.terminated_at) if server.terminated_at else None,
        "OS-EXT-STS:task_state": server.task_state or None,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": server.power_state,
        "os-extended-volumes:volumes_attached": _volumes(around.volumes.get(server.id, []), version),
    }
    if shown in WITH_PROGRESS:
        body["progress"] = server.progress
    if groups := security_groups(ports):
        body["security_groups"] = groups
    if server.fault is not None and server.vm_state in WITH_FAULT:
        body["fault"] = _fault(server, detailed=around.extended)
    if around.extended:
        body |= _extended(server, version)
    if version >= (2, 9):
        body |= _newer(server, around, version, single=single)
    return body


def host_id(project_id: str, host: str) -> str:
    """Tells a project whether two of its servers share a host, without telling which."""
    return _hashed(project_id, host) if host else ""


@lru_cache(10_000)
def _hashed(project_id: str, host: str) -> str:
    return hashlib.sha224((project_id + host).encode()).hexdigest()


def _image(call: Call, server: Server, version: Version) -> Any:
    if not server.image_id:
        return ""
    image: dict[str, Any] = {
        "id": server.image_id,
        "links": [{"rel": "bookmark", "href": f"{call.base_url}/images/{server.image_id}"}],
    }
    if version >= (2, 98):
        image["properties"] = _image_properties(server)
    return image


def _image_properties(server: Server) -> dict[str, Any]:
    image = server.image
    basic = {"min_ram": str(image.min_ram), "min_disk": str(image.min_disk)}
    formats = {"disk_format": image.disk_format, "container_format": image.container_format}
    return {**image.properties, **formats, **basic, "base_image_ref": image.id}


def _flavor(call: Call, flavor: FlavorInfo, version: Version) -> dict[str, Any]:
    if version < (2, 47):
        href = f"{call.base_url}/flavors/{flavor.id}"
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


def addresses(ports: list[ServerPort]) -> dict[str, list[dict[str, Any]]]:
    """Fixed and floating addresses by the network's name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for port in ports:
        entries = found.setdefault(port.network_name, [])
        entries += [_address(port, fixed.ip_address, "fixed") for fixed in port.addresses]
        entries += [_address(port, fixed.floating_ip, "floating") for fixed in port.addresses if fixed.floating_ip]
    return found


def _address(port: ServerPort, address: str, kind: str) -> dict[str, Any]:
    return {
        "version": 6 if ":" in address else 4,
        "addr": address,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": port.mac,
    }


def security_groups(ports: list[ServerPort]) -> list[dict[str, str]]:
    """The names of the groups of all ports, each once for each port that has it."""
    return [{"name": name} for port in ports for name in port.security_groups]


def _volumes(attached: list[BlockDevice], version: Version) -> list[dict[str, Any]]:
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


def _newer(server: Server, around: Around, version: Version, *, single: bool) -> dict[str, Any]:
    """What came with microversions from 2.9 on."""
    body: dict[str, Any] = {"locked": server.locked}
    if version >= (2, 16) and around.host_status_shown:
        body["host_status"] = around.host_status.get(server.host, "") if server.host else ""
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
    if version >= (2, 100) and single:
        body["scheduler_hints"] = _hints(server)
    return body


def _hints(server: Server) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in server.hints.items()}
