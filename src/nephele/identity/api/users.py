"""Users over HTTP."""

from typing import Any

import msgspec
from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.targets import checked, default_domain, listed_domain, of_user
from nephele.identity.errors import INVALID
from nephele.identity.model import User
from nephele.identity.service import Identity
from nephele.identity.users import UserChange
from nephele.web.bodies import envelope
from nephele.web.call import Call

BODY = bodies.resource("user")
PASSWORD_BODY = envelope("user", bodies.NewPassword)


def _checked(identity: Identity, call: Call, rule: str) -> User:
    return checked(call, rule, lambda: identity.users.get(call.path["user_id"]), of_user)


def index(identity: Identity, call: Call) -> views.View:
    """List users."""
    filters = listed_domain(call, "identity:list_users")
    identity.directories.refresh(dict(filters).get("domain_id", ""))
    return views.listing(call, "users", [views.user(call, user) for user in identity.users.find(filters)])


def show(identity: Identity, call: Call) -> views.View:
    """Show a user."""
    return {"user": views.user(call, _checked(identity, call, "identity:get_user"))}


def create(identity: Identity, call: Call) -> views.View:
    """Create a user."""
    sent, extra = bodies.read(call.body.user, bodies.NewUser)
    domain_id = default_domain(call, sent.domain_id)
    call.enforce("identity:create_user", {"target.user.domain_id": domain_id})
    identity.directories.check_writable(domain_id)
    options = {name: value for name, value in bodies.options(sent.options).items() if value is not None}
    default_project_id = sent.default_project_id or ""
    user = User("", sent.name, domain_id, sent.enabled, default_project_id, sent.description, options, extra)
    return {"user": views.user(call, identity.users.create(user, sent.password))}


def update(identity: Identity, call: Call) -> views.View:
    """Update a user."""
    user = _checked(identity, call, "identity:update_user")
    identity.directories.check_writable(user.domain_id)
    sent, extra = bodies.read_change(call.body.user, bodies.ChangedUser, user.id)
    if sent.domain_id not in (UNSET, user.domain_id):
        raise INVALID(reason="Cannot change the domain of a user.")
    project_id = sent.default_project_id
    change = UserChange(
        name=sent.name,
        enabled=sent.enabled,
        default_project_id=UNSET if project_id is UNSET else project_id or "",
        description=sent.description,
        password=sent.password,
        options=UNSET if sent.options is UNSET else bodies.options(sent.options),
        extra=extra,
    )
    return {"user": views.user(call, identity.users.update(user.id, change))}


def delete(identity: Identity, call: Call) -> None:
    """Delete a user."""
    user = _checked(identity, call, "identity:delete_user")
    identity.directories.check_writable(user.domain_id)
    identity.users.delete(user.id)


def change_password(identity: Identity, call: Call) -> None:
    """A user changes its own password; the old one is the proof, so no token is needed."""
    sent: Any = call.body.user
    call.subject = msgspec.structs.replace(call.context, user_id=call.path["user_id"])
    identity.users.passwords.change(call.path["user_id"], sent.original_password, sent.password)


def groups(identity: Identity, call: Call) -> views.View:
    """The groups that a user is in."""
    user = _checked(identity, call, "identity:list_groups_for_user")
    found = identity.groups.find(call.query.pairs, of_user=user.id)
    return views.listing(call, "groups", [views.group(call, group) for group in found])


def projects(identity: Identity, call: Call) -> views.View:
    """The projects that a user has a role on."""
    user = _checked(identity, call, "identity:list_user_projects")
    found = identity.projects.find(call.query.pairs, only=identity.assignments.project_ids(user.id))
    return views.listing(call, "projects", [views.project(call, project) for project in found])
