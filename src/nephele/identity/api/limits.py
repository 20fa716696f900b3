"""Registered limits and limits over HTTP."""

import msgspec
from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.targets import Facts, checked
from nephele.identity.limits import Limit, RegisteredLimit
from nephele.identity.model import LimitModel
from nephele.identity.service import Identity
from nephele.web.bodies import envelope
from nephele.web.call import Call

_MODELS = {
    LimitModel.FLAT: "Each project's limit stands alone, wherever it is in its tree.",
    LimitModel.STRICT_TWO_LEVEL: "No project has a higher limit than its domain, and no project is below another.",
}
NEW_REGISTERED = envelope("registered_limits", tuple[bodies.NewRegisteredLimit, ...])
CHANGED_REGISTERED = envelope("registered_limit", bodies.ChangedRegisteredLimit)
NEW = envelope("limits", tuple[bodies.NewLimit, ...])
CHANGED = envelope("limit", bodies.ChangedLimit)


def registered(identity: Identity, call: Call) -> views.View:
    """List registered limits."""
    found = identity.limits.find_registered(call.query.pairs)
    return views.listing(call, "registered_limits", [_registered_view(call, it) for it in found])


def show_registered(identity: Identity, call: Call) -> views.View:
    """Show a registered limit."""
    return {"registered_limit": _registered_view(call, identity.limits.registered(call.path["limit_id"]))}


def register(identity: Identity, call: Call) -> views.View:
    """Create registered limits, all or none."""
    wanted = [
        RegisteredLimit("", it.service_id, it.region_id or "", it.resource_name, it.default_limit, it.description)
        for it in call.body.registered_limits
    ]
    return {"registered_limits": [_registered_view(call, it) for it in identity.limits.register(wanted)]}


def update_registered(identity: Identity, call: Call) -> views.View:
    """Update a registered limit."""
    have = identity.limits.registered(call.path["limit_id"])
    given = _given(call.body.registered_limit)
    if "region_id" in given:
        given["region_id"] = given["region_id"] or ""
    changed = identity.limits.update_registered(msgspec.structs.replace(have, **given))
    return {"registered_limit": _registered_view(call, changed)}


def unregister(identity: Identity, call: Call) -> None:
    """Delete a registered limit."""
    identity.limits.unregister(call.path["limit_id"])


def model(identity: Identity, _call: Call) -> views.View:
    """How limits of domains and projects relate."""
    return {"model": {"name": identity.limits.model, "description": _MODELS[identity.limits.model]}}


def index(identity: Identity, call: Call) -> views.View:
    """List the limits that the caller may see."""
    found = identity.limits.find(call.query.pairs)
    mine = [it for it in found if call.may("identity:get_limit", _facts(identity, it))]
    return views.listing(call, "limits", [_view(call, it) for it in mine])


def show(identity: Identity, call: Call) -> views.View:
    """Show a limit."""
    found = checked(
        call, "identity:get_limit", lambda: identity.limits.get(call.path["limit_id"]), lambda it: _facts(identity, it)
    )
    return {"limit": _view(call, found)}


def _facts(identity: Identity, it: Limit) -> Facts:
    facts: Facts = {"target.limit.domain_id": it.domain_id or None, "target.limit.project_id": it.project_id or None}
    if it.project_id:
        project = identity.projects.by_ids([it.project_id]).get(it.project_id)
        facts["target.limit.project_domain_id"] = project.domain_id if project else None
    return facts


def create(identity: Identity, call: Call) -> views.View:
    """Create limits, all or none."""
    wanted = [
        Limit(
            "",
            it.project_id or "",
            it.domain_id or "",
            it.service_id,
            it.region_id or "",
            it.resource_name,
            it.resource_limit,
            it.description,
        )
        for it in call.body.limits
    ]
    return {"limits": [_view(call, it) for it in identity.limits.create(wanted)]}


def update(identity: Identity, call: Call) -> views.View:
    """Update a limit."""
    have = identity.limits.get(call.path["limit_id"])
    changed = identity.limits.update(msgspec.structs.replace(have, **_given(call.body.limit)))
    return {"limit": _view(call, changed)}


def delete(identity: Identity, call: Call) -> None:
    """Delete a limit."""
    identity.limits.delete(call.path["limit_id"])


def _given(sent: msgspec.Struct) -> dict[str, object]:
    return {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}


def _registered_view(call: Call, it: RegisteredLimit) -> views.View:
    return {
        "id": it.id,
        "service_id": it.service_id,
        "region_id": it.region_id or None,
        "resource_name": it.resource_name,
        "default_limit": it.default_limit,
        "description": it.description,
        "links": views.link(call, f"registered_limits/{it.id}"),
    }


def _view(call: Call, it: Limit) -> views.View:
    return {
        "id": it.id,
        "project_id": it.project_id or None,
        "domain_id": it.domain_id or None,
        "service_id": it.service_id,
        "region_id": it.region_id or None,
        "resource_name": it.resource_name,
        "resource_limit": it.resource_limit,
        "description": it.description,
        "links": views.link(call, f"limits/{it.id}"),
    }
