"""Groups over HTTP."""

from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.targets import Facts, checked, default_domain, listed_domain, of_group, of_user
from nephele.identity.errors import INVALID
from nephele.identity.model import Group, User
from nephele.identity.service import Identity
from nephele.identity.users import GroupChange
from nephele.web.call import Call

BODY = bodies.resource("group")


def _checked(identity: Identity, call: Call, rule: str) -> Group:
    return checked(call, rule, lambda: identity.groups.get(call.path["group_id"]), of_group)


def _checked_pair(identity: Identity, call: Call, rule: str) -> tuple[str, str]:
    def find() -> tuple[Group, User]:
        return identity.groups.get(call.path["group_id"]), identity.users.get(call.path["user_id"])

    def facts(pair: tuple[Group, User]) -> Facts:
        return {**of_group(pair[0]), **of_user(pair[1])}

    group, user = checked(call, rule, find, facts)
    return group.id, user.id


def _writable(identity: Identity, pair: tuple[str, str]) -> tuple[str, str]:
    """The pair.  Raises READ_ONLY_DOMAIN where the group is a directory's."""
    identity.directories.check_writable(identity.groups.get(pair[0]).domain_id)
    return pair


def index(identity: Identity, call: Call) -> views.View:
    """List groups."""
    filters = listed_domain(call, "identity:list_groups")
    identity.directories.refresh(dict(filters).get("domain_id", ""))
    return views.listing(call, "groups", [views.group(call, group) for group in identity.groups.find(filters)])


def show(identity: Identity, call: Call) -> views.View:
    """Show a group."""
    return {"group": views.group(call, _checked(identity, call, "identity:get_group"))}


def create(identity: Identity, call: Call) -> views.View:
    """Create a group."""
    sent, extra = bodies.read(call.body.group, bodies.NewGroup)
    domain_id = default_domain(call, sent.domain_id)
    call.enforce("identity:create_group", {"target.group.domain_id": domain_id})
    identity.directories.check_writable(domain_id)
    group = identity.groups.create(Group("", sent.name, domain_id, sent.description or "", extra))
    return {"group": views.group(call, group)}


def update(identity: Identity, call: Call) -> views.View:
    """Update a group."""
    group = _checked(identity, call, "identity:update_group")
    identity.directories.check_writable(group.domain_id)
    sent, extra = bodies.read_change(call.body.group, bodies.ChangedGroup, group.id)
    if sent.domain_id not in (UNSET, group.domain_id):
        raise INVALID(reason="Cannot change the domain of a group.")
    description = UNSET if sent.description is UNSET else sent.description or ""
    change = GroupChange(name=sent.name, description=description, extra=extra)
    return {"group": views.group(call, identity.groups.update(group.id, change))}


def delete(identity: Identity, call: Call) -> None:
    """Delete a group."""
    group = _checked(identity, call, "identity:delete_group")
    identity.directories.check_writable(group.domain_id)
    identity.groups.delete(group.id)


def members(identity: Identity, call: Call) -> views.View:
    """Who is in a group."""
    group = _checked(identity, call, "identity:list_users_in_group")
    found = identity.groups.members(group.id, call.query.pairs)
    return views.listing(call, "users", [views.user(call, user) for user in found])


def add(identity: Identity, call: Call) -> None:
    """Put a user into a group."""
    identity.groups.add(*_writable(identity, _checked_pair(identity, call, "identity:add_user_to_group")))


def check(identity: Identity, call: Call) -> None:
    """Whether a user is in a group."""
    identity.groups.check(*_checked_pair(identity, call, "identity:check_user_in_group"))


def remove(identity: Identity, call: Call) -> None:
    """Take a user out of a group."""
    identity.groups.remove(*_writable(identity, _checked_pair(identity, call, "identity:remove_user_from_group")))
