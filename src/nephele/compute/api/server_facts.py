"""What a server is doing, as its hypervisor counts; its topology; what other services say happened to it."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, defstruct, structs

from nephele.compute.api.server_interfaces import Id
from nephele.compute.external_events import EventName
from nephele.compute.virt.driver import Diagnostics, PowerState
from nephele.kernel.clock import SECOND
from nephele.web.bodies import envelope
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.routing import Reply

if TYPE_CHECKING:
    from nephele.compute.service import Compute

STATES = {
    PowerState.NOSTATE: "pending",
    PowerState.RUNNING: "running",
    PowerState.PAUSED: "paused",
    PowerState.SHUTDOWN: "shutdown",
    PowerState.CRASHED: "crashed",
    PowerState.SUSPENDED: "suspended",
}
_DISK_WORDS = ("read_bytes", "read_requests", "write_bytes", "write_requests")
_OLD_DISK = {
    "read_requests": "read_req",
    "read_bytes": "read",
    "write_requests": "write_req",
    "write_bytes": "write",
    "errors": "errors",
}
_OLD_NIC = {"rx_octets": "rx", "tx_octets": "tx"}
_NIC_WORDS = ("octets", "errors", "drop", "packets")


_FIRST = ("network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted")
EVENTS_SINCE = {
    (2, 1): (),
    (2, 51): ("volume-extended",),
    (2, 76): ("power-update",),
    (2, 82): ("accelerator-request-bound",),
    (2, 93): ("volume-reimaged",),
}
"""The events that each version brought."""


def events_body(version: Version) -> Any:
    """The body that a version accepts."""
    names = [*_FIRST, *(name for since, more in EVENTS_SINCE.items() if since <= version for name in more)]
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("name", Literal[tuple(names)]),
        ("server_uuid", Id),
        ("status", Literal["failed", "completed", "in-progress"], "completed"),
        ("tag", Annotated[str, Meta(max_length=255)] | UnsetType, UNSET),
    ]
    event = defstruct("ExternalEvent", fields, frozen=True, forbid_unknown_fields=True)
    return envelope("events", Annotated[list[event], Meta(min_length=1)])  # type: ignore[valid-type]


# -- diagnostics ---------------------------------------------------------------------------------------------------


def old_diagnostics(compute: "Compute", call: Call) -> dict[str, int]:
    """Until 2.47: the counters in libvirt's words; what is not counted is not there."""
    _server, found = compute.consoles.diagnose(call.context, call.path["server_id"])
    told: dict[str, int | None] = {f"cpu{cpu.id}_time": cpu.time_ns for cpu in found.cpus}
    for disk in found.disks:
        told |= {f"{disk.name}_{old}": getattr(disk, name) for name, old in _OLD_DISK.items()}
    for nic in found.nics:
        counts = {name: value for name, value in structs.asdict(nic).items() if name[:3] in ("rx_", "tx_")}
        told |= {f"{nic.tap}_{_OLD_NIC.get(name, name)}": value for name, value in counts.items()}
    told["memory"] = found.memory_max_kib
    told |= {f"memory-{name}": value for name, value in found.memory.items()}
    return {name: value for name, value in told.items() if value is not None}


def diagnostics(compute: "Compute", call: Call) -> dict[str, Any]:
    """From 2.48 on: the same in one form for all hypervisors; what is not counted is null.

    The API's list of drivers is closed: the simulator stands for libvirt there, and says who it is as hypervisor.
    """
    server, found = compute.consoles.diagnose(call.context, call.path["server_id"])
    kinds = [one.kind for one in compute.hosts.hypervisors(host=server.host)]
    uptime = None if server.launched_at is None else (compute.clock.now() - server.launched_at) // SECOND
    return {
        "state": STATES[PowerState(server.power_state)],
        "driver": "libvirt",
        "hypervisor": next(iter(kinds), None),
        "hypervisor_os": "linux",
        "uptime": uptime,
        "config_drive": server.config_drive,
        "num_cpus": len(found.cpus),
        "num_nics": len(found.nics),
        "num_disks": len(found.disks),
        **_details(found),
    }


def _details(found: Diagnostics) -> dict[str, Any]:
    used = found.memory_used_kib
    return {
        "cpu_details": [{"id": cpu.id, "time": cpu.time_ns, "utilisation": None} for cpu in found.cpus],
        "disk_details": [
            {word: getattr(disk, word) for word in _DISK_WORDS} | {"errors_count": disk.errors} for disk in found.disks
        ],
        "nic_details": [
            {"mac_address": nic.mac, "rx_rate": None, "tx_rate": None}
            | {f"{way}_{word}": getattr(nic, f"{way}_{word}") for way in ("rx", "tx") for word in _NIC_WORDS}
            for nic in found.nics
        ],
        "memory_details": {
            "maximum": found.memory_max_kib // 1024,
            "used": None if used is None else used // 1024,
        },
    }


# -- topology ------------------------------------------------------------------------------------------------------


def topology(compute: "Compute", call: Call) -> dict[str, Any]:
    """Which NUMA nodes its processors and memory are on: guests here have one, which is not said to be any."""
    compute.servers.show(call.context, call.path["server_id"])
    return {"nodes": [], "pagesize_kb": None}


# -- external events -----------------------------------------------------------------------------------------------


def external_events(compute: "Compute", call: Call) -> Reply:
    """Take events; 207 where one of them could not be taken."""
    told, codes = [], set()
    for event in call.body.events:
        tag = "" if event.tag is UNSET else event.tag
        heard = compute.external_events.hear(call.context, event.server_uuid, EventName(event.name), tag)
        body = {"name": event.name, "server_uuid": event.server_uuid, "status": heard.status, "code": heard.code}
        told.append(body if event.tag is UNSET else body | {"tag": event.tag})
        codes.add(heard.code)
    return Reply({"events": told}, status=200 if codes == {200} else 207)
