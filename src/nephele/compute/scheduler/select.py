"""The decision itself: a pure function of the request and the hosts."""

import heapq
from collections.abc import Sequence
from operator import add

from nephele.compute.scheduler.decision import Decision, HostVerdict, Refusal, Tally, Verdict
from nephele.compute.scheduler.filters import prepare, prepare_resources
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings, Test
from nephele.compute.scheduler.weighers import weigh

Tests = Sequence[tuple[str, Test]]


def select_hosts(
    request: SelectRequest, hosts: Sequence[HostState], settings: Settings, *, explain: bool = False
) -> Decision:
    """Which hosts fit, the best first.

    Without `explain` each host meets the checks, numbers first, only until one refuses it: quick over
    thousands of hosts.  With it every check is made of every host, and the answer says why not.
    """
    resources, others = prepare_resources(request), prepare(request, settings)
    if explain:
        return _explained(request, hosts, settings, [*others, *resources])
    refused_by: dict[str, int] = {}
    left = _with_room(request, hosts, resources)
    if len(left) < len(hosts):
        refused_by["resources"] = len(hosts) - len(left)
    for name, test in others:
        passes, before = test.passes, len(left)
        left = [host for host in left if passes(host)]
        if len(left) < before:
            refused_by[name] = before - len(left)
    best = _best(request, left, settings)
    return Decision(hosts=len(hosts), fitting=len(left), best=best, refused_by=refused_by)


def _with_room(request: SelectRequest, hosts: Sequence[HostState], resources: Tests) -> Sequence[HostState]:
    """Hosts with room for all resources: the usual three classes by plain comparison, the rest by their checks."""
    wanted = request.resources
    vcpus, memory, disk = wanted.get("VCPU", 0), wanted.get("MEMORY_MB", 0), wanted.get("DISK_GB", 0)
    left = [
        host
        for host in hosts
        if host.most_memory_mb >= memory and host.most_vcpus >= vcpus and host.most_disk_gb >= disk
    ]
    plain = all(host.plain_units for host in left)
    for name, test in resources:
        if not plain or name not in ("VCPU", "MEMORY_MB", "DISK_GB"):
            passes = test.passes
            left = [host for host in left if passes(host)]
    return left


def _best(
    request: SelectRequest, hosts: Sequence[HostState], settings: Settings, verdicts: tuple[Verdict, ...] = ()
) -> tuple[HostVerdict, ...]:
    weights = weigh(request, hosts, settings)
    totals: list[float] = []
    for column in weights.values():
        totals = list(map(add, totals, column)) if totals else column
    return tuple(
        _verdict(
            hosts[place],
            verdicts,
            {name: column[place] for name, column in weights.items()},
            totals[place] if totals else 0.0,
        )
        for place in _highest(totals, settings.keep, len(hosts))
    )


def _highest(totals: list[float], keep: int, hosts: int) -> Sequence[int]:
    """Places of the highest totals, best first, earlier hosts before later ones of the same total."""
    if not totals:
        return range(min(keep, hosts))
    least = heapq.nlargest(keep, totals)[-1]
    places = [place for place, total in enumerate(totals) if total >= least]
    return sorted(places, key=totals.__getitem__, reverse=True)[:keep]


def _verdict(
    host: HostState, verdicts: tuple[Verdict, ...], weights: dict[str, float] | None = None, weight: float = 0.0
) -> HostVerdict:
    return HostVerdict(
        host=host.host,
        hypervisor_hostname=host.hypervisor_hostname,
        provider_uuid=host.provider_uuid,
        verdicts=verdicts,
        weights=weights or {},
        weight=weight,
    )


def _explained(request: SelectRequest, hosts: Sequence[HostState], settings: Settings, tests: Tests) -> Decision:
    fitting: list[HostState] = []
    refused: list[HostVerdict] = []
    tallies: dict[tuple[str, str], Tally] = {}
    refused_by: dict[str, int] = {}
    for host in hosts:
        failed = {name: test.why(host) for name, test in tests if not test.passes(host)}
        if not failed:
            fitting.append(host)
            continue
        if len(refused) < settings.keep:
            refused.append(_verdict(host, tuple(Verdict(name, failed.get(name)) for name, _test in tests)))
        for name, refusal in failed.items():
            refused_by[name] = refused_by.get(name, 0) + 1
            tallies[name, refusal.reason] = _tally(tallies.get((name, refusal.reason)), name, refusal)
    passed = tuple(Verdict(name) for name, _test in tests)
    return Decision(
        hosts=len(hosts),
        fitting=len(fitting),
        best=_best(request, fitting, settings, passed),
        refused=tuple(refused),
        refused_by=refused_by,
        tallies=tuple(sorted(tallies.values(), key=lambda tally: -tally.hosts)),
        explained=True,
    )


def _tally(so_far: Tally | None, check: str, refusal: Refusal) -> Tally:
    best = refusal.have
    if so_far and so_far.best is not None and best is not None:
        best = max(best, so_far.best)
    return Tally(
        check=check,
        reason=refusal.reason,
        hosts=so_far.hosts + 1 if so_far else 1,
        need=refusal.need,
        best=best,
        unit=refusal.unit,
    )
