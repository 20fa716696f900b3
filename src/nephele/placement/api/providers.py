"""Resource providers: list, create, show, change, delete."""

import uuid as uuids

from nephele.placement import providers as tree
from nephele.placement.api import schemas
from nephele.placement.api.edge import (
    accept_json,
    answer,
    check_query,
    latest,
    read_body,
    require_json,
    show_provider,
    url_of,
)
from nephele.placement.api.query import read_member_of, read_resources, read_traits
from nephele.placement.candidates import matching
from nephele.placement.errors import PROVIDER_TO_DELETE_NOT_FOUND, UNKNOWN_CLASS
from nephele.placement.model import Group, Provider, View
from nephele.placement.names import check_traits, unknown_classes
from nephele.placement.service import Placement
from nephele.placement.snapshot import Providers
from nephele.web.call import Call
from nephele.web.routing import Reply


def list_providers(placement: Placement, call: Call) -> Reply:
    """GET /resource_providers."""
    accept_json(call)
    check_query(call, schemas.providers_query(call.version))
    group = _read_group(placement, call)
    name, uuid = call.query.get("name"), call.query.get("uuid")
    with placement.snapshot as now:
        views = [now.by_id[provider_id] for provider_id in matching(now, group)]
        if "name" in call.query:
            views = [view for view in views if view.name == name]
        if "uuid" in call.query:
            wanted = str(uuids.UUID(uuid))
            views = [view for view in views if view.uuid == wanted]
        shown = [_show_view(call, now, view) for view in views]
    changed = latest((view.updated_at for view in views), placement.clock.now())
    return answer(call, {"resource_providers": shown}, changed)


def _read_group(placement: Placement, call: Call) -> Group:
    """The filters as a group that one provider must satisfy alone."""
    query = call.query
    resources = read_resources(query.get("resources")) if "resources" in query else {}
    required, forbidden = read_traits(query.all("required"), call.version)
    member_of, not_member_of = read_member_of(query.all("member_of"), call.version)
    with placement.store.read() as db:
        check_traits(db, frozenset().union(forbidden, *required))
        for name in unknown_classes(db, resources):
            raise UNKNOWN_CLASS(where="Invalid resource class in resources parameter", name=name)
    return Group(
        resources=resources,
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=query.get("in_tree"),
    )


def _show_view(call: Call, now: Providers, view: View) -> dict[str, object]:
    provider = Provider(
        id=view.id,
        uuid=view.uuid,
        name=view.name,
        generation=view.generation,
        parent_id=view.parent_id,
        root_id=view.root_id,
        created_at=view.updated_at,
        updated_at=view.updated_at,
    )
    parent = now.by_id[view.parent_id].uuid if view.parent_id is not None else None
    return show_provider(call, provider, parent, now.by_id[view.root_id].uuid)


def create_provider(placement: Placement, call: Call) -> Reply:
    """POST /resource_providers: 201 without a body until 1.19, 200 with the provider from 1.20."""
    data = read_body(call, schemas.new_provider(call.version))
    uuid = str(uuids.UUID(data["uuid"])) if data.get("uuid") else placement.ids.uuid()
    with placement.store.write() as db:
        provider = tree.create_provider(
            db, uuid=uuid, name=data["name"], parent_uuid=data.get("parent_provider_uuid"), now=placement.clock.now()
        )
    location = url_of(call, "resource_providers", uuid)
    if call.version >= (1, 20):
        return answer(call, _show(placement, call, provider), provider.updated_at, location=location)
    return Reply(None, 201, {"Location": location})


def show_one(placement: Placement, call: Call) -> Reply:
    """GET /resource_providers/{uuid}."""
    accept_json(call)
    with placement.store.read() as db:
        provider = tree.find_provider(db, call.path["uuid"])
    return answer(call, _show(placement, call, provider), provider.updated_at)


def update_provider(placement: Placement, call: Call) -> Reply:
    """PUT /resource_providers/{uuid}; from 1.37 on it may move to another parent."""
    require_json(call)
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        data = read_body(call, schemas.changed_provider(call.version))
        parent_uuid = data.get("parent_provider_uuid")
        if "parent_provider_uuid" not in data and provider.parent_id is not None:
            parent_uuid = tree.provider_by_id(db, provider.parent_id).uuid
        provider = tree.update_provider(
            db,
            provider,
            name=data["name"],
            parent_uuid=parent_uuid,
            moves=call.version >= (1, 37),
            now=placement.clock.now(),
        )
    return answer(call, _show(placement, call, provider), provider.updated_at)


def delete_provider(placement: Placement, call: Call) -> None:
    """DELETE /resource_providers/{uuid}."""
    uuid = call.path["uuid"]
    with placement.store.write() as db:
        provider = tree.find_providers(db, [uuid]).get(uuid)
        if provider is None:
            raise PROVIDER_TO_DELETE_NOT_FOUND(uuid=uuid)
        tree.delete_provider(db, provider)


def _show(placement: Placement, call: Call, provider: Provider) -> dict[str, object]:
    with placement.store.read() as db:
        parent = tree.provider_by_id(db, provider.parent_id).uuid if provider.parent_id is not None else None
        root = tree.provider_by_id(db, provider.root_id).uuid
    return show_provider(call, provider, parent, root)
