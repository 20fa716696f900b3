"""Which sets of allocations would satisfy a request: pure functions on the picture of all providers.

Each group is answered for itself, as lists of *parts* by *anchor*: the root of the tree that the
whole answer belongs to (a shared disk belongs to the trees of all hosts that may use it).  Then the
groups' parts are combined anchor by anchor, and those combinations kept that hold together.

Source of the rules: the Placement API reference and its microversion history (1.10 to 1.39).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import NamedTuple

from nephele.placement.model import SHARING, Candidate, CandidatesRequest, Group, Room
from nephele.placement.snapshot import Providers


class Part(NamedTuple):
    """One way to satisfy one group: (provider, class, amount)s, and all providers that serve it."""

    suffix: str
    amounts: tuple[tuple[int, str, int], ...]
    providers: frozenset[int]


Parts = Mapping[int, list[Part]]
"""Parts by anchor."""


def find_candidates(now: Providers, request: CandidatesRequest) -> list[Candidate]:
    """All candidates, or the first `request.limit` of them, in the order of the providers' making."""
    anchors = _anchors(now, request)
    if anchors is not None and not anchors:
        return []
    plain = not now.nested and not now.sharing()
    if plain and len(request.groups) == 1:
        ((suffix, group),) = request.groups.items()
        found: Iterable[Candidate] = _flat(now, suffix, group, anchors)
    else:
        found = _combined(now, request, anchors, plain=plain)
    return list(islice(found, request.limit) if request.limit else found)


def _flat(now: Providers, suffix: str, group: Group, anchors: set[int] | None) -> Iterator[Candidate]:
    """One group in a cloud of hosts without trees and sharing, as most are."""
    by_id, resources = now.by_id, group.resources
    for provider_id in matching(now, group):
        if anchors is None or provider_id in anchors:
            uuid = by_id[provider_id].uuid
            yield Candidate({uuid: resources} if resources else {}, {suffix: (uuid,)})


def matching(now: Providers, group: Group) -> Iterator[int]:
    """Providers that satisfy the whole group alone; no more of them are looked at than are taken."""
    ids: Iterable[int] | None = None
    for wanted in _restrictions(now, group):
        ids = wanted if ids is None else wanted.intersection(ids)
    if ids is not None:
        ids = sorted(ids)
    for name, amount in group.resources.items():
        ids = _with_room(now.rooms.get(name, {}), amount, ids)
    bad = _forbidden(now, group)
    found = now.by_id if ids is None else ids
    return (i for i in found if i not in bad) if bad else iter(found)


def _with_room(rooms: Mapping[int, Room], amount: int, ids: Iterable[int] | None) -> Iterator[int]:
    """Those of the providers (None: of all) that have room; spelled out for speed, see `Room.fits`."""
    if ids is None:
        for i, room in rooms.items():
            if room.free >= amount and room.min_unit <= amount <= room.max_unit and not amount % room.step_size:
                yield i
        return
    for i in ids:
        found = rooms.get(i)
        if found is not None and found.free >= amount and found.fits(amount):
            yield i


def _restrictions(now: Providers, group: Group) -> Iterator[set[int]]:
    """Sets of providers in each of which the right one must be."""
    if group.in_tree:
        yield _tree_of(now, group.in_tree)
    for aggregates in group.member_of:
        yield _members(now, aggregates)
    for traits in group.required:
        yield _having(now, traits)


def _forbidden(now: Providers, group: Group) -> set[int]:
    return _members(now, group.not_member_of) | _having(now, group.forbidden)


def _tree_of(now: Providers, uuid: str) -> set[int]:
    view = now.by_uuid.get(uuid)
    return now.trees[view.root_id] if view else set()


def _members(now: Providers, aggregates: Iterable[str]) -> set[int]:
    return set().union(*(now.members.get(aggregate, ()) for aggregate in aggregates))


def _having(now: Providers, traits: Iterable[str]) -> set[int]:
    return set().union(*(now.with_trait.get(trait, ()) for trait in traits))


def _anchors(now: Providers, request: CandidatesRequest) -> set[int] | None:
    """Roots that `root_required` leaves; None: all."""
    if not request.root_required and not request.root_forbidden:
        return None
    good = set(now.trees)
    for trait in request.root_required:
        good &= now.with_trait.get(trait, set())
    return good - _having(now, request.root_forbidden)


def anchors_of_sharing(now: Providers, provider_id: int) -> set[int]:
    """Roots of the trees that may use a sharing provider: those with a member in one of its aggregates."""
    return {now.by_id[member].root_id for member in _members(now, now.by_id[provider_id].aggregates)}


def _combined(
    now: Providers, request: CandidatesRequest, anchors: set[int] | None, *, plain: bool
) -> Iterator[Candidate]:
    groups: list[Parts] = []
    for suffix, group in request.groups.items():
        alone = suffix != "" or plain
        parts = _alone(now, suffix, group) if alone else _spread(now, suffix, group, anchors)
        if not parts:
            return
        groups.append(parts)
    seen = set()
    for anchor in groups[0]:
        if (anchors is not None and anchor not in anchors) or not all(anchor in parts for parts in groups):
            continue
        for chosen in product(*(parts[anchor] for parts in groups)):
            if _holds_together(now, request, chosen):
                candidate = _candidate(now, chosen)
                if candidate is not None and (key := _key(candidate)) not in seen:
                    seen.add(key)
                    yield candidate


def _alone(now: Providers, suffix: str, group: Group) -> Parts:
    """Parts where one provider does it all."""
    parts: dict[int, list[Part]] = defaultdict(list)
    for provider_id in matching(now, group):
        amounts = tuple((provider_id, name, amount) for name, amount in group.resources.items())
        part = Part(suffix, amounts, frozenset([provider_id]))
        view = now.by_id[provider_id]
        trees = {view.root_id}
        if SHARING in view.traits:
            trees |= anchors_of_sharing(now, provider_id)
        for root in sorted(trees):
            parts[root].append(part)
    return parts


def _spread(now: Providers, suffix: str, group: Group, anchors: set[int] | None) -> Parts:
    """Parts whose amounts may come from several providers of a tree and from those that share with it."""
    by_class = [(name, amount, _sources(now, group, name, amount)) for name, amount in group.resources.items()]
    if not by_class:
        return {}
    parts: dict[int, list[Part]] = {}
    forbidden = _having(now, group.forbidden)
    for root in by_class[0][2]:
        if (anchors is not None and root not in anchors) or not all(root in sources for _, _, sources in by_class):
            continue
        found = []
        for chosen in product(*(sources[root] for _, _, sources in by_class)):
            if forbidden.isdisjoint(chosen) and _have_traits(now, chosen, group):
                amounts = tuple((i, name, amount) for i, (name, amount, _) in zip(chosen, by_class, strict=True))
                found.append(Part(suffix, amounts, frozenset(chosen)))
        if found:
            parts[root] = found
    return parts


def _sources(now: Providers, group: Group, name: str, amount: int) -> dict[int, list[int]]:
    """By anchor, the providers that could give `amount` of one class.

    An aggregate of a root counts for its own tree, not for what is shared with it; `in_tree` keeps sharing
    providers of other trees out.
    """
    tree = _tree_of(now, group.in_tree) if group.in_tree else None
    wanted = [_members(now, aggregates) for aggregates in group.member_of]
    unwanted = _members(now, group.not_member_of)
    sharing = set() if group.in_tree else now.sharing()
    sources: dict[int, list[int]] = defaultdict(list)
    for provider_id, room in now.rooms.get(name, {}).items():
        if not room.fits(amount) or (tree is not None and provider_id not in tree):
            continue
        own_root = now.by_id[provider_id].root_id
        if provider_id in unwanted or not all(provider_id in members or own_root in members for members in wanted):
            continue
        trees = {own_root}
        if provider_id in sharing:
            trees |= anchors_of_sharing(now, provider_id)
        for root in trees:
            if root not in unwanted:
                sources[root].append(provider_id)
    return sources


def _have_traits(now: Providers, providers: Iterable[int], group: Group) -> bool:
    """Whether the providers have the required traits between them."""
    if not group.required:
        return True
    traits = set().union(*(now.by_id[i].traits for i in providers))
    return all(not traits.isdisjoint(wanted) for wanted in group.required)


def _holds_together(now: Providers, request: CandidatesRequest, chosen: tuple[Part, ...]) -> bool:
    if request.isolate:
        alone = [part for part in chosen if part.suffix]
        if len(frozenset().union(*(part.providers for part in alone))) < len(alone):
            return False
    for suffixes in request.same_subtree:
        serving = frozenset().union(*(part.providers for part in chosen if part.suffix in suffixes))
        if len(serving) > 1 and not any(
            all(top in _line(now, provider_id) for provider_id in serving) for top in serving
        ):
            return False
    if request.nested:
        return True
    # Before 1.29 clients know no trees: one provider of each at most.
    used = {provider_id for part in chosen for provider_id, _name, _amount in part.amounts}
    return len({now.by_id[provider_id].root_id for provider_id in used}) == len(used)


def _line(now: Providers, provider_id: int) -> set[int]:
    """A provider and its ancestors."""
    line = set()
    here: int | None = provider_id
    while here is not None:
        line.add(here)
        here = now.by_id[here].parent_id
    return line


def _candidate(now: Providers, chosen: tuple[Part, ...]) -> Candidate | None:
    """The parts added up; None where a provider has no room for what several groups want of it together."""
    total: dict[int, dict[str, int]] = {}
    for part in chosen:
        for provider_id, name, amount in part.amounts:
            of_provider = total.setdefault(provider_id, {})
            of_provider[name] = of_provider.get(name, 0) + amount
    for provider_id, amounts in total.items():
        rooms = now.by_id[provider_id].rooms
        if any(amount > min(rooms[name].free, rooms[name].max_unit) for name, amount in amounts.items()):
            return None
    by_id = now.by_id
    return Candidate(
        {by_id[provider_id].uuid: amounts for provider_id, amounts in total.items()},
        {part.suffix: tuple(sorted(by_id[i].uuid for i in part.providers)) for part in chosen},
    )


def _key(candidate: Candidate) -> object:
    return (
        frozenset((uuid, frozenset(amounts.items())) for uuid, amounts in candidate.allocations.items()),
        frozenset(candidate.mappings.items()),
    )
