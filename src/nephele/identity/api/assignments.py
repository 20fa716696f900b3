"""The listing of role assignments over HTTP."""

from nephele.identity.api import views
from nephele.identity.api.targets import Facts
from nephele.identity.assignments import Effective, Wanted
from nephele.identity.errors import INVALID
from nephele.identity.model import Actor, Assignment, Target
from nephele.identity.service import Identity
from nephele.web.call import Call

View = views.View


def index(identity: Identity, call: Call) -> View:
    """List role assignments, as given or (`effective`) as they work out."""
    wanted, effective = _wanted(call), _flag(call, "effective")
    _enforce(identity, call, wanted)
    if effective:
        if wanted.group_id:
            raise INVALID(reason="Combining effective and group filters never finds anything: groups are resolved.")
        found = identity.assignments.find_effective(wanted)
    else:
        found = [Effective(given) for given in identity.assignments.find(wanted)]
    names = _Names(identity, found) if _flag(call, "include_names") else None
    items = [_view(call, it, effective, names) for it in found]
    return views.listing(call, "role_assignments", items)


def _flag(call: Call, name: str) -> bool:
    return name in call.query and call.query.get(name).lower() not in ("0", "false", "no", "off")


def _wanted(call: Call) -> Wanted:
    query = call.query
    if query.get("user.id") and query.get("group.id"):
        raise INVALID(reason="Specify a user or group, not both.")
    scopes = [
        (Target.PROJECT, query.get("scope.project.id")),
        (Target.DOMAIN, query.get("scope.domain.id")),
        (Target.SYSTEM, query.get("scope.system")),
    ]
    given = [(kind, value) for kind, value in scopes if value]
    if len(given) > 1:
        raise INVALID(reason="Specify one of project, domain and system scope, not several.")
    subtree = _flag(call, "include_subtree")
    if subtree and not query.get("scope.project.id"):
        raise INVALID(reason="scope.project.id must be specified if include_subtree is also specified.")
    kind, value = given[0] if given else (None, "")
    return Wanted(
        user_id=query.get("user.id"),
        group_id=query.get("group.id"),
        role_id=query.get("role.id"),
        target_type=kind,
        target_id="" if kind is Target.SYSTEM else value,
        inherited=True if "scope.OS-INHERIT:inherited_to" in query else None,
        include_subtree=subtree,
    )


def _enforce(identity: Identity, call: Call, wanted: Wanted) -> None:
    facts: Facts = {}
    if wanted.target_type is Target.PROJECT:
        project = identity.projects.by_ids([wanted.target_id]).get(wanted.target_id)
        facts["target.domain_id"] = project.domain_id if project else None
    elif wanted.target_type is Target.DOMAIN:
        facts["target.domain_id"] = wanted.target_id
    rule = "identity:list_role_assignments_for_tree" if wanted.include_subtree else "identity:list_role_assignments"
    call.enforce(rule, facts)


class _Names:
    """Whatever the assignments speak of, read in a few queries."""

    def __init__(self, identity: Identity, found: list[Effective]) -> None:
        given = [it.assignment for it in found]
        users = {it.actor_id for it in given if it.actor_type is Actor.USER}
        groups = {it.actor_id for it in given if it.actor_type is Actor.GROUP}
        self.users = identity.users.by_ids(users)
        self.groups = identity.groups.by_ids(groups)
        self.projects = identity.projects.by_ids({it.target_id for it in given})
        self.roles = identity.roles.read_graph().by_id
        owners = {it.domain_id for it in self.users.values()} | {it.domain_id for it in self.groups.values()}
        owners |= {it.domain_id for it in self.projects.values()} | {it.domain_id for it in self.roles.values()}
        self.domains = identity.projects.by_ids(owners)

    def domain(self, domain_id: str) -> View:
        found = self.domains.get(domain_id)
        return {"id": domain_id, "name": found.name if found else ""}

    def actor(self, it: Assignment) -> View:
        found = self.users.get(it.actor_id) if it.actor_type is Actor.USER else self.groups.get(it.actor_id)
        if found is None:
            return {"id": it.actor_id}
        return {"id": found.id, "name": found.name, "domain": self.domain(found.domain_id)}

    def target(self, it: Assignment) -> View:
        found = self.projects.get(it.target_id)
        if found is None:
            return {"id": it.target_id}
        view: View = {"id": found.id, "name": found.name}
        return view if it.target_type is Target.DOMAIN else {**view, "domain": self.domain(found.domain_id)}

    def role(self, role_id: str) -> View:
        found = self.roles.get(role_id)
        if found is None:
            return {"id": role_id}
        view: View = {"id": found.id, "name": found.name}
        return {**view, "domain": self.domain(found.domain_id)} if found.domain_id else view


def _view(call: Call, it: Effective, effective: bool, names: _Names | None) -> View:
    given = it.assignment
    if given.target_type is Target.SYSTEM:
        scope: View = {"system": {"all": True}}
    else:
        scope = {given.target_type: names.target(given) if names else {"id": given.target_id}}
    if given.inherited or (effective and it.inherited_from):
        scope["OS-INHERIT:inherited_to"] = "projects"
    return {
        "role": names.role(given.role_id) if names else {"id": given.role_id},
        given.actor_type: names.actor(given) if names else {"id": given.actor_id},
        "scope": scope,
        "links": _links(call, it),
    }


def _links(call: Call, it: Effective) -> View:
    given = it.assignment
    kind, place = it.inherited_from or (given.target_type, given.target_id)
    actor = f"groups/{it.group_id}" if it.group_id else f"{given.actor_type}s/{given.actor_id}"
    where = "system" if kind is Target.SYSTEM else f"{kind}s/{place}"
    path = f"{where}/{actor}/roles/{it.prior_role_id or given.role_id}"
    if given.inherited or it.inherited_from:
        path = f"OS-INHERIT/{path}/inherited_to_projects"
    base = f"{call.base_url}/v3"
    links = {"assignment": f"{base}/{path}"}
    if it.group_id:
        links["membership"] = f"{base}/groups/{it.group_id}/users/{given.actor_id}"
    if it.prior_role_id:
        links["prior_role"] = f"{base}/prior_role/{it.prior_role_id}/implies/{given.role_id}"
    return links
