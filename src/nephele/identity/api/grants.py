"""Roles given to users and groups on projects, domains and the system, over HTTP."""

from collections.abc import Callable
from typing import Any

from nephele.identity.api import views
from nephele.identity.api.targets import Facts, of_domain, of_group, of_project, of_role, of_user
from nephele.identity.model import SYSTEM, Actor, Assignment, Target
from nephele.identity.service import Identity
from nephele.kernel.errors import Refused
from nephele.web.call import Call

Handler = Callable[[Identity, Call], Any]


def _actor(call: Call) -> tuple[Actor, str]:
    if "user_id" in call.path:
        return Actor.USER, call.path["user_id"]
    return Actor.GROUP, call.path["group_id"]


def _target(call: Call) -> tuple[Target, str]:
    if "project_id" in call.path:
        return Target.PROJECT, call.path["project_id"]
    if "domain_id" in call.path:
        return Target.DOMAIN, call.path["domain_id"]
    return Target.SYSTEM, SYSTEM


def _inherited(call: Call) -> bool:
    return "/OS-INHERIT/" in call.request.path


def _assignment(call: Call) -> Assignment:
    return Assignment(*_actor(call), *_target(call), call.path["role_id"], _inherited(call))


def _enforce(identity: Identity, call: Call, verb: str) -> None:
    """Ask the rule about all that is involved; FORBIDDEN comes before a NOT_FOUND of any part."""
    target, actor = _target(call), _actor(call)
    if target[0] is Target.SYSTEM:
        plural = "s" if verb == "list" else ""
        call.enforce(f"identity:{verb}_system_grant{plural}_for_{actor[0]}", {})
        _facts(identity, call)
        return
    rule = f"identity:{verb}_grant{'s' if verb == 'list' else ''}"
    try:
        facts = _facts(identity, call)
    except Refused:
        call.enforce(rule, {})
        raise
    call.enforce(rule, facts)


def _facts(identity: Identity, call: Call) -> Facts:
    facts: Facts = {}
    if "role_id" in call.path:
        facts |= of_role(identity.roles.get(call.path["role_id"]))
    (actor, actor_id), (target, target_id) = _actor(call), _target(call)
    if target is Target.PROJECT:
        facts |= of_project(identity.projects.get(target_id))
    elif target is Target.DOMAIN:
        facts |= of_domain(identity.projects.get_domain(target_id))
    if call.request.method == "DELETE":
        return facts | _facts_of_gone(identity, actor, actor_id)
    return facts | (
        of_user(identity.users.get(actor_id)) if actor is Actor.USER else of_group(identity.groups.get(actor_id))
    )


def _facts_of_gone(identity: Identity, actor: Actor, actor_id: str) -> Facts:
    """As far as it is known: the roles of a user or group that is gone can be taken away."""
    if actor is Actor.USER:
        user = identity.users.by_ids([actor_id]).get(actor_id)
        return of_user(user) if user else {}
    group = identity.groups.by_ids([actor_id]).get(actor_id)
    return of_group(group) if group else {}


def index(identity: Identity, call: Call) -> views.View:
    """The roles given to just this one on just this."""
    _enforce(identity, call, "list")
    found = identity.assignments.granted(_actor(call), _target(call), inherited=_inherited(call))
    return views.listing(call, "roles", [views.role(call, role) for role in found])


def grant(identity: Identity, call: Call) -> None:
    """Give a role."""
    _enforce(identity, call, "create")
    identity.assignments.grant(_assignment(call))


def check(identity: Identity, call: Call) -> None:
    """Whether a role was given."""
    _enforce(identity, call, "check")
    identity.assignments.check(_assignment(call))


def revoke(identity: Identity, call: Call) -> None:
    """Take a role away."""
    _enforce(identity, call, "revoke")
    identity.assignments.revoke(_assignment(call))
