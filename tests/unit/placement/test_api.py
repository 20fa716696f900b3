"""The HTTP API: providers, inventories, allocations and their conflicts, at the versions that changed them."""

import uuid
from typing import Any

import pytest
from tests.unit.placement.conftest import Ask

LATEST = "1.39"
RP, CHILD, CONSUMER, OTHER = (str(uuid.UUID(int=number)) for number in range(1, 5))


BAD_KEY = (
    b'{"allocations": {"x": {}}, "project_id": "p", "user_id": "u", "consumer_generation": 1, "consumer_type": "A"}'
)


def make_provider(ask: Ask, uuid_: str = RP, name: str = "host", **more: Any) -> None:
    assert ask(LATEST, "POST", "/resource_providers", {"name": name, "uuid": uuid_, **more}).status_code == 200


def set_inventories(ask: Ask, uuid_: str = RP, generation: int = 0, **totals: int) -> None:
    inventories = {name: {"total": total} for name, total in totals.items()}
    body = {"resource_provider_generation": generation, "inventories": inventories}
    answer = ask(LATEST, "PUT", f"/resource_providers/{uuid_}/inventories", body)
    assert answer.status_code == 200, answer.text


def allocation(generation: int | None = None, kind: str = "INSTANCE", **resources: int) -> dict[str, Any]:
    return {
        "allocations": {RP: {"resources": resources}} if resources else {},
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": generation,
        "consumer_type": kind,
    }


def error(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["errors"][0]
    return found


def test_the_root_needs_no_token_and_says_what_is_spoken(ask: Ask) -> None:
    answer = ask(LATEST, "GET", "/", as_="")
    assert answer.json()["versions"][0]["max_version"] == "1.39"
    assert answer.headers["OpenStack-API-Version"] == "placement 1.39"
    assert "Last-Modified" in answer.headers
    assert "Last-Modified" not in ask("1.14", "GET", "/").headers
    unknown = ask("1.40", "GET", "/")
    assert (unknown.status_code, error(unknown)["max_version"]) == (406, "1.39")
    assert ask("0.5", "GET", "/").status_code == 406
    assert ask("one", "GET", "/").status_code == 400


def test_who_may_do_what(ask: Ask) -> None:
    assert ask(LATEST, "GET", "/resource_providers", as_="").status_code == 401
    assert ask(LATEST, "GET", "/resource_providers", as_="member").status_code == 403
    assert ask(LATEST, "GET", f"/usages?project_id={'1' * 32}", as_="reader").status_code == 200
    assert ask(LATEST, "GET", f"/usages?project_id={'2' * 32}", as_="reader").status_code == 403
    answer = ask(LATEST, "DELETE", "/resource_providers")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_provider_from_its_making_to_its_end(ask: Ask) -> None:
    made = ask("1.0", "POST", "/resource_providers", {"name": "a", "uuid": RP})
    assert (made.status_code, made.content) == (201, b"")
    assert made.headers["Location"] == f"http://cloud:8774/placement/resource_providers/{RP}"
    shown = ask("1.0", "GET", f"/resource_providers/{RP}").json()
    assert {link["rel"] for link in shown["links"]} == {"self", "inventories", "usages"}
    assert "root_provider_uuid" not in shown
    make_provider(ask, CHILD, "child", parent_provider_uuid=RP)
    shown = ask(LATEST, "GET", f"/resource_providers/{CHILD}").json()
    assert (shown["parent_provider_uuid"], shown["root_provider_uuid"], shown["generation"]) == (RP, RP, 0)
    assert len(shown["links"]) == 6
    found = ask(LATEST, "GET", f"/resource_providers?in_tree={CHILD}&name=a").json()["resource_providers"]
    assert [provider["uuid"] for provider in found] == [RP]
    answer = ask(LATEST, "DELETE", f"/resource_providers/{RP}")
    assert (answer.status_code, error(answer)["code"]) == (409, "placement.resource_provider.cannot_delete_parent")
    assert ask(LATEST, "DELETE", f"/resource_providers/{CHILD}").status_code == 204
    assert ask(LATEST, "DELETE", f"/resource_providers/{RP}").status_code == 204
    assert error(ask(LATEST, "GET", f"/resource_providers/{RP}"))["code"] == "placement.resource_provider.not_found"
    assert "code" not in error(ask("1.22", "GET", f"/resource_providers/{RP}"))


def test_parents(ask: Ask) -> None:
    make_provider(ask)
    make_provider(ask, CHILD, "child", parent_provider_uuid=RP)
    path = f"/resource_providers/{CHILD}"
    assert "un-parenting" in error(ask("1.36", "PUT", path, {"name": "c", "parent_provider_uuid": None}))["detail"]
    assert ask("1.36", "PUT", path, {"name": "c"}).json()["parent_provider_uuid"] == RP
    looping = ask(LATEST, "PUT", f"/resource_providers/{RP}", {"name": "host", "parent_provider_uuid": CHILD})
    assert "loop" in error(looping)["detail"]
    freed = ask(LATEST, "PUT", path, {"name": "c", "parent_provider_uuid": None}).json()
    assert (freed["parent_provider_uuid"], freed["root_provider_uuid"]) == (None, CHILD)
    answer = ask(LATEST, "POST", "/resource_providers", {"name": "x", "parent_provider_uuid": OTHER})
    assert (answer.status_code, "does not exist" in error(answer)["detail"]) == (400, True)


def test_inventories_and_generations(ask: Ask) -> None:
    make_provider(ask)
    path = f"/resource_providers/{RP}/inventories"
    answer = ask(LATEST, "POST", path, {"resource_class": "VCPU", "total": 4, "allocation_ratio": 2})
    assert (answer.status_code, answer.json()["resource_provider_generation"]) == (201, 1)
    assert answer.json()["max_unit"] == 2147483647
    assert ask(LATEST, "POST", path, {"resource_class": "VCPU", "total": 4}).status_code == 409
    stale = ask(LATEST, "PUT", path + "/VCPU", {"total": 8, "resource_provider_generation": 0})
    assert (stale.status_code, error(stale)["code"]) == (409, "placement.concurrent_update")
    assert ask(LATEST, "PUT", path + "/VCPU", {"total": 8, "resource_provider_generation": 1}).status_code == 200
    assert ask(LATEST, "PUT", path + "/DISK_GB", {"total": 8, "resource_provider_generation": 2}).status_code == 400
    reserved = {"total": 8, "reserved": 8, "resource_provider_generation": 2}
    assert "equal" in error(ask("1.25", "PUT", path + "/VCPU", reserved))["detail"]
    assert ask("1.26", "PUT", path + "/VCPU", reserved).status_code == 200
    assert ask("1.4", "DELETE", path).status_code == 405
    assert ask("1.5", "DELETE", path).status_code == 204
    assert ask(LATEST, "GET", path).json() == {"inventories": {}, "resource_provider_generation": 4}
    assert ask(LATEST, "DELETE", path + "/VCPU").status_code == 404


@pytest.mark.parametrize(
    ("version", "body"),
    [
        ("1.0", {"allocations": [{"resource_provider": {"uuid": RP}, "resources": {"VCPU": 1}}]}),
        (
            "1.8",
            {
                "allocations": [{"resource_provider": {"uuid": RP}, "resources": {"VCPU": 1}}],
                "project_id": "p",
                "user_id": "u",
            },
        ),
        ("1.12", {"allocations": {RP: {"resources": {"VCPU": 1}}}, "project_id": "p", "user_id": "u"}),
        (
            "1.28",
            {
                "allocations": {RP: {"resources": {"VCPU": 1}, "generation": 3}},
                "project_id": "p",
                "user_id": "u",
                "consumer_generation": None,
            },
        ),
        (LATEST, {**allocation(VCPU=1), "mappings": {"": [RP]}}),
    ],
)
def test_allocations_in_the_form_of_each_version(ask: Ask, version: str, body: dict[str, Any]) -> None:
    make_provider(ask)
    set_inventories(ask, VCPU=4)
    answer = ask(version, "PUT", f"/allocations/{CONSUMER}", body)
    assert answer.status_code == 204, answer.text
    shown = ask(LATEST, "GET", f"/allocations/{CONSUMER}").json()
    assert shown["allocations"] == {RP: {"resources": {"VCPU": 1}, "generation": 2}}
    assert shown["consumer_generation"] == 1
    assert shown["consumer_type"] == ("INSTANCE" if version == LATEST else "unknown")
    assert "consumer_generation" not in ask("1.27", "GET", f"/allocations/{CONSUMER}").json()
    assert "project_id" not in ask("1.11", "GET", f"/allocations/{CONSUMER}").json()
    assert ask(LATEST, "GET", f"/resource_providers/{RP}/usages").json()["usages"] == {"VCPU": 1}
    in_use = ask(LATEST, "DELETE", f"/resource_providers/{RP}/inventories")
    assert (in_use.status_code, error(in_use)["code"]) == (409, "placement.inventory.inuse")
    assert ask(LATEST, "DELETE", f"/allocations/{CONSUMER}").status_code == 204
    assert ask(LATEST, "DELETE", f"/allocations/{CONSUMER}").status_code == 404


def test_consumers_have_generations_and_many_change_at_once(ask: Ask) -> None:
    make_provider(ask)
    set_inventories(ask, VCPU=4)
    both = {CONSUMER: allocation(VCPU=2), OTHER: allocation(kind="MIGRATION", VCPU=2)}
    assert ask(LATEST, "POST", "/allocations", both).status_code == 204
    stale = ask(LATEST, "PUT", f"/allocations/{CONSUMER}", allocation(VCPU=1))
    assert (stale.status_code, error(stale)["code"]) == (409, "placement.concurrent_update")
    too_much = {CONSUMER: allocation(1), OTHER: allocation(1, "MIGRATION", VCPU=5)}
    answer = ask(LATEST, "POST", "/allocations", too_much)
    assert (answer.status_code, "exceed the capacity" in error(answer)["detail"]) == (409, True)
    assert ask(LATEST, "GET", f"/allocations/{CONSUMER}").json()["allocations"][RP]["resources"] == {"VCPU": 2}
    usages = ask(LATEST, "GET", "/usages?project_id=p").json()["usages"]
    assert usages == {"INSTANCE": {"consumer_count": 1, "VCPU": 2}, "MIGRATION": {"consumer_count": 1, "VCPU": 2}}
    assert ask(LATEST, "GET", "/usages?project_id=p&consumer_type=all").json()["usages"] == {
        "all": {"consumer_count": 2, "VCPU": 4}
    }
    assert ask("1.37", "GET", "/usages?project_id=p").json()["usages"] == {"VCPU": 4}
    moved = {CONSUMER: allocation(1), OTHER: allocation(1, "MIGRATION", VCPU=4)}
    assert ask(LATEST, "POST", "/allocations", moved).status_code == 204
    assert ask(LATEST, "GET", f"/allocations/{CONSUMER}").json() == {"allocations": {}}
    on_provider = ask(LATEST, "GET", f"/resource_providers/{RP}/allocations").json()["allocations"]
    assert on_provider == {OTHER: {"resources": {"VCPU": 4}, "consumer_generation": 2}}


def test_the_reshaper_moves_inventory_and_allocations_to_a_child(ask: Ask) -> None:
    make_provider(ask)
    set_inventories(ask, VCPU=4, MEMORY_MB=100)
    make_provider(ask, CHILD, "child", parent_provider_uuid=RP)
    assert ask(LATEST, "PUT", f"/allocations/{CONSUMER}", allocation(VCPU=3, MEMORY_MB=9)).status_code == 204
    wanted = {
        "inventories": {
            RP: {"resource_provider_generation": 2, "inventories": {"MEMORY_MB": {"total": 100}}},
            CHILD: {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 4}}},
        },
        "allocations": {
            CONSUMER: {
                **allocation(1),
                "allocations": {RP: {"resources": {"MEMORY_MB": 9}}, CHILD: {"resources": {"VCPU": 3}}},
            }
        },
    }
    stays = {**wanted, "allocations": {}}
    assert error(ask(LATEST, "POST", "/reshaper", stays, as_="service"))["code"] == "placement.inventory.inuse"
    assert ask("1.29", "POST", "/reshaper", wanted, as_="service").status_code == 404
    assert ask(LATEST, "POST", "/reshaper", wanted, as_="service").status_code == 204
    assert ask(LATEST, "GET", f"/resource_providers/{CHILD}/usages").json()["usages"] == {"VCPU": 3}
    assert ask(LATEST, "GET", f"/resource_providers/{RP}/usages").json()["usages"] == {"MEMORY_MB": 9}


def test_traits_classes_and_aggregates(ask: Ask) -> None:
    make_provider(ask)
    assert [ask("1.6", "PUT", "/traits/CUSTOM_A").status_code for _ in range(2)] == [201, 204]
    assert ask("1.6", "PUT", "/traits/HW_MINE").status_code == 400
    assert ask("1.6", "GET", "/traits/HW_CPU_X86_AVX").status_code == 204
    assert ask("1.6", "GET", "/traits?name=startswith:CUSTOM").json() == {"traits": ["CUSTOM_A"]}
    path = f"/resource_providers/{RP}/traits"
    wanted = {"traits": ["CUSTOM_A", "HW_CPU_X86_AVX"], "resource_provider_generation": 0}
    assert ask(LATEST, "PUT", path, wanted).json()["resource_provider_generation"] == 1
    assert ask(LATEST, "PUT", path, wanted).status_code == 409
    assert ask("1.6", "GET", "/traits?associated=true").json()["traits"] == ["HW_CPU_X86_AVX", "CUSTOM_A"]
    assert ask("1.6", "DELETE", "/traits/CUSTOM_A").status_code == 409
    found = ask(LATEST, "GET", "/resource_providers?required=in:CUSTOM_A,HW_CPU_X86_SSE&required=!STORAGE_DISK_SSD")
    assert len(found.json()["resource_providers"]) == 1
    assert ask("1.2", "POST", "/resource_classes", {"name": "CUSTOM_X"}).status_code == 201
    assert ask("1.6", "PUT", "/resource_classes/CUSTOM_X", {"name": "CUSTOM_Y"}).json()["name"] == "CUSTOM_Y"
    assert [ask("1.7", "PUT", "/resource_classes/CUSTOM_Y").status_code for _ in range(2)] == [204, 204]
    set_inventories(ask, generation=1, CUSTOM_Y=1)
    assert ask("1.7", "DELETE", "/resource_classes/CUSTOM_Y").status_code == 409
    assert ask("1.7", "DELETE", "/resource_classes/VCPU").status_code == 400
    path = f"/resource_providers/{RP}/aggregates"
    assert ask("1.1", "PUT", path, [OTHER]).json() == {"aggregates": [OTHER]}
    guarded = {"aggregates": [], "resource_provider_generation": 1}
    assert error(ask("1.23", "PUT", path, guarded))["code"] == "placement.concurrent_update"
    assert len(ask("1.3", "GET", f"/resource_providers?member_of={OTHER}").json()["resource_providers"]) == 1
    assert ask("1.32", "GET", f"/resource_providers?member_of=!{OTHER}").json()["resource_providers"] == []


@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "status", "says"),
    [
        ("POST", "/resource_providers", b"{", "application/json", 400, "Malformed JSON"),
        ("POST", "/resource_providers", b"\xff", "application/json", 400, "Malformed JSON"),
        ("POST", "/resource_providers", b"{}", "text/plain", 415, "text/plain"),
        ("POST", "/resource_providers", b"{}", "", 400, "content-type"),
        ("POST", "/resource_providers", b"{}", "application/json", 400, "'name' is a required property"),
        ("POST", "/resource_providers", b'{"name": 5}', "application/json", 400, "is not of type 'string'"),
        ("POST", "/resource_providers", b'{"name": "a", "x": 1}', "application/json", 400, "'x' was unexpected"),
        ("POST", "/resource_providers", b'{"name": "a", "uuid": "b"}', "application/json", 400, "is not a 'uuid'"),
        ("PUT", "/allocations/x", b"{}", "application/json", 400, "Malformed consumer_uuid"),
        ("PUT", f"/allocations/{CONSUMER}", BAD_KEY, "application/json", 400, "regexes"),
        ("POST", "/allocations", b" " * 200_000, "application/json", 413, "too large"),
    ],
)
def test_bad_bodies(ask: Ask, method: str, path: str, content: bytes, kind: str, status: int, says: str) -> None:
    answer = ask(LATEST, method, path, content=content, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == status, answer.text
    assert says in error(answer)["detail"]
    assert ask(LATEST, "GET", "/resource_providers").json() == {"resource_providers": []}


@pytest.mark.parametrize(
    ("version", "query"),
    [
        (LATEST, "resource_providers?colour=red"),
        ("1.3", "resource_providers?resources=VCPU:1"),
        (LATEST, "resource_providers?resources="),
        (LATEST, "resource_providers?resources=VCPU:0"),
        (LATEST, "resource_providers?resources=VCPU:x"),
        (LATEST, "resource_providers?resources=NOTHING:1"),
        (LATEST, "resource_providers?uuid=x"),
        (LATEST, "resource_providers?required=BOGUS"),
        (LATEST, "resource_providers?required=,"),
        ("1.21", "resource_providers?required=!HW_CPU_X86_AVX"),
        ("1.38", "resource_providers?required=in:HW_CPU_X86_AVX"),
        (LATEST, "resource_providers?member_of=x"),
        ("1.31", f"resource_providers?member_of=!{RP}"),
        ("1.23", f"resource_providers?member_of={RP}&member_of={CHILD}"),
        ("1.10", "allocation_candidates"),
        (LATEST, "allocation_candidates"),
        ("1.24", "allocation_candidates?resources1=VCPU:1"),
        ("1.32", "allocation_candidates?resources_a=VCPU:1"),
        (LATEST, "allocation_candidates?resources1=VCPU:1&resources2=VCPU:1"),
        (LATEST, "allocation_candidates?resources=VCPU:1&limit=0"),
        (LATEST, "allocation_candidates?resources=VCPU:1&in_tree=x"),
        (LATEST, "allocation_candidates?resources=VCPU:1&required=HW_CPU_X86_AVX,!HW_CPU_X86_AVX"),
        (LATEST, "allocation_candidates?resources=VCPU:1&required_a=HW_CPU_X86_AVX"),
        (LATEST, "allocation_candidates?resources=VCPU:1&same_subtree=_a"),
        (LATEST, "allocation_candidates?resources=VCPU:1&same_subtree="),
        (LATEST, "allocation_candidates?resources=VCPU:1&root_required=HW_CPU_X86_AVX&root_required=HW_CPU_X86_SSE"),
        ("1.35", "allocation_candidates?resources=VCPU:1&required1=HW_CPU_X86_AVX"),
        (LATEST, "usages"),
        (LATEST, "traits?name=CUSTOM"),
        (LATEST, "traits?associated=perhaps"),
    ],
)
def test_bad_queries(ask: Ask, version: str, query: str) -> None:
    answer = ask(version, "GET", f"/{query}")
    assert (answer.status_code, error(answer)["title"]) == (400, "Bad Request")
