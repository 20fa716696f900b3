"""Sharing over HTTP."""

from typing import Any

import pytest
from tests.conftest import OTHER_PROJECT, Http

IMAGES = "/image/v2/images"


@pytest.fixture
def shared(call: Http) -> str:
    image_id: str = call("POST", IMAGES, json={"name": "s"}).json()["id"]
    answer = call("POST", f"{IMAGES}/{image_id}/members", json={"member": OTHER_PROJECT})
    assert answer.status_code == 200
    return image_id


def listed(call: Http, query: str) -> list[str]:
    return [image["name"] for image in call("GET", f"{IMAGES}?{query}", as_="other").json()["images"]]


def test_a_member_decides(call: Http, shared: str) -> None:
    members = f"{IMAGES}/{shared}/members"
    own = f"{members}/{OTHER_PROJECT}"
    assert call("GET", own, as_="other").json() == {
        "image_id": shared,
        "member_id": OTHER_PROJECT,
        "status": "pending",
        "created_at": "2023-11-14T22:13:20Z",
        "updated_at": "2023-11-14T22:13:20Z",
        "schema": "/v2/schemas/member",
    }
    assert call("GET", f"{IMAGES}/{shared}", as_="other").status_code == 200
    assert listed(call, "") == []
    assert listed(call, "member_status=pending&visibility=shared") == ["s"]
    assert call("PUT", own, as_="other", json={"status": "accepted"}).json()["status"] == "accepted"
    assert listed(call, "") == ["s"]
    assert call("PUT", own, as_="other", json={"status": "rejected"}).status_code == 200
    assert listed(call, "") == []
    assert listed(call, "member_status=all") == ["s"]
    assert call("GET", members).json()["members"][0]["status"] == "rejected"


def test_only_owners_share_and_only_members_decide(call: Http, shared: str) -> None:
    members = f"{IMAGES}/{shared}/members"
    own = f"{members}/{OTHER_PROJECT}"
    assert call("POST", members, as_="other", json={"member": "x"}).status_code == 403
    assert call("DELETE", own, as_="other").status_code == 403
    assert call("PUT", own, json={"status": "accepted"}).status_code == 403
    assert call("PUT", own, as_="admin", json={"status": "accepted"}).status_code == 200
    assert call("POST", members, json={"member": OTHER_PROJECT}).status_code == 409
    assert call("DELETE", own).status_code == 204
    assert call("DELETE", own).status_code == 404
    assert call("GET", f"{IMAGES}/{shared}", as_="other").status_code == 404
    assert call("GET", members, as_="other").status_code == 404


def test_members_see_only_themselves(call: Http, shared: str) -> None:
    members = f"{IMAGES}/{shared}/members"
    call("POST", members, json={"member": "another"})
    assert len(call("GET", members).json()["members"]) == 2
    seen = call("GET", members, as_="other").json()["members"]
    assert [each["member_id"] for each in seen] == [OTHER_PROJECT]
    assert call("GET", f"{members}/another", as_="other").status_code == 404


@pytest.mark.parametrize("body", [{}, {"member": ""}, {"member": 5}, [], {"member": "m" * 256}])
def test_bad_members(call: Http, shared: str, body: Any) -> None:
    assert call("POST", f"{IMAGES}/{shared}/members", json=body).status_code == 400


def test_bad_decisions(call: Http, shared: str) -> None:
    own = f"{IMAGES}/{shared}/members/{OTHER_PROJECT}"
    assert call("PUT", own, as_="other", json={"status": "maybe"}).status_code == 400
    assert call("PUT", own, as_="other", json={}).status_code == 400
    assert call("PUT", f"{IMAGES}/{shared}/members/nobody", as_="admin", json={"status": "accepted"}).status_code == 404


def test_only_shared_images_have_members(call: Http) -> None:
    image_id = call("POST", IMAGES, json={"visibility": "private"}).json()["id"]
    members = f"{IMAGES}/{image_id}/members"
    assert call("POST", members, json={"member": OTHER_PROJECT}).status_code == 403
    assert call("GET", members).status_code == 403
    assert call("GET", f"{members}/{OTHER_PROJECT}").status_code == 404


def test_there_is_a_limit(call: Http) -> None:
    members = f"{IMAGES}/{call('POST', IMAGES, json={}).json()['id']}/members"
    statuses = [call("POST", members, json={"member": f"m{n}"}).status_code for n in range(129)]
    assert statuses == [200] * 128 + [413]


@pytest.mark.parametrize("name", ["image", "images", "member", "members", "task", "tasks"])
def test_schemas(call: Http, name: str) -> None:
    schema = call("GET", f"/image/v2/schemas/{name}", as_="reader").json()
    assert schema["name"] == name
    assert schema["properties"]


def test_no_such_schema(call: Http) -> None:
    assert call("GET", "/image/v2/schemas/colour").status_code == 404


def test_info(call: Http) -> None:
    assert call("GET", "/image/v2/info/import").json()["import-methods"]["type"] == "array"
    assert call("GET", "/image/v2/info/stores").json()["stores"][0]["id"] == "local"
    assert call("GET", "/image/v2/info/stores/detail").status_code == 403
    assert call("GET", "/image/v2/info/stores/detail", as_="admin").json()["stores"][0]["type"] == "file"
    call("POST", IMAGES, json={})
    usage = call("GET", "/image/v2/info/usage").json()["usage"]
    assert usage["image_count_total"] == {"usage": 1, "limit": -1}
