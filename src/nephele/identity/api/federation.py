"""Identity providers, protocols and mappings over HTTP, and signing in by them: `OS-FEDERATION`."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.identity.api import views
from nephele.identity.api.auth import signed_in
from nephele.identity.federation import AttributeMapping, IdentityProvider, Protocol, ProviderChange
from nephele.identity.service import Identity
from nephele.kernel.errors import UNAUTHORIZED
from nephele.web.bodies import envelope
from nephele.web.call import Call
from nephele.web.routing import Reply

_AT = "OS-FEDERATION/identity_providers"
_RemoteIds = tuple[Annotated[str, Meta(min_length=1, max_length=255)], ...]


class NewProvider(Struct, frozen=True):
    """Attributes of an identity provider to create."""

    enabled: bool | None = None
    description: str | None = None
    domain_id: str | None = None
    authorization_ttl: int | None = None
    remote_ids: _RemoteIds | None = None


class ChangedProvider(Struct, frozen=True):
    """Attributes of an identity provider to update."""

    enabled: bool | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    authorization_ttl: int | UnsetType | None = UNSET
    remote_ids: _RemoteIds | UnsetType | None = UNSET


class NewProtocol(Struct, frozen=True):
    """Attributes of a protocol."""

    mapping_id: str
    remote_id_attribute: str | None = None


class ChangedProtocol(Struct, frozen=True):
    """Attributes of a protocol to update."""

    mapping_id: str | UnsetType = UNSET
    remote_id_attribute: str | UnsetType | None = UNSET


class NewMapping(Struct, frozen=True):
    """Attributes of a mapping."""

    rules: list[dict[str, Any]]
    schema_version: str | None = None


PROVIDER, CHANGED_PROVIDER = envelope("identity_provider", NewProvider), envelope("identity_provider", ChangedProvider)
PROTOCOL, CHANGED_PROTOCOL = envelope("protocol", NewProtocol), envelope("protocol", ChangedProtocol)
MAPPING = envelope("mapping", NewMapping)


def providers(identity: Identity, call: Call) -> views.View:
    """List identity providers."""
    found = identity.federation.providers(call.query.pairs)
    return views.listing(call, "identity_providers", [_provider(call, it) for it in found])


def provider(identity: Identity, call: Call) -> views.View:
    """Show an identity provider."""
    return {"identity_provider": _provider(call, identity.federation.provider(call.path["provider_id"]))}


def create_provider(identity: Identity, call: Call) -> views.View:
    """Create an identity provider."""
    sent: NewProvider = call.body.identity_provider
    new = IdentityProvider(
        call.path["provider_id"],
        sent.domain_id or "",
        bool(sent.enabled),
        sent.description,
        sent.authorization_ttl,
        sent.remote_ids or (),
    )
    return {"identity_provider": _provider(call, identity.federation.create_provider(new))}


def update_provider(identity: Identity, call: Call) -> views.View:
    """Update an identity provider."""
    sent: ChangedProvider = call.body.identity_provider
    change = ProviderChange(
        enabled=sent.enabled,
        description=sent.description,
        authorization_ttl=sent.authorization_ttl,
        remote_ids=() if sent.remote_ids is None else sent.remote_ids,
    )
    return {"identity_provider": _provider(call, identity.federation.update_provider(call.path["provider_id"], change))}


def delete_provider(identity: Identity, call: Call) -> None:
    """Delete an identity provider."""
    identity.federation.delete_provider(call.path["provider_id"])


def protocols(identity: Identity, call: Call) -> views.View:
    """List the protocols of an identity provider."""
    found = identity.federation.protocols(call.path["provider_id"])
    return views.listing(call, "protocols", [_protocol(call, it) for it in found])


def protocol(identity: Identity, call: Call) -> views.View:
    """Show a protocol."""
    found = identity.federation.protocol(call.path["provider_id"], call.path["protocol_id"])
    return {"protocol": _protocol(call, found)}


def create_protocol(identity: Identity, call: Call) -> views.View:
    """Create a protocol."""
    sent: NewProtocol = call.body.protocol
    ids = call.path["provider_id"], call.path["protocol_id"]
    made = identity.federation.create_protocol(Protocol(*ids, sent.mapping_id, sent.remote_id_attribute))
    return {"protocol": _protocol(call, made)}


def update_protocol(identity: Identity, call: Call) -> views.View:
    """Update a protocol."""
    sent: ChangedProtocol = call.body.protocol
    old = identity.federation.protocol(call.path["provider_id"], call.path["protocol_id"])
    change = {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}
    changed = identity.federation.update_protocol(msgspec.structs.replace(old, **change))
    return {"protocol": _protocol(call, changed)}


def delete_protocol(identity: Identity, call: Call) -> None:
    """Delete a protocol."""
    identity.federation.delete_protocol(call.path["provider_id"], call.path["protocol_id"])


def mappings(identity: Identity, call: Call) -> views.View:
    """List mappings."""
    return views.listing(call, "mappings", [_mapping(call, it) for it in identity.federation.mappings()])


def mapping(identity: Identity, call: Call) -> views.View:
    """Show a mapping."""
    return {"mapping": _mapping(call, identity.federation.mapping(call.path["mapping_id"]))}


def create_mapping(identity: Identity, call: Call) -> views.View:
    """Create a mapping."""
    return {"mapping": _mapping(call, identity.federation.create_mapping(_sent_mapping(call)))}


def update_mapping(identity: Identity, call: Call) -> views.View:
    """Replace a mapping's rules."""
    return {"mapping": _mapping(call, identity.federation.update_mapping(_sent_mapping(call)))}


def delete_mapping(identity: Identity, call: Call) -> None:
    """Delete a mapping."""
    identity.federation.delete_mapping(call.path["mapping_id"])


def _sent_mapping(call: Call) -> AttributeMapping:
    sent: NewMapping = call.body.mapping
    return AttributeMapping(call.path["mapping_id"], sent.rules, sent.schema_version or "1.0")


def sign_in(identity: Identity, call: Call) -> Reply:
    """An unscoped token for whom the identity provider's token is about."""
    scheme, _, token = call.header("Authorization").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UNAUTHORIZED()
    issued, claims = identity.sign_in(call.path["provider_id"], call.path["protocol_id"], token.strip())
    return signed_in(identity, call, issued, claims)


def _provider(call: Call, it: IdentityProvider) -> views.View:
    links = {**views.link(call, f"{_AT}/{it.id}"), "protocols": f"{call.base_url}/v3/{_AT}/{it.id}/protocols"}
    return {**msgspec.to_builtins(it), "links": links}


def _protocol(call: Call, it: Protocol) -> views.View:
    at = f"{_AT}/{it.provider_id}"
    links = {**views.link(call, f"{at}/protocols/{it.id}"), "identity_provider": f"{call.base_url}/v3/{at}"}
    return {"id": it.id, "mapping_id": it.mapping_id, "remote_id_attribute": it.remote_id_attribute, "links": links}


def _mapping(call: Call, it: AttributeMapping) -> views.View:
    return {
        "id": it.id,
        "rules": it.rules,
        "schema_version": it.schema_version,
        "links": views.link(call, f"OS-FEDERATION/mappings/{it.id}"),
    }
