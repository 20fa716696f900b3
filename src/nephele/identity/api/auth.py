"""Tokens over HTTP: issue, show, end; and what a caller may get a token for."""

import msgspec

from nephele.identity.api import views
from nephele.identity.catalog import Whose
from nephele.identity.errors import TOKEN_NOT_FOUND
from nephele.identity.login import PasswordProof, Proofs, UserRef
from nephele.identity.model import SYSTEM, Target
from nephele.identity.proving import MissingFactors
from nephele.identity.service import Identity
from nephele.identity.tokens import Claims
from nephele.kernel.clock import SECOND, Instant, iso
from nephele.kernel.context import Context
from nephele.kernel.errors import NOT_FOUND, Refused
from nephele.web.call import Call
from nephele.web.routing import Reply

RECEIPT_HEADER = "Openstack-Auth-Receipt"
EXPIRED_WINDOW: Instant = 48 * 3600 * SECOND
"""How long after its end a token is still shown to a service that asks so (`allow_expired`)."""


def cloud_url(call: Call) -> str:
    """Where the whole cloud answers, as this client sees it."""
    return call.base_url.removesuffix(call.api.prefix)


def time_text(instant: Instant) -> str:
    """`2026-01-31T12:00:00.000000Z`: whole seconds in the form that clients expect."""
    return iso(instant).removesuffix("Z") + ".000000Z"


def issue(identity: Identity, call: Call) -> Reply:
    """Authenticate."""
    call.subject = named(call, call.body.auth.identity)
    try:
        token, claims = identity.issue(call.body.auth, call.header(RECEIPT_HEADER))
    except MissingFactors as missing:
        return _receipt(identity, missing)
    return signed_in(identity, call, token, claims)


def signed_in(identity: Identity, call: Call, token: str, claims: Claims) -> Reply:
    """The answer to a sign-in."""
    call.subject = identity.verified(claims, call.context.request_id)
    return Reply(_body(identity, call, claims), 201, _headers(token))


def named(call: Call, proofs: Proofs) -> Context:
    """Whom a request for a token names, nothing of it proven yet; for the audit."""
    ref = (proofs.password or proofs.totp or proofs.application_credential or _NAMELESS).user or UserRef()
    return msgspec.structs.replace(call.context, user_id=ref.id, user_name="" if ref.id else ref.name)


_NAMELESS = PasswordProof(UserRef())


def _receipt(identity: Identity, missing: MissingFactors) -> Reply:
    """401 with what was proven, to come back with for the rest."""
    receipt, claims = identity.issue_receipt(missing)
    domain = _domain(identity, claims.user_domain_id)
    body = {
        "receipt": {
            "methods": claims.methods,
            "user": {"id": claims.user_id, "name": claims.user_name, "domain": domain},
            "expires_at": time_text(claims.expires_at),
            "issued_at": time_text(claims.issued_at),
        },
        "required_auth_methods": missing.rules,
    }
    return Reply(body, 401, {RECEIPT_HEADER: receipt})


def show(identity: Identity, call: Call) -> Reply:
    """What a token says."""
    token, claims = _subject(identity, call, "identity:validate_token")
    return Reply(_body(identity, call, claims), 200, _headers(token))


def check(identity: Identity, call: Call) -> Reply:
    """Whether a token is good."""
    token, _claims = _subject(identity, call, "identity:check_token")
    return Reply(None, 200, _headers(token))


def revoke(identity: Identity, call: Call) -> None:
    """End a token."""
    _token, claims = _subject(identity, call, "identity:revoke_token")
    identity.revoke(claims)


def _subject(identity: Identity, call: Call, rule: str) -> tuple[str, Claims]:
    token = call.header("X-Subject-Token")
    grace = EXPIRED_WINDOW if call.query.flag("allow_expired") else 0
    try:
        claims, context = identity.examine(token, grace=grace)
    except Refused:
        raise TOKEN_NOT_FOUND() from None
    if context.server_id:
        raise TOKEN_NOT_FOUND()
    call.enforce(rule, {"target.token.user_id": claims.user_id})
    return token, claims


def _headers(token: str) -> dict[str, str]:
    return {"X-Subject-Token": token, "Vary": "X-Auth-Token"}


def _body(identity: Identity, call: Call, claims: Claims) -> views.View:
    view: views.View = {
        "methods": claims.methods,
        "user": _user(identity, claims),
        "audit_ids": claims.audit_ids,
        "issued_at": time_text(claims.issued_at),
        "expires_at": time_text(claims.expires_at),
    }
    if claims.project_id:
        domain = _domain(identity, claims.project_domain_id)
        view["project"] = {"id": claims.project_id, "name": claims.project_name, "domain": domain}
        view["is_domain"] = False
    elif claims.domain_id:
        view["domain"] = _domain(identity, claims.domain_id)
    elif claims.system_scope:
        view["system"] = {"all": True}
    if claims.trust_id:
        view["OS-TRUST:trust"] = _trust(identity, claims.trust_id)
    if claims.application_credential_id:
        view["application_credential"] = _credential(identity, claims)
    if claims.is_scoped:
        ids = identity.roles.graph().ids_by_name
        view["roles"] = [{"id": ids.get(name, ""), "name": name} for name in claims.roles]
        if "nocatalog" not in call.query:
            view["catalog"] = identity.catalog.view(Whose(cloud_url(call), claims.project_id, claims.user_id))
    return {"token": view}


def _user(identity: Identity, claims: Claims) -> views.View:
    view: views.View = {
        "id": claims.user_id,
        "name": claims.user_name,
        "domain": _domain(identity, claims.user_domain_id),
        "password_expires_at": views.bare_time(claims.password_expires_at),
    }
    if claims.provider_id:
        groups = identity.groups.find([], of_user=claims.user_id)
        view["OS-FEDERATION"] = {
            "groups": [{"id": group.id} for group in groups],
            "identity_provider": {"id": claims.provider_id},
            "protocol": {"id": claims.protocol_id},
        }
    return view


def _domain(identity: Identity, domain_id: str) -> dict[str, str]:
    return {"id": domain_id, "name": identity.domain_name(domain_id)}


def _trust(identity: Identity, trust_id: str) -> views.View:
    trust = identity.trusts.get(trust_id)
    return {
        "id": trust.id,
        "impersonation": trust.impersonation,
        "trustor_user": {"id": trust.trustor_user_id},
        "trustee_user": {"id": trust.trustee_user_id},
    }


def _credential(identity: Identity, claims: Claims) -> views.View:
    found = identity.app_credentials.live(claims.application_credential_id)
    if found is None:
        raise TOKEN_NOT_FOUND()
    return {"id": found.id, "name": found.name, "restricted": not found.unrestricted}


def catalog(identity: Identity, call: Call) -> views.View:
    """The caller's catalog.  Raises NOT_FOUND for a token without scope."""
    caller = call.context
    if not (caller.project_id or caller.domain_id or caller.system_scope):
        raise NOT_FOUND()
    view = identity.catalog.view(Whose(cloud_url(call), caller.project_id, caller.user_id))
    return {"catalog": view, "links": {"next": None, "self": f"{call.base_url}/v3/auth/catalog", "previous": None}}


def projects(identity: Identity, call: Call) -> views.View:
    """The projects that the caller may get a token for."""
    mine = identity.assignments.project_ids(call.context.user_id)
    found = identity.projects.find([("enabled", "true")], only=mine)
    return views.listing(call, "projects", [views.project(call, it) for it in found])


def domains(identity: Identity, call: Call) -> views.View:
    """The domains that the caller may get a token for."""
    mine = identity.assignments.domain_ids(call.context.user_id)
    found = identity.projects.find_domains([("enabled", "true")], only=mine)
    return views.listing(call, "domains", [views.domain(call, it) for it in found])


def system(identity: Identity, call: Call) -> views.View:
    """Whether the caller may get a token for the system."""
    has_roles = identity.assignments.role_ids(call.context.user_id, Target.SYSTEM, SYSTEM)
    return views.listing(call, "system", [{"all": True}] if has_roles else [])
