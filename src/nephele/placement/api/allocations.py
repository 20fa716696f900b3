"""Who holds what: allocations, usages, and the reshaper that moves both inventories and allocations."""

import uuid as uuids
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET

from nephele.kernel.ids import is_uuid
from nephele.placement import claims as allocating
from nephele.placement import providers as tree
from nephele.placement.api import schemas
from nephele.placement.api.edge import accept_json, answer, check_query, latest, read_body, require_json
from nephele.placement.api.inventories import read_inventories
from nephele.placement.claims import Claim
from nephele.placement.errors import (
    BAD_CONSUMER,
    NO_ALLOCATIONS,
    RESHAPED_PROVIDER_NOT_FOUND,
    UNKNOWN_CLASS,
)
from nephele.placement.names import unknown_classes
from nephele.placement.service import Placement
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.routing import Reply

NOBODY = "00000000-0000-0000-0000-000000000000"
"""Project and user of consumers made before 1.8, which names none."""
UNKNOWN_TYPE = "unknown"


def show_allocations(placement: Placement, call: Call) -> Reply:
    """GET /allocations/{consumer_uuid}: empty for a consumer that holds nothing."""
    accept_json(call)
    uuid = call.path["consumer_uuid"]
    with placement.store.read() as db:
        consumer = allocating.find_consumers(db, [uuid]).get(uuid)
        held = allocating.held_by(db, uuid)
        generations = {
            found.uuid: found.generation
            for found in tree.find_providers(db, {allocation.provider_uuid for allocation in held}).values()
        }
    by_provider: dict[str, dict[str, Any]] = {
        provider: {"resources": {}, "generation": generation} for provider, generation in generations.items()
    }
    for allocation in held:
        by_provider[allocation.provider_uuid]["resources"][allocation.resource_class] = allocation.used
    shown: dict[str, object] = {"allocations": by_provider}
    if consumer is not None:
        if call.version >= (1, 12):
            shown |= {"project_id": consumer.project_id, "user_id": consumer.user_id}
        if call.version >= (1, 28):
            shown["consumer_generation"] = consumer.generation
        if call.version >= (1, 38):
            shown["consumer_type"] = consumer.consumer_type or UNKNOWN_TYPE
    return answer(call, shown, consumer.updated_at if consumer else placement.clock.now())


def list_of_provider(placement: Placement, call: Call) -> Reply:
    """GET /resource_providers/{uuid}/allocations."""
    accept_json(call)
    with placement.store.read() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        rows = allocating.held_on(db, provider)
    shown: dict[str, dict[str, Any]] = {}
    for consumer_uuid, generation, name, used, _made in rows:
        of_consumer = shown.setdefault(consumer_uuid, {"resources": {}})
        of_consumer["resources"][name] = used
        if call.version >= (1, 28):
            of_consumer["consumer_generation"] = generation
    made = latest((row[-1] for row in rows), placement.clock.now())
    return answer(call, {"allocations": shown, "resource_provider_generation": provider.generation}, made)


def put_allocations(placement: Placement, call: Call) -> None:
    """PUT /allocations/{consumer_uuid}."""
    require_json(call)
    uuid = call.path["consumer_uuid"]
    if not is_uuid(uuid):
        raise BAD_CONSUMER(uuid=uuid)
    uuid = str(uuids.UUID(uuid))
    data = read_body(call, schemas.allocations(call.version, may_be_empty=call.version >= (1, 28)))
    claim = _read_claim(uuid, data, call.version)
    with placement.store.write() as db:
        _check_classes(db, [claim], f"Unable to allocate inventory for consumer {uuid}")
        allocating.replace_allocations(db, [claim], placement.clock.now())


def post_allocations(placement: Placement, call: Call) -> None:
    """POST /allocations: many consumers, all or none."""
    data = read_body(call, schemas.many_allocations(call.version))
    claims = [_read_claim(uuid, entry, call.version) for uuid, entry in data.items()]
    with placement.store.write() as db:
        _check_classes(db, claims, "Unable to allocate inventory")
        allocating.replace_allocations(db, claims, placement.clock.now())


def delete_allocations(placement: Placement, call: Call) -> None:
    """DELETE /allocations/{consumer_uuid}."""
    uuid = call.path["consumer_uuid"]
    with placement.store.write() as db:
        if not allocating.release_allocations(db, uuid):
            raise NO_ALLOCATIONS(uuid=uuid)


def reshape(placement: Placement, call: Call) -> None:
    """POST /reshaper: new inventories and allocations at once, as when a host's provider becomes a tree."""
    data = read_body(call, schemas.reshape(call.version))
    claims = [_read_claim(uuid, entry, call.version) for uuid, entry in data["allocations"].items()]
    now = placement.clock.now()
    with placement.store.write() as db:
        wanted = []
        for uuid, entry in data["inventories"].items():
            provider = tree.find_providers(db, [uuid]).get(uuid)
            if provider is None:
                raise RESHAPED_PROVIDER_NOT_FOUND(uuid=uuid)
            tree.check_generation(provider, entry["resource_provider_generation"])
            wanted.append((provider, read_inventories(db, provider, entry["inventories"], call.version)))
        _check_classes(db, claims, "malformed reshaper data")
        for provider, inventories in wanted:
            if inventories:  # what goes is still needed until its allocations have moved
                tree.write_inventories(db, provider, {**tree.read_inventories(db, provider), **inventories}, now)
        if claims:
            allocating.replace_allocations(db, claims, now)
        for provider, inventories in wanted:
            tree.write_inventories(db, provider, inventories, now)


def _check_classes(db: sa.Connection, claims: Iterable[Claim], where: str) -> None:
    names = {name for claim in claims for amounts in claim.allocations.values() for name in amounts}
    for unknown in unknown_classes(db, sorted(names)):
        raise UNKNOWN_CLASS(where=where, name=unknown)


def _read_claim(uuid: str, data: dict[str, Any], version: Version) -> Claim:
    given = data["allocations"]
    if isinstance(given, list):
        held = {entry["resource_provider"]["uuid"]: entry["resources"] for entry in given}
    else:
        held = {provider: entry["resources"] for provider, entry in given.items()}
    return Claim(
        consumer_uuid=uuid,
        allocations=held,
        project_id=data.get("project_id", NOBODY),
        user_id=data.get("user_id", NOBODY),
        consumer_type=data.get("consumer_type", UNSET),
        generation=data["consumer_generation"] if version >= (1, 28) else UNSET,
    )


def provider_usages(placement: Placement, call: Call) -> Reply:
    """GET /resource_providers/{uuid}/usages: 0 for what nobody uses."""
    accept_json(call)
    with placement.store.read() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        used = dict.fromkeys(tree.read_inventories(db, provider), 0)
        for _consumer, _generation, name, amount, _made in allocating.held_on(db, provider):
            used[name] = used.get(name, 0) + amount
    shown = {"resource_provider_generation": provider.generation, "usages": used}
    return answer(call, shown, placement.clock.now())


def total_usages(placement: Placement, call: Call) -> Reply:
    """GET /usages: what a project holds; from 1.38 on by type of consumer."""
    accept_json(call)
    call.enforce("placement:usages", {"project_id": call.query.get("project_id")})
    check_query(call, schemas.usages_query(call.version))
    project_id, user_id = call.query.get("project_id"), call.query.get("user_id")
    if call.version < (1, 38):
        return answer(call, {"usages": placement.usages(project_id, user_id)}, placement.clock.now())
    wanted = call.query.get("consumer_type")
    shown: dict[str, dict[str, int]] = defaultdict(lambda: {"consumer_count": 0})
    with placement.store.read() as db:
        for kind, count in allocating.count_consumers(db, project_id, user_id):
            shown[_group(kind, wanted)]["consumer_count"] += count
        for kind, name, used in allocating.used_by_type(db, project_id, user_id):
            of_kind = shown[_group(kind, wanted)]
            of_kind[name] = of_kind.get(name, 0) + used
    if wanted and wanted != "all":
        shown = {kind: figures for kind, figures in shown.items() if kind == wanted}
    return answer(call, {"usages": shown}, placement.clock.now())


def _group(kind: str | None, wanted: str) -> str:
    return "all" if wanted == "all" else kind or UNKNOWN_TYPE
