"""Regions, services and endpoints over HTTP."""

import msgspec
from msgspec import UNSET

from nephele.identity.api import bodies, views
from nephele.identity.api.auth import cloud_url
from nephele.identity.errors import INVALID
from nephele.identity.model import Endpoint, Region, Service
from nephele.identity.service import Identity
from nephele.web.call import Call

REGION_BODY = bodies.resource("region")
SERVICE_BODY = bodies.resource("service")
ENDPOINT_BODY = bodies.resource("endpoint")


def regions(identity: Identity, call: Call) -> views.View:
    """List regions."""
    found = identity.catalog.regions(call.query.pairs)
    return views.listing(call, "regions", [views.region(call, it) for it in found])


def region(identity: Identity, call: Call) -> views.View:
    """Show a region."""
    return {"region": views.region(call, identity.catalog.region(call.path["region_id"]))}


def create_region(identity: Identity, call: Call) -> views.View:
    """Create a region; its id may be in the path or the body."""
    sent, extra = bodies.read(call.body.region, bodies.NewRegion)
    named = call.path.get("region_id", "")
    if named and sent.id not in ("", named):
        raise INVALID(reason=f"The region id in the path ({named}) and in the body ({sent.id}) differ.")
    new = Region(named or sent.id, sent.parent_region_id or "", sent.description or "", extra)
    return {"region": views.region(call, identity.catalog.create_region(new))}


def update_region(identity: Identity, call: Call) -> views.View:
    """Update a region."""
    have = identity.catalog.region(call.path["region_id"])
    sent, extra = bodies.read_change(call.body.region, bodies.ChangedRegion, have.id)
    changed = Region(
        have.id,
        have.parent_id if sent.parent_region_id is UNSET else sent.parent_region_id or "",
        have.description if sent.description is UNSET else sent.description or "",
        {**have.extra, **extra},
    )
    return {"region": views.region(call, identity.catalog.update_region(changed))}


def delete_region(identity: Identity, call: Call) -> None:
    """Delete a region."""
    identity.catalog.delete_region(call.path["region_id"])


def services(identity: Identity, call: Call) -> views.View:
    """List services."""
    found = identity.catalog.services(call.query.pairs)
    return views.listing(call, "services", [views.service(call, it) for it in found])


def service(identity: Identity, call: Call) -> views.View:
    """Show a service."""
    return {"service": views.service(call, identity.catalog.service(call.path["service_id"]))}


def create_service(identity: Identity, call: Call) -> views.View:
    """Create a service."""
    sent, extra = bodies.read(call.body.service, bodies.NewService)
    new = Service("", sent.type, sent.name or "", sent.enabled, sent.description, extra)
    return {"service": views.service(call, identity.catalog.create_service(new))}


def update_service(identity: Identity, call: Call) -> views.View:
    """Update a service."""
    have = identity.catalog.service(call.path["service_id"])
    sent, extra = bodies.read_change(call.body.service, bodies.ChangedService, have.id)
    name = have.name if sent.name is UNSET else sent.name or ""
    changed = msgspec.structs.replace(have, **_given(sent) | {"name": name, "extra": {**have.extra, **extra}})
    return {"service": views.service(call, identity.catalog.update_service(changed))}


def delete_service(identity: Identity, call: Call) -> None:
    """Delete a service."""
    identity.catalog.delete_service(call.path["service_id"])


def endpoints(identity: Identity, call: Call) -> views.View:
    """List endpoints."""
    filters = [("region_id" if key == "region" else key, value) for key, value in call.query.pairs]
    found = identity.catalog.endpoints(filters)
    return views.listing(call, "endpoints", [views.endpoint(call, it, cloud_url(call)) for it in found])


def endpoint(identity: Identity, call: Call) -> views.View:
    """Show an endpoint."""
    found = identity.catalog.endpoint(call.path["endpoint_id"])
    return {"endpoint": views.endpoint(call, found, cloud_url(call))}


def create_endpoint(identity: Identity, call: Call) -> views.View:
    """Create an endpoint; the older attribute `region` names a region that is made where it is missing."""
    sent, extra = bodies.read(call.body.endpoint, bodies.NewEndpoint)
    if sent.region and not sent.region_id:
        _ensure_region(identity, sent.region)
    region_id = sent.region_id or sent.region or ""
    new = Endpoint("", sent.service_id, region_id, sent.interface, sent.url, sent.enabled, extra)
    return {"endpoint": views.endpoint(call, identity.catalog.create_endpoint(new), cloud_url(call))}


def _ensure_region(identity: Identity, region_id: str) -> None:
    if not identity.catalog.has_region(region_id):
        identity.catalog.create_region(Region(region_id, "", "", {}))


def update_endpoint(identity: Identity, call: Call) -> views.View:
    """Update an endpoint."""
    have = identity.catalog.endpoint(call.path["endpoint_id"])
    sent, extra = bodies.read_change(call.body.endpoint, bodies.ChangedEndpoint, have.id)
    given = _given(sent)
    if sent.region and not sent.region_id:
        _ensure_region(identity, sent.region)
    region_id = given.pop("region", UNSET)
    region_id = given.pop("region_id", region_id)
    if region_id is not UNSET:
        given["region_id"] = region_id or ""
    changed = msgspec.structs.replace(have, **given | {"extra": {**have.extra, **extra}})
    return {"endpoint": views.endpoint(call, identity.catalog.update_endpoint(changed), cloud_url(call))}


def delete_endpoint(identity: Identity, call: Call) -> None:
    """Delete an endpoint."""
    identity.catalog.delete_endpoint(call.path["endpoint_id"])


def _given(sent: msgspec.Struct) -> dict[str, object]:
    """The attributes that were sent."""
    return {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}
