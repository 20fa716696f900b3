"""Projects over HTTP."""

from typing import Any

from msgspec import UNSET, UnsetType

from nephele.identity.api import bodies, views
from nephele.identity.api.targets import checked, default_domain, listed_domain, of_project
from nephele.identity.errors import INVALID, REFUSED, TAG_NOT_FOUND
from nephele.identity.model import Project
from nephele.identity.projects import ProjectChange
from nephele.identity.service import Identity
from nephele.kernel.errors import Refused
from nephele.web.call import Call
from nephele.web.routing import Reply

BODY = bodies.resource("project")


def _checked(identity: Identity, call: Call, rule: str) -> Project:
    return checked(call, rule, lambda: identity.projects.get(call.path["project_id"]), of_project)


def index(identity: Identity, call: Call) -> views.View:
    """List projects."""
    filters = listed_domain(call, "identity:list_projects")
    found = identity.projects.find(filters)
    return views.listing(call, "projects", [views.project(call, it) for it in found])


def show(identity: Identity, call: Call) -> views.View:
    """Show a project, with its parents or subtree if asked."""
    project = _checked(identity, call, "identity:get_project")
    view = views.project(call, project)
    if "parents_as_list" in call.query and "parents_as_ids" in call.query:
        raise INVALID(reason="Use either parents_as_list or parents_as_ids, not both.")
    if "subtree_as_list" in call.query and "subtree_as_ids" in call.query:
        raise INVALID(reason="Use either subtree_as_list or subtree_as_ids, not both.")
    mine = set()
    if "parents_as_list" in call.query or "subtree_as_list" in call.query:
        mine = identity.assignments.project_ids(call.context.user_id)
    if "parents_as_list" in call.query:
        found = [it for it in identity.projects.parents(project) if it.id in mine]
        view["parents"] = [{"project": views.project(call, it)} for it in found]
    if "subtree_as_list" in call.query:
        found = [it for it in identity.projects.subtree(project.id) if it.id in mine]
        view["subtree"] = [{"project": views.project(call, it)} for it in found]
    if "parents_as_ids" in call.query:
        view["parents"] = _nested_parents(identity, project)
    if "subtree_as_ids" in call.query:
        view["subtree"] = _nested_subtree(identity, project)
    return {"project": view}


def _nested_parents(identity: Identity, project: Project) -> dict[str, Any] | None:
    """`{parent: {grandparent: {domain: null}}}`."""
    if project.is_domain:
        return None
    nested: dict[str, Any] = {project.domain_id: None}
    for parent in reversed(identity.projects.parents(project)):
        nested = {parent.id: nested}
    return nested


def _nested_subtree(identity: Identity, project: Project) -> dict[str, Any] | None:
    """`{child: {grandchild: null}}`."""
    below: dict[str, dict[str, Any]] = {project.id: {}}
    found = identity.projects.subtree(project.id)
    for child in found:
        below[child.id] = {}
        below[child.parent_id][child.id] = below[child.id]
    for child in found:
        if not below[child.id]:
            below[child.parent_id][child.id] = None
    return below[project.id] or None


def create(identity: Identity, call: Call) -> views.View:
    """Create a project, or a domain by way of a project with `is_domain`."""
    sent, extra = bodies.read(call.body.project, bodies.NewProject)
    options = {name: value for name, value in bodies.options(sent.options).items() if value is not None}
    if len(set(sent.tags)) != len(sent.tags):
        raise INVALID(reason="Invalid input for field tags: they must differ.")
    if sent.is_domain:
        if sent.domain_id or sent.parent_id:
            raise INVALID(reason="A project that acts as a domain has neither domain_id nor parent_id.")
        domain_id = parent_id = ""
    else:
        domain_id, parent_id = _place(identity, call, sent)
    call.enforce("identity:create_project", {"target.project.domain_id": domain_id or None})
    project = Project(
        "",
        sent.name,
        domain_id,
        parent_id,
        sent.is_domain,
        sent.enabled,
        sent.description or "",
        options,
        extra,
        sent.tags,
    )
    try:
        return {"project": views.project(call, identity.projects.create(project))}
    except Refused as refused:
        if refused.status == 404:  # of the domain or parent in the body, not of what the path names
            raise INVALID(reason=refused.message) from None
        raise


def _place(identity: Identity, call: Call, sent: bodies.NewProject) -> tuple[str, str]:
    """Domain and parent of a new project: a parent alone says the domain too."""
    if sent.parent_id and not sent.domain_id:
        parent = identity.projects.by_ids([sent.parent_id]).get(sent.parent_id)
        if parent is not None:
            return parent.domain_id or parent.id, parent.id
    return default_domain(call, sent.domain_id), sent.parent_id or ""


def update(identity: Identity, call: Call) -> views.View:
    """Update a project."""
    project = _checked(identity, call, "identity:update_project")
    sent, extra = bodies.read_change(call.body.project, bodies.ChangedProject, project.id)
    _check_fixed(project, sent)
    change = ProjectChange(
        name=sent.name,
        description=_text(sent.description),
        enabled=sent.enabled,
        options=UNSET if sent.options is UNSET else bodies.options(sent.options),
        tags=sent.tags,
        extra=extra,
    )
    return {"project": views.project(call, identity.projects.update(project.id, change))}


def _check_fixed(project: Project, sent: bodies.ChangedProject) -> None:
    if sent.parent_id is not UNSET and (sent.parent_id or "") != project.parent_id:
        raise REFUSED(action="update the parent_id of a project")
    if sent.domain_id is not UNSET and (sent.domain_id or "") != project.domain_id:
        raise INVALID(reason="Cannot change the domain of a project.")
    if sent.is_domain not in (UNSET, project.is_domain):
        raise INVALID(reason="Cannot change is_domain of a project.")


def _text(description: str | UnsetType | None) -> str | UnsetType:
    return UNSET if description is UNSET else description or ""


def delete(identity: Identity, call: Call) -> None:
    """Delete a project."""
    identity.projects.delete(_checked(identity, call, "identity:delete_project").id)


def tags(identity: Identity, call: Call) -> views.View:
    """The tags of a project."""
    project = _checked(identity, call, "identity:list_project_tags")
    path = f"{call.base_url}/v3/projects/{project.id}/tags"
    return {"tags": list(project.tags), "links": {"next": None, "self": path, "previous": None}}


def set_tags(identity: Identity, call: Call) -> views.View:
    """Replace all tags."""
    project = _checked(identity, call, "identity:update_project_tags")
    if len(set(call.body.tags)) != len(call.body.tags):
        raise INVALID(reason="Invalid input for field tags: they must differ.")
    changed = identity.projects.update(project.id, ProjectChange(tags=call.body.tags))
    return {"tags": list(changed.tags), "links": {"next": None, "self": call.request.uri, "previous": None}}


def clear_tags(identity: Identity, call: Call) -> None:
    """Take all tags away."""
    project = _checked(identity, call, "identity:delete_project_tags")
    identity.projects.update(project.id, ProjectChange(tags=()))


def check_tag(identity: Identity, call: Call) -> None:
    """Whether a project has a tag."""
    project = _checked(identity, call, "identity:get_project_tag")
    if call.path["tag"] not in project.tags:
        raise TAG_NOT_FOUND(id=call.path["tag"])


def add_tag(identity: Identity, call: Call) -> Reply:
    """Add a tag."""
    project = _checked(identity, call, "identity:create_project_tag")
    name = call.path["tag"]
    if len(name) > 255 or "," in name:
        raise INVALID(reason=f"Invalid tag {name!r}: at most 255 characters, no comma.")
    if len(project.tags) >= 80 and name not in project.tags:
        raise INVALID(reason="A project has at most 80 tags.")
    identity.projects.tag(project.id, name)
    return Reply(None, 201, {"Location": call.request.uri})


def remove_tag(identity: Identity, call: Call) -> None:
    """Take a tag away."""
    identity.projects.untag(_checked(identity, call, "identity:delete_project_tag").id, call.path["tag"])
