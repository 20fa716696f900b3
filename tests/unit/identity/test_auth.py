"""Tokens over HTTP: how they are got, what they say, how they end."""

from typing import Any

import pytest
from tests.unit.identity.conftest import SYSTEM, Cloud, login, on_project

from nephele.identity.service import Identity
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused


def shown(cloud: Cloud, token: str) -> dict[str, Any]:
    answer = cloud("GET", "/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["token"]
    return found


def test_a_password_gets_a_token_on_a_project(cloud: Cloud) -> None:
    body = login("demo", "demo-secret", on_project("demo"))
    answer = cloud("POST", "/v3/auth/tokens", token="", json=body)
    token = answer.json()["token"]
    assert answer.status_code == 201
    assert token["methods"] == ["password"]
    assert token["project"]["name"] == "demo"
    assert token["project"]["domain"] == {"id": "default", "name": "Default"}
    assert token["user"]["name"] == "demo"
    assert sorted(role["name"] for role in token["roles"]) == ["member", "reader"]
    assert all(role["id"] for role in token["roles"])
    assert token["expires_at"] == "2023-11-14T23:13:20.000000Z"
    assert token["issued_at"] == "2023-11-14T22:13:20.000000Z"
    assert len(token["audit_ids"]) == 1
    assert shown(cloud, answer.headers["X-Subject-Token"]) == token


def test_the_catalog_names_the_address_that_the_client_uses(cloud: Cloud) -> None:
    catalog = {entry["type"]: entry for entry in cloud("GET", "/v3/auth/catalog").json()["catalog"]}
    assert set(catalog) == {"identity", "compute", "placement", "image", "network", "block-storage", "volumev3"}
    compute = {endpoint["interface"]: endpoint["url"] for endpoint in catalog["compute"]["endpoints"]}
    assert compute == dict.fromkeys(("public", "internal", "admin"), "http://cloud:8774/compute/v2.1")
    body = login("admin", "admin-secret", on_project("admin"))
    assert "catalog" in cloud("POST", "/v3/auth/tokens", token="", json=body).json()["token"]
    assert "catalog" not in cloud("POST", "/v3/auth/tokens?nocatalog", token="", json=body).json()["token"]


@pytest.mark.parametrize(
    ("scope", "part"),
    [
        (on_project("admin"), "project"),
        (SYSTEM, "system"),
        ("unscoped", ""),
        ({"unscoped": {}}, ""),
        (None, ""),
    ],
)
def test_scopes(cloud: Cloud, scope: Any, part: str) -> None:
    token = shown(cloud, cloud.token("admin", "admin-secret", scope))
    assert {name for name in ("project", "domain", "system") if name in token} == ({part} if part else set())
    assert ("roles" in token) is bool(part)


def test_a_domain_scope_needs_a_role_on_the_domain(cloud: Cloud) -> None:
    scope = {"domain": {"name": "Default"}}
    assert cloud("POST", "/v3/auth/tokens", token="", json=login("admin", "admin-secret", scope)).status_code == 401
    admin, role = cloud.id_of("users", "admin"), cloud.id_of("roles", "admin")
    assert cloud("PUT", f"/v3/domains/default/users/{admin}/roles/{role}").status_code == 204
    assert shown(cloud, cloud.token("admin", "admin-secret", scope))["domain"] == {"id": "default", "name": "Default"}
    assert [domain["id"] for domain in cloud("GET", "/v3/auth/domains").json()["domains"]] == ["default"]


@pytest.mark.parametrize(
    "body",
    [
        login("demo", "wrong"),
        login("nobody", "demo-secret"),
        login("demo", "demo-secret", domain="nowhere"),
        login("", "demo-secret", user_id="nobody"),
        login("demo", "demo-secret", on_project("admin")),
        login("demo", "demo-secret", on_project("nothing")),
        login("demo", "demo-secret", SYSTEM),
        {"auth": {"identity": {"methods": ["magic"]}}},
        {"auth": {"identity": {"methods": ["token"], "token": {"id": "forged"}}}},
    ],
)
def test_a_wrong_proof_or_scope_is_a_401(cloud: Cloud, body: dict[str, Any]) -> None:
    answer = cloud("POST", "/v3/auth/tokens", token="", json=body)
    assert answer.status_code == 401
    assert answer.json()["error"]["title"] == "Unauthorized"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"auth": {}},
        {"auth": {"identity": {"methods": "password"}}},
        {"auth": {"identity": {"methods": []}}},
        {"auth": {"identity": {"methods": ["password"]}}},
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}},
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo", "password": "x"}}}}},
        login("demo", "demo-secret", {"project": {"name": "demo"}}),
        login("demo", "demo-secret", {**on_project("demo"), **SYSTEM}),
        login("demo", "demo-secret", {"system": {"all": False}}),
    ],
)
def test_what_cannot_be_understood_is_a_400(cloud: Cloud, body: dict[str, Any]) -> None:
    assert cloud("POST", "/v3/auth/tokens", token="", json=body).status_code == 400


def test_a_token_gets_another_token_that_ends_no_later(cloud: Cloud, clock: FakeClock) -> None:
    first = cloud.token("demo", "demo-secret", "unscoped")
    clock.advance(600)
    identity = {"methods": ["token"], "token": {"id": first}}
    answer = cloud(
        "POST", "/v3/auth/tokens", token="", json={"auth": {"identity": identity, "scope": on_project("demo")}}
    )
    before, after = shown(cloud, first), answer.json()["token"]
    assert answer.status_code == 201
    assert after["expires_at"] == before["expires_at"]
    assert after["issued_at"] != before["issued_at"]
    assert after["audit_ids"][1] == before["audit_ids"][0]
    assert after["methods"] == ["token", "password"]


def test_the_default_project_is_the_scope_where_none_is_asked(cloud: Cloud) -> None:
    demo, project = cloud.id_of("users", "demo"), cloud.id_of("projects", "demo")
    cloud("PATCH", f"/v3/users/{demo}", json={"user": {"default_project_id": project}})
    assert shown(cloud, cloud.token("demo", "demo-secret"))["project"]["id"] == project
    assert "project" not in shown(cloud, cloud.token("demo", "demo-secret", "unscoped"))
    cloud("PATCH", f"/v3/users/{demo}", json={"user": {"default_project_id": cloud.id_of("projects", "admin")}})
    assert "project" not in shown(cloud, cloud.token("demo", "demo-secret"))


def test_an_expired_token_is_refused(cloud: Cloud, clock: FakeClock) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    clock.advance(3599)
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 200
    clock.advance(1)
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 401
    cloud.admin = cloud.token("admin", "admin-secret", on_project("admin"))
    subject = {"X-Subject-Token": token}
    assert cloud("GET", "/v3/auth/tokens", headers=subject).status_code == 404
    assert cloud("GET", "/v3/auth/tokens?allow_expired=1", headers=subject).status_code == 200


def test_a_revoked_token_is_refused(cloud: Cloud) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    other = cloud.token("demo", "demo-secret", on_project("demo"))
    subject = {"X-Subject-Token": token}
    assert cloud("HEAD", "/v3/auth/tokens", headers=subject).status_code == 200
    assert cloud("DELETE", "/v3/auth/tokens", token=other, headers=subject).status_code == 204
    assert cloud("HEAD", "/v3/auth/tokens", headers=subject).status_code == 404
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 401
    assert cloud("GET", "/v3/auth/projects", token=other).status_code == 200


def test_only_its_own_user_an_admin_or_a_service_may_see_a_token(cloud: Cloud) -> None:
    demo = cloud.token("demo", "demo-secret", on_project("demo"))
    assert cloud("GET", "/v3/auth/tokens", token=demo, headers={"X-Subject-Token": demo}).status_code == 200
    assert cloud("GET", "/v3/auth/tokens", token=demo, headers={"X-Subject-Token": cloud.admin}).status_code == 403
    assert cloud("GET", "/v3/auth/tokens", headers={"X-Subject-Token": "forged"}).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        ("PATCH", "/v3/users/{user}", {"user": {"enabled": False}}),
        ("PATCH", "/v3/users/{user}", {"user": {"password": "another"}}),
        ("DELETE", "/v3/users/{user}", None),
        ("PATCH", "/v3/projects/{project}", {"project": {"enabled": False}}),
        ("DELETE", "/v3/projects/{project}", None),
        ("DELETE", "/v3/projects/{project}/users/{user}/roles/{role}", None),
        ("DELETE", "/v3/roles/{role}", None),
        ("PATCH", "/v3/domains/default", {"domain": {"enabled": False}}),
    ],
)
def test_what_takes_rights_away_ends_tokens_at_once(cloud: Cloud, change: tuple[str, str, Any]) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 200
    ids = {
        "user": cloud.id_of("users", "demo"),
        "project": cloud.id_of("projects", "demo"),
        "role": cloud.id_of("roles", "member"),
    }
    method, path, body = change
    assert cloud(method, path.format(**ids), json=body).status_code in (200, 204)
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 401


def test_a_token_shows_the_roles_of_now(cloud: Cloud) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    user, project = cloud.id_of("users", "demo"), cloud.id_of("projects", "demo")
    grant = f"/v3/projects/{project}/users/{user}/roles/{cloud.id_of('roles', 'manager')}"
    assert cloud("PUT", grant).status_code == 204
    assert "manager" in cloud.identity.verify(token).roles
    assert cloud("DELETE", grant).status_code == 204
    assert cloud.identity.verify(token).roles == {"member", "reader"}


def test_another_server_learns_of_a_revocation_within_a_second(cloud: Cloud, clock: FakeClock) -> None:
    here = cloud.identity
    there = Identity(here.store, clock, here.ids)
    there.start()
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    assert there.verify(token).user_name == "demo"
    here.revoke(here.examine(token)[0])
    clock.advance(1)
    with pytest.raises(Refused):
        there.verify(token)


def test_a_user_changes_its_own_password(cloud: Cloud) -> None:
    path = f"/v3/users/{cloud.id_of('users', 'demo')}/password"
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    wrong = {"user": {"original_password": "no", "password": "new"}}
    right = {"user": {"original_password": "demo-secret", "password": "new"}}
    assert cloud("POST", path, token="", json=wrong).status_code == 401
    same = {"user": {"original_password": "demo-secret", "password": "demo-secret"}}
    for bad in ({"user": {"password": "new"}}, same):
        assert cloud("POST", path, token="", json=bad).status_code == 400
    assert cloud("POST", path, token="", json=right).status_code == 204
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 401
    assert cloud.token("demo", "new")


def test_a_locked_password_is_changed_by_administrators_only(cloud: Cloud) -> None:
    demo = cloud.id_of("users", "demo")
    cloud("PATCH", f"/v3/users/{demo}", json={"user": {"options": {"lock_password": True}}})
    own = {"user": {"original_password": "demo-secret", "password": "new"}}
    assert cloud("POST", f"/v3/users/{demo}/password", token="", json=own).status_code == 400
    assert cloud("PATCH", f"/v3/users/{demo}", json={"user": {"password": "new"}}).status_code == 200
    assert cloud.token("demo", "new")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"multi_factor_auth_rules": [["password", "application_credential"]]}, 401),
        ({"multi_factor_auth_rules": [["password", "application_credential"], ["password"]]}, 201),
        ({"multi_factor_auth_rules": [["retina"]]}, 201),
        ({"multi_factor_auth_rules": [["token", "password"]], "multi_factor_auth_enabled": False}, 201),
    ],
)
def test_multi_factor_rules_hold(cloud: Cloud, options: dict[str, Any], status: int) -> None:
    cloud("PATCH", f"/v3/users/{cloud.id_of('users', 'demo')}", json={"user": {"options": options}})
    answer = cloud("POST", "/v3/auth/tokens", token="", json=login("demo", "demo-secret"))
    assert answer.status_code == status


def test_an_event_that_is_rolled_back_never_was(cloud: Cloud) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    identity = cloud.identity

    def revoke_and_fail() -> None:
        with identity.store.write():
            identity.revoke(identity.examine(token)[0])
            identity.revocations.poll()
            identity.verify(token)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        revoke_and_fail()
    assert identity.verify(token)
    identity.revoke(identity.examine(token)[0])
    with pytest.raises(Refused):
        identity.verify(token)


def test_scopes_that_the_caller_may_ask_for(cloud: Cloud) -> None:
    demo = cloud.token("demo", "demo-secret", "unscoped")
    assert [it["name"] for it in cloud("GET", "/v3/auth/projects", token=demo).json()["projects"]] == ["demo"]
    assert cloud("GET", "/v3/auth/domains", token=demo).json()["domains"] == []
    assert cloud("GET", "/v3/auth/system", token=demo).json()["system"] == []
    assert cloud("GET", "/v3/auth/system").json()["system"] == [{"all": True}]
    assert cloud("GET", "/v3/auth/catalog", token=demo).status_code == 404


def test_the_version_documents(cloud: Cloud) -> None:
    answer = cloud("GET", "/", token="")
    assert answer.status_code == 300
    assert answer.json()["versions"]["values"][0]["id"] == "v3.14"
    assert cloud("GET", "/v3", token="").json()["version"]["links"][0]["href"] == "http://cloud:8774/identity/v3/"
