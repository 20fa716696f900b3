"""Traits and aggregates of providers."""

from nephele.placement import providers as tree
from nephele.placement.api import schemas
from nephele.placement.api.edge import accept_json, answer, latest, read_body, require_json
from nephele.placement.errors import PROVIDER_MOVED_ON, UNKNOWN_TRAITS_TO_SET
from nephele.placement.model import Provider
from nephele.placement.names import find_trait, unknown_traits
from nephele.placement.service import Placement
from nephele.web.call import Call
from nephele.web.routing import Reply


def list_aggregates(placement: Placement, call: Call) -> Reply:
    """GET …/aggregates."""
    accept_json(call)
    with placement.store.read() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        aggregates = tree.read_aggregates(db, provider)
    return _answer_aggregates(placement, call, provider, sorted(aggregates))


def set_aggregates(placement: Placement, call: Call) -> Reply:
    """PUT …/aggregates; from 1.19 on guarded by the provider's generation."""
    require_json(call)
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        data = read_body(call, schemas.aggregates(call.version))
        guarded = call.version >= (1, 19)
        if guarded and data["resource_provider_generation"] != provider.generation:
            raise PROVIDER_MOVED_ON()
        aggregates = data["aggregates"] if guarded else data
        tree.write_aggregates(db, provider, set(aggregates), placement.clock.now(), guarded=guarded)
        provider = tree.provider_by_id(db, provider.id)
    return _answer_aggregates(placement, call, provider, aggregates)


def _answer_aggregates(placement: Placement, call: Call, provider: Provider, aggregates: list[str]) -> Reply:
    shown: dict[str, object] = {"aggregates": aggregates}
    if call.version >= (1, 19):
        shown["resource_provider_generation"] = provider.generation
    return answer(call, shown, placement.clock.now())


def list_traits(placement: Placement, call: Call) -> Reply:
    """GET …/traits."""
    accept_json(call)
    with placement.store.read() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        return _answer_traits(placement, call, provider, tree.read_traits(db, provider))


def set_traits(placement: Placement, call: Call) -> Reply:
    """PUT …/traits."""
    data = read_body(call, schemas.PROVIDER_TRAITS)
    traits = set(data["traits"])
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        if data["resource_provider_generation"] != provider.generation:
            raise PROVIDER_MOVED_ON()
        unknown = unknown_traits(db, traits)
        if unknown:
            raise UNKNOWN_TRAITS_TO_SET(names=", ".join(unknown))
        tree.write_traits(db, provider, traits, placement.clock.now())
        provider = tree.provider_by_id(db, provider.id)
        return _answer_traits(placement, call, provider, traits)


def delete_traits(placement: Placement, call: Call) -> None:
    """DELETE …/traits."""
    with placement.store.write() as db:
        provider = tree.find_provider(db, call.path["uuid"])
        tree.write_traits(db, provider, set(), placement.clock.now())


def _answer_traits(placement: Placement, call: Call, provider: Provider, traits: set[str]) -> Reply:
    now = placement.clock.now()
    with placement.store.read() as db:
        made = [find_trait(db, trait) or placement.started_at for trait in traits] if call.version >= (1, 15) else []
    shown = {"traits": sorted(traits), "resource_provider_generation": provider.generation}
    return answer(call, shown, latest(made, now))
