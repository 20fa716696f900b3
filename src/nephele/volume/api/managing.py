"""Disks from outside over HTTP: what can be managed, managing it, and giving it up."""

from typing import Any

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume.api import snapshots, volumes
from nephele.volume.api.bodies import check_uuid, stripped, truth
from nephele.volume.managing import Candidate, NewManaged
from nephele.volume.service import Volumes
from nephele.web.call import Call

_SORTS = {"size": lambda one: (one.size_gb, one.name), "reference": lambda one: (one.name,)}


def index_volumes(service: Volumes, call: Call) -> object:
    """What could become a volume, in short."""
    return {"manageable-volumes": _list(service, call, of_snapshots=False, detailed=False)}


def detail_volumes(service: Volumes, call: Call) -> object:
    """What could become a volume, in full."""
    return {"manageable-volumes": _list(service, call, of_snapshots=False, detailed=True)}


def index_snapshots(service: Volumes, call: Call) -> object:
    """What could become a snapshot, in short."""
    return {"manageable-snapshots": _list(service, call, of_snapshots=True, detailed=False)}


def detail_snapshots(service: Volumes, call: Call) -> object:
    """What could become a snapshot, in full."""
    return {"manageable-snapshots": _list(service, call, of_snapshots=True, detailed=True)}


def _list(service: Volumes, call: Call, *, of_snapshots: bool, detailed: bool) -> list[dict[str, object]]:
    query = call.query
    found = service.managing.candidates(
        _host(service, query.get("host"), query.get("cluster")), of_snapshots=of_snapshots
    )
    key, _colon, direction = (query.get("sort") or "reference").partition(":")
    if key not in _SORTS or direction not in ("", "asc", "desc"):
        raise BAD_REQUEST(reason=f"Invalid sort: {key}:{direction}. It must be size or reference, asc or desc.")
    found.sort(key=_SORTS[key], reverse=direction != "asc" and bool(query.get("sort")))
    first, limit = query.whole("offset", 0), query.whole("limit", 1000)
    return [_view(one, of_snapshots=of_snapshots, detailed=detailed) for one in found[first : first + limit]]


def _host(service: Volumes, host: str | None, cluster: str | None) -> str:
    if bool(host) == bool(cluster):
        raise BAD_REQUEST(reason="Specify either host or cluster, and not both.")
    return host or service.clusters.member_of(cluster or "")


def _view(found: Candidate, *, of_snapshots: bool, detailed: bool) -> dict[str, object]:
    view: dict[str, object] = {
        "reference": {"source-name": found.name},
        "size": found.size_gb,
        "safe_to_manage": not found.id,
    }
    if of_snapshots:
        view["source_reference"] = None
    if detailed:
        reason = "already managed" if found.id else None
        view |= {"reason_not_safe": reason, "cinder_id": found.id or None, "extra_info": None}
    return view


def _wish(asked: Any) -> NewManaged:
    reference = asked.ref
    name = reference.get("source-name") if isinstance(reference, dict) else reference
    if not isinstance(name, str) or not name:
        raise BAD_REQUEST(reason="Reference must contain source-name element.")
    return NewManaged(
        disk=name,
        name=stripped(asked.name),
        description=stripped(asked.description),
        volume_type=getattr(asked, "volume_type", None) or None,
        bootable=truth(getattr(asked, "bootable", False)),
        metadata=asked.metadata or {},
    )


def manage_volume(service: Volumes, call: Call) -> object:
    """Let a disk become a volume."""
    asked = call.body.volume
    host = _host(service, asked.host, getattr(asked, "cluster", None))
    made = service.managing.manage(call.context, host, _wish(asked))
    return {"volume": volumes.View(service, call).detail(made, [])}


def manage_snapshot(service: Volumes, call: Call) -> object:
    """Let a disk become a snapshot."""
    asked = call.body.snapshot
    check_uuid("volume_id", asked.volume_id)
    volume = service.show(call.context, asked.volume_id)
    made = service.managing.manage_snapshot(call.context, volume, _wish(asked))
    return {"snapshot": snapshots.view(call, made)}


def unmanage_volume(service: Volumes, call: Call) -> None:
    """`os-unmanage`."""
    service.managing.unmanage(call.context, volumes.find(service, call, "volume_extension:volume_unmanage"))


def unmanage_snapshot(service: Volumes, call: Call) -> None:
    """`os-unmanage`."""
    found = snapshots.find(service, call, "snapshot_extension:snapshot_unmanage")
    service.managing.unmanage_snapshot(call.context, found)
