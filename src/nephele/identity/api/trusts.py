"""Trusts over HTTP."""

from nephele.identity.api import bodies, views
from nephele.identity.api.app_credentials import check_unrestricted, parse_expiry
from nephele.identity.api.targets import Facts
from nephele.identity.errors import INVALID, REFUSED, ROLE_NOT_FOUND
from nephele.identity.model import Role
from nephele.identity.service import Identity
from nephele.identity.trusts import MAX_REDELEGATIONS, Trust
from nephele.kernel.clock import Instant, iso_micros
from nephele.web.bodies import envelope
from nephele.web.call import Call

BODY = envelope("trust", bodies.NewTrust)


def _facts(trust: Trust) -> Facts:
    return {
        "target.trust.trustor_user_id": trust.trustor_user_id,
        "target.trust.trustee_user_id": trust.trustee_user_id,
    }


def _checked(identity: Identity, call: Call, rule: str) -> Trust:
    """The trust, if the rule allows; unlike elsewhere, one that is gone is a 404 for everybody."""
    trust = identity.trusts.get(call.path["trust_id"])
    call.enforce(rule, _facts(trust))
    return trust


def index(identity: Identity, call: Call) -> views.View:
    """List trusts: all for an administrator, for others those that they gave or got."""
    rule = "identity:list_trusts"
    facts: Facts = {}
    for side in ("trustor", "trustee"):
        if call.query.get(f"{side}_user_id"):
            rule = f"identity:list_trusts_for_{side}"
            facts[f"target.trust.{side}_user_id"] = call.query.get(f"{side}_user_id")
            call.enforce(rule, facts)
    call.enforce(rule, facts)
    found = identity.trusts.find(call.query.pairs)
    return views.listing(call, "trusts", [_view(identity, call, it, brief=True) for it in found])


def show(identity: Identity, call: Call) -> views.View:
    """Show a trust."""
    return {"trust": _view(identity, call, _checked(identity, call, "identity:get_trust"))}


def create(identity: Identity, call: Call) -> views.View:
    """Create a trust."""
    sent: bodies.NewTrust = call.body.trust
    call.enforce("identity:create_trust", {"target.trust.trustor_user_id": sent.trustor_user_id})
    check_unrestricted(identity, call)
    identity.users.get(sent.trustee_user_id)
    if not sent.project_id:
        raise INVALID(reason="A trust hands on roles on a project: project_id and roles are needed.")
    identity.projects.get(sent.project_id)
    before = identity.trusts.get(call.context.trust_id) if call.context.trust_id else None
    roles = tuple(_role_id(identity, ref) for ref in sent.roles)
    expires_at = parse_expiry(identity, sent.expires_at)
    count = _redelegations(sent)
    if before is not None:
        count, expires_at = _handed_on(before, sent, roles, expires_at)
    trust = Trust(
        "",
        sent.trustor_user_id,
        sent.trustee_user_id,
        sent.project_id,
        sent.impersonation,
        roles,
        expires_at,
        sent.remaining_uses,
        count,
        before.id if before else "",
    )
    return {"trust": _view(identity, call, identity.trusts.create(trust))}


def _redelegations(sent: bodies.NewTrust) -> int:
    if not sent.allow_redelegation:
        return 0
    if sent.remaining_uses is not None:
        raise INVALID(reason="remaining_uses must not be set where redelegation is allowed.")
    count = MAX_REDELEGATIONS if sent.redelegation_count is None else sent.redelegation_count
    if count > MAX_REDELEGATIONS:
        raise REFUSED(action=f"redelegate more than {MAX_REDELEGATIONS} times")
    return count


def _handed_on(
    before: Trust, sent: bodies.NewTrust, roles: tuple[str, ...], expires_at: Instant
) -> tuple[int, Instant]:
    """What is left of a trust for the one made with its token: redelegations and time.  Raises REFUSED."""
    if before.redelegation_count < 1:
        raise REFUSED(action="redelegate a trust that does not allow it")
    if sent.project_id != before.project_id or not set(roles) <= set(before.role_ids):
        raise REFUSED(action="redelegate more than the trust itself grants")
    if sent.impersonation and not before.impersonation:
        raise REFUSED(action="impersonate by a trust that does not")
    if before.expires_at and (not expires_at or expires_at > before.expires_at):
        if expires_at:
            raise REFUSED(action="redelegate a trust for longer than it lasts")
        expires_at = before.expires_at
    return (before.redelegation_count - 1 if sent.allow_redelegation else 0), expires_at


def _role_id(identity: Identity, ref: bodies.RoleRef) -> str:
    graph = identity.roles.graph()
    role_id = ref.id or graph.ids_by_name.get(ref.name, "")
    if role_id not in graph.by_id:
        raise ROLE_NOT_FOUND(id=ref.id or ref.name)
    return role_id


def delete(identity: Identity, call: Call) -> None:
    """Delete a trust."""
    identity.trusts.delete(_checked(identity, call, "identity:delete_trust").id)


def roles(identity: Identity, call: Call) -> views.View:
    """The roles that a trust hands on."""
    trust = _checked(identity, call, "identity:list_roles_for_trust")
    return views.listing(call, "roles", [views.role(call, role) for role in _roles(identity, trust)])


def role(identity: Identity, call: Call) -> views.View:
    """Whether a trust hands on a role."""
    trust = _checked(identity, call, "identity:get_role_for_trust")
    found = [it for it in _roles(identity, trust) if it.id == call.path["role_id"]]
    if not found:
        raise ROLE_NOT_FOUND(id=call.path["role_id"])
    return {"role": views.role(call, found[0])}


def _roles(identity: Identity, trust: Trust) -> list[Role]:
    by_id = identity.roles.graph().by_id
    return [by_id[role_id] for role_id in trust.role_ids if role_id in by_id]


def _view(identity: Identity, call: Call, it: Trust, *, brief: bool = False) -> views.View:
    path = f"OS-TRUST/trusts/{it.id}"
    view: views.View = {
        "id": it.id,
        "trustor_user_id": it.trustor_user_id,
        "trustee_user_id": it.trustee_user_id,
        "project_id": it.project_id,
        "impersonation": it.impersonation,
        "expires_at": iso_micros(it.expires_at) + "Z" if it.expires_at else None,
        "remaining_uses": it.remaining_uses,
        "redelegation_count": it.redelegation_count,
        "redelegated_trust_id": it.redelegated_trust_id or None,
        "deleted_at": None,
        "links": views.link(call, path),
    }
    if not brief:
        view["roles"] = [views.role(call, role) for role in _roles(identity, it)]
        view["roles_links"] = {**views.link(call, path + "/roles"), "next": None, "previous": None}
    return view
