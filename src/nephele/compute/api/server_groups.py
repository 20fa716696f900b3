"""`/os-server-groups`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.compute.model import ServerGroup
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Policy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]
Servers = Annotated[int, Meta(ge=1)] | Annotated[str, Meta(pattern=r"^[1-9][0-9]*$")]
ALL_PROJECTS = "os_compute_api:os-server-groups:index:all_projects"


class OldGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """`server_group` of a creation before 2.64."""

    name: Name
    policies: Annotated[list[Policy], Meta(min_length=1, max_length=1)]


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """What a policy may be told besides."""

    max_server_per_host: Servers | UnsetType = UNSET


class NewGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """`server_group` of a creation from 2.64 on."""

    name: Name
    policy: Policy
    rules: Rules = Rules()


def create_old(compute: "Compute", call: Call) -> dict[str, Any]:
    """A new group with a list of one policy."""
    new: OldGroup = call.body.server_group
    (policy,) = new.policies
    if policy.startswith("soft") and call.version < (2, 15):
        raise BAD_REQUEST(reason=f"Policy {policy} came with microversion 2.15.")
    return {"server_group": _view(compute.groups.create(call.context, new.name, policy, {}), [], call)}


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """A new group."""
    new: NewGroup = call.body.server_group
    most = new.rules.max_server_per_host
    if most is not UNSET and new.policy != "anti-affinity":
        raise BAD_REQUEST(reason="Only anti-affinity policy supports rules.")
    rules = {} if most is UNSET else {"max_server_per_host": int(most)}
    return {"server_group": _view(compute.groups.create(call.context, new.name, new.policy, rules), [], call)}


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """The project's groups; with `all_projects`, for administrators, all."""
    everyone = call.query.flag("all_projects") and call.may(ALL_PROJECTS)
    project_id = "" if everyone else call.context.project_id
    limit = min(call.query.whole("limit", 1000), 1000)
    found = compute.groups.list_for(project_id, call.query.whole("offset", 0), limit)
    members = compute.groups.members([group.id for group in found])
    return {"server_groups": [_view(group, members.get(group.id, []), call) for group in found]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One group."""
    group = compute.groups.show(call.context, call.path["group_id"])
    return {"server_group": _view(group, compute.groups.members([group.id]).get(group.id, []), call)}


def delete(compute: "Compute", call: Call) -> None:
    """Remove a group."""
    compute.groups.delete(call.context, call.path["group_id"])


def _view(group: ServerGroup, members: list[str], call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {"id": group.id, "name": group.name, "members": members}
    if call.version >= (2, 64):
        body |= {"policy": group.policy, "rules": group.rules}
    else:
        body |= {"policies": [group.policy], "metadata": {}}
    if call.version >= (2, 13):
        body |= {"project_id": group.project_id, "user_id": group.user_id}
    return body
