"""`/os-hosts`, until 2.42: hosts by name, and what is used of them; powering hosts is nothing we do."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from msgspec import Struct

from nephele.compute.hosts import COMPUTE, HOST_NOT_FOUND
from nephele.kernel.errors import BAD_REQUEST, UNSUPPORTED
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute


class HostChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What a host is to become."""

    status: Literal["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"] | None = None
    maintenance_mode: Literal["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"] | None = None


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """Each service's host, of one zone or all."""
    zones, wanted = compute.hosts.zones(), call.query.get("zone")
    found = [
        {
            "host_name": service.host,
            "service": service.binary.removeprefix("nova-"),
            "zone": zones.get(service.host, service.zone) if service.binary == COMPUTE else service.zone,
        }
        for service in compute.hosts.services()
    ]
    return {"hosts": [host for host in found if wanted in ("", host["zone"])]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """What a host has, what is used of it, and by which projects."""
    host = call.path["host_name"]
    hypervisors = compute.hosts.hypervisors(host=host)
    if not hypervisors:
        raise HOST_NOT_FOUND(host=host)
    by_project: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for server in compute.servers_on(host):
        flavor, sums = server.flavor, by_project[server.project_id]
        for place, amount in enumerate((flavor.vcpus, flavor.ram, flavor.disk + flavor.ephemeral)):
            sums[place] += amount
    used = [sum(amounts) for amounts in zip(*by_project.values(), strict=True)] or [0, 0, 0]
    total = [
        sum(one.vcpus for one in hypervisors),
        sum(one.memory_mb for one in hypervisors),
        sum(one.disk_gb for one in hypervisors),
    ]
    rows = {"(total)": total, "(used_now)": used, "(used_max)": used, **by_project}
    return {"host": [{"resource": _resource(host, project, *amounts)} for project, amounts in rows.items()]}


def _resource(host: str, project: str, cpu: int, memory_mb: int, disk_gb: int) -> dict[str, Any]:
    return {"host": host, "project": project, "cpu": cpu, "memory_mb": memory_mb, "disk_gb": disk_gb}


def update(compute: "Compute", call: Call) -> dict[str, Any]:
    """Enable or disable a host for new servers."""
    host, change = call.path["host_name"], call.body
    if change.status is None and change.maintenance_mode is None:
        raise BAD_REQUEST(reason="Invalid input for field/attribute body. It must name status or maintenance_mode.")
    services = compute.hosts.services(host=host, binary=COMPUTE)
    if not services:
        raise HOST_NOT_FOUND(host=host)
    if change.maintenance_mode is not None:
        raise UNSUPPORTED(what="Evacuating a host by maintenance mode")
    disabled = change.status.lower() == "disable"
    compute.hosts.update_service(services[0].id, disabled=disabled, disabled_reason=None)
    return {"host": host, "status": "disabled" if disabled else "enabled"}


def power(compute: "Compute", call: Call) -> NoReturn:
    """Starting, stopping or restarting a host itself."""
    if not compute.hosts.services(host=call.path["host_name"], binary=COMPUTE):
        raise HOST_NOT_FOUND(host=call.path["host_name"])
    raise UNSUPPORTED(what="Powering hosts")
