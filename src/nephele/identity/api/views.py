"""How resources look in answers."""

from typing import Any

from nephele.identity.catalog import shown
from nephele.identity.model import Endpoint, Group, Project, Region, Role, Service, User
from nephele.kernel.clock import Instant, iso_micros
from nephele.web.call import Call

View = dict[str, Any]


def link(call: Call, path: str) -> dict[str, str]:
    """The `links` of one resource."""
    return {"self": f"{call.base_url}/v3/{path}"}


def listing(call: Call, name: str, items: list[View], **more: object) -> View:
    """The body of a listing: the resources under their name, and its own links."""
    path = call.request.path.removeprefix(call.api.prefix).lstrip("/")
    text = call.request.query_string
    own = f"{call.base_url}/{path}" + (f"?{text}" if text else "")
    return {name: items, "links": {"next": None, "self": own, "previous": None}, **more}


def bare_time(instant: Instant) -> str | None:
    """`2026-01-31T12:00:00.000000`, as Keystone shows when a password expires."""
    return iso_micros(instant) if instant else None


def user(call: Call, it: User) -> View:
    """A user; its default project only where it has one, as Keystone shows it."""
    view: View = {
        **it.extra,
        "id": it.id,
        "name": it.name,
        "domain_id": it.domain_id,
        "enabled": it.enabled,
        "password_expires_at": bare_time(it.password_expires_at),
        "options": it.options,
        "links": link(call, f"users/{it.id}"),
    }
    if it.default_project_id:
        view["default_project_id"] = it.default_project_id
    if it.description is not None:
        view["description"] = it.description
    return view


def group(call: Call, it: Group) -> View:
    """A group."""
    return {
        **it.extra,
        "id": it.id,
        "name": it.name,
        "domain_id": it.domain_id,
        "description": it.description,
        "links": link(call, f"groups/{it.id}"),
    }


def project(call: Call, it: Project) -> View:
    """A project; one that acts as a domain has neither domain nor parent."""
    return {
        **it.extra,
        "id": it.id,
        "name": it.name,
        "domain_id": it.domain_id or None,
        "parent_id": it.parent_id or None,
        "is_domain": it.is_domain,
        "enabled": it.enabled,
        "description": it.description,
        "tags": list(it.tags),
        "options": it.options,
        "links": link(call, f"projects/{it.id}"),
    }


def domain(call: Call, it: Project) -> View:
    """A domain."""
    return {
        **it.extra,
        "id": it.id,
        "name": it.name,
        "enabled": it.enabled,
        "description": it.description,
        "tags": list(it.tags),
        "options": it.options,
        "links": link(call, f"domains/{it.id}"),
    }


def role(call: Call, it: Role) -> View:
    """A role."""
    return {
        **it.extra,
        "id": it.id,
        "name": it.name,
        "domain_id": it.domain_id or None,
        "description": it.description,
        "options": it.options,
        "links": link(call, f"roles/{it.id}"),
    }


def role_inference(call: Call, prior: Role, implied: Role) -> View:
    """That one role implies another."""
    return {"prior_role": _brief(call, prior), "implies": _brief(call, implied)}


def _brief(call: Call, it: Role) -> View:
    return {"id": it.id, "name": it.name, "links": link(call, f"roles/{it.id}")}


def inferences(call: Call, prior: Role, implied: list[Role]) -> View:
    """All that one role implies."""
    return {"prior_role": _brief(call, prior), "implies": [_brief(call, it) for it in implied]}


def region(call: Call, it: Region) -> View:
    """A region."""
    return {
        **it.extra,
        "id": it.id,
        "parent_region_id": it.parent_id or None,
        "description": it.description,
        "links": link(call, f"regions/{it.id}"),
    }


def service(call: Call, it: Service) -> View:
    """A service; its description only where it has one."""
    view: View = {
        **it.extra,
        "id": it.id,
        "type": it.type,
        "name": it.name,
        "enabled": it.enabled,
        "links": link(call, f"services/{it.id}"),
    }
    if it.description is not None:
        view["description"] = it.description
    return view


def endpoint(call: Call, it: Endpoint, cloud_url: str) -> View:
    """An endpoint; where its URL is on this cloud it shows the address that this client uses."""
    return {
        **it.extra,
        "id": it.id,
        "service_id": it.service_id,
        "region": it.region_id or None,
        "region_id": it.region_id or None,
        "interface": it.interface,
        "url": shown(it.url, cloud_url),
        "enabled": it.enabled,
        "links": link(call, f"endpoints/{it.id}"),
    }
