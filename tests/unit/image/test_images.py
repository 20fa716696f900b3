"""Images over HTTP: describe, see, list, change, delete."""

from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from tests.conftest import CALLERS, OTHER_PROJECT, PROJECT, Http

from nephele.image import listing
from nephele.image.api.filters import read_listing
from nephele.kernel.clock import FakeClock
from nephele.web.call import Query

IMAGES = "/image/v2/images"
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
OLD_PATCH = {"Content-Type": "application/openstack-images-v2.0-json-patch"}


def create(call: Http, as_: str = "member", **body: Any) -> dict[str, Any]:
    answer = call("POST", IMAGES, as_=as_, json={"disk_format": "raw", "container_format": "bare", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def names(call: Http, query: str = "", as_: str = "member") -> list[str]:
    answer = call("GET", f"{IMAGES}?{query}", as_=as_)
    assert answer.status_code == 200, answer.text
    return [image["name"] for image in answer.json()["images"]]


def test_a_new_image_is_queued_and_shared(call: Http) -> None:
    answer = call("POST", IMAGES, json={"name": "a", "os_distro": "debian", "tags": ["y", "x", "x"]})
    image = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v2/images/{image['id']}"
    assert "glance-direct" in answer.headers["OpenStack-image-import-methods"]
    assert image == {
        "id": image["id"],
        "name": "a",
        "status": "queued",
        "visibility": "shared",
        "owner": PROJECT,
        "protected": False,
        "os_hidden": False,
        "disk_format": None,
        "container_format": None,
        "min_disk": 0,
        "min_ram": 0,
        "size": None,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "created_at": "2023-11-14T22:13:20Z",
        "updated_at": "2023-11-14T22:13:20Z",
        "tags": ["x", "y"],
        "self": f"/v2/images/{image['id']}",
        "file": f"/v2/images/{image['id']}/file",
        "schema": "/v2/schemas/image",
        "os_distro": "debian",
    }
    assert call("GET", f"{IMAGES}/{image['id']}").json() == image


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "n" * 256}, 400),
        ({"name": 5}, 400),
        ({"disk_format": "floppy"}, 400),
        ({"container_format": "box"}, 400),
        ({"visibility": "secret"}, 400),
        ({"min_disk": -1}, 400),
        ({"min_ram": 2**31}, 400),
        ({"protected": "yes"}, 400),
        ({"tags": ["t" * 256]}, 400),
        ({"custom": 5}, 400),
        ({"custom": None}, 400),
        ({"k" * 256: "v"}, 400),
        ({"id": "not-a-uuid"}, 400),
        ([], 400),
        ({"status": "active"}, 403),
        ({"self": "x"}, 403),
        ({"size": 5}, 403),
        ({"location": "http://x"}, 403),
        ({"locations": []}, 403),
        ({"os_glance_foo": "bar"}, 403),
        ({"owner": OTHER_PROJECT}, 403),
        ({"visibility": "public"}, 403),
        ({f"k{n}": "v" for n in range(129)}, 413),
        ({"tags": [f"t{n}" for n in range(129)]}, 413),
    ],
)
def test_what_a_new_image_may_not_say(call: Http, body: Any, status: int) -> None:
    assert call("POST", IMAGES, json=body).status_code == status
    assert names(call) == []


def test_an_id_is_used_once(call: Http) -> None:
    chosen = "12345678-1234-1234-1234-123456789abc"
    assert create(call, id=chosen)["id"] == chosen
    assert call("POST", IMAGES, json={"id": chosen}).status_code == 409


def test_readers_do_not_create(call: Http) -> None:
    assert call("POST", IMAGES, as_="reader", json={}).status_code == 403


def test_administrators_create_for_others(call: Http) -> None:
    assert create(call, as_="admin", owner=OTHER_PROJECT)["owner"] == OTHER_PROJECT


def test_who_sees_what(call: Http) -> None:
    made = {
        visibility: create(call, as_="admin", owner=PROJECT, name=visibility, visibility=visibility)["id"]
        for visibility in ("public", "community", "shared", "private")
    }
    seen = {
        visibility: call("GET", f"{IMAGES}/{image_id}", as_="other").status_code
        for visibility, image_id in made.items()
    }
    assert seen == {"public": 200, "community": 200, "shared": 404, "private": 404}
    assert sorted(names(call)) == ["community", "private", "public", "shared"]
    assert names(call, as_="other") == ["public"]
    assert sorted(names(call, "visibility=all", as_="other")) == ["community", "public"]
    assert names(call, "visibility=community", as_="other") == ["community"]
    assert sorted(names(call, as_="admin")) == ["private", "public", "shared"]


def test_others_change_nothing(call: Http) -> None:
    image_id = create(call, as_="admin", owner=PROJECT, visibility="public")["id"]
    patch = [{"op": "replace", "path": "/name", "value": "stolen"}]
    assert call("PATCH", f"{IMAGES}/{image_id}", as_="other", headers=PATCH, json=patch).status_code == 403
    assert call("DELETE", f"{IMAGES}/{image_id}", as_="other").status_code == 403
    assert call("PUT", f"{IMAGES}/{image_id}/tags/x", as_="other").status_code == 403
    private = create(call, visibility="private")["id"]
    assert call("PATCH", f"{IMAGES}/{private}", as_="other", headers=PATCH, json=patch).status_code == 404
    assert call("DELETE", f"{IMAGES}/{private}", as_="other").status_code == 404


def test_filters(call: Http, clock: FakeClock) -> None:
    create(call, name="a", tags=["x", "y"], min_disk=1, speed="88mph")
    clock.advance(10)
    create(call, name="b", tags=["x"], disk_format="qcow2", protected=True, **{'od"d,key': "va'lue"})
    clock.advance(10)
    create(call, name="c,d", os_hidden=True)
    found = {
        query: names(call, query + "&sort=name:asc")
        for query in (
            "name=a",
            "name=in:a,b",
            'name=in:"c,d",a&os_hidden=true',
            "tag=x",
            "tag=x&tag=y",
            "protected=true",
            "disk_format=in:raw,iso",
            "speed=88mph",
            "speed=30mph",
            "od%22d,key=va'lue",
            "min_disk=1",
            "size_min=1",
            "status=queued",
            "status=active",
            "os_hidden=true",
            "created_at=gt:2023-11-14T22:13:20Z",
            "created_at=gte:2023-11-14T22:13:20Z",
            "created_at=lt:2023-11-14T22:13:30",
            "created_at=2023-11-14T22:13:30Z",
            "updated_at=neq:2023-11-14T22:13:30Z",
            f"owner={OTHER_PROJECT}",
        )
    }
    assert found == {
        "name=a": ["a"],
        "name=in:a,b": ["a", "b"],
        'name=in:"c,d",a&os_hidden=true': ["c,d"],
        "tag=x": ["a", "b"],
        "tag=x&tag=y": ["a"],
        "protected=true": ["b"],
        "disk_format=in:raw,iso": ["a"],
        "speed=88mph": ["a"],
        "speed=30mph": [],
        "od%22d,key=va'lue": ["b"],
        "min_disk=1": ["a"],
        "size_min=1": [],
        "status=queued": ["a", "b"],
        "status=active": [],
        "os_hidden=true": ["c,d"],
        "created_at=gt:2023-11-14T22:13:20Z": ["b"],
        "created_at=gte:2023-11-14T22:13:20Z": ["a", "b"],
        "created_at=lt:2023-11-14T22:13:30": ["a"],
        "created_at=2023-11-14T22:13:30Z": ["b"],
        "updated_at=neq:2023-11-14T22:13:30Z": ["a"],
        f"owner={OTHER_PROJECT}": [],
    }


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "marker=nowhere",
        "sort_key=colour",
        "sort_dir=up",
        "sort=name&sort_key=name",
        "sort=name:up",
        "sort_key=name&sort_dir=asc&sort_dir=desc",
        "visibility=secret",
        "member_status=maybe",
        "os_hidden=2",
        "protected=2",
        "created_at=yesterday",
        "size_min=big",
        "size=99999999999999999999",
        "name=gt:a",
        'name=in:"a',
        "changes-since=2020-01-01",
    ],
)
def test_bad_queries(call: Http, query: str) -> None:
    assert call("GET", f"{IMAGES}?{query}").status_code == 400


def test_pages_are_linked(call: Http, clock: FakeClock) -> None:
    for name in "abcde":
        create(call, name=name)
        clock.advance(1)
    assert names(call) == list("edcba")
    assert names(call, "sort_key=name&sort_dir=asc") == list("abcde")
    assert names(call, "sort=status,name:asc") == list("abcde")
    first = call("GET", f"{IMAGES}?limit=2&sort=name:asc").json()
    assert first["first"] == "/v2/images?limit=2&sort=name%3Aasc"
    second = call("GET", "/image" + first["next"]).json()
    assert [image["name"] for image in second["images"]] == ["c", "d"]
    third = call("GET", "/image" + second["next"]).json()
    assert [image["name"] for image in third["images"]] == ["e"]
    assert "next" not in third
    assert call("GET", f"{IMAGES}?limit=0").json()["images"] == []


def test_json_patch(call: Http, clock: FakeClock) -> None:
    path = f"{IMAGES}/{create(call, name='a', old='1', gone='1')['id']}"
    clock.advance(60)
    answer = call(
        "PATCH",
        path,
        headers=PATCH,
        json=[
            {"op": "replace", "path": "/name", "value": "b"},
            {"op": "replace", "path": "/tags", "value": ["t", "s"]},
            {"op": "add", "path": "/new~1key", "value": "n"},
            {"op": "add", "path": "/old", "value": "2"},
            {"op": "remove", "path": "/gone"},
            {"op": "replace", "path": "/visibility", "value": "private"},
        ],
    )
    image = answer.json()
    assert answer.status_code == 200
    assert (image["name"], image["tags"], image["new/key"], image["old"]) == ("b", ["s", "t"], "n", "2")
    assert "gone" not in image
    assert image["updated_at"] == "2023-11-14T22:14:20Z"
    old = call("PATCH", path, headers=OLD_PATCH, json=[{"replace": "/name", "value": "c"}])
    assert old.json()["name"] == "c"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "replace", "path": "/id", "value": "x"}, 403),
        ({"op": "add", "path": "/os_glance_foo", "value": "x"}, 403),
        ({"op": "replace", "path": "/owner", "value": OTHER_PROJECT}, 403),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "add", "path": "/locations/-", "value": {"url": "file:///etc/passwd", "metadata": {}}}, 403),
        ({"op": "replace", "path": "/nothing", "value": "x"}, 409),
        ({"op": "remove", "path": "/nothing"}, 409),
        ({"op": "move", "path": "/name", "value": "x"}, 400),
        ({"op": "replace", "path": "name", "value": "x"}, 400),
        ({"op": "replace", "path": "/name/x", "value": "x"}, 400),
        ({"op": "replace", "path": "/na~2me", "value": "x"}, 400),
        ({"op": "replace", "path": "/", "value": "x"}, 400),
        ({"op": "replace", "path": "/name"}, 400),
        ({"op": "replace", "path": "/name", "value": 5}, 400),
        ({"op": "replace", "path": "/min_disk", "value": None}, 400),
        ({"op": "add", "path": "/custom", "value": ["x"]}, 400),
        ("replace", 400),
    ],
)
def test_patches_that_are_refused_change_nothing(call: Http, change: Any, status: int) -> None:
    image = create(call, name="a")
    changes = [{"op": "replace", "path": "/name", "value": "b"}, change]
    assert call("PATCH", f"{IMAGES}/{image['id']}", headers=PATCH, json=changes).status_code == status
    assert call("GET", f"{IMAGES}/{image['id']}").json() == image


def test_a_patch_needs_its_media_type(call: Http) -> None:
    path = f"{IMAGES}/{create(call)['id']}"
    assert call("PATCH", path, json=[]).status_code == 415
    assert call("PATCH", path, headers=PATCH, json={}).status_code == 400
    assert call("PATCH", path, headers=PATCH, json=[]).status_code == 200
    assert call("PATCH", path, headers=OLD_PATCH, json=[{"add": "/name", "value": "x"}]).status_code == 409


def test_delete(call: Http) -> None:
    path = f"{IMAGES}/{create(call)['id']}"
    assert call("DELETE", path).status_code == 204
    assert call("GET", path).status_code == 404
    assert call("DELETE", path).status_code == 404


def test_protected_images_stay(call: Http) -> None:
    path = f"{IMAGES}/{create(call, protected=True)['id']}"
    answer = call("DELETE", path)
    assert answer.status_code == 403
    assert "protected" in answer.text
    assert call("GET", path).status_code == 200


def test_tags(call: Http) -> None:
    path = f"{IMAGES}/{create(call)['id']}"
    assert call("PUT", f"{path}/tags/new").status_code == 204
    assert call("GET", path).json()["tags"] == ["new"]
    assert call("PUT", f"{path}/tags/{'t' * 256}").status_code == 400
    assert call("DELETE", f"{path}/tags/new").status_code == 204
    assert call("DELETE", f"{path}/tags/new").status_code == 404
    assert call("PUT", f"{IMAGES}/nowhere/tags/new").status_code == 404


def test_versions(call: Http) -> None:
    answer = call("GET", "/image", as_="")
    assert answer.status_code == 300
    assert answer.json()["versions"][0] == {
        "id": "v2.17",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": "http://cloud:8774/image/v2/"}],
    }
    assert call("GET", "/image/versions", as_="").json() == answer.json()


def test_an_empty_id_is_no_image(call: Http) -> None:
    assert call("GET", f"{IMAGES}/").status_code == 404
    assert call("DELETE", f"{IMAGES}/").status_code == 404
    assert call("DELETE", IMAGES).status_code == 405
    assert call("GET", "/image/", as_="").status_code == 300


@pytest.mark.parametrize("query", ["", "tag=x&od%22d=1&name=in:a,b&size_min=1", "sort=size:asc,name&visibility=all"])
def test_lists_can_be_asked_of_postgresql(query: str) -> None:
    statement, _parameters = listing.select(CALLERS["member"], read_listing(Query(query)), None, sqlite=False)
    text = str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "json_each(" not in text
    assert ("jsonb_each_text" in text, "jsonb_array_elements_text" in text) == ("od" in query, "tag" in query)


def test_faults_are_small_pages(call: Http) -> None:
    answer = call("GET", f"{IMAGES}/nowhere")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>404 Not Found</h1>" in answer.text
    assert call("GET", IMAGES, as_="").status_code == 401
