"""A decision over 10,000 hosts stays quick.  The bounds are three times the figures: machines do other work too."""

import statistics
import time
from collections.abc import Callable

import pytest

from nephele.compute.scheduler.messages import FlavorWanted, SelectHost
from nephele.compute.scheduler.model import HostState, Settings
from nephele.compute.scheduler.resources import read_request
from nephele.compute.scheduler.select import select_hosts
from nephele.placement.candidates import find_candidates
from nephele.placement.model import CandidatesRequest, Group, Room, View
from nephele.placement.snapshot import Providers

HOSTS = 10_000


def cpu_ms(work: Callable[[], object]) -> float:
    """Median processor time of one call, in milliseconds."""
    times = []
    for _ in range(15):
        start = time.thread_time()
        work()
        times.append((time.thread_time() - start) * 1000)
    return statistics.median(times)


def room(capacity: int, used: int) -> Room:
    return Room(capacity, used, capacity - used, 1, capacity, 1)


def rooms(number: int) -> dict[str, Room]:
    return {
        "VCPU": room(128, number % 100),
        "MEMORY_MB": room(65536, number * 37 % 65000),
        "DISK_GB": room(1000, number % 900),
    }


@pytest.fixture(scope="module")
def hosts() -> list[HostState]:
    made = []
    for number in range(HOSTS):
        has = rooms(number)
        vcpus, memory, disk = (has[name].free for name in ("VCPU", "MEMORY_MB", "DISK_GB"))
        made.append(
            HostState(
                host=f"h{number}",
                hypervisor_hostname=f"h{number}",
                provider_uuid=str(number),
                rooms=has,
                io_ops=number % 3,
                free_vcpus=vcpus,
                free_memory_mb=memory,
                free_disk_gb=disk,
                most_vcpus=vcpus,
                most_memory_mb=memory,
                most_disk_gb=disk,
            )
        )
    return made


def test_a_decision_over_10000_hosts(hosts: list[HostState]) -> None:
    flavor = FlavorWanted(vcpus=2, memory_mb=2048, root_gb=10)
    request = read_request(SelectHost(server_id="s", project_id="p", user_id="u", flavor=flavor))
    decision = select_hosts(request, hosts, Settings())
    assert 9000 < decision.fitting < HOSTS
    assert cpu_ms(lambda: select_hosts(request, hosts, Settings())) < 30


def test_candidates_among_10000_providers() -> None:
    now = Providers()
    for number in range(HOSTS):
        uuid = str(number)
        view = View(
            id=number,
            uuid=uuid,
            name=uuid,
            generation=0,
            parent_id=None,
            root_id=number,
            updated_at=0,
            rooms=rooms(number),
            traits=frozenset(),
            aggregates=frozenset(),
        )
        now.put(view, 1)
    resources = {"VCPU": 2, "MEMORY_MB": 2048, "DISK_GB": 10}
    request = CandidatesRequest(groups={"": Group(resources=resources)}, limit=1000)
    assert len(find_candidates(now, request)) == 1000
    assert cpu_ms(lambda: find_candidates(now, request)) < 15
