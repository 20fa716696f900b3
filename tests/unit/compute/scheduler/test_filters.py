"""Each filter and weigher, by what it passes and refuses."""

from typing import Any

import msgspec
import pytest

from nephele.compute.scheduler.errors import BAD_QUERY, UNKNOWN_FILTER
from nephele.compute.scheduler.filters import FILTERS, prepare
from nephele.compute.scheduler.filters.matching import matches
from nephele.compute.scheduler.messages import FlavorWanted, GroupMembership, SelectHost
from nephele.compute.scheduler.model import Aggregate, HostState, Settings
from nephele.compute.scheduler.resources import read_request
from nephele.compute.scheduler.select import select_hosts
from nephele.compute.scheduler.weighers import WEIGHERS, weigh
from nephele.kernel.errors import Refused
from nephele.placement.model import Room


def host(name: str = "a", **facts: Any) -> HostState:
    aggregates = tuple(
        Aggregate(id=number, name=f"aggregate{number}", metadata=metadata)
        for number, metadata in enumerate(facts.pop("metadata", []))
    )
    return HostState(host=name, hypervisor_hostname=f"{name}.cloud", provider_uuid=name, aggregates=aggregates, **facts)


def asked(**request: Any) -> SelectHost:
    flavor = FlavorWanted(vcpus=1, memory_mb=64, extra_specs=request.pop("extra_specs", {}))
    return SelectHost(**{"server_id": "s", "project_id": "p", "user_id": "u", "flavor": flavor, **request})


def group(policy: str, limit: int = 1, **on_hosts: int) -> GroupMembership:
    return GroupMembership(id="g", policy=policy, on_hosts=on_hosts, max_server_per_host=limit)


X86: dict[str, Any] = {
    "supported": (("x86_64", "qemu", "hvm"),),
    "hypervisor_type": "QEMU",
    "hypervisor_version": 7002000,
}
QUERY = '["and", [">=", "$free_ram_mb", 100], ["not", ["=", "$host", "b"]]]'

CASES: list[tuple[str, dict[str, Any], HostState, bool]] = [
    ("AvailabilityZoneFilter", {}, host(zone="east"), True),
    ("AvailabilityZoneFilter", {"availability_zone": "east"}, host(zone="east"), True),
    ("AvailabilityZoneFilter", {"availability_zone": "west"}, host(zone="east"), False),
    ("ComputeFilter", {}, host(), True),
    ("ComputeFilter", {}, host(enabled=False), False),
    ("ComputeFilter", {}, host(up=False), False),
    ("ComputeCapabilitiesFilter", {"extra_specs": {"capabilities:hypervisor_type": "QEMU"}}, host(**X86), True),
    ("ComputeCapabilitiesFilter", {"extra_specs": {"capabilities:hypervisor_type": "s== ironic"}}, host(**X86), False),
    ("ComputeCapabilitiesFilter", {"extra_specs": {"capabilities:nothing": "1"}}, host(**X86), False),
    (
        "ComputeCapabilitiesFilter",
        {"extra_specs": {"capabilities:cpu_info:vendor": "<or> AMD <or> Intel"}},
        host(capabilities={"cpu_info:vendor": "AMD"}),
        True,
    ),
    ("ImagePropertiesFilter", {"image_properties": {"hw_architecture": "amd64"}}, host(**X86), True),
    ("ImagePropertiesFilter", {"image_properties": {"hw_architecture": "aarch64"}}, host(**X86), False),
    ("ImagePropertiesFilter", {"image_properties": {"hw_vm_mode": "xen"}}, host(**X86), False),
    ("ImagePropertiesFilter", {"image_properties": {"img_hv_requested_version": ">=6.0, <7.2"}}, host(**X86), False),
    (
        "ImagePropertiesFilter",
        {"image_properties": {"img_hv_type": "qemu", "img_hv_requested_version": ">=6.0,<7.3"}},
        host(**X86),
        True,
    ),
    ("ServerGroupAffinityFilter", {"group": group("affinity")}, host(), True),
    ("ServerGroupAffinityFilter", {"group": group("affinity", a=2)}, host(), True),
    ("ServerGroupAffinityFilter", {"group": group("affinity", b=1)}, host(), False),
    ("ServerGroupAntiAffinityFilter", {"group": group("anti-affinity", b=1)}, host(), True),
    ("ServerGroupAntiAffinityFilter", {"group": group("anti-affinity", a=1)}, host(), False),
    ("ServerGroupAntiAffinityFilter", {"group": group("anti-affinity", limit=2, a=1)}, host(), True),
    ("ServerGroupAntiAffinityFilter", {"group": group("soft-anti-affinity", a=1)}, host(), True),
    ("SameHostFilter", {"hints": {"same_host": ("1", "2")}}, host(servers=frozenset("29")), True),
    ("SameHostFilter", {"hints": {"same_host": ("1",)}}, host(servers=frozenset("29")), False),
    ("DifferentHostFilter", {"hints": {"different_host": ("1",)}}, host(servers=frozenset("29")), True),
    ("DifferentHostFilter", {"hints": {"different_host": ("2",)}}, host(servers=frozenset("29")), False),
    ("AggregateInstanceExtraSpecsFilter", {"extra_specs": {"ssd": "true"}}, host(metadata=[{"ssd": "true"}]), True),
    ("AggregateInstanceExtraSpecsFilter", {"extra_specs": {"ssd": "true"}}, host(), False),
    (
        "AggregateInstanceExtraSpecsFilter",
        {"extra_specs": {"aggregate_instance_extra_specs:tier": "<or> 1 <or> 2", "hw:cpu_policy": "shared"}},
        host(metadata=[{"tier": "3"}, {"tier": "2, 4"}]),
        True,
    ),
    ("NumInstancesFilter", {}, host(num_instances=49), True),
    ("NumInstancesFilter", {}, host(num_instances=50), False),
    ("NumInstancesFilter", {}, host(num_instances=5, metadata=[{"max_instances_per_host": "5"}]), False),
    ("IoOpsFilter", {}, host(io_ops=7), True),
    ("IoOpsFilter", {}, host(io_ops=8), False),
    ("PciPassthroughFilter", {}, host(), True),
    ("PciPassthroughFilter", {"extra_specs": {"pci_passthrough:alias": "gpu:1"}}, host(), False),
    ("AggregateMultiTenancyIsolation", {}, host(metadata=[{"filter_tenant_id": "x,p"}]), True),
    ("AggregateMultiTenancyIsolation", {}, host(metadata=[{"filter_tenant_id1": "x"}]), False),
    ("IsolatedHostsFilter", {"image_id": "i"}, host("lonely"), True),
    ("IsolatedHostsFilter", {"image_id": "i"}, host(), False),
    ("IsolatedHostsFilter", {"image_id": "other"}, host("lonely"), False),
    ("SimpleCIDRAffinityFilter", {"hints": {"build_near_host_ip": ("10.0.0.9",)}}, host(ip_address="10.0.0.1"), True),
    (
        "SimpleCIDRAffinityFilter",
        {"hints": {"build_near_host_ip": ("10.0.0.9",), "cidr": ("/29",)}},
        host(ip_address="10.0.0.1"),
        False,
    ),
    ("SimpleCIDRAffinityFilter", {"hints": {"build_near_host_ip": ("nonsense",)}}, host(), False),
    ("JsonFilter", {"hints": {"query": (QUERY,)}}, host(free_memory_mb=100), True),
    ("JsonFilter", {"hints": {"query": (QUERY,)}}, host("b", free_memory_mb=100), False),
    ("JsonFilter", {"hints": {"query": ('["in", "$host", "b", "c"]',)}}, host(), False),
    ("JsonFilter", {"hints": {"query": ('["<", "$host", 5]',)}}, host(), False),
    ("RequestedHost", {"host": "a"}, host(), True),
    ("RequestedHost", {"host": "b"}, host(), False),
    ("RequestedHost", {"hypervisor_hostname": "b.cloud"}, host(), False),
    ("ExcludedHosts", {"exclude_hosts": frozenset("a")}, host(), False),
    ("Traits", {"extra_specs": {"trait:CUSTOM_FAST": "required"}}, host(traits=frozenset(["CUSTOM_FAST"])), True),
    ("Traits", {"extra_specs": {"trait:CUSTOM_FAST": "required"}}, host(), False),
    ("Traits", {"extra_specs": {"trait:CUSTOM_FAST": "forbidden"}}, host(traits=frozenset(["CUSTOM_FAST"])), False),
]


@pytest.mark.parametrize(("name", "request_", "state", "passes"), CASES)
def test_filter(name: str, request_: dict[str, Any], state: HostState, passes: bool) -> None:
    settings = Settings(
        enabled_filters=(name,) if name in FILTERS else (),
        isolated_hosts=frozenset(["lonely"]),
        isolated_images=frozenset(["i"]),
    )
    tests = [test for known, test in prepare(read_request(asked(**request_)), settings) if known == name]
    assert all(test.passes(state) for test in tests) is passes
    if not passes:
        assert all(test.why(state).reason for test in tests)


def test_every_filter_has_a_case_that_refuses() -> None:
    assert {name for name, _, _, passes in CASES if not passes} >= FILTERS.keys()


def test_what_can_not_be_set_up_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        prepare(read_request(asked()), Settings(enabled_filters=("NoFilter",)))
    assert refused.value.error is UNKNOWN_FILTER


@pytest.mark.parametrize("query", ["{", '"text"', "[]", '["like", 1]', '["and", ["or", ["?"]]]'])
def test_a_bad_query_is_a_bad_request(query: str) -> None:
    with pytest.raises(Refused) as refused:
        prepare(read_request(asked(hints={"query": (query,)})), Settings(enabled_filters=("JsonFilter",)))
    assert refused.value.error is BAD_QUERY


@pytest.mark.parametrize(
    ("value", "wanted", "answer"),
    [
        ("4", "4", True),
        ("4", "5", False),
        ("4", ">= 3", True),
        ("4", "<= 3", False),
        ("4", "== 4.0", True),
        ("4", "!= 4", False),
        ("5", "= 4", True),
        ("many", ">= 3", False),
        ("abc", "s== abc", True),
        ("abc", "s< b", True),
        ("abc", "s!= abc", False),
        ("abcdef", "<in> cd", True),
        ("aes mmx sse", "<all-in> aes sse", True),
        ("aes mmx", "<all-in> aes sse", False),
        ("b", "<or> a <or> b", True),
        ("c", "<or> a <or> b", False),
        ("", "", True),
    ],
)
def test_the_language_of_extra_specs(value: str, wanted: str, answer: bool) -> None:
    assert matches(value, wanted) is answer


def test_a_flavor_as_resources() -> None:
    flavor = FlavorWanted(
        vcpus=2,
        memory_mb=512,
        root_gb=10,
        ephemeral_gb=5,
        swap_mb=1025,
        extra_specs={"resources:CUSTOM_X": "3", "resources:VCPU": "0"},
    )
    request = msgspec.structs.replace(asked(), flavor=flavor)
    assert read_request(request).resources == {"MEMORY_MB": 512, "DISK_GB": 17, "CUSTOM_X": 3}
    on_volume = msgspec.structs.replace(request, volume_backed=True)
    assert read_request(on_volume).resources["DISK_GB"] == 7


WEIGHED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("RAMWeigher", {}, {"free_memory_mb": 9}, {"free_memory_mb": 5}),
    ("CPUWeigher", {}, {"free_vcpus": 9}, {"free_vcpus": 5}),
    ("DiskWeigher", {}, {"free_disk_gb": 9}, {"free_disk_gb": 5}),
    ("IoOpsWeigher", {}, {"io_ops": 1}, {"io_ops": 5}),
    ("BuildFailureWeigher", {}, {"failed_builds": 0}, {"failed_builds": 1}),
    ("ServerGroupSoftAffinityWeigher", {"group": group("soft-affinity", a=2, b=1)}, {}, {}),
    ("ServerGroupSoftAntiAffinityWeigher", {"group": group("soft-anti-affinity", b=1)}, {}, {}),
]


@pytest.mark.parametrize(("name", "request_", "better", "worse"), WEIGHED)
def test_weigher(name: str, request_: dict[str, Any], better: dict[str, Any], worse: dict[str, Any]) -> None:
    hosts = [host("b", **worse), host("a", **better)]
    weights = weigh(read_request(asked(**request_)), hosts, Settings(enabled_weighers=(name,)))
    assert weights[name][1] > weights[name][0]
    assert weigh(read_request(asked(**request_)), hosts[:1], Settings(enabled_weighers=(name,))) == {}


def test_every_weigher_has_a_case() -> None:
    assert {name for name, *_ in WEIGHED} == WEIGHERS.keys()


def test_weights_are_brought_to_one_and_multiplied_and_aggregates_may_set_the_multiplier() -> None:
    hosts = [
        host("a", free_memory_mb=0),
        host("b", free_memory_mb=50),
        host("c", free_memory_mb=100, metadata=[{"ram_weight_multiplier": "0.25"}]),
    ]
    settings = Settings(enabled_weighers=("RAMWeigher",), ram_weight_multiplier=3.0)
    assert weigh(read_request(asked()), hosts, settings) == {"RAMWeigher": [0.0, 1.5, 0.25]}


def with_memory(name: str, free: int, **facts: Any) -> HostState:
    room = Room(free, 0, free, 1, max(free, 1), 1)
    facts = {"rooms": {"MEMORY_MB": room, "VCPU": Room(4, 0, 4, 1, 4, 1)}, "most_vcpus": 4, **facts}
    return host(name, most_memory_mb=free, free_memory_mb=free, **facts)


def test_why_not_leads_with_the_truth() -> None:
    flavor = FlavorWanted(vcpus=1, memory_mb=4096)
    request = read_request(msgspec.structs.replace(asked(), flavor=flavor))
    hosts = [with_memory("a", 1000), with_memory("b", 2210), with_memory("c", 0)]
    decision = select_hosts(request, hosts, Settings(), explain=True)
    assert decision.summary() == "No host fits: 3 of 3 short of memory, need 4096 MB, best has 2210 MB"
    hosts[0] = with_memory("a", 8000, enabled=False)
    decision = select_hosts(request, hosts, Settings(), explain=True)
    assert decision.summary() == "No host fits: 2 of 3 short of memory, need 4096 MB, best has 2210 MB; 1 of 3 disabled"
    assert select_hosts(request, [], Settings(), explain=True).summary() == "No host fits: there are no hosts"


def test_explaining_gives_every_check_of_every_host_and_the_same_hosts_as_not_explaining() -> None:
    request = read_request(asked(availability_zone="nova"))
    hosts = [
        with_memory("a", 100),
        with_memory("b", 9),
        with_memory("c", 900),
        with_memory("d", 99, zone="east", up=False),
    ]
    explained = select_hosts(request, hosts, Settings(), explain=True)
    quick = select_hosts(request, hosts, Settings())
    assert [verdict.host for verdict in explained.best] == [verdict.host for verdict in quick.best] == ["c", "a"]
    assert quick.refused_by == {"resources": 1, "AvailabilityZoneFilter": 1}
    refused = {verdict.host: verdict for verdict in explained.refused}
    failing = [verdict.check for verdict in refused["d"].verdicts if verdict.refusal]
    assert failing == ["AvailabilityZoneFilter", "ComputeFilter"]
    assert len(refused["b"].verdicts) == len(explained.best[0].verdicts)


def test_odd_units_and_other_classes_are_checked_exactly() -> None:
    odd = {
        "VCPU": Room(8, 0, 8, 1, 8, 1),
        "MEMORY_MB": Room(512, 0, 512, 128, 512, 128),
        "CUSTOM_X": Room(1, 1, 0, 1, 1, 1),
    }
    state = host(rooms=odd, most_vcpus=8, most_memory_mb=512, plain_units=False)
    assert select_hosts(read_request(asked()), [state], Settings()).fitting == 0
    wanted = FlavorWanted(vcpus=1, memory_mb=256)
    request = msgspec.structs.replace(asked(), flavor=wanted)
    assert select_hosts(read_request(request), [state], Settings()).fitting == 1
    with_custom = FlavorWanted(vcpus=1, memory_mb=256, extra_specs={"resources:CUSTOM_X": "1"})
    request = msgspec.structs.replace(asked(), flavor=with_custom)
    assert select_hosts(read_request(request), [state], Settings()).fitting == 0
    explained = select_hosts(read_request(request), [state], Settings(), explain=True)
    assert explained.summary() == "No host fits: 1 of 1 short of CUSTOM_X, need 1, best has 0"
