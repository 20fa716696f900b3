"""Allocation candidates in trees, with shared disks, and with several groups."""

import json
import re
import uuid
from typing import Any

import pytest
from tests.unit.placement.conftest import Ask

from nephele.placement import names
from nephele.placement import providers as tree
from nephele.placement.model import SHARING, Inventory
from nephele.placement.service import Placement

AGGREGATE = "00000000-0000-0000-0000-0000000000aa"


NAMES = ("one", "two", "one-left", "one-right", "two-left", "two-right", "shared")
UUIDS = {name: str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in NAMES}
"""Providers by the names that these tests give them."""


def add(
    placement: Placement,
    name: str,
    parent: str | None = None,
    traits: tuple[str, ...] = (),
    aggregates: tuple[str, ...] = (),
    **totals: int,
) -> None:
    now = placement.clock.now()
    with placement.store.write() as db:
        above = UUIDS[parent] if parent else None
        provider = tree.create_provider(db, uuid=UUIDS[name], name=name, parent_uuid=above, now=now)
        tree.write_inventories(db, provider, {rc: Inventory(total) for rc, total in totals.items()}, now)
        for trait in traits:
            names.ensure_trait(db, trait, now)
        tree.write_traits(db, provider, set(traits), now)
        tree.write_aggregates(db, provider, set(aggregates), now)


@pytest.fixture
def cloud(placement: Placement) -> None:
    """Two hosts with two network cards each, and a disk that both share; `two` has a disk of its own."""
    for host, disk in (("one", 0), ("two", 50)):
        totals: dict[str, Any] = {"DISK_GB": disk} if disk else {}
        add(placement, host, aggregates=(AGGREGATE,), VCPU=8, MEMORY_MB=100, **totals)
        add(placement, f"{host}-left", host, ("CUSTOM_LEFT",), SRIOV_NET_VF=2)
        add(placement, f"{host}-right", host, ("CUSTOM_RIGHT",), SRIOV_NET_VF=2)
    add(placement, "shared", None, (SHARING,), (AGGREGATE,), DISK_GB=1000)


def ask_named(ask: Ask, query: str, version: str = "1.39") -> dict[str, Any]:
    """The answer with the providers' names for their uuids, which the query may name too."""
    query = re.sub(r"(in_tree\w*=)([a-z-]+)", lambda found: found[1] + UUIDS[found[2]], query)
    answer = ask(version, "GET", f"/allocation_candidates?{query}")
    assert answer.status_code == 200, answer.text
    text = answer.text
    for name, uuid_ in UUIDS.items():
        text = text.replace(uuid_, name)
    found: dict[str, Any] = json.loads(text)
    return found


def find(ask: Ask, query: str, version: str = "1.39") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask_named(ask, query, version)["allocation_requests"]
    return found


def providers(ask: Ask, query: str, version: str = "1.39") -> list[list[str]]:
    return sorted(sorted(candidate["allocations"]) for candidate in find(ask, query, version))


def test_a_disk_may_be_local_or_shared(ask: Ask, cloud: None) -> None:
    assert providers(ask, "resources=VCPU:1,DISK_GB:10") == [["one", "shared"], ["shared", "two"], ["two"]]
    assert providers(ask, "resources=VCPU:1,DISK_GB:60") == [["one", "shared"], ["shared", "two"]]
    assert providers(ask, "resources=VCPU:1,DISK_GB:10&in_tree=two-left") == [["two"]]


def test_old_versions_know_no_trees(ask: Ask, cloud: None) -> None:
    assert providers(ask, "resources=VCPU:1,SRIOV_NET_VF:1", "1.28") == []
    assert len(find(ask, "resources=VCPU:1,SRIOV_NET_VF:1", "1.29")) == 4
    old = ask_named(ask, "resources=MEMORY_MB:1", "1.10")
    assert old["allocation_requests"][0]["allocations"] == [
        {"resource_provider": {"uuid": "one"}, "resources": {"MEMORY_MB": 1}}
    ]
    assert old["provider_summaries"]["one"] == {"resources": {"MEMORY_MB": {"capacity": 100, "used": 0}}}


def test_traits_of_the_unnamed_group_may_be_anywhere_among_what_is_used(ask: Ask, cloud: None) -> None:
    found = providers(ask, "resources=VCPU:1,SRIOV_NET_VF:1&required=CUSTOM_LEFT")
    assert found == [["one", "one-left"], ["two", "two-left"]]
    assert providers(ask, "resources=VCPU:1&required=CUSTOM_LEFT") == []
    found = providers(ask, "resources=VCPU:1,SRIOV_NET_VF:1&required=in:CUSTOM_LEFT,CUSTOM_RIGHT&in_tree=one")
    assert found == [["one", "one-left"], ["one", "one-right"]]
    assert providers(ask, "resources=SRIOV_NET_VF:1&required=!CUSTOM_LEFT&in_tree=one") == [["one-right"]]


def test_named_groups_are_each_served_by_one_provider(ask: Ask, cloud: None) -> None:
    query = "resources=VCPU:1&resources_a=SRIOV_NET_VF:1&resources_b=SRIOV_NET_VF:1&in_tree_a=one&group_policy="
    assert [sorted(c["mappings"].items()) for c in find(ask, query + "isolate")] == [
        [("", ["one"]), ("_a", ["one-left"]), ("_b", ["one-right"])],
        [("", ["one"]), ("_a", ["one-right"]), ("_b", ["one-left"])],
    ]
    assert providers(ask, query + "none").count(["one", "one-left"]) == 1
    assert len(find(ask, query + "none")) == 4
    too_much = "resources1=SRIOV_NET_VF:2&resources2=SRIOV_NET_VF:2&in_tree1=one&group_policy=none"
    assert providers(ask, too_much) == [["one-left", "one-right"]] * 2


def test_same_subtree_and_root_required(ask: Ask, placement: Placement, cloud: None) -> None:
    query = "resources_a=VCPU:1&resources_b=SRIOV_NET_VF:1&group_policy=none&in_tree_a=one"
    assert len(find(ask, query + "&same_subtree=_a,_b")) == 2
    query = "resources_a=SRIOV_NET_VF:1&required_b=CUSTOM_LEFT&group_policy=none&in_tree_a=one"
    found = find(ask, query + "&same_subtree=_a,_b")
    assert [candidate["mappings"] for candidate in found] == [{"_a": ["one-left"], "_b": ["one-left"]}]
    placement.set_disabled(UUIDS["one"], disabled=True)
    assert providers(ask, "resources=VCPU:1&root_required=!COMPUTE_STATUS_DISABLED") == [["two"]]
    assert providers(ask, "resources=SRIOV_NET_VF:1&root_required=COMPUTE_STATUS_DISABLED") == [
        ["one-left"],
        ["one-right"],
    ]


def test_aggregates_of_the_root_count_for_its_tree_in_the_unnamed_group_only(ask: Ask, cloud: None) -> None:
    assert len(find(ask, f"resources=SRIOV_NET_VF:1&member_of={AGGREGATE}")) == 4
    assert find(ask, f"resources1=SRIOV_NET_VF:1&member_of1={AGGREGATE}") == []
    assert find(ask, f"resources=SRIOV_NET_VF:1&member_of=!{AGGREGATE}") == []


def test_a_limit_and_what_is_told_of_the_providers(ask: Ask, cloud: None) -> None:
    answer = ask_named(ask, "resources=VCPU:3&limit=1")
    assert len(answer["allocation_requests"]) == 1
    assert answer["provider_summaries"].keys() == {"one", "one-left", "one-right"}
    assert answer["provider_summaries"]["one-left"] == {
        "resources": {"SRIOV_NET_VF": {"capacity": 2, "used": 0}},
        "traits": ["CUSTOM_LEFT"],
        "parent_provider_uuid": "one",
        "root_provider_uuid": "one",
    }


def test_what_was_found_can_be_claimed_as_it_is(ask: Ask, cloud: None, placement: Placement) -> None:
    found = find(ask, "resources=VCPU:8&resources_a=DISK_GB:600&group_policy=none")
    now = {UUIDS[name]: entry["resources"] for name, entry in found[0]["allocations"].items()}
    placement.claim("server", now, project_id="p", user_id="u")
    assert found[0]["allocations"] == {"one": {"resources": {"VCPU": 8}}, "shared": {"resources": {"DISK_GB": 600}}}
    assert find(ask, "resources=VCPU:1,DISK_GB:600") == []
    assert providers(ask, "resources=VCPU:1,DISK_GB:40") == [["shared", "two"], ["two"]]
