"""Domains over HTTP."""

from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.targets import checked, of_domain
from nephele.identity.model import Project
from nephele.identity.projects import ProjectChange
from nephele.identity.service import Identity
from nephele.web.call import Call

BODY = bodies.resource("domain")


def _checked(identity: Identity, call: Call, rule: str) -> Project:
    return checked(call, rule, lambda: identity.projects.get_domain(call.path["domain_id"]), of_domain)


def index(identity: Identity, call: Call) -> views.View:
    """List domains; callers who are let in for their own only see that."""
    own = call.context.domain_id
    call.enforce("identity:list_domains", {"target.domain.id": own})
    only = None if call.context.is_admin or call.context.system_scope else [own]
    found = identity.projects.find_domains(call.query.pairs, only)
    return views.listing(call, "domains", [views.domain(call, it) for it in found])


def show(identity: Identity, call: Call) -> views.View:
    """Show a domain."""
    return {"domain": views.domain(call, _checked(identity, call, "identity:get_domain"))}


def create(identity: Identity, call: Call) -> views.View:
    """Create a domain."""
    sent, extra = bodies.read(call.body.domain, bodies.NewDomain)
    options = {name: value for name, value in bodies.options(sent.options).items() if value is not None}
    domain_id = "" if sent.explicit_domain_id is UNSET else sent.explicit_domain_id
    text = sent.description or ""
    domain = Project(domain_id, sent.name, "", "", True, sent.enabled, text, options, extra, sent.tags)
    return {"domain": views.domain(call, identity.projects.create(domain))}


def update(identity: Identity, call: Call) -> views.View:
    """Update a domain."""
    domain = _checked(identity, call, "identity:update_domain")
    sent, extra = bodies.read_change(call.body.domain, bodies.ChangedDomain, domain.id)
    change = ProjectChange(
        name=sent.name,
        description=UNSET if sent.description is UNSET else sent.description or "",
        enabled=sent.enabled,
        options=UNSET if sent.options is UNSET else bodies.options(sent.options),
        tags=sent.tags,
        extra=extra,
    )
    return {"domain": views.domain(call, identity.projects.update(domain.id, change))}


def delete(identity: Identity, call: Call) -> None:
    """Delete a domain with all in it."""
    identity.projects.delete_domain(_checked(identity, call, "identity:delete_domain").id)
