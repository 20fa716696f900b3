"""Which of the hosts that fit is best: Nova's weighers by their names, as a table.

Each gives the hosts raw figures; over those they are brought to 0..1 and multiplied by the weigher's
multiplier, and a host's weight is the sum.  None: the weigher has nothing to say to this request.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nephele.compute.scheduler.errors import UNKNOWN_FILTER
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings

Figures = list[float] | list[int]
Hosts = Sequence[HostState]


def ram(_request: SelectRequest, hosts: Hosts) -> Figures:
    """More free memory is better."""
    return [host.free_memory_mb for host in hosts]


def cpu(_request: SelectRequest, hosts: Hosts) -> Figures:
    """More free vCPUs are better."""
    return [host.free_vcpus for host in hosts]


def disk(_request: SelectRequest, hosts: Hosts) -> Figures:
    """More free disk is better."""
    return [host.free_disk_gb for host in hosts]


def io_ops(_request: SelectRequest, hosts: Hosts) -> Figures:
    """Servers under work; the multiplier is negative, so that fewer are better."""
    return [host.io_ops for host in hosts]


def soft_affinity(request: SelectRequest, hosts: Hosts) -> Figures | None:
    """More members of a soft-affinity group are better."""
    group = request.asked.group
    if group is None or group.policy != "soft-affinity":
        return None
    return [group.on_hosts.get(host.host, 0) for host in hosts]


def soft_anti_affinity(request: SelectRequest, hosts: Hosts) -> Figures | None:
    """Fewer members of a soft-anti-affinity group are better."""
    group = request.asked.group
    if group is None or group.policy != "soft-anti-affinity":
        return None
    return [-group.on_hosts.get(host.host, 0) for host in hosts]


def build_failure(_request: SelectRequest, hosts: Hosts) -> Figures:
    """A host where launches fail comes last."""
    return [-host.failed_builds for host in hosts]


class Weigher(NamedTuple):
    """One line of the table; `multiplier` names its setting, which an aggregate's metadata overrides."""

    name: str
    weigh: Callable[[SelectRequest, Hosts], Figures | None]
    multiplier: str


WEIGHERS = {
    weigher.name: weigher
    for weigher in (
        Weigher("RAMWeigher", ram, "ram_weight_multiplier"),
        Weigher("CPUWeigher", cpu, "cpu_weight_multiplier"),
        Weigher("DiskWeigher", disk, "disk_weight_multiplier"),
        Weigher("IoOpsWeigher", io_ops, "io_ops_weight_multiplier"),
        Weigher("ServerGroupSoftAffinityWeigher", soft_affinity, "soft_affinity_weight_multiplier"),
        Weigher("ServerGroupSoftAntiAffinityWeigher", soft_anti_affinity, "soft_anti_affinity_weight_multiplier"),
        Weigher("BuildFailureWeigher", build_failure, "build_failure_weight_multiplier"),
    )
}
"""What `enabled_weighers` may name."""


def weigh(request: SelectRequest, hosts: Hosts, settings: Settings) -> dict[str, list[float]]:
    """What each weigher gives each host, multiplied; weighers that tell no host from another are left out.

    Raises UNKNOWN_FILTER.
    """
    weights = {}
    grouped = [(place, host) for place, host in enumerate(hosts) if host.aggregates]
    for name in settings.enabled_weighers:
        if name not in WEIGHERS:
            raise UNKNOWN_FILTER(name=name, known=", ".join(WEIGHERS))
        weigher = WEIGHERS[name]
        figures = weigher.weigh(request, hosts)
        if not figures:
            continue
        low, high = min(figures), max(figures)
        if low == high:
            continue
        multiplier = float(getattr(settings, weigher.multiplier))
        special = _by_aggregate(grouped, weigher.multiplier)
        if special:
            span = high - low
            weights[name] = [
                (figure - low) / span * special.get(place, multiplier) for place, figure in enumerate(figures)
            ]
        elif multiplier:
            scale = multiplier / (high - low)
            weights[name] = [(figure - low) * scale for figure in figures]
    return weights


def _by_aggregate(grouped: Sequence[tuple[int, HostState]], setting: str) -> dict[int, float]:
    """Multipliers of hosts whose aggregates set one (the least where several do), by the host's place."""
    special = {}
    for place, host in grouped:
        values = [aggregate.metadata[setting] for aggregate in host.aggregates if setting in aggregate.metadata]
        numbers = [number for number in map(_number, values) if number is not None]
        if numbers:
            special[place] = min(numbers)
    return special


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
