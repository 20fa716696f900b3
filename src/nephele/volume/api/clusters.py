"""Clusters of services over HTTP, and the cleaning up after services that died."""

from typing import Any

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume.api.bodies import truth
from nephele.volume.api.links import moment
from nephele.volume.errors import INVALID_INPUT
from nephele.volume.model import Cluster, ServiceRow
from nephele.volume.service import Volumes
from nephele.web.call import Call

_FILTERS = frozenset({"name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts"})


def _view(service: Volumes, cluster: Cluster, *, detailed: bool = True) -> dict[str, object]:
    up = [service.services.is_up(member) for member in service.clusters.members(cluster)]
    view: dict[str, object] = {
        "name": cluster.name,
        "binary": cluster.binary,
        "state": "up" if any(up) else "down",
        "status": "disabled" if cluster.disabled else "enabled",
    }
    if detailed:
        view |= {
            "num_hosts": len(up),
            "num_down_hosts": up.count(False),
            "last_heartbeat": moment(service.parts.clock.now()) if any(up) else "",
            "created_at": moment(cluster.created_at),
            "updated_at": moment(cluster.updated_at) or "",
            "disabled_reason": cluster.disabled_reason,
        }
    return view


def show(service: Volumes, call: Call) -> object:
    """One cluster."""
    return {"cluster": _view(service, service.clusters.show(call.path["name"], call.query.get("binary")))}


def index(service: Volumes, call: Call) -> object:
    """All of them, in short."""
    return {"clusters": [_view(service, cluster, detailed=False) for cluster in _found(service, call)]}


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return {"clusters": [_view(service, cluster) for cluster in _found(service, call)]}


def _found(service: Volumes, call: Call) -> list[Cluster]:
    unknown = sorted(call.query.names() - _FILTERS)
    if unknown:
        raise INVALID_INPUT(reason=f"Invalid filter keys: {', '.join(unknown)}")
    query = call.query
    wanted: dict[str, object] = {name: query.get(name) for name in ("name", "binary") if name in query}
    if "disabled" in query:
        wanted["disabled"] = query.flag("disabled")
    found = service.clusters.find(wanted)
    views = {cluster.name: _view(service, cluster) for cluster in found}
    shown: dict[str, Any] = {name: query.whole(name, 0) for name in ("num_hosts", "num_down_hosts") if name in query}
    if "is_up" in query:
        shown["state"] = "up" if query.flag("is_up") else "down"
    return [cluster for cluster in found if all(views[cluster.name][key] == value for key, value in shown.items())]


def enable(service: Volumes, call: Call) -> object:
    """Let a cluster's services take volumes."""
    if call.body.disabled_reason:
        raise INVALID_INPUT(reason="Unexpected 'disabled_reason' found on enable request.")
    return _switch(service, call, disabled=False)


def disable(service: Volumes, call: Call) -> object:
    """Let a cluster's services take no new volumes."""
    return _switch(service, call, disabled=True)


def _switch(service: Volumes, call: Call, *, disabled: bool) -> object:
    reason = (call.body.disabled_reason or "").strip() or None
    found = service.clusters.switch(call.body.name, call.body.binary or "", disabled=disabled, reason=reason)
    return {"cluster": {**_view(service, found, detailed=False), "disabled_reason": reason}}


# -- cleaning up ---------------------------------------------------------------------------------------------------


def cleanup(service: Volumes, call: Call) -> object:
    """Let services that are up end what those that match left half done; which can, and which can't be reached."""
    asked = call.body
    kind = (asked.resource_type or "").lower()
    if kind not in ("", "volume", "snapshot"):
        raise INVALID_INPUT(reason=f"Resource type {asked.resource_type} not valid, must be Volume or Snapshot")
    if asked.resource_id and not asked.resource_type:
        raise BAD_REQUEST(reason="resource_type must be given with resource_id")
    wants_up = truth(asked.is_up) if asked.is_up is not None else False
    cleaning: list[ServiceRow] = []
    unreachable: list[ServiceRow] = []
    for row in service.services.find(asked.binary or "", asked.host or ""):
        if not _matches(row, asked) or service.services.is_up(row) != wants_up:
            continue
        (cleaning if service.services.can_clean(row) else unreachable).append(row)
    service.clean_up(call.context, {row.host for row in cleaning}, kind, asked.resource_id or "")
    return {
        "cleaning": [_service(row) for row in cleaning],
        "unavailable": [_service(row) for row in unreachable],
    }


def _matches(row: ServiceRow, asked: Any) -> bool:
    if asked.disabled is not None and truth(asked.disabled) != row.disabled:
        return False
    if asked.cluster_name and asked.cluster_name != row.cluster:
        return False
    return asked.service_id is None or str(asked.service_id) == row.uuid


def _service(row: ServiceRow) -> dict[str, object]:
    return {"id": row.uuid, "host": row.host, "binary": row.binary, "cluster_name": row.cluster or None}
