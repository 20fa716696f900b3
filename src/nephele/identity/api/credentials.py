"""Credentials, EC2 keys and policy documents over HTTP."""

import msgspec
from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.app_credentials import check_unrestricted
from nephele.identity.api.targets import Facts, checked
from nephele.identity.credentials import Credential, PolicyDocument, read_ec2
from nephele.identity.service import Identity
from nephele.web.call import Call

BODY = bodies.resource("credential")
POLICY_BODY = bodies.resource("policy")


def _owned_by(user_id: str) -> Facts:
    return {"target.credential.user_id": user_id, "user_id": user_id}


def _checked(identity: Identity, call: Call, rule: str) -> Credential:
    return checked(call, rule, lambda: identity.credentials.get(call.path["credential_id"]), _facts)


def _facts(credential: Credential) -> Facts:
    return _owned_by(credential.user_id)


def index(identity: Identity, call: Call) -> views.View:
    """List the credentials that the caller may see."""
    call.enforce("identity:list_credentials", _owned_by(call.context.user_id))
    found = identity.credentials.find(call.query.pairs)
    mine = [it for it in found if call.may("identity:get_credential", _facts(it))]
    return views.listing(call, "credentials", [_view(call, it) for it in mine])


def show(identity: Identity, call: Call) -> views.View:
    """Show a credential."""
    return {"credential": _view(call, _checked(identity, call, "identity:get_credential"))}


def create(identity: Identity, call: Call) -> views.View:
    """Create a credential."""
    sent, extra = bodies.read(call.body.credential, bodies.NewCredential)
    user_id = sent.user_id or call.context.user_id
    call.enforce("identity:create_credential", _owned_by(user_id))
    check_unrestricted(identity, call)
    identity.users.get(user_id)
    new = Credential("", user_id, sent.project_id or "", sent.type, sent.blob, extra)
    return {"credential": _view(call, identity.credentials.create(new))}


def update(identity: Identity, call: Call) -> views.View:
    """Update a credential; its new owner must be one whose credentials the caller may change, too."""
    have = _checked(identity, call, "identity:update_credential")
    sent, extra = bodies.read_change(call.body.credential, bodies.ChangedCredential, have.id)
    given = {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}
    changed = msgspec.structs.replace(have, **given, extra={**have.extra, **extra})
    changed = msgspec.structs.replace(changed, project_id=changed.project_id or "")
    call.enforce("identity:update_credential", _facts(changed))
    return {"credential": _view(call, identity.credentials.update(changed))}


def delete(identity: Identity, call: Call) -> None:
    """Delete a credential."""
    identity.credentials.delete(_checked(identity, call, "identity:delete_credential").id)


def ec2_index(identity: Identity, call: Call) -> views.View:
    """List a user's EC2 keys."""
    user_id = call.path["user_id"]
    call.enforce("identity:ec2_list_credentials", _owned_by(user_id))
    identity.users.get(user_id)
    found = identity.credentials.find([("user_id", user_id), ("type", "ec2")])
    return views.listing(call, "credentials", [_ec2_view(call, it) for it in found])


def _ec2_checked(identity: Identity, call: Call, rule: str) -> Credential:
    user_id, access = call.path["user_id"], call.path["access"]
    call.enforce(rule, _owned_by(user_id))
    return identity.credentials.get_ec2(user_id, access)


def ec2_show(identity: Identity, call: Call) -> views.View:
    """Show a pair of EC2 keys."""
    return {"credential": _ec2_view(call, _ec2_checked(identity, call, "identity:ec2_get_credential"))}


def ec2_create(identity: Identity, call: Call) -> views.View:
    """Make a pair of EC2 keys for a user on a project."""
    user_id = call.path["user_id"]
    call.enforce("identity:ec2_create_credential", _owned_by(user_id))
    check_unrestricted(identity, call)
    identity.users.get(user_id)
    identity.projects.get(call.body.tenant_id)
    return {"credential": _ec2_view(call, identity.credentials.create_ec2(user_id, call.body.tenant_id))}


def ec2_delete(identity: Identity, call: Call) -> None:
    """Delete a pair of EC2 keys."""
    identity.credentials.delete(_ec2_checked(identity, call, "identity:ec2_delete_credential").id)


def policies(identity: Identity, call: Call) -> views.View:
    """List policy documents."""
    found = identity.policies.find(call.query.pairs)
    return views.listing(call, "policies", [_policy_view(call, it) for it in found])


def policy(identity: Identity, call: Call) -> views.View:
    """Show a policy document."""
    return {"policy": _policy_view(call, identity.policies.get(call.path["policy_id"]))}


def create_policy(identity: Identity, call: Call) -> views.View:
    """Create a policy document."""
    sent, extra = bodies.read(call.body.policy, bodies.NewPolicy)
    made = identity.policies.create(PolicyDocument("", sent.type, sent.blob, extra))
    return {"policy": _policy_view(call, made)}


def update_policy(identity: Identity, call: Call) -> views.View:
    """Update a policy document."""
    have = identity.policies.get(call.path["policy_id"])
    sent, extra = bodies.read_change(call.body.policy, bodies.ChangedPolicy, have.id)
    changed = PolicyDocument(
        have.id,
        have.type if sent.type is UNSET else sent.type,
        have.blob if sent.blob is UNSET else sent.blob,
        {**have.extra, **extra},
    )
    return {"policy": _policy_view(call, identity.policies.update(changed))}


def delete_policy(identity: Identity, call: Call) -> None:
    """Delete a policy document."""
    identity.policies.delete(call.path["policy_id"])


def _view(call: Call, it: Credential) -> views.View:
    return {
        **it.extra,
        "id": it.id,
        "user_id": it.user_id,
        "project_id": it.project_id or None,
        "type": it.type,
        "blob": it.blob,
        "links": views.link(call, f"credentials/{it.id}"),
    }


def _ec2_view(call: Call, it: Credential) -> views.View:
    keys = read_ec2(it)
    return {
        "user_id": it.user_id,
        "tenant_id": it.project_id,
        "access": keys.access,
        "secret": keys.secret,
        "trust_id": keys.trust_id,
        "links": views.link(call, f"users/{it.user_id}/credentials/OS-EC2/{keys.access}"),
    }


def _policy_view(call: Call, it: PolicyDocument) -> views.View:
    return {
        **it.extra,
        "id": it.id,
        "type": it.type,
        "blob": it.blob,
        "links": views.link(call, f"policies/{it.id}"),
    }
