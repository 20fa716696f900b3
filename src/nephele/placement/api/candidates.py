"""GET /allocation_candidates."""

from collections.abc import Iterable

from nephele.placement.api import schemas
from nephele.placement.api.edge import accept_json, answer, check_query
from nephele.placement.api.query import read_candidates
from nephele.placement.candidates import find_candidates
from nephele.placement.errors import UNKNOWN_CLASS
from nephele.placement.model import Candidate, CandidatesRequest
from nephele.placement.names import check_traits, unknown_classes
from nephele.placement.service import Placement
from nephele.placement.snapshot import Providers
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.routing import Reply


def list_candidates(placement: Placement, call: Call) -> Reply:
    """Ways to satisfy the request, and what the providers involved have."""
    accept_json(call)
    check_query(call, schemas.candidates_query(call.version))
    request = read_candidates(call.query, call.version)
    _check_names(placement, request)
    with placement.snapshot as now:
        found = find_candidates(now, request)
        summaries = _summaries(now, request, found, call.version)
    requests = [_show(candidate, call.version) for candidate in found]
    shown = {"allocation_requests": requests, "provider_summaries": summaries}
    return answer(call, shown, placement.clock.now())


def _check_names(placement: Placement, request: CandidatesRequest) -> None:
    traits = set(request.root_required | request.root_forbidden)
    for group in request.groups.values():
        traits |= group.forbidden.union(*group.required)
    classes = [name for group in request.groups.values() for name in group.resources]
    with placement.store.read() as db:
        check_traits(db, traits)
        for name in unknown_classes(db, classes):
            raise UNKNOWN_CLASS(where="Invalid resource class in resources parameter", name=name)


def _show(candidate: Candidate, version: Version) -> dict[str, object]:
    """A candidate in the form in which it can be put as allocations at the same version."""
    if version < (1, 12):
        entries = [
            {"resource_provider": {"uuid": uuid}, "resources": amounts}
            for uuid, amounts in candidate.allocations.items()
        ]
        return {"allocations": entries}
    shown: dict[str, object] = {
        "allocations": {uuid: {"resources": amounts} for uuid, amounts in candidate.allocations.items()}
    }
    if version >= (1, 34):
        shown["mappings"] = candidate.mappings
    return shown


def _summaries(
    now: Providers, request: CandidatesRequest, found: Iterable[Candidate], version: Version
) -> dict[str, dict[str, object]]:
    """Capacity and use of every provider of the trees involved; before 1.29 of those only that give something."""
    involved = {now.by_uuid[uuid].id for candidate in found for uuid in candidate.allocations}
    if request.nested or not now.nested:
        trees = {now.by_id[provider_id].root_id for provider_id in involved}
        involved = {provider_id for root in trees for provider_id in now.trees[root]}
    requested = {name for group in request.groups.values() for name in group.resources}
    return {
        now.by_id[provider_id].uuid: _summary(now, provider_id, requested, version) for provider_id in sorted(involved)
    }


def _summary(now: Providers, provider_id: int, requested: set[str], version: Version) -> dict[str, object]:
    view = now.by_id[provider_id]
    shown: dict[str, object] = {
        "resources": {
            name: {"capacity": room.capacity, "used": room.used}
            for name, room in view.rooms.items()
            if version >= (1, 27) or name in requested
        }
    }
    if version >= (1, 17):
        shown["traits"] = sorted(view.traits, key=lambda trait: (trait.startswith("CUSTOM_"), trait))
    if version >= (1, 29):
        parent = now.by_id[view.parent_id].uuid if view.parent_id is not None else None
        shown["parent_provider_uuid"] = parent
        shown["root_provider_uuid"] = now.by_id[view.root_id].uuid
    return shown
