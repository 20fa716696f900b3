"""Endpoint groups, and the endpoints that projects see, over HTTP."""

import msgspec
from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.auth import cloud_url
from nephele.identity.endpoint_filters import EndpointGroup
from nephele.identity.errors import INVALID
from nephele.identity.service import Identity
from nephele.web.call import Call

BODY = bodies.resource("endpoint_group")
_PATH = "OS-EP-FILTER/endpoint_groups"


def _filters(sent: bodies.EndpointFilter) -> dict[str, str]:
    """The filters as they are kept.  Raises INVALID where there is none."""
    given: dict[str, object] = msgspec.to_builtins(sent)
    if not given:
        raise INVALID(reason="An endpoint group needs a filter by service_id, region_id, interface or enabled.")
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def _view(call: Call, it: EndpointGroup) -> views.View:
    return {
        "id": it.id,
        "name": it.name,
        "description": it.description,
        "filters": it.filters,
        "links": views.link(call, f"{_PATH}/{it.id}"),
    }


def index(identity: Identity, call: Call) -> views.View:
    """List endpoint groups."""
    found = identity.endpoint_filters.find(call.query.pairs)
    return views.listing(call, "endpoint_groups", [_view(call, it) for it in found])


def show(identity: Identity, call: Call) -> views.View:
    """Show an endpoint group."""
    return {"endpoint_group": _view(call, identity.endpoint_filters.get(call.path["group_id"]))}


def create(identity: Identity, call: Call) -> views.View:
    """Create an endpoint group."""
    sent, _extra = bodies.read(call.body.endpoint_group, bodies.NewEndpointGroup)
    new = EndpointGroup("", sent.name, sent.description, _filters(sent.filters))
    return {"endpoint_group": _view(call, identity.endpoint_filters.create(new))}


def update(identity: Identity, call: Call) -> views.View:
    """Update an endpoint group."""
    have = identity.endpoint_filters.get(call.path["group_id"])
    sent, _extra = bodies.read_change(call.body.endpoint_group, bodies.ChangedEndpointGroup, have.id)
    changed = EndpointGroup(
        have.id,
        have.name if sent.name is UNSET else sent.name,
        have.description if sent.description is UNSET else sent.description,
        have.filters if sent.filters is UNSET else have.filters | _filters(sent.filters),
    )
    return {"endpoint_group": _view(call, identity.endpoint_filters.update(changed))}


def delete(identity: Identity, call: Call) -> None:
    """Delete an endpoint group."""
    identity.endpoint_filters.delete(call.path["group_id"])


def add(identity: Identity, call: Call) -> None:
    """Choose an endpoint for a project."""
    identity.endpoint_filters.add(call.path["project_id"], call.path["endpoint_id"])


def check(identity: Identity, call: Call) -> None:
    """Whether an endpoint was chosen for a project."""
    identity.endpoint_filters.check(call.path["project_id"], call.path["endpoint_id"])


def remove(identity: Identity, call: Call) -> None:
    """Choose an endpoint no more."""
    identity.endpoint_filters.remove(call.path["project_id"], call.path["endpoint_id"])


def add_group(identity: Identity, call: Call) -> None:
    """Choose a group for a project."""
    identity.endpoint_filters.add_group(call.path["project_id"], call.path["group_id"])


def check_group(identity: Identity, call: Call) -> views.View:
    """Whether a group was chosen for a project."""
    found = identity.endpoint_filters.check_group(call.path["project_id"], call.path["group_id"])
    return {"endpoint_group": _view(call, found)}


def remove_group(identity: Identity, call: Call) -> None:
    """Choose a group no more."""
    identity.endpoint_filters.remove_group(call.path["project_id"], call.path["group_id"])


def groups_of_project(identity: Identity, call: Call) -> views.View:
    """The groups chosen for a project."""
    found = identity.endpoint_filters.groups_of(call.path["project_id"])
    return views.listing(call, "endpoint_groups", [_view(call, it) for it in found])


def endpoints_of_project(identity: Identity, call: Call) -> views.View:
    """The endpoints chosen for a project."""
    found = identity.endpoint_filters.endpoints_of(call.path["project_id"])
    return views.listing(call, "endpoints", [views.endpoint(call, it, cloud_url(call)) for it in found])


def endpoints_of_group(identity: Identity, call: Call) -> views.View:
    """The endpoints in a group."""
    found = identity.endpoint_filters.endpoints_in(identity.endpoint_filters.get(call.path["group_id"]))
    return views.listing(call, "endpoints", [views.endpoint(call, it, cloud_url(call)) for it in found])


def projects_of_endpoint(identity: Identity, call: Call) -> views.View:
    """The projects that an endpoint was chosen for."""
    found = identity.endpoint_filters.projects_of(call.path["endpoint_id"])
    return views.listing(call, "projects", [views.project(call, it) for it in found])


def projects_of_group(identity: Identity, call: Call) -> views.View:
    """The projects that a group was chosen for."""
    found = identity.endpoint_filters.projects_of_group(call.path["group_id"])
    return views.listing(call, "projects", [views.project(call, it) for it in found])
