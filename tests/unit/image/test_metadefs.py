"""Metadata definitions over HTTP."""

from typing import Any

import pytest
from tests.conftest import PROJECT, Http

from nephele.image.service import Images

ROOT = "/image/v2/metadefs/namespaces"
WATCHDOG = {
    "namespace": "OS::Compute::Watchdog",
    "display_name": "Watchdog",
    "visibility": "public",
    "resource_type_associations": [
        {"name": "OS::Glance::Image", "prefix": "hw_"},
        {"name": "OS::Nova::Flavor", "prefix": "hw:"},
    ],
    "properties": {"watchdog_action": {"title": "Action", "type": "string", "enum": ["reset", "none"]}},
    "objects": [{"name": "dog", "required": ["age"], "properties": {"age": {"title": "Age", "type": "integer"}}}],
    "tags": [{"name": "animal"}],
}
PATH = f"{ROOT}/OS::Compute::Watchdog"


@pytest.fixture
def watchdog(call: Http) -> dict[str, Any]:
    answer = call("POST", ROOT, as_="admin", json=WATCHDOG)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/v2/metadefs/namespaces/OS::Compute::Watchdog"
    body: dict[str, Any] = answer.json()
    return body


def test_a_namespace_holds_what_it_was_made_with(call: Http, watchdog: dict[str, Any]) -> None:
    shown = call("GET", PATH, as_="reader").json()
    assert shown == watchdog
    assert shown["properties"] == WATCHDOG["properties"]
    assert shown["tags"] == WATCHDOG["tags"]
    assert shown["objects"][0]["properties"] == {"age": {"title": "Age", "type": "integer"}}
    assert {each["name"]: each["prefix"] for each in shown["resource_type_associations"]} == {
        "OS::Glance::Image": "hw_",
        "OS::Nova::Flavor": "hw:",
    }
    assert (shown["protected"], shown["self"]) == (False, "/v2/metadefs/namespaces/OS::Compute::Watchdog")


def test_names_have_the_prefix_of_a_resource_type(call: Http, watchdog: dict[str, Any]) -> None:
    shown = call("GET", f"{PATH}?resource_type=OS::Nova::Flavor").json()
    assert list(shown["properties"]) == ["hw:watchdog_action"]
    assert shown["objects"][0]["required"] == ["hw:age"]
    one = f"{PATH}/properties/hw_watchdog_action?resource_type=OS::Glance::Image"
    assert call("GET", one).json()["name"] == "watchdog_action"


def test_who_sees_namespaces(call: Http, watchdog: dict[str, Any]) -> None:
    assert call("POST", ROOT, as_="admin", json={"namespace": "mine", "owner": PROJECT}).status_code == 201
    assert call("POST", ROOT, json={"namespace": "other"}).status_code == 403
    listed = call("GET", f"{ROOT}?sort_key=namespace&sort_dir=asc").json()
    assert [each["namespace"] for each in listed["namespaces"]] == ["OS::Compute::Watchdog", "mine"]
    assert len(listed["namespaces"][0]["resource_type_associations"]) == 2
    seen = call("GET", ROOT, as_="other").json()["namespaces"]
    assert [each["namespace"] for each in seen] == ["OS::Compute::Watchdog"]
    assert call("GET", f"{ROOT}/mine", as_="other").status_code == 404
    assert call("GET", f"{ROOT}/mine").json()["visibility"] == "private"
    assert call("GET", f"{ROOT}?visibility=private").json()["namespaces"][0]["namespace"] == "mine"
    assert call("GET", f"{ROOT}?visibility=odd").status_code == 400
    flavors = call("GET", f"{ROOT}?resource_types=OS::Nova::Flavor").json()["namespaces"]
    assert [each["namespace"] for each in flavors] == ["OS::Compute::Watchdog"]


def test_pages_of_namespaces(call: Http) -> None:
    for name in "abc":
        call("POST", ROOT, as_="admin", json={"namespace": name, "visibility": "public"})
    first = call("GET", f"{ROOT}?limit=2&sort_key=namespace&sort_dir=asc").json()
    second = call("GET", "/image" + first["next"]).json()
    assert [each["namespace"] for each in first["namespaces"] + second["namespaces"]] == ["a", "b", "c"]
    assert "next" not in second
    assert call("GET", f"{ROOT}?marker=nowhere").status_code == 404


def test_a_namespace_changes_its_name_and_keeps_what_it_holds(call: Http, watchdog: dict[str, Any]) -> None:
    new = {"namespace": "dogs", "visibility": "public", "protected": True, "description": "Dogs"}
    assert call("PUT", PATH, json=new).status_code == 403
    assert call("PUT", PATH, as_="admin", json=new).json()["description"] == "Dogs"
    assert call("GET", PATH).status_code == 404
    assert call("GET", f"{ROOT}/dogs/properties").json()["properties"].keys() == {"watchdog_action"}
    assert call("DELETE", f"{ROOT}/dogs", as_="admin").status_code == 403
    assert call("DELETE", f"{ROOT}/dogs/tags", as_="admin").status_code == 403
    assert call("DELETE", f"{ROOT}/dogs/objects/dog", as_="admin").status_code == 403
    call("PUT", f"{ROOT}/dogs", as_="admin", json={"namespace": "dogs"})
    assert call("DELETE", f"{ROOT}/dogs", as_="admin").status_code == 204
    assert call("GET", f"{ROOT}/dogs/properties", as_="admin").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"namespace": ""}, 400),
        ({"namespace": "n" * 81}, 400),
        ({"namespace": "n", "visibility": "shared"}, 400),
        ({"namespace": "n", "colour": "red"}, 400),
        ({"namespace": "n", "properties": {"p": {"type": "string"}}}, 400),
        ({"namespace": "n", "properties": {"p": {"title": "P", "type": "colour"}}}, 400),
        ({"namespace": "n", "objects": [{}]}, 400),
        ({"namespace": "n", "created_at": "now"}, 403),
        ([], 400),
    ],
)
def test_bad_namespaces(call: Http, body: Any, status: int) -> None:
    assert call("POST", ROOT, as_="admin", json=body).status_code == status


def test_objects(call: Http, watchdog: dict[str, Any]) -> None:
    cat = {"name": "cat", "description": "purrs", "properties": {"lives": {"title": "Lives", "type": "integer"}}}
    assert call("POST", f"{PATH}/objects", json=cat).status_code == 403
    assert call("POST", f"{PATH}/objects", as_="admin", json=cat).status_code == 201
    assert call("POST", f"{PATH}/objects", as_="admin", json=cat).status_code == 409
    assert {each["name"] for each in call("GET", f"{PATH}/objects").json()["objects"]} == {"cat", "dog"}
    lion = {**cat, "name": "lion"}
    assert call("PUT", f"{PATH}/objects/cat", as_="admin", json={**cat, "name": "dog"}).status_code == 409
    assert call("PUT", f"{PATH}/objects/cat", as_="admin", json=lion).json()["name"] == "lion"
    shown = call("GET", f"{PATH}/objects/lion").json()
    assert (shown["description"], shown["self"]) == (
        "purrs",
        "/v2/metadefs/namespaces/OS::Compute::Watchdog/objects/lion",
    )
    assert call("DELETE", f"{PATH}/objects/lion", as_="admin").status_code == 204
    assert call("GET", f"{PATH}/objects/lion").status_code == 404
    assert call("DELETE", f"{PATH}/objects", as_="admin").status_code == 204
    assert call("GET", f"{PATH}/objects").json()["objects"] == []


def test_properties(call: Http, watchdog: dict[str, Any]) -> None:
    size = {"name": "size", "title": "Size", "type": "integer", "minimum": 1, "maxLength": 3, "default": 2}
    assert call("POST", f"{PATH}/properties", as_="admin", json={**size, "name": None}).status_code == 400
    assert call("POST", f"{PATH}/properties", as_="admin", json={"title": "T", "type": "string"}).status_code == 400
    assert call("POST", f"{PATH}/properties", as_="admin", json=size).json() == size
    assert call("GET", f"{PATH}/properties/size").json() == size
    large = {**size, "title": "Large"}
    assert call("PUT", f"{PATH}/properties/size", as_="admin", json=large).json() == large
    assert call("DELETE", f"{PATH}/properties/size", as_="admin").status_code == 204
    assert call("GET", f"{PATH}/properties/size").status_code == 404
    assert call("PUT", f"{PATH}/properties/size", as_="admin", json=large).status_code == 404


def test_tags(call: Http, watchdog: dict[str, Any]) -> None:
    assert call("POST", f"{PATH}/tags/pet", as_="admin").json()["name"] == "pet"
    assert call("POST", f"{PATH}/tags/pet", as_="admin").status_code == 409
    assert call("POST", f"{PATH}/tags/{'t' * 81}", as_="admin").status_code == 400
    assert call("PUT", f"{PATH}/tags/pet", as_="admin", json={"name": "wild"}).json()["name"] == "wild"
    names = [each["name"] for each in call("GET", f"{PATH}/tags?sort_key=name&sort_dir=asc").json()["tags"]]
    assert names == ["animal", "wild"]
    only = {"tags": [{"name": "a"}, {"name": "b"}]}
    assert call("POST", f"{PATH}/tags", as_="admin", json=only).json() == only
    more = {"tags": [{"name": "c"}]}
    append = {"X-OpenStack-Append": "True"}
    assert call("POST", f"{PATH}/tags", as_="admin", json=more, headers=append).status_code == 201
    assert call("POST", f"{PATH}/tags", as_="admin", json=more, headers=append).status_code == 409
    assert len(call("GET", f"{PATH}/tags").json()["tags"]) == 3
    assert call("DELETE", f"{PATH}/tags/a", as_="admin").status_code == 204
    assert call("DELETE", f"{PATH}/tags", as_="admin").status_code == 204
    assert call("GET", f"{PATH}/tags").json() == {"tags": []}


def test_resource_types(call: Http, watchdog: dict[str, Any]) -> None:
    names = [each["name"] for each in call("GET", "/image/v2/metadefs/resource_types").json()["resource_types"]]
    assert names == ["OS::Glance::Image", "OS::Nova::Flavor"]
    types = f"{PATH}/resource_types"
    volume = {"name": "OS::Cinder::Volume", "prefix": "hw_", "properties_target": "image"}
    assert call("POST", types, as_="admin", json=volume).json().items() >= volume.items()
    assert call("POST", types, as_="admin", json=volume).status_code == 409
    assert len(call("GET", types).json()["resource_type_associations"]) == 3
    assert call("DELETE", f"{types}/OS::Cinder::Volume", as_="admin").status_code == 204
    assert call("DELETE", f"{types}/OS::Cinder::Volume", as_="admin").status_code == 404


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("namespace", "namespace"),
        ("namespaces", "namespaces"),
        ("object", "object"),
        ("objects", "objects"),
        ("property", "property"),
        ("properties", "properties"),
        ("tag", "tag"),
        ("tags", "tags"),
        ("resource_type", "resource_type_association"),
        ("resource_types", "resource_type_associations"),
    ],
)
def test_schemas(call: Http, asked: str, name: str) -> None:
    schema = call("GET", f"/image/v2/schemas/metadefs/{asked}").json()
    assert schema["name"] == name
    assert schema["properties"]


def test_a_new_cloud_knows_the_standard_ones(call: Http, images: Images) -> None:
    images.metadefs.seed("a" * 32)
    images.metadefs.seed("a" * 32)
    listed = call("GET", f"{ROOT}?limit=100").json()["namespaces"]
    assert len({each["namespace"] for each in listed}) == len(listed) > 15
    shown = call("GET", f"{ROOT}/OS::Compute::Watchdog?resource_type=OS::Nova::Flavor").json()
    assert "reset" in shown["properties"]["hw:watchdog_action"]["enum"]
    assert call("DELETE", f"{ROOT}/OS::Compute::Watchdog", as_="admin").status_code == 403
