"""What the scheduler knows of a host, and how it is set up."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct

from nephele.compute.scheduler.decision import Refusal
from nephele.placement.model import Room

if TYPE_CHECKING:
    from nephele.compute.scheduler.messages import SelectHost

DEFAULT_ZONE = "nova"


class Aggregate(Struct, frozen=True, kw_only=True):
    """A host aggregate that a host is in."""

    id: int
    name: str
    metadata: Mapping[str, str] = {}


class HostState(Struct, frozen=True, kw_only=True):
    """One hypervisor host.

    Compute fills the first part (`HostSource`), the scheduler the second from Placement's figures.

    Args:
        host: the compute service's name.
        hypervisor_hostname: the hypervisor's.
        provider_uuid: its resource provider.
        zone: its availability zone.
        aggregates: those that it is in.
        enabled: whether new servers may come.
        disabled_reason: why not.
        up: whether its agent reports; a forced-down one counts as down.
        num_instances: servers there.
        io_ops: servers there that are being built, resized, snapshotted, migrated or the like.
        failed_builds: launches that failed there since the last that worked.
        servers: ids of the servers there, for the same_host and different_host hints.
        ip_address: of the host, for SimpleCIDRAffinityFilter.
        supported: what can run there: (architecture, hypervisor type, VM mode).
        hypervisor_type: `QEMU`.
        hypervisor_version: as a whole number, 7002000 for 7.2.0.
        capabilities: what ComputeCapabilitiesFilter may ask for beyond those: `cpu_info:vendor` and so on.
        rooms: what is left there, by resource class.
        traits: of the provider.
        free_vcpus: of `rooms`, for speed; so are the others.
        most_vcpus: the most that one server could have now.
        plain_units: whether amounts of these three classes may be any whole number up to that.
    """

    host: str
    hypervisor_hostname: str
    provider_uuid: str
    zone: str = DEFAULT_ZONE
    aggregates: tuple[Aggregate, ...] = ()
    enabled: bool = True
    disabled_reason: str = ""
    up: bool = True
    num_instances: int = 0
    io_ops: int = 0
    failed_builds: int = 0
    servers: frozenset[str] = frozenset()
    ip_address: str = ""
    supported: tuple[tuple[str, str, str], ...] = ()
    hypervisor_type: str = ""
    hypervisor_version: int = 0
    capabilities: Mapping[str, str] = {}

    rooms: Mapping[str, Room] = {}
    traits: frozenset[str] = frozenset()
    free_vcpus: int = 0
    free_memory_mb: int = 0
    free_disk_gb: int = 0
    most_vcpus: int = 0
    most_memory_mb: int = 0
    most_disk_gb: int = 0
    plain_units: bool = True


class HostSource(Protocol):
    """Where the scheduler learns of hosts; compute implements it on its own tables."""

    def hosts(self) -> Sequence[HostState]:
        """Every host, without Placement's figures.

        A host that did not change since the last call should be the same object: its figures are kept then.
        """
        ...

    def place(self, request: "SelectHost", host: HostState) -> None:
        """Take the server in, inside the transaction that claims its resources.

        Here is the place to check against the truth what may have changed since `hosts()`, such as the
        rule of an anti-affinity group, and to write the server's host.  Raises Refused: the claim is
        undone and the next best host is tried.
        """
        ...


class SelectRequest(Struct, frozen=True, kw_only=True):
    """A request as the checks see it: what was asked, and what that means in resources and traits."""

    asked: "SelectHost"
    resources: Mapping[str, int]
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()


class Test(NamedTuple):
    """A check made ready for one request.

    `passes` is asked of every host, `why` only of those that do not pass.
    """

    passes: Callable[[HostState], bool]
    why: Callable[[HostState], Refusal]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the scheduler is set up, by Nova's names of `[filter_scheduler]` and with its meanings."""

    enabled_filters: tuple[str, ...] = (
        "AvailabilityZoneFilter",
        "ComputeFilter",
        "ComputeCapabilitiesFilter",
        "ImagePropertiesFilter",
        "ServerGroupAntiAffinityFilter",
        "ServerGroupAffinityFilter",
        "SameHostFilter",
        "DifferentHostFilter",
        "AggregateInstanceExtraSpecsFilter",
        "PciPassthroughFilter",
    )
    enabled_weighers: tuple[str, ...] = (
        "RAMWeigher",
        "CPUWeigher",
        "DiskWeigher",
        "IoOpsWeigher",
        "ServerGroupSoftAffinityWeigher",
        "ServerGroupSoftAntiAffinityWeigher",
        "BuildFailureWeigher",
    )
    max_instances_per_host: int = 50
    max_io_ops_per_host: int = 8
    isolated_hosts: frozenset[str] = frozenset()
    isolated_images: frozenset[str] = frozenset()
    restrict_isolated_hosts_to_isolated_images: bool = True
    ram_weight_multiplier: float = 1.0
    cpu_weight_multiplier: float = 1.0
    disk_weight_multiplier: float = 1.0
    io_ops_weight_multiplier: float = -1.0
    soft_affinity_weight_multiplier: float = 1.0
    soft_anti_affinity_weight_multiplier: float = 1.0
    build_failure_weight_multiplier: float = 1_000_000.0
    keep: int = 100
    """How many hosts a decision names: the best, and the refused ones where it explains."""
