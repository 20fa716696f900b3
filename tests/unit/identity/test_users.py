"""Users and groups over HTTP."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, login, on_project


def test_a_user_is_created_shown_changed_and_deleted(cloud: Cloud) -> None:
    bob = cloud.made("users", name="bob", password="secret", email="bob@example.org", description="builds")
    assert bob["domain_id"] == "default"
    assert bob["enabled"] is True
    assert bob["email"] == "bob@example.org"
    assert bob["password_expires_at"] is None
    assert bob["options"] == {}
    assert "password" not in bob
    assert bob["links"]["self"].endswith(f"/identity/v3/users/{bob['id']}")
    path = f"/v3/users/{bob['id']}"
    assert cloud("GET", path).json()["user"] == bob
    changed = cloud("PATCH", path, json={"user": {"name": "rob", "enabled": False, "email": "rob@example.org"}})
    assert changed.json()["user"] == {**bob, "name": "rob", "enabled": False, "email": "rob@example.org"}
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404


def test_a_disabled_user_gets_no_token_and_an_enabled_one_does(cloud: Cloud) -> None:
    bob = cloud.made("users", name="bob", password="secret", enabled=False)
    assert cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "secret")).status_code == 401
    cloud("PATCH", f"/v3/users/{bob['id']}", json={"user": {"enabled": True}})
    assert cloud.token("bob", "secret")


def test_a_user_without_a_password_gets_no_token(cloud: Cloud) -> None:
    cloud.made("users", name="bob")
    assert cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "")).status_code == 401


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": " "}, 400),
        ({"name": "x" * 256}, 400),
        ({"name": 5}, 400),
        ({"name": "bob", "enabled": "True"}, 400),
        ({"name": "bob", "domain_id": "nowhere"}, 404),
        ({"name": "bob", "password": "x" * 4097}, 400),
        ({"name": "bob", "options": {"colour": True}}, 400),
        ({"name": "bob", "options": {"lock_password": "yes"}}, 400),
        ({"name": "demo"}, 409),
        ({"name": "bob", "default_project_id": "default"}, 400),
    ],
)
def test_a_bad_user_is_refused_and_nothing_changes(cloud: Cloud, attributes: dict[str, Any], status: int) -> None:
    before = cloud("GET", "/v3/users").json()["users"]
    answer = cloud("POST", "/v3/users", json={"user": attributes})
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == status
    assert cloud("GET", "/v3/users").json()["users"] == before


def test_updates_are_checked(cloud: Cloud) -> None:
    path = f"/v3/users/{cloud.id_of('users', 'demo')}"
    for body in ({}, {"domain_id": "elsewhere"}, {"id": "another"}, {"name": ""}, {"enabled": 1}):
        assert cloud("PATCH", path, json={"user": body}).status_code == 400
    assert cloud("PATCH", path, json={"user": {"name": "admin"}}).status_code == 409
    assert cloud("PATCH", "/v3/users/nobody", json={"user": {"name": "x"}}).status_code == 404


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Bob", "admin", "bill", "demo"]),
        ("?name=bill", ["bill"]),
        ("?name__contains=il", ["bill"]),
        ("?name__icontains=B", ["Bob", "bill"]),
        ("?name__istartswith=B", ["Bob", "bill"]),
        ("?name__endswith=o", ["demo"]),
        ("?name__contains=%25", []),
        ("?enabled=false", ["bill"]),
        ("?enabled=true&name__icontains=b", ["Bob"]),
        ("?domain_id=default", ["Bob", "admin", "bill", "demo"]),
        ("?domain_id=elsewhere", []),
    ],
)
def test_users_are_listed_by_what_is_asked(cloud: Cloud, query: str, names: list[str]) -> None:
    cloud.made("users", name="Bob")
    cloud.made("users", name="bill", enabled=False)
    answer = cloud("GET", "/v3/users" + query).json()
    assert [user["name"] for user in answer["users"]] == names
    assert answer["links"]["self"] == "http://cloud:8774/identity/v3/users" + query


def test_options_are_set_and_taken_away(cloud: Cloud) -> None:
    bob = cloud.made("users", name="bob", options={"lock_password": True, "ignore_password_expiry": True})
    change = {"user": {"options": {"lock_password": None}}}
    assert cloud("PATCH", f"/v3/users/{bob['id']}", json=change).json()["user"]["options"] == {
        "ignore_password_expiry": True
    }


def test_a_user_sees_itself_and_nobody_else(cloud: Cloud) -> None:
    demo = cloud.token("demo", "demo-secret", on_project("demo"))
    own, other = cloud.id_of("users", "demo"), cloud.id_of("users", "admin")
    for path in (f"/v3/users/{own}", f"/v3/users/{own}/groups", f"/v3/users/{own}/projects"):
        assert cloud("GET", path, token=demo).status_code == 200
    for path in (f"/v3/users/{other}", f"/v3/users/{other}/projects", "/v3/users/nobody", "/v3/users"):
        assert cloud("GET", path, token=demo).status_code == 403
    assert cloud("PATCH", f"/v3/users/{own}", token=demo, json={"user": {"name": "x"}}).status_code == 403
    assert cloud("POST", "/v3/users", token=demo, json={"user": {"name": "x"}}).status_code == 403
    assert cloud("DELETE", f"/v3/users/{own}", token=demo).status_code == 403


def test_a_domain_manager_keeps_the_users_of_its_domain_only(cloud: Cloud) -> None:
    domain = cloud.made("domains", name="acme")["id"]
    boss = cloud.made("users", name="boss", domain_id=domain, password="secret")["id"]
    cloud("PUT", f"/v3/domains/{domain}/users/{boss}/roles/{cloud.id_of('roles', 'manager')}")
    token = cloud.token("boss", "secret", {"domain": {"id": domain}}, domain=domain)
    assert cloud("POST", "/v3/users", token=token, json={"user": {"name": "new"}}).status_code == 201
    elsewhere = {"user": {"name": "new", "domain_id": "default"}}
    assert cloud("POST", "/v3/users", token=token, json=elsewhere).status_code == 403
    listed = cloud("GET", "/v3/users", token=token).json()["users"]
    assert {user["domain_id"] for user in listed} == {domain}
    assert cloud("GET", "/v3/users?domain_id=default", token=token).status_code == 403
    assert cloud("GET", f"/v3/users/{cloud.id_of('users', 'demo')}", token=token).status_code == 403


def test_a_group_is_created_changed_and_deleted(cloud: Cloud) -> None:
    group = cloud.made("groups", name="ops", description="on call")
    path = f"/v3/groups/{group['id']}"
    assert cloud("GET", path).json()["group"] == group
    assert cloud("PATCH", path, json={"group": {"name": "sre"}}).json()["group"]["name"] == "sre"
    assert [it["name"] for it in cloud("GET", "/v3/groups?name=sre").json()["groups"]] == ["sre"]
    assert cloud("POST", "/v3/groups", json={"group": {"name": "sre"}}).status_code == 409
    assert cloud("POST", "/v3/groups", json={"group": {"name": ""}}).status_code == 400
    assert cloud("DELETE", path).status_code == 204
    assert cloud("DELETE", path).status_code == 404


def test_users_join_and_leave_groups(cloud: Cloud) -> None:
    group, demo = cloud.made("groups", name="ops")["id"], cloud.id_of("users", "demo")
    path = f"/v3/groups/{group}/users/{demo}"
    assert cloud("HEAD", path).status_code == 404
    assert cloud("PUT", path).status_code == 204
    assert cloud("PUT", path).status_code == 204
    assert cloud("HEAD", path).status_code == 204
    assert [it["id"] for it in cloud("GET", f"/v3/groups/{group}/users").json()["users"]] == [demo]
    assert [it["id"] for it in cloud("GET", f"/v3/users/{demo}/groups").json()["groups"]] == [group]
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", f"/v3/groups/{group}/users").json()["users"] == []
    assert cloud("PUT", f"/v3/groups/{group}/users/nobody").status_code == 404
    assert cloud("PUT", f"/v3/groups/nothing/users/{demo}").status_code == 404
