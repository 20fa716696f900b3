"""`/os-quota-sets`, `/os-quota-class-sets`, `/limits`."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from nephele.compute.quotas import DEFAULT_CLASS, Resource
from nephele.kernel.errors import BAD_REQUEST, FORBIDDEN
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Limit = Annotated[int, Meta(ge=-1, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^(-1|[0-9]{1,10})$")]
FILES = {"injected_files": 0, "injected_file_content_bytes": 0, "injected_file_path_bytes": 0}
"""File injection is not supported: nothing of it is allowed, whatever limit is set."""
NETWORKS = {"floating_ips": -1, "fixed_ips": -1, "security_groups": -1, "security_group_rules": -1}
"""Limits that are the network service's business; before 2.36 they are kept and shown, as upstream does, no more."""
NO_LIMIT = -1


class QuotaSet(Struct, frozen=True, forbid_unknown_fields=True, rename=None):
    """`quota_set` of a change."""

    instances: Limit | None = None
    cores: Limit | None = None
    ram: Limit | None = None
    metadata_items: Limit | None = None
    key_pairs: Limit | None = None
    server_groups: Limit | None = None
    server_group_members: Limit | None = None
    injected_files: Limit | None = None
    injected_file_content_bytes: Limit | None = None
    injected_file_path_bytes: Limit | None = None
    floating_ips: Limit | None = None
    fixed_ips: Limit | None = None
    security_groups: Limit | None = None
    security_group_rules: Limit | None = None
    networks: Limit | None = None
    force: bool | str | None = None


def _own(call: Call) -> str:
    project_id = call.path["tenant_id"]
    if project_id != call.context.project_id and not call.context.is_admin:
        raise FORBIDDEN(rule="os_compute_api:os-quota-sets:show")
    return project_id


def _shape(call: Call, limits: dict[str, int]) -> dict[str, Any]:
    """The resources that this microversion shows."""
    shown: dict[str, Any] = {name: limits[name] for name in Resource}
    if call.version < (2, 36):
        shown |= {name: limits.get(name, limit) for name, limit in NETWORKS.items()}
    if call.version < (2, 57):
        shown |= {name: limits.get(name, limit) for name, limit in FILES.items()}
    return shown


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """A project's limits."""
    project_id = _own(call)
    return {"quota_set": {"id": project_id, **_shape(call, compute.quotas.limits(project_id))}}


def detail(compute: "Compute", call: Call) -> dict[str, Any]:
    """A project's limits, with what is used."""
    project_id = _own(call)
    used = compute.quotas.counted(project_id, call.query.get("user_id") or call.context.user_id)
    shown = {
        name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
        for name, limit in _shape(call, compute.quotas.limits(project_id)).items()
    }
    return {"quota_set": {"id": project_id, **shown}}


def defaults(compute: "Compute", call: Call) -> dict[str, Any]:
    """The limits of projects that have none of their own."""
    return {"quota_set": {"id": call.path["tenant_id"], **_shape(call, compute.quotas.limits(DEFAULT_CLASS))}}


def update(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set a project's limits."""
    project_id = call.path["tenant_id"]
    if not compute.project_exists(project_id):
        raise BAD_REQUEST(reason=f"Project ID {project_id} is not a valid project.")
    limits = _wanted(call.body.quota_set)
    force = str(call.body.quota_set.force).lower() in ("true", "1", "yes", "on")
    with compute.store.write():
        if not force:
            _check_used(compute, project_id, call.context.user_id, limits)
        compute.quotas.set_limits(project_id, limits)
    return {"quota_set": _shape(call, compute.quotas.limits(project_id))}


def _wanted(body: QuotaSet) -> dict[str, int]:
    names = (*Resource, *NETWORKS, *FILES)
    return {str(name): int(value) for name in names if (value := getattr(body, name)) is not None}


def _check_used(compute: "Compute", project_id: str, user_id: str, limits: dict[str, int]) -> None:
    used = compute.quotas.counted(project_id, user_id)
    for name, limit in limits.items():
        if name != Resource.KEY_PAIRS and 0 <= limit < used.get(name, 0):
            raise BAD_REQUEST(
                reason=f"Quota limit {limit} for {name} must be greater than or equal to already used and"
                f" reserved {used[name]}."
            )


def delete(compute: "Compute", call: Call) -> None:
    """Back to the defaults."""
    compute.quotas.forget(call.path["tenant_id"])


def show_class(compute: "Compute", call: Call) -> dict[str, Any]:
    """The defaults, as a class."""
    return {"quota_class_set": {"id": call.path["id"], **_class_shape(call, compute)}}


def update_class(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set the defaults."""
    if call.path["id"] == "default":
        compute.quotas.set_limits(DEFAULT_CLASS, _wanted(call.body.quota_class_set))
    return {"quota_class_set": _class_shape(call, compute)}


def _class_shape(call: Call, compute: "Compute") -> dict[str, Any]:
    shown = _shape(call, compute.quotas.limits(DEFAULT_CLASS))
    if call.version < (2, 50):
        return {name: value for name, value in shown.items() if not name.startswith("server_group")}
    return {name: value for name, value in shown.items() if name not in NETWORKS}


def limits(compute: "Compute", call: Call) -> dict[str, Any]:
    """What the project may have and has."""
    project_id = call.context.project_id
    asked = call.query.get("tenant_id")
    if asked and asked != project_id:
        call.enforce("os_compute_api:limits:other_project", {"project_id": project_id})
        project_id = asked
    limit = compute.quotas.limits(project_id)
    used = compute.quotas.counted(project_id, call.context.user_id)
    absolute: dict[str, Any] = {
        "maxTotalInstances": limit["instances"],
        "maxTotalCores": limit["cores"],
        "maxTotalRAMSize": limit["ram"],
        "maxServerMeta": limit["metadata_items"],
        "maxTotalKeypairs": limit["key_pairs"],
        "maxServerGroups": limit["server_groups"],
        "maxServerGroupMembers": limit["server_group_members"],
        "totalInstancesUsed": used["instances"],
        "totalCoresUsed": used["cores"],
        "totalRAMUsed": used["ram"],
        "totalServerGroupsUsed": used["server_groups"],
    }
    if call.version < (2, 36):
        names = ("maxTotalFloatingIps", "maxSecurityGroups", "maxSecurityGroupRules")
        absolute |= dict.fromkeys(names, NO_LIMIT) | {"totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0}
    if call.version < (2, 39):
        absolute["maxImageMeta"] = limit["metadata_items"]
    if call.version < (2, 57):
        absolute |= {"maxPersonality": 0, "maxPersonalitySize": 0}
    return {"limits": {"rate": [], "absolute": absolute}}
