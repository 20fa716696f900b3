"""What Placement knows, as values."""

from collections.abc import Mapping

from msgspec import Struct

from nephele.kernel.clock import Instant

MAX_INT = 0x7FFFFFFF
SHARING = "MISC_SHARES_VIA_AGGREGATE"
"""The trait of a provider whose inventory all providers of its aggregates may use."""

Resources = Mapping[str, int]
"""Amounts by resource class."""
Allocations = Mapping[str, Resources]
"""Amounts by provider uuid and resource class."""


class Inventory(Struct, frozen=True):
    """How much of one resource class a provider has.

    Args:
        total: what is physically there.
        reserved: kept back for other uses.
        min_unit: the least that one consumer may take.
        max_unit: the most that one consumer may take.
        step_size: amounts are multiples of it.
        allocation_ratio: how far it may be overcommitted.
    """

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = MAX_INT
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """What may be allocated in all."""
        return int((self.total - self.reserved) * self.allocation_ratio)


class Provider(Struct, frozen=True, kw_only=True):
    """A resource provider: a host, a NUMA cell, a shared disk.  `root_id` is its own id for a root."""

    id: int
    uuid: str
    name: str
    generation: int
    parent_id: int | None
    root_id: int
    created_at: Instant
    updated_at: Instant


class Consumer(Struct, frozen=True, kw_only=True):
    """What holds allocations: a server, a migration, a volume."""

    uuid: str
    project_id: str
    user_id: str
    generation: int
    consumer_type: str | None
    created_at: Instant
    updated_at: Instant


class Allocation(Struct, frozen=True):
    """So much of one class on one provider, held by a consumer."""

    provider_uuid: str
    resource_class: str
    used: int


class Group(Struct, frozen=True, kw_only=True):
    """One group of an allocation candidates request.

    Args:
        resources: amounts by class; may be empty in a group that only restricts a subtree.
        required: each entry is a set of traits of which one must be there (`in:` lists; a plain trait is a set of one).
        forbidden: traits that must not be there.
        member_of: each entry is a set of aggregates of which the provider must be in one.
        not_member_of: aggregates that it must not be in.
        in_tree: uuid of a provider whose tree must be used.
    """

    resources: Resources
    required: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()
    member_of: tuple[frozenset[str], ...] = ()
    not_member_of: frozenset[str] = frozenset()
    in_tree: str = ""


class CandidatesRequest(Struct, frozen=True, kw_only=True):
    """What is looked for.

    Args:
        groups: by suffix; "" is the group whose resources may come from several providers of a tree.
        isolate: `group_policy=isolate`: suffixed groups must not share a provider.
        same_subtree: each entry names suffixes whose providers must have a common ancestor among them.
        root_required: traits that the tree's root must have.
        root_forbidden: traits that it must not have.
        limit: at most so many; 0: all.
        nested: trees may be used below their roots (from 1.29 on).
    """

    groups: Mapping[str, Group]
    isolate: bool = False
    same_subtree: tuple[frozenset[str], ...] = ()
    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset()
    limit: int = 0
    nested: bool = True


class Candidate(Struct, frozen=True):
    """One way to satisfy a request: amounts by provider, and which providers serve which group."""

    allocations: Allocations
    mappings: Mapping[str, tuple[str, ...]]


def host_inventory(
    *, vcpus: int, memory_mb: int, disk_gb: int, reserved_memory_mb: int = 0, reserved_disk_gb: int = 0
) -> dict[str, Inventory]:
    """A hypervisor host's inventory with Nova's initial allocation ratios (vCPUs 4, memory 1, disk 1).

    Classes of which there is nothing are left out; nobody may take more than the host physically has.
    """
    whole = {
        "VCPU": Inventory(vcpus, max_unit=max(vcpus, 1), allocation_ratio=4.0),
        "MEMORY_MB": Inventory(memory_mb, reserved_memory_mb, max_unit=max(memory_mb, 1)),
        "DISK_GB": Inventory(disk_gb, reserved_disk_gb, max_unit=max(disk_gb, 1)),
    }
    return {name: inventory for name, inventory in whole.items() if inventory.total > 0}


class Room(Struct, frozen=True, gc=False):
    """What one provider has left of one class."""

    capacity: int
    used: int
    free: int
    min_unit: int
    max_unit: int
    step_size: int

    def fits(self, amount: int) -> bool:
        """Whether one consumer can have `amount` now."""
        return amount <= self.free and self.min_unit <= amount <= self.max_unit and amount % self.step_size == 0


class View(Struct, frozen=True, eq=False, kw_only=True):
    """One provider as it was at a moment."""

    id: int
    uuid: str
    name: str
    generation: int
    parent_id: int | None
    root_id: int
    updated_at: Instant
    rooms: dict[str, Room]
    traits: frozenset[str]
    aggregates: frozenset[str]
