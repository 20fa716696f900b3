"""Placement as the other parts of the cloud use it; HTTP adds the whole API on top (`api/`)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from msgspec import UNSET

from nephele.kernel.clock import Clock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.placement import claims as allocating
from nephele.placement import providers as tree
from nephele.placement.candidates import find_candidates
from nephele.placement.claims import Claim
from nephele.placement.model import Allocations, Candidate, CandidatesRequest, Inventory, Room, View
from nephele.placement.snapshot import Snapshot
from nephele.placement.tables import consumers

HOST_CLASSES = frozenset(("VCPU", "PCPU", "MEMORY_MB", "DISK_GB"))
"""Classes whose inventory a host reports by itself; an operator may add others to its provider."""
DISABLED = "COMPUTE_STATUS_DISABLED"


class Placement:
    """What is where, how much of it is free, and who holds it.

    Args:
        store: the database.
        clock: the time.
        ids: new provider uuids.
    """

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.snapshot = Snapshot(store)
        self.started_at = clock.now()

    def set_host(self, uuid: str, name: str, inventories: Mapping[str, Inventory], traits: Iterable[str] = ()) -> None:
        """Make the host's provider be as the host reports itself.  Idempotent: nothing new, nothing written.

        What an operator set stays: allocation ratios (a report's ratio is the first one only),
        custom resource classes and traits, and the mark of a disabled host.
        Raises INVENTORY_IN_USE where a class with allocations would vanish.
        """
        now = self.clock.now()
        with self.store.write() as db:
            provider = tree.find_providers(db, [uuid]).get(uuid)
            if provider is None:
                provider = tree.create_provider(db, uuid=uuid, name=name, parent_uuid=None, now=now)
            elif provider.name != name:
                provider = tree.update_provider(db, provider, name=name, parent_uuid=None, moves=False, now=now)
            present = tree.read_inventories(db, provider)
            wanted = {rc: kept for rc, kept in present.items() if rc not in HOST_CLASSES}
            for rc, reported in inventories.items():
                wanted[rc] = _keep_ratio(reported, present.get(rc))
            if wanted != present:
                tree.write_inventories(db, provider, wanted, now)
            had = tree.read_traits(db, provider)
            kept_traits = {trait for trait in had if trait.startswith("CUSTOM_") or trait == DISABLED}
            if (wanted_traits := kept_traits | set(traits)) != had:
                tree.write_traits(db, provider, wanted_traits, now)

    def set_disabled(self, uuid: str, *, disabled: bool) -> None:
        """Mark a host's provider as taking no new servers, or take the mark away.  Raises PROVIDER_NOT_FOUND."""
        with self.store.write() as db:
            provider = tree.find_provider(db, uuid)
            had = tree.read_traits(db, provider)
            wanted = had | {DISABLED} if disabled else had - {DISABLED}
            if wanted != had:
                tree.write_traits(db, provider, wanted, self.clock.now())

    def aggregates(self, uuid: str) -> set[str]:
        """Which aggregates a provider is in.  Raises PROVIDER_NOT_FOUND."""
        with self.store.read() as db:
            return set(tree.read_aggregates(db, tree.find_provider(db, uuid)))

    def set_aggregates(self, uuid: str, aggregates: Iterable[str]) -> None:
        """Say which aggregates a provider is in.  Raises PROVIDER_NOT_FOUND."""
        with self.store.write() as db:
            provider = tree.find_provider(db, uuid)
            if (wanted := set(aggregates)) != tree.read_aggregates(db, provider):
                tree.write_aggregates(db, provider, wanted, self.clock.now())

    def remove_host(self, uuid: str) -> None:
        """Forget a host's provider; nothing there: nothing done.  Raises PROVIDER_IN_USE, PROVIDER_HAS_CHILDREN."""
        with self.store.write() as db:
            provider = tree.find_providers(db, [uuid]).get(uuid)
            if provider is not None:
                tree.delete_provider(db, provider)

    def candidates(self, request: CandidatesRequest) -> list[Candidate]:
        """Ways to satisfy the request as things are now; `claim` decides."""
        with self.snapshot as now:
            return find_candidates(now, request)

    def providers_since(self, revision: int) -> tuple[int, list[View], list[str]]:
        """(the revision now, the providers that changed since `revision`, uuids of those removed since).

        0 gives all: for those who keep a picture of their own of what is free where.
        """
        return self.snapshot.since(revision)

    def rooms(self, provider_uuid: str) -> dict[str, Room]:
        """What a provider has left, by class; nothing for one that does not exist."""
        with self.snapshot as now:
            view = now.by_uuid.get(provider_uuid)
            return dict(view.rooms) if view else {}

    def claim(
        self,
        consumer_uuid: str,
        wanted: Allocations,
        *,
        project_id: str,
        user_id: str,
        consumer_type: str = "INSTANCE",
    ) -> None:
        """Let the consumer hold exactly `wanted`, instead of what it holds, or nothing changes.

        Checked against the database in one transaction (or in the caller's): never over capacity,
        whoever else claims at the same time.  Amounts of 0 are left out; claiming what is held
        already changes nothing.

        Raises:
            OVER_CAPACITY, BAD_AMOUNT, NOTHING_TO_ALLOCATE: with the provider, the class and the figures.
            ALLOCATED_PROVIDER_NOT_FOUND: no such provider.
        """
        exact = {uuid: {rc: n for rc, n in amounts.items() if n} for uuid, amounts in wanted.items()}
        exact = {uuid: amounts for uuid, amounts in exact.items() if amounts}
        with self.store.write() as db:
            asked = Claim(
                consumer_uuid=consumer_uuid,
                allocations=exact,
                project_id=project_id,
                user_id=user_id,
                consumer_type=consumer_type,
            )
            allocating.replace_allocations(db, [asked], self.clock.now(), unless_held=True)

    def hand_over(self, giver: str, taker: str, *, taker_type: str) -> None:
        """Let `taker` hold, besides nothing else, what `giver` holds now; where that is nothing, nothing changes.

        Amounts stay the same, so this works however full a provider is.
        """
        with self.store.write() as db:
            held = self.allocations(giver)
            if not held:
                return
            owner = allocating.find_consumers(db, [giver])[giver]
            nothing: Allocations = {}
            kinds = ((giver, nothing, owner.consumer_type or UNSET), (taker, held, taker_type))
            claims = [
                Claim(
                    consumer_uuid=consumer,
                    allocations=amounts,
                    project_id=owner.project_id,
                    user_id=owner.user_id,
                    consumer_type=kind,
                )
                for consumer, amounts, kind in kinds
            ]
            allocating.replace_allocations(db, claims, self.clock.now())

    def release(self, consumer_uuid: str) -> None:
        """Let go of all that the consumer holds; nothing held: nothing done."""
        with self.store.write() as db:
            allocating.release_allocations(db, consumer_uuid)

    def allocations(self, consumer_uuid: str) -> dict[str, dict[str, int]]:
        """What the consumer holds: amounts by provider uuid and class."""
        held: dict[str, dict[str, int]] = defaultdict(dict)
        with self.store.read() as db:
            for allocation in allocating.held_by(db, consumer_uuid):
                held[allocation.provider_uuid][allocation.resource_class] = allocation.used
        return dict(held)

    def usages(self, project_id: str, user_id: str = "") -> dict[str, int]:
        """What a project (or one user of it) holds, by class."""
        used: dict[str, int] = defaultdict(int)
        with self.store.read() as db:
            for _kind, name, amount in allocating.used_by_type(db, project_id, user_id):
                used[name] += amount
        return dict(used)

    def consumers(self, consumer_type: str = "INSTANCE") -> list[str]:
        """Every consumer of that type: for the search for orphans."""
        query = sa.select(consumers.c.uuid).where(consumers.c.consumer_type == consumer_type)
        with self.store.read() as db:
            return list(db.execute(query).scalars())


def _keep_ratio(reported: Inventory, present: Inventory | None) -> Inventory:
    if present is None:
        return reported
    fields = {name: getattr(reported, name) for name in Inventory.__struct_fields__}
    return Inventory(**{**fields, "allocation_ratio": present.allocation_ratio})
