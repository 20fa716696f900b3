"""All providers in memory, for questions that range over the whole cloud.

The database is the truth: claims are checked against it, inside the transaction that makes them.
This picture of it answers "who has room?" without a query per provider, and is brought up to date before
each answer by reading only the providers that changed since (`tables.revisions`).
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

import sqlalchemy as sa

from nephele.kernel.statements import Statement
from nephele.kernel.store import Store
from nephele.placement.model import SHARING, Inventory, Room, View
from nephele.placement.tables import (
    allocations,
    inventories,
    provider_aggregates,
    provider_traits,
    providers,
    removed,
    revisions,
)

_CHUNK = 500


_REVISION = Statement(sa.select(revisions.c.revision))
_PROVIDERS = sa.select(
    providers.c.id,
    providers.c.uuid,
    providers.c.name,
    providers.c.generation,
    providers.c.parent_id,
    providers.c.root_id,
    providers.c.updated_at,
)
_INVENTORIES = sa.select(
    inventories.c.provider_id,
    inventories.c.resource_class,
    inventories.c.total,
    inventories.c.reserved,
    inventories.c.min_unit,
    inventories.c.max_unit,
    inventories.c.step_size,
    inventories.c.allocation_ratio,
)
_USED = sa.select(allocations.c.provider_id, allocations.c.resource_class, sa.func.sum(allocations.c.used)).group_by(
    allocations.c.provider_id, allocations.c.resource_class
)
_TRAITS = sa.select(provider_traits.c.provider_id, provider_traits.c.trait)
_AGGREGATES = sa.select(provider_aggregates.c.provider_id, provider_aggregates.c.aggregate_uuid)
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_SOME = {
    "providers": Statement(_PROVIDERS.where(providers.c.id.in_(_IDS))),
    "inventories": Statement(_INVENTORIES.where(inventories.c.provider_id.in_(_IDS))),
    "used": Statement(_USED.where(allocations.c.provider_id.in_(_IDS))),
    "traits": Statement(_TRAITS.where(provider_traits.c.provider_id.in_(_IDS))),
    "aggregates": Statement(_AGGREGATES.where(provider_aggregates.c.provider_id.in_(_IDS))),
}
_ALL = {
    "providers": Statement(_PROVIDERS),
    "inventories": Statement(_INVENTORIES),
    "used": Statement(_USED),
    "traits": Statement(_TRAITS),
    "aggregates": Statement(_AGGREGATES),
}
_CHANGED = Statement(sa.select(providers.c.id).where(providers.c.revision > sa.bindparam("since")))
_REMOVED = Statement(sa.select(removed.c.provider_id).where(removed.c.revision > sa.bindparam("since")))


class Providers:
    """The picture itself, with the indexes that searches need.  Not thread-safe: `Snapshot` guards it."""

    def __init__(self) -> None:
        self.revision = 0
        self.by_id: dict[int, View] = {}
        self.by_uuid: dict[str, View] = {}
        self.rooms: dict[str, dict[int, Room]] = defaultdict(dict)
        self.members: dict[str, set[int]] = defaultdict(set)
        self.with_trait: dict[str, set[int]] = defaultdict(set)
        self.trees: dict[int, set[int]] = defaultdict(set)
        self.nested = 0
        self.changed_at: dict[int, int] = {}  # in the order of the changes
        self.removed_at: dict[str, int] = {}

    def put(self, view: View, revision: int) -> None:
        """Take in what is known of one provider now."""
        self.drop(view.id)
        self.changed_at[view.id] = revision
        self.by_id[view.id] = self.by_uuid[view.uuid] = view
        self.trees[view.root_id].add(view.id)
        self.nested += view.root_id != view.id
        for name, room in view.rooms.items():
            self.rooms[name][view.id] = room
        for aggregate in view.aggregates:
            self.members[aggregate].add(view.id)
        for trait in view.traits:
            self.with_trait[trait].add(view.id)

    def drop(self, provider_id: int) -> View | None:
        """Forget a provider."""
        view = self.by_id.pop(provider_id, None)
        if view is None:
            return None
        del self.by_uuid[view.uuid], self.changed_at[provider_id]
        self.nested -= view.root_id != view.id
        tree = self.trees[view.root_id]
        tree.discard(view.id)
        if not tree:
            del self.trees[view.root_id]
        for name in view.rooms:
            del self.rooms[name][view.id]
        for aggregate in view.aggregates:
            self.members[aggregate].discard(view.id)
        for trait in view.traits:
            self.with_trait[trait].discard(view.id)
        return view

    def sharing(self) -> set[int]:
        """Providers whose inventory those of the same aggregates may use."""
        return self.with_trait.get(SHARING, set())

    def refresh(self, db: sa.Connection) -> None:
        """Read what changed since the last time."""
        latest = _REVISION.scalar(db) or 0
        if latest == self.revision:
            return
        for provider_id in _REMOVED.scalars(db, since=self.revision):
            view = self.drop(provider_id)
            if view is not None:
                self.removed_at[view.uuid] = latest
        changed = _CHANGED.scalars(db, since=self.revision)
        whole = self.revision == 0 or len(changed) > 20 * _CHUNK
        parts: Iterable[list[int]] = [changed] if whole else _chunks(changed)
        for part in parts:
            for view in _load(db, None if whole else part):
                self.put(view, latest)
        self.revision = latest


class Snapshot:
    """The process's picture of all providers.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._providers = Providers()

    def __enter__(self) -> Providers:
        """The providers as they are now; nobody else looks at them until `__exit__`.

        Inside of a transaction it is a picture of its own, made for that transaction: it may roll back.
        """
        self._lock.acquire()
        try:
            providers = Providers() if self._store.is_writing else self._providers
            with self._store.read() as db:
                providers.refresh(db)
        except BaseException:
            self._lock.release()
            raise
        return providers

    def __exit__(self, *_exception: object) -> None:
        self._lock.release()

    def since(self, revision: int) -> tuple[int, list[View], list[str]]:
        """(the revision now, providers changed since `revision`, uuids of those removed since)."""
        with self as now:
            if revision == now.revision:
                return revision, [], []
            if revision == 0:
                return now.revision, list(now.by_id.values()), []
            recent = takewhile(lambda change: change[1] > revision, reversed(now.changed_at.items()))
            changed = [now.by_id[provider_id] for provider_id, _at in recent]
            gone = [uuid for uuid, at in now.removed_at.items() if at > revision and uuid not in now.by_uuid]
            return now.revision, changed, gone


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _load(db: sa.Connection, ids: list[int] | None) -> list[View]:
    queries = _ALL if ids is None else _SOME
    asked = {} if ids is None else {"ids": ids}

    def rows(name: str) -> Iterable[Any]:
        return queries[name].rows(db, **asked)

    used = {(provider_id, name): int(amount) for provider_id, name, amount in rows("used")}
    rooms: dict[int, dict[str, Room]] = defaultdict(dict)
    for provider_id, name, *figures in rows("inventories"):
        rooms[provider_id][name] = room_of(Inventory(*figures), used.get((provider_id, name), 0))
    traits: dict[int, set[str]] = defaultdict(set)
    for provider_id, trait in rows("traits"):
        traits[provider_id].add(trait)
    aggregates: dict[int, set[str]] = defaultdict(set)
    for provider_id, aggregate in rows("aggregates"):
        aggregates[provider_id].add(aggregate)
    return [
        View(
            id=provider_id,
            uuid=uuid,
            name=name,
            generation=generation,
            parent_id=parent_id,
            root_id=root_id,
            updated_at=updated_at,
            rooms=rooms.get(provider_id, {}),
            traits=frozenset(traits.get(provider_id, ())),
            aggregates=frozenset(aggregates.get(provider_id, ())),
        )
        for provider_id, uuid, name, generation, parent_id, root_id, updated_at in rows("providers")
    ]


def room_of(inventory: Inventory, used: int) -> Room:
    """What is left of an inventory of which `used` is allocated."""
    capacity = inventory.capacity
    return Room(capacity, used, capacity - used, inventory.min_unit, inventory.max_unit, inventory.step_size)
