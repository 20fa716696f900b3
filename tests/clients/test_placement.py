"""`openstack resource provider …` as its users type it (osc-placement)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.clients.conftest import CliError

pytestmark = pytest.mark.clients
Cli = Callable[..., Any]
LATEST = ("--os-placement-api-version", "1.39")


@pytest.fixture
def rack(admin: Cli) -> Iterator[str]:
    """A provider of the test's own, with some disk and addresses."""
    uuid = admin("resource", "provider", "create", "rack")["uuid"]
    admin(
        *("resource", "provider", "inventory", "set", uuid, "--resource", "DISK_GB=100"),
        *("--resource", "DISK_GB:allocation_ratio=2.0", "--resource", "IPV4_ADDRESS=8"),
    )
    yield uuid
    admin("resource", "provider", "delete", uuid, parse=False)


def test_each_host_is_a_provider_with_what_it_has(admin: Cli) -> None:
    hosts = admin("resource", "provider", "list")
    assert len(hosts) >= 3
    inventories = admin("resource", "provider", "inventory", "list", hosts[0]["uuid"])
    ratios = {line["resource_class"]: line["allocation_ratio"] for line in inventories}
    assert ratios == {"VCPU": 4.0, "MEMORY_MB": 1.0, "DISK_GB": 1.0}
    usages = admin("resource", "provider", "usage", "show", hosts[0]["uuid"])
    assert {line["resource_class"] for line in usages} == ratios.keys()
    traits = admin(*LATEST, "resource", "provider", "trait", "list", hosts[0]["uuid"])
    assert "COMPUTE_NODE" in {line["name"] for line in traits}


def test_inventories_and_allocations(admin: Cli, rack: str) -> None:
    consumer = "11111111-1111-4111-8111-111111111111"
    allocation = f"rp={rack},DISK_GB=150"
    owner = ("--project-id", "p", "--user-id", "u", "--consumer-type", "VOLUME")
    made = admin(*LATEST, "resource", "provider", "allocation", "set", consumer, "--allocation", allocation, *owner)
    assert made[0]["resources"] == {"DISK_GB": 150}
    usage = admin("resource", "provider", "usage", "show", rack)
    assert {line["resource_class"]: line["usage"] for line in usage} == {"DISK_GB": 150, "IPV4_ADDRESS": 0}
    with pytest.raises(CliError, match="exceed the capacity"):
        admin(
            *(*LATEST, "resource", "provider", "allocation", "set", "22222222-2222-4222-8222-222222222222"),
            *("--allocation", f"rp={rack},DISK_GB=51", *owner),
        )
    with pytest.raises(CliError, match="in use"):
        admin("resource", "provider", "inventory", "delete", rack, "--resource-class", "DISK_GB", parse=False)
    admin("resource", "provider", "allocation", "delete", consumer, parse=False)
    found = admin(*LATEST, "allocation", "candidate", "list", "--resource", "IPV4_ADDRESS=8")
    assert [line["resource provider"] for line in found] == [rack]


def test_traits_classes_and_aggregates(admin: Cli, rack: str) -> None:
    admin("resource", "class", "set", "CUSTOM_FAN", parse=False)
    admin(*LATEST, "trait", "create", "CUSTOM_COLD", parse=False)
    admin(*LATEST, "resource", "provider", "trait", "set", rack, "--trait", "CUSTOM_COLD", parse=False)
    found = admin(*LATEST, "resource", "provider", "list", "--required", "CUSTOM_COLD")
    assert [line["uuid"] for line in found] == [rack]
    aggregate = "33333333-3333-4333-8333-333333333333"
    generation = str(found[0]["generation"])
    words = ("resource", "provider", "aggregate", "set", rack, "--aggregate", aggregate, "--generation", generation)
    admin(*LATEST, *words, parse=False)
    found = admin(*LATEST, "resource", "provider", "list", "--member-of", aggregate)
    assert [line["uuid"] for line in found] == [rack]
    with pytest.raises(CliError, match="in use"):
        admin(*LATEST, "trait", "delete", "CUSTOM_COLD", parse=False)
    admin(*LATEST, "resource", "provider", "trait", "delete", rack, parse=False)
    admin(*LATEST, "trait", "delete", "CUSTOM_COLD", parse=False)
    admin("resource", "class", "delete", "CUSTOM_FAN", parse=False)


def test_members_may_not_look(demo: Cli) -> None:
    with pytest.raises(CliError, match="403"):
        demo("resource", "provider", "list")
