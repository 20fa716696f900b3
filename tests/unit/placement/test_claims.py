"""Claims: exact under concurrency, whole or not at all."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.placement.model import CandidatesRequest, Group, Inventory, host_inventory
from nephele.placement.service import Placement

OWNER = {"project_id": "p", "user_id": "u"}


@pytest.fixture
def host(placement: Placement, ids: Ids) -> Callable[..., str]:
    def make(name: str = "host", **figures: int) -> str:
        uuid = ids.uuid()
        whole = {"vcpus": 4, "memory_mb": 4096, "disk_gb": 40, **figures}
        placement.set_host(uuid, name, host_inventory(**whole), ["COMPUTE_NODE"])
        return uuid

    return make


def want(**resources: int) -> CandidatesRequest:
    return CandidatesRequest(groups={"": Group(resources=resources)})


def found(placement: Placement, request: CandidatesRequest) -> list[str]:
    return [uuid for candidate in placement.candidates(request) for uuid in candidate.allocations]


def test_a_claim_takes_room_and_a_release_gives_it_back(placement: Placement, host: Callable[..., str]) -> None:
    uuid = host()
    wanted = {uuid: {"VCPU": 2, "MEMORY_MB": 3000, "DISK_GB": 10}}
    placement.claim("server", wanted, **OWNER)
    assert placement.allocations("server") == wanted
    revision, _, _ = placement.providers_since(0)
    placement.claim("server", wanted, **OWNER)
    assert placement.providers_since(revision)[1] == [], "claiming what is held changes nothing"
    assert placement.usages("p") == wanted[uuid]
    assert placement.rooms(uuid)["MEMORY_MB"].free == 1096
    assert found(placement, want(MEMORY_MB=1097)) == []
    placement.release("server")
    assert found(placement, want(MEMORY_MB=4096)) == [uuid]
    assert placement.consumers() == []
    placement.release("server")


def test_nova_overcommits_processors_only(placement: Placement, host: Callable[..., str]) -> None:
    uuid = host()
    capacities = {name: room.capacity for name, room in placement.rooms(uuid).items()}
    assert capacities == {"VCPU": 16, "MEMORY_MB": 4096, "DISK_GB": 40}
    assert found(placement, want(VCPU=5)) == [], "no server may have more processors than the host has"


def test_a_refused_claim_says_the_figures_and_changes_nothing(placement: Placement, host: Callable[..., str]) -> None:
    uuid = host()
    placement.claim("one", {uuid: {"MEMORY_MB": 4000}}, **OWNER)
    with pytest.raises(Refused) as refused:
        placement.claim("two", {uuid: {"VCPU": 1, "MEMORY_MB": 512}}, **OWNER)
    assert refused.value.error.code == "placement.over_capacity"
    assert refused.value.facts["free"] == 96
    assert placement.allocations("two") == {}
    assert placement.consumers() == ["one"]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"MEMORY_MB": 5000}, "placement.bad_amount"),
        ({"VGPU": 1}, "placement.nothing_to_allocate"),
    ],
)
def test_what_can_never_be_had(
    placement: Placement, host: Callable[..., str], wanted: dict[str, int], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        placement.claim("one", {host(): wanted}, **OWNER)
    assert refused.value.error.code == code


def test_a_claim_in_a_transaction_that_rolls_back_never_was(
    placement: Placement, host: Callable[..., str], store: Store
) -> None:
    uuid = host()

    def claim_and_fail() -> None:
        with store.write():
            placement.claim("one", {uuid: {"MEMORY_MB": 4096}}, **OWNER)
            assert found(placement, want(MEMORY_MB=1)) == []
            raise ValueError("undo")

    with pytest.raises(ValueError, match="undo"):
        claim_and_fail()
    assert found(placement, want(MEMORY_MB=4096)) == [uuid]
    placement.claim("two", {uuid: {"MEMORY_MB": 4096}}, **OWNER)
    assert found(placement, want(MEMORY_MB=1)) == []


def test_a_host_keeps_what_its_operator_set(placement: Placement, host: Callable[..., str]) -> None:
    uuid = host()
    placement.set_disabled(uuid, disabled=True)
    before, _, _ = placement.providers_since(0)
    report = host_inventory(vcpus=4, memory_mb=4096, disk_gb=40)
    placement.set_host(uuid, "host", report, ["COMPUTE_NODE"])
    assert placement.providers_since(before) == (before, [], []), "the same report again writes nothing"
    placement.set_host(uuid, "host", {**report, "VCPU": Inventory(8, allocation_ratio=1.0)}, ["HW_CPU_X86_AVX"])
    _, (view,), _ = placement.providers_since(before)
    assert view.traits == {"HW_CPU_X86_AVX", "COMPUTE_STATUS_DISABLED"}
    assert view.rooms["VCPU"].capacity == 32


def test_others_keep_their_picture_by_asking_what_changed(placement: Placement, host: Callable[..., str]) -> None:
    first, second = host("a"), host("b")
    revision, views, _ = placement.providers_since(0)
    assert {view.uuid for view in views} == {first, second}
    placement.claim("one", {second: {"VCPU": 1}}, **OWNER)
    revision, views, gone = placement.providers_since(revision)
    assert ([view.uuid for view in views], gone) == ([second], [])
    placement.remove_host(first)
    revision, views, gone = placement.providers_since(revision)
    assert (views, gone) == ([], [first])
    assert found(placement, want(VCPU=1)) == [second]


def test_the_last_slot_is_given_once(placement: Placement, host: Callable[..., str]) -> None:
    hosts = [host(f"host{number}", memory_mb=1000) for number in range(3)]
    won: list[str] = []

    def boot(thread: int) -> None:
        for attempt in range(10):
            for uuid in hosts:
                try:
                    placement.claim(f"{thread}-{attempt}", {uuid: {"MEMORY_MB": 300}}, **OWNER)
                except Refused:
                    continue
                won.append(uuid)
                break

    threads = [threading.Thread(target=boot, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(hosts * 3)
    assert {placement.rooms(uuid)["MEMORY_MB"].used for uuid in hosts} == {900}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 5), st.integers(0, 2500)), max_size=15
    )
)
def test_never_over_capacity_and_the_picture_is_the_truth(
    placement: Placement, host: Callable[..., str], moves: list[tuple[int, int, int, int]]
) -> None:
    hosts = [host(f"h{len(placement.providers_since(0)[1])}") for _ in range(2)]
    holders: dict[str, dict[str, dict[str, int]]] = {}
    for consumer, place, vcpus, memory in moves:
        name = f"{hosts[0]}{consumer}"[-36:]
        wanted = {hosts[place]: {"VCPU": vcpus, "MEMORY_MB": memory}}
        try:
            placement.claim(name, wanted, **OWNER)
            holders[name] = {
                uuid: {rc: n for rc, n in has.items() if n} for uuid, has in wanted.items() if any(has.values())
            }
        except Refused:
            pass
        assert placement.allocations(name) == holders.get(name, {})
        for uuid in hosts:
            rooms = placement.rooms(uuid)
            for rc in ("VCPU", "MEMORY_MB"):
                held = sum(has.get(uuid, {}).get(rc, 0) for has in holders.values())
                assert rooms[rc].used == held <= rooms[rc].capacity


def test_what_is_held_is_handed_over_even_where_nothing_is_free(placement: Placement, host: Callable[..., str]) -> None:
    first, second = host("first"), host("second")
    whole = {first: {"VCPU": 4, "MEMORY_MB": 4096, "DISK_GB": 40}}
    placement.claim("server", whole, **OWNER)
    placement.hand_over("server", "migration", taker_type="MIGRATION")
    assert (placement.allocations("server"), placement.allocations("migration")) == ({}, whole)
    assert placement.consumers("MIGRATION") == ["migration"]
    assert placement.rooms(first)["MEMORY_MB"].free == 0
    placement.hand_over("server", "migration", taker_type="MIGRATION")
    assert placement.allocations("migration") == whole, "nothing to hand over: nothing changes"
    placement.claim("server", {second: {"VCPU": 1}}, **OWNER)
    placement.hand_over("migration", "server", taker_type="INSTANCE")
    assert (placement.allocations("server"), placement.allocations("migration")) == (whole, {})
    assert placement.rooms(second)["VCPU"].used == 0
    assert placement.consumers("MIGRATION") == []
    assert placement.consumers() == ["server"]
