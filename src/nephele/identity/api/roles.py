"""Roles and implications over HTTP."""

from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.targets import checked, of_role
from nephele.identity.errors import INVALID
from nephele.identity.model import Role
from nephele.identity.service import Identity
from nephele.web.call import Call
from nephele.web.routing import Reply

BODY = bodies.resource("role")


def _checked(identity: Identity, call: Call, verb: str) -> Role:
    """The role in the path; a role of a domain has rules of its own."""
    role_id = call.path["role_id"]
    found = identity.roles.read_graph().by_id.get(role_id)
    rule = f"identity:{verb}_{'domain_role' if found and found.domain_id else 'role'}"
    return checked(call, rule, lambda: identity.roles.get(role_id), of_role)


def index(identity: Identity, call: Call) -> views.View:
    """List roles."""
    call.enforce("identity:list_domain_roles" if call.query.get("domain_id") else "identity:list_roles", {})
    found = identity.roles.find(call.query.pairs)
    return views.listing(call, "roles", [views.role(call, it) for it in found])


def show(identity: Identity, call: Call) -> views.View:
    """Show a role."""
    return {"role": views.role(call, _checked(identity, call, "get"))}


def create(identity: Identity, call: Call) -> views.View:
    """Create a role."""
    sent, extra = bodies.read(call.body.role, bodies.NewRole)
    domain_id = sent.domain_id or ""
    call.enforce("identity:create_domain_role" if domain_id else "identity:create_role", {})
    if domain_id:
        identity.projects.get_domain(domain_id)
    options = {name: value for name, value in bodies.options(sent.options).items() if value is not None}
    role = identity.roles.create(sent.name, domain_id, sent.description, options, extra)
    return {"role": views.role(call, role)}


def update(identity: Identity, call: Call) -> views.View:
    """Update a role."""
    role = _checked(identity, call, "update")
    sent, extra = bodies.read_change(call.body.role, bodies.ChangedRole, role.id)
    if sent.domain_id is not UNSET and (sent.domain_id or "") != role.domain_id:
        raise INVALID(reason="Cannot change the domain of a role.")
    options = UNSET if sent.options is UNSET else bodies.options(sent.options)
    changed = identity.roles.update(role.id, name=sent.name, description=sent.description, options=options, extra=extra)
    return {"role": views.role(call, changed)}


def delete(identity: Identity, call: Call) -> None:
    """Delete a role."""
    identity.roles.delete(_checked(identity, call, "delete").id)


def implied(identity: Identity, call: Call) -> views.View:
    """What a role implies directly."""
    prior = identity.roles.get(call.path["role_id"])
    graph = identity.roles.read_graph()
    found = [graph.by_id[role_id] for role_id in graph.implies.get(prior.id, ())]
    path = f"{call.base_url}/v3/roles/{prior.id}/implies"
    return {"role_inference": views.inferences(call, prior, found), "links": {"self": path}}


def all_inferences(identity: Identity, call: Call) -> views.View:
    """All implications."""
    graph = identity.roles.read_graph()
    found = [
        views.inferences(call, graph.by_id[prior], [graph.by_id[role_id] for role_id in implied_ids])
        for prior, implied_ids in graph.implies.items()
    ]
    return {"role_inferences": found, "links": {"self": f"{call.base_url}/v3/role_inferences"}}


def _pair(call: Call) -> tuple[str, str]:
    return call.path["role_id"], call.path["implied_role_id"]


def _inference(identity: Identity, call: Call) -> views.View:
    prior_id, implied_id = _pair(call)
    prior, implied_role = identity.roles.check_implied(prior_id, implied_id)
    path = f"{call.base_url}/v3/roles/{prior_id}/implies/{implied_id}"
    return {"role_inference": views.role_inference(call, prior, implied_role), "links": {"self": path}}


def show_implied(identity: Identity, call: Call) -> views.View:
    """Whether one role implies another."""
    return _inference(identity, call)


def imply(identity: Identity, call: Call) -> Reply:
    """Make one role imply another."""
    identity.roles.imply(*_pair(call))
    return Reply(_inference(identity, call), 201)


def imply_no_more(identity: Identity, call: Call) -> None:
    """Take an implication away."""
    identity.roles.imply_no_more(*_pair(call))
