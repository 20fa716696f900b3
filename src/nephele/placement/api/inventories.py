"""What providers have."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.clock import Instant
from nephele.kernel.errors import NOT_ALLOWED
from nephele.placement import providers as tree
from nephele.placement.api import schemas
from nephele.placement.api.edge import accept_json, answer, read_body, require_json, url_of
from nephele.placement.errors import (
    BAD_CAPACITY,
    INVENTORY_EXISTS,
    INVENTORY_NOT_FOUND,
    NO_INVENTORY_TO_DELETE,
    NO_INVENTORY_TO_UPDATE,
    UNKNOWN_CLASS,
)
from nephele.placement.model import Inventory, Provider
from nephele.placement.names import unknown_classes
from nephele.placement.service import Placement
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.routing import Reply


def list_inventories(placement: Placement, call: Call) -> Reply:
    """GET …/inventories."""
    accept_json(call)
    with placement.store.read() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        return answer(call, show_all(db, provider), provider.updated_at)


def create_inventory(placement: Placement, call: Call) -> Reply:
    """POST …/inventories: one class more."""
    require_json(call)
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        data = read_body(call, schemas.NEW_INVENTORY)
        tree.check_generation(provider, data.pop("resource_provider_generation", None))
        name = data.pop("resource_class")
        inventory = read_inventory(provider, name, data, call.version, "create")
        for unknown in unknown_classes(db, [name]):
            raise UNKNOWN_CLASS(where=f"Unable to create inventory for resource provider {provider.uuid}", name=unknown)
        present = tree.read_inventories(db, provider)
        if name in present:
            raise INVENTORY_EXISTS(name=name)
        provider = _write(placement, db, provider, {**present, name: inventory})
    location = url_of(call, "resource_providers", provider.uuid, "inventories", name)
    return answer(call, _show_one(provider, inventory), provider.updated_at, status=201, location=location)


def replace_inventories(placement: Placement, call: Call) -> Reply:
    """PUT …/inventories: these and no others."""
    require_json(call)
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        data = read_body(call, schemas.ALL_INVENTORIES)
        tree.check_generation(provider, data["resource_provider_generation"])
        wanted = read_inventories(db, provider, data["inventories"], call.version)
        provider = _write(placement, db, provider, wanted)
        return answer(call, show_all(db, provider), provider.updated_at)


def delete_inventories(placement: Placement, call: Call) -> None:
    """DELETE …/inventories."""
    with placement.store.write() as db:
        _write(placement, db, tree.find_provider(db, call.path["uuid"]), {})


def deletion_unknown(_placement: Placement, _call: Call) -> None:
    """DELETE …/inventories before 1.5."""
    raise NOT_ALLOWED(method="DELETE", allowed="GET, POST, PUT")


def show_inventory(placement: Placement, call: Call) -> Reply:
    """GET …/inventories/{resource_class}."""
    accept_json(call)
    name = call.path["resource_class"]
    with placement.store.read() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        inventory = tree.read_inventories(db, provider).get(name)
    if inventory is None:
        raise INVENTORY_NOT_FOUND(name=name, uuid=provider.uuid)
    return answer(call, _show_one(provider, inventory), provider.updated_at)


def update_inventory(placement: Placement, call: Call) -> Reply:
    """PUT …/inventories/{resource_class}."""
    require_json(call)
    name = call.path["resource_class"]
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        data = read_body(call, schemas.ONE_INVENTORY)
        tree.check_generation(provider, data.pop("resource_provider_generation"))
        inventory = read_inventory(provider, name, data, call.version, "update")
        present = tree.read_inventories(db, provider)
        if name not in present:
            raise NO_INVENTORY_TO_UPDATE(uuid=provider.uuid, name=name)
        provider = _write(placement, db, provider, {**present, name: inventory})
    return answer(call, _show_one(provider, inventory), provider.updated_at)


def delete_inventory(placement: Placement, call: Call) -> None:
    """DELETE …/inventories/{resource_class}."""
    name = call.path["resource_class"]
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        present = tree.read_inventories(db, provider)
        if name not in present:
            raise NO_INVENTORY_TO_DELETE(uuid=provider.uuid, name=name)
        del present[name]
        _write(placement, db, provider, present)


def read_inventories(
    db: sa.Connection, provider: Provider, data: dict[str, dict[str, Any]], version: Version
) -> dict[str, Inventory]:
    """Inventories by class.  Raises UNKNOWN_CLASS or BAD_CAPACITY."""
    for unknown in unknown_classes(db, data):
        where = f"Unknown resource class in inventory for resource provider {provider.uuid}"
        raise UNKNOWN_CLASS(where=where, name=unknown)
    return {name: read_inventory(provider, name, figures, version, "update") for name, figures in data.items()}


def read_inventory(provider: Provider, name: str, data: dict[str, Any], version: Version, act: str) -> Inventory:
    """One inventory; until 1.25 not all of it may be reserved.  Raises BAD_CAPACITY."""
    inventory = Inventory(**{key: value for key, value in data.items() if key in Inventory.__struct_fields__})
    all_may_be_reserved = version >= (1, 26)
    if inventory.capacity < (0 if all_may_be_reserved else 1):
        or_equal = "" if all_may_be_reserved else "or equal to "
        raise BAD_CAPACITY(act=act, uuid=provider.uuid, name=name, or_equal=or_equal)
    return inventory


def show_all(db: sa.Connection, provider: Provider) -> dict[str, object]:
    """All inventories of a provider as the API shows them."""
    shown = {name: _figures(inventory) for name, inventory in tree.read_inventories(db, provider).items()}
    return {"resource_provider_generation": provider.generation, "inventories": shown}


def _show_one(provider: Provider, inventory: Inventory) -> dict[str, object]:
    return {**_figures(inventory), "resource_provider_generation": provider.generation}


def _figures(inventory: Inventory) -> dict[str, object]:
    return {name: getattr(inventory, name) for name in Inventory.__struct_fields__}


def _write(placement: Placement, db: sa.Connection, provider: Provider, wanted: dict[str, Inventory]) -> Provider:
    now: Instant = placement.clock.now()
    tree.write_inventories(db, provider, wanted, now)
    return tree.provider_by_id(db, provider.id)
