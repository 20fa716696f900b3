"""`/os-services`, `/os-hypervisors`, `/os-availability-zone`."""

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import msgspec
from msgspec import Struct

from nephele.compute.hosts import COMPUTE, HOST_NOT_FOUND, SERVICE_NOT_FOUND
from nephele.compute.model import Hypervisor, Service
from nephele.kernel.clock import iso_micros
from nephele.kernel.errors import BAD_REQUEST, UNSUPPORTED, Error
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.paging import MARKER_NOT_FOUND, next_href, read_limit

if TYPE_CHECKING:
    from nephele.compute.service import Compute, Placed

HYPERVISOR_NOT_FOUND = Error("hypervisor.not_found", 404, "Hypervisor with ID '{hypervisor_id}' could not be found.")


SUMMED = (
    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb"),
    *("local_gb", "local_gb_used", "free_disk_gb", "disk_available_least"),
)
"""What statistics add up."""


class ServiceChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be changed of a service."""

    status: str | None = None
    disabled_reason: str | None = None
    forced_down: bool | None = None


class OldServiceChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The same, before 2.53, by host and binary."""

    host: str
    binary: str
    disabled_reason: str | None = None
    forced_down: bool | None = None


# -- services ----------------------------------------------------------------------------------------------------


def services(compute: "Compute", call: Call) -> dict[str, Any]:
    """The parts of the compute service, where they run and whether they are up."""
    zones = compute.hosts.zones()
    found = compute.hosts.services(host=call.query.get("host"), binary=call.query.get("binary"))
    return {"services": [_service(compute, call, service, zones, place) for place, service in enumerate(found, 1)]}


def _service(compute: "Compute", call: Call, service: Service, zones: dict[str, str], place: int) -> dict[str, Any]:
    seen = compute.hosts.last_seen(service)
    body: dict[str, Any] = {
        "id": service.id if call.version >= (2, 53) else place,
        "binary": service.binary,
        "host": service.host,
        "zone": zones.get(service.host, service.zone) if service.binary == COMPUTE else service.zone,
        "status": "disabled" if service.disabled else "enabled",
        "state": "up" if compute.hosts.is_up(service) else "down",
        "updated_at": iso_micros(seen),
        "disabled_reason": service.disabled_reason,
    }
    if call.version >= (2, 11):
        body["forced_down"] = service.forced_down
    return body


def update_service(compute: "Compute", call: Call) -> dict[str, Any]:
    """Enable, disable, force down: by id, from 2.53 on."""
    change: ServiceChange = call.body
    values: dict[str, Any] = {}
    if change.status is not None:
        if change.status not in ("enabled", "disabled"):
            raise BAD_REQUEST(reason=f"Invalid status {change.status!r}. Accepted: enabled, disabled.")
        values |= {"disabled": change.status == "disabled", "disabled_reason": change.disabled_reason}
    elif change.disabled_reason is not None:
        raise BAD_REQUEST(reason="Specifying disabled_reason requires that status is disabled.")
    if change.forced_down is not None:
        values["forced_down"] = change.forced_down
    if not values:
        raise BAD_REQUEST(reason="No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    return {"service": _changed(compute, call, call.path["service_id"], values)}


def update_service_by_name(compute: "Compute", call: Call) -> dict[str, Any]:
    """The same before 2.53: the last word of the path says what, the body of whom."""
    change: OldServiceChange = call.body
    found = compute.hosts.services(host=change.host, binary=change.binary)
    if not found:
        raise HOST_NOT_FOUND(host=change.host)
    shown, values = _old_change(call.path["service_id"], change, call.version)
    body = _changed(compute, call, found[0].id, values)
    return {"service": {name: body[name] for name in ("host", "binary", *shown)}}


def _old_change(what: str, change: OldServiceChange, version: Version) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What the answer shows of the service, and what changes."""
    if what == "enable":
        return ("status",), {"disabled": False, "disabled_reason": None}
    if what == "disable":
        return ("status",), {"disabled": True, "disabled_reason": None}
    if what == "disable-log-reason" and change.disabled_reason:
        return ("status", "disabled_reason"), {"disabled": True, "disabled_reason": change.disabled_reason}
    if what == "force-down" and change.forced_down is not None and version >= (2, 11):
        return ("forced_down",), {"forced_down": change.forced_down}
    raise BAD_REQUEST(reason=f"Unknown action {what!r}, or its fields are missing.")


def _changed(compute: "Compute", call: Call, service_id: str, values: dict[str, Any]) -> dict[str, Any]:
    service = compute.change_service(service_id, **values)
    return _service(compute, call, service, compute.hosts.zones(), 0)


def delete_service(compute: "Compute", call: Call) -> None:
    """Forget a service, by id; before 2.53 that is its place in the list."""
    wanted = call.path["service_id"]
    if call.version < (2, 53):
        found = compute.hosts.services()
        if not wanted.isdecimal() or not 1 <= int(wanted) <= len(found):
            raise SERVICE_NOT_FOUND(service_id=wanted)
        wanted = found[int(wanted) - 1].id
    compute.hosts.delete_service(wanted)


# -- hypervisors -------------------------------------------------------------------------------------------------


def hypervisors(compute: "Compute", call: Call) -> dict[str, Any]:
    """Hypervisors in brief."""
    return _hypervisors(compute, call, "/v2.1/os-hypervisors", detailed=False)


def hypervisors_detail(compute: "Compute", call: Call) -> dict[str, Any]:
    """Hypervisors in full."""
    return _hypervisors(compute, call, "/v2.1/os-hypervisors/detail", detailed=True)


def _hypervisors(compute: "Compute", call: Call, path: str, *, detailed: bool) -> dict[str, Any]:
    found = compute.hosts.hypervisors()
    if call.version >= (2, 53) and (pattern := call.query.get("hypervisor_hostname_pattern")):
        found = [one for one in found if pattern in one.hostname]
        if not found:
            raise HYPERVISOR_NOT_FOUND(hypervisor_id=pattern)
    if marker := call.query.get("marker"):
        places = [place for place, one in enumerate(found) if _id(one, call) in (marker, _number(marker))]
        if not places:
            raise MARKER_NOT_FOUND(marker=marker)
        found = found[places[0] + 1 :]
    shown, around = found[: read_limit(call.query)], _look_around(compute)
    bodies = [_hypervisor(compute, call, one, around, detailed=detailed) for one in shown]
    answer: dict[str, Any] = {"hypervisors": bodies}
    if len(found) > len(shown) and shown and call.version >= (2, 33):
        answer["hypervisors_links"] = [{"rel": "next", "href": next_href(call, path, str(_id(shown[-1], call)))}]
    return answer


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _id(hypervisor: Hypervisor, call: Call) -> str | int:
    return hypervisor.id if call.version >= (2, 53) else hypervisor.number


def hypervisor(compute: "Compute", call: Call) -> dict[str, Any]:
    """One hypervisor."""
    wanted = call.path["hypervisor_id"]
    for one in compute.hosts.hypervisors():
        if str(_id(one, call)) == wanted:
            return {"hypervisor": _hypervisor(compute, call, one, _look_around(compute), detailed=True)}
    raise HYPERVISOR_NOT_FOUND(hypervisor_id=wanted)


class _Around(NamedTuple):
    """What bodies of hypervisors show besides: read once, however many there are."""

    services: dict[str, Service]
    placed: dict[str, list["Placed"]]


def _look_around(compute: "Compute") -> _Around:
    return _Around({service.host: service for service in compute.hosts.services(binary=COMPUTE)}, compute.placed())


def _hypervisor(compute: "Compute", call: Call, one: Hypervisor, around: _Around, *, detailed: bool) -> dict[str, Any]:
    service = around.services[one.host]
    body: dict[str, Any] = {
        "id": _id(one, call),
        "hypervisor_hostname": one.hostname,
        "state": "up" if compute.hosts.is_up(service) else "down",
        "status": "disabled" if service.disabled else "enabled",
    }
    if detailed:
        body |= {
            "hypervisor_type": one.kind,
            "hypervisor_version": one.version,
            "host_ip": one.host_ip,
            "service": {
                "id": service.id if call.version >= (2, 53) else one.number,
                "host": one.host,
                "disabled_reason": service.disabled_reason,
            },
        }
        body |= {"uptime": None} if call.version >= (2, 88) else _counters(compute, call, one, around)
    if call.version >= (2, 53) and (call.query.flag("with_servers") or (detailed and call.version >= (2, 75))):
        body["servers"] = _servers(one, around)
    return body


def _counters(compute: "Compute", call: Call, one: Hypervisor, around: _Around) -> dict[str, Any]:
    """The capacity figures that bodies had before 2.88, from what Placement holds."""
    rooms = compute.placement.rooms(one.id)
    used = {name: room.used for name, room in rooms.items()}
    memory, disk = used.get("MEMORY_MB", 0), used.get("DISK_GB", 0)
    cpu, placed = dict(one.cpu_info), around.placed.get(one.host, [])
    return {
        "vcpus": one.vcpus,
        "vcpus_used": used.get("VCPU", 0),
        "memory_mb": one.memory_mb,
        "memory_mb_used": memory,
        "free_ram_mb": one.memory_mb - memory,
        "local_gb": one.disk_gb,
        "local_gb_used": disk,
        "free_disk_gb": one.disk_gb - disk,
        "disk_available_least": one.disk_gb - disk,
        "running_vms": len(placed),
        "current_workload": sum(server.busy for server in placed),
        "cpu_info": cpu if call.version >= (2, 28) else msgspec.json.encode(cpu).decode(),
    }


def _servers(one: Hypervisor, around: _Around) -> list[dict[str, str]]:
    return [{"name": server.domain_name, "uuid": server.id} for server in around.placed.get(one.host, [])]


def statistics(compute: "Compute", call: Call) -> dict[str, Any]:
    """The sums over all hypervisors whose service is enabled."""
    enabled = {service.host for service in compute.hosts.services(binary=COMPUTE) if not service.disabled}
    around = _look_around(compute)
    found = [_counters(compute, call, one, around) for one in compute.hosts.hypervisors() if one.host in enabled]
    names = (*SUMMED, "running_vms", "current_workload")
    return {"hypervisor_statistics": {"count": len(found)} | {n: sum(one[n] for one in found) for n in names}}


def search(compute: "Compute", call: Call) -> dict[str, Any]:
    """Hypervisors whose names have a word in them."""
    around, found = _look_around(compute), _matching(compute, call)
    return {"hypervisors": [_hypervisor(compute, call, one, around, detailed=False) for one in found]}


def search_servers(compute: "Compute", call: Call) -> dict[str, Any]:
    """The same with their servers."""
    bodies = []
    around = _look_around(compute)
    for one in _matching(compute, call):
        servers = _servers(one, around)
        bodies.append(
            _hypervisor(compute, call, one, around, detailed=False) | ({"servers": servers} if servers else {})
        )
    return {"hypervisors": bodies}


def _matching(compute: "Compute", call: Call) -> list[Hypervisor]:
    pattern = call.path["hypervisor_id"]
    found = [one for one in compute.hosts.hypervisors() if pattern in one.hostname]
    if not found:
        raise HYPERVISOR_NOT_FOUND(hypervisor_id=pattern)
    return found


def uptime(compute: "Compute", call: Call) -> NoReturn:
    """How long a host is up: nothing that hosts report."""
    hypervisor(compute, call)
    raise UNSUPPORTED(what="Telling a host's uptime")


# -- zones -------------------------------------------------------------------------------------------------------


def zones(compute: "Compute", _call: Call) -> dict[str, Any]:
    """Availability zones and whether hosts of theirs are up."""
    return {
        "availabilityZoneInfo": [_zone(name, up, None) for name, up, _ in compute.hosts.zone_states(internal=False)]
    }


def zones_detail(compute: "Compute", _call: Call) -> dict[str, Any]:
    """The same with hosts and services, for administrators."""
    return {
        "availabilityZoneInfo": [_zone(name, up, hosts) for name, up, hosts in compute.hosts.zone_states(internal=True)]
    }


def _zone(name: str, up: bool, hosts: dict[str, list[tuple[str, bool, bool, int]]] | None) -> dict[str, Any]:
    shown = None
    if hosts is not None:
        shown = {
            host: {
                binary: {"active": enabled, "available": alive, "updated_at": iso_micros(seen)}
                for binary, enabled, alive, seen in found
            }
            for host, found in hosts.items()
        }
    return {"zoneName": name, "zoneState": {"available": up}, "hosts": shown}
