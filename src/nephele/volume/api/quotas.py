"""Quotas and limits over HTTP."""

from typing import Any

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume.service import Volumes
from nephele.web.call import Call


def show(service: Volumes, call: Call) -> object:
    """A project's quotas, with `usage=true` also what it has."""
    project_id = call.path["project_id"]
    call.enforce("volume_extension:quotas:show", {"project_id": project_id})
    quotas: dict[str, object] = {"id": project_id}
    if call.query.flag("usage"):
        for name, usage in service.quotas.usages(project_id).items():
            quotas[name] = {"limit": usage.limit, "in_use": usage.in_use, "reserved": 0, "allocated": 0}
        return {"quota_set": quotas}
    return {"quota_set": {**quotas, **service.quotas.limits(project_id)}}


def show_defaults(service: Volumes, call: Call) -> object:
    """What a project has where nobody said otherwise."""
    project_id = call.path["project_id"]
    call.enforce("volume_extension:quotas:show", {"project_id": project_id})
    return {"quota_set": {"id": project_id, **service.quotas.class_limits()}}


def update(service: Volumes, call: Call) -> object:
    """Another quota for a project."""
    limits = _numbers(call.body.quota_set)
    return {"quota_set": service.quotas.set_limits(call.path["project_id"], limits)}


def delete(service: Volumes, call: Call) -> None:
    """Let the defaults hold again."""
    service.quotas.forget(call.path["project_id"])


def show_class(service: Volumes, call: Call) -> object:
    """A quota class."""
    name = call.path["class_name"]
    return {"quota_class_set": {"id": name, **service.quotas.class_limits(name)}}


def update_class(service: Volumes, call: Call) -> object:
    """Other quotas for a class."""
    limits = _numbers(call.body.quota_class_set)
    return {"quota_class_set": service.quotas.set_class_limits(call.path["class_name"], limits)}


def _numbers(body: dict[str, Any]) -> dict[str, int]:
    """Limits, as numbers or as text; what clients send along is overlooked."""
    found = {name: int(limit) for name, limit in body.items() if name not in ("tenant_id", "id")}
    for name, limit in found.items():
        if limit < -1:
            raise BAD_REQUEST(
                reason=f"Invalid input for field/attribute {name}. {limit} is less than the minimum of -1."
            )
    return found


_ABSOLUTE = {
    "gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "snapshots": ("maxTotalSnapshots", "totalSnapshotsUsed"),
    "backups": ("maxTotalBackups", "totalBackupsUsed"),
    "backup_gigabytes": ("maxTotalBackupGigabytes", "totalBackupGigabytesUsed"),
}


def show_limits(service: Volumes, call: Call) -> object:
    """What the caller's project may have and has; administrators may ask for another from 3.39 on."""
    project_id = call.context.project_id
    if call.context.is_admin and call.version >= (3, 39):
        project_id = call.query.get("project_id") or call.query.get("tenant_id") or project_id
    usages = service.quotas.usages(project_id)
    absolute: dict[str, int] = {most: usages[name].limit for name, (most, _used) in _ABSOLUTE.items()}
    if call.may("limits_extension:used_limits"):
        absolute |= {used: usages[name].in_use for name, (_most, used) in _ABSOLUTE.items()}
    return {"limits": {"rate": [], "absolute": absolute}}
