"""Policy asks about the thing acted on: find it, ask, and say no before saying that it is not there."""

from collections.abc import Callable
from typing import TypeVar

from nephele.identity.first_content import DEFAULT_DOMAIN
from nephele.identity.model import Group, Project, Role, User
from nephele.kernel.errors import Refused
from nephele.web.call import Call

Thing = TypeVar("Thing")
Facts = dict[str, object]


def checked(call: Call, rule: str, find: Callable[[], Thing], facts: Callable[[Thing], Facts]) -> Thing:
    """The thing, if the rule lets the caller act on it.

    Raises FORBIDDEN, also where the thing is not there and the caller may not know; else its own NOT_FOUND.
    """
    try:
        thing = find()
    except Refused:
        call.enforce(rule, {})
        raise
    call.enforce(rule, facts(thing))
    return thing


def of_user(user: User) -> Facts:
    """A user as the rules see it; `user_id` is for the older form of rule."""
    return {"target.user.id": user.id, "target.user.domain_id": user.domain_id, "user_id": user.id}


def of_group(group: Group) -> Facts:
    """A group as the rules see it."""
    return {"target.group.id": group.id, "target.group.domain_id": group.domain_id}


def of_project(project: Project) -> Facts:
    """A project as the rules see it."""
    return {"target.project.id": project.id, "target.project.domain_id": project.domain_id or None}


def of_domain(domain: Project) -> Facts:
    """A domain as the rules see it."""
    return {"target.domain.id": domain.id}


def of_role(role: Role) -> Facts:
    """A role as the rules see it."""
    return {"target.role.id": role.id, "target.role.name": role.name, "target.role.domain_id": role.domain_id or None}


def default_domain(call: Call, named: str | None) -> str:
    """The domain of a new resource: the one named, else that of a token on a domain, else the default domain."""
    return named or call.context.domain_id or DEFAULT_DOMAIN


def listed_domain(call: Call, rule: str) -> list[tuple[str, str]]:
    """The filters of a listing: callers who are let in for one domain only see no other.  Raises FORBIDDEN."""
    asked = call.query.get("domain_id") or call.context.domain_id
    facts: Facts = {
        "domain_id": asked,
        "target.domain_id": asked,
        "target.group.domain_id": asked,
        "target.user.domain_id": asked,
        "target.domain.id": asked,
    }
    call.enforce(rule, facts)
    if call.context.domain_id and not call.context.is_admin and not call.query.get("domain_id"):
        return [*call.query.pairs, ("domain_id", asked)]
    return call.query.pairs
