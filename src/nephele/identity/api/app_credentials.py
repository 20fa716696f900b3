"""Application credentials and their access rules over HTTP."""

from nephele.identity.api import bodies, views
from nephele.identity.app_credentials import AccessRule, AppCredential
from nephele.identity.errors import INVALID, REFUSED
from nephele.identity.service import Identity
from nephele.kernel.clock import Instant, iso_micros, parse_iso
from nephele.web.bodies import envelope
from nephele.web.call import Call

BODY = envelope("application_credential", bodies.NewAppCredential)


def parse_expiry(identity: Identity, text: str | None) -> Instant:
    """An instant in the future; 0 where there is none.  Raises INVALID."""
    if text is None:
        return 0
    try:
        instant = parse_iso(text)
    except ValueError:
        raise INVALID(reason=f"Invalid expires_at {text!r}: an ISO 8601 time is expected.") from None
    if instant <= identity.clock.now():
        raise INVALID(reason=f"The expires_at {text!r} is in the past.")
    return instant


def check_unrestricted(identity: Identity, call: Call) -> None:
    """Raise REFUSED for the token of an application credential that may not make or remove such things."""
    credential_id = call.context.application_credential_id
    if credential_id:
        credential = identity.app_credentials.live(credential_id)
        if credential is None or not credential.unrestricted:
            raise REFUSED(action="manage application credentials or trusts with a restricted application credential")


def _owner(call: Call, rule: str) -> str:
    user_id = call.path["user_id"]
    call.enforce(rule, {"user_id": user_id, "target.user.id": user_id})
    return user_id


def index(identity: Identity, call: Call) -> views.View:
    """List a user's application credentials."""
    user_id = _owner(call, "identity:list_application_credentials")
    found = identity.app_credentials.find(user_id, call.query.pairs)
    rules = {rule.id: rule for rule in identity.app_credentials.rules(user_id, [])}
    items = [_view(identity, call, it, [rules[each] for each in it.access_rule_ids if each in rules]) for it in found]
    return views.listing(call, "application_credentials", items)


def show(identity: Identity, call: Call) -> views.View:
    """Show an application credential."""
    user_id = _owner(call, "identity:get_application_credential")
    found = identity.app_credentials.get(user_id, call.path["application_credential_id"])
    rules = [identity.app_credentials.rule(user_id, rule_id) for rule_id in found.access_rule_ids]
    return {"application_credential": _view(identity, call, found, rules)}


def create(identity: Identity, call: Call) -> views.View:
    """Create an application credential for the project of the caller's token."""
    user_id = _owner(call, "identity:create_application_credential")
    check_unrestricted(identity, call)
    sent: bodies.NewAppCredential = call.body.application_credential
    if not call.context.project_id:
        raise INVALID(reason="An application credential is made with a token on a project.")
    new = AppCredential(
        "",
        user_id,
        sent.project_id or call.context.project_id,
        sent.name,
        sent.description,
        parse_expiry(identity, sent.expires_at),
        bool(sent.unrestricted),
        _roles(identity, call, sent.roles),
        (),
    )
    if new.project_id != call.context.project_id:
        raise INVALID(reason="An application credential is for the project of the token that makes it.")
    rules = [AccessRule(it.id, user_id, it.service, it.path, it.method) for it in sent.access_rules or ()]
    if any(not rule.id and not (rule.service and rule.path and rule.method) for rule in rules):
        raise INVALID(reason="An access rule names an id, or service, path and method.")
    made, made_rules, secret = identity.app_credentials.create(new, rules, sent.secret or "")
    return {"application_credential": {**_view(identity, call, made, made_rules), "secret": secret}}


def _roles(identity: Identity, call: Call, wanted: tuple[bodies.RoleRef, ...] | None) -> tuple[str, ...]:
    """The ids of roles that the caller has; all of them where it names none.  Raises INVALID for others."""
    graph = identity.roles.read_graph()
    held = {graph.ids_by_name[name] for name in call.context.roles if name in graph.ids_by_name}
    if not wanted:
        return tuple(sorted(held))
    found = []
    for ref in wanted:
        role_id = ref.id or graph.ids_by_name.get(ref.name, "")
        if role_id not in held:
            raise INVALID(reason=f"The role {ref.id or ref.name} is not among those of the token.")
        found.append(role_id)
    return tuple(found)


def delete(identity: Identity, call: Call) -> None:
    """Delete an application credential."""
    user_id = _owner(call, "identity:delete_application_credential")
    check_unrestricted(identity, call)
    identity.app_credentials.delete(user_id, call.path["application_credential_id"])


def rules(identity: Identity, call: Call) -> views.View:
    """List a user's access rules."""
    user_id = _owner(call, "identity:list_access_rules")
    found = identity.app_credentials.rules(user_id, call.query.pairs)
    return views.listing(call, "access_rules", [_rule_view(call, rule) for rule in found])


def rule(identity: Identity, call: Call) -> views.View:
    """Show an access rule."""
    user_id = _owner(call, "identity:get_access_rule")
    return {"access_rule": _rule_view(call, identity.app_credentials.rule(user_id, call.path["access_rule_id"]))}


def delete_rule(identity: Identity, call: Call) -> None:
    """Delete an access rule."""
    user_id = _owner(call, "identity:delete_access_rule")
    identity.app_credentials.delete_rule(user_id, call.path["access_rule_id"])


def _view(identity: Identity, call: Call, it: AppCredential, access_rules: list[AccessRule]) -> views.View:
    by_id = identity.roles.graph().by_id
    roles = [by_id[role_id] for role_id in it.role_ids if role_id in by_id]
    view: views.View = {
        "id": it.id,
        "name": it.name,
        "description": it.description,
        "project_id": it.project_id,
        "expires_at": iso_micros(it.expires_at) if it.expires_at else None,
        "unrestricted": it.unrestricted,
        "roles": [{"id": role.id, "name": role.name, "domain_id": role.domain_id or None} for role in roles],
        "links": views.link(call, f"users/{it.user_id}/application_credentials/{it.id}"),
    }
    if access_rules:
        view["access_rules"] = [
            {"id": rule.id, "service": rule.service, "path": rule.path, "method": rule.method} for rule in access_rules
        ]
    return view


def _rule_view(call: Call, it: AccessRule) -> views.View:
    return {
        "id": it.id,
        "service": it.service,
        "path": it.path,
        "method": it.method,
        "links": views.link(call, f"users/{it.user_id}/access_rules/{it.id}"),
    }
