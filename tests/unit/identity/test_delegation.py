"""Application credentials and trusts over HTTP."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, on_project

from nephele.kernel.clock import FakeClock
from nephele.kernel.context import AccessRule
from nephele.web.access import permits


@pytest.fixture
def demo(cloud: Cloud) -> str:
    return cloud.token("demo", "demo-secret", on_project("demo"))


@pytest.fixture
def demo_id(cloud: Cloud) -> str:
    return cloud.id_of("users", "demo")


def new_credential(cloud: Cloud, token: str, user_id: str, **attributes: Any) -> dict[str, Any]:
    body = {"application_credential": {"name": "ci", **attributes}}
    answer = cloud("POST", f"/v3/users/{user_id}/application_credentials", token=token, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["application_credential"]
    return found


def with_secret(cloud: Cloud, scope: Any = None, **proof: Any) -> Any:
    identity = {"methods": ["application_credential"], "application_credential": proof}
    body = {"auth": {"identity": identity, **({"scope": scope} if scope else {})}}
    return cloud("POST", "/v3/auth/tokens", token="", json=body)


def test_an_application_credential_gets_tokens_for_its_project(cloud: Cloud, demo: str, demo_id: str) -> None:
    made = new_credential(cloud, demo, demo_id, roles=[{"name": "reader"}])
    assert [role["name"] for role in made["roles"]] == ["reader"]
    assert made["project_id"] == cloud.id_of("projects", "demo")
    path = f"/v3/users/{demo_id}/application_credentials/{made['id']}"
    shown = cloud("GET", path, token=demo).json()["application_credential"]
    assert "secret" not in shown
    answer = with_secret(cloud, id=made["id"], secret=made["secret"])
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert token["methods"] == ["application_credential"]
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["application_credential"]["id"] == made["id"]
    by_name = {"name": "ci", "user": {"name": "demo", "domain": {"id": "default"}}, "secret": made["secret"]}
    subject = with_secret(cloud, **by_name).headers["X-Subject-Token"]
    assert cloud("GET", "/v3/auth/projects", token=subject).status_code == 200
    assert cloud("DELETE", path, token=demo).status_code == 204
    assert cloud("GET", "/v3/auth/projects", token=subject).status_code == 401
    assert with_secret(cloud, id=made["id"], secret=made["secret"]).status_code == 401


def test_a_wrong_secret_scope_or_time_is_a_401(cloud: Cloud, demo: str, demo_id: str, clock: FakeClock) -> None:
    made = new_credential(cloud, demo, demo_id, secret="mine", expires_at="2023-11-14T22:20:00Z")
    assert with_secret(cloud, id=made["id"], secret="other").status_code == 401
    assert with_secret(cloud, id="nothing", secret="mine").status_code == 401
    assert with_secret(cloud, on_project("admin"), id=made["id"], secret="mine").status_code == 401
    answer = with_secret(cloud, on_project("demo"), id=made["id"], secret="mine")
    assert answer.status_code == 201
    assert answer.json()["token"]["expires_at"] == "2023-11-14T22:20:00.000000Z"
    assert with_secret(cloud, secret="mine", name="ci").status_code == 400
    clock.advance(600)
    assert with_secret(cloud, id=made["id"], secret="mine").status_code == 401


def test_a_lost_role_ends_an_application_credential(cloud: Cloud, demo: str, demo_id: str) -> None:
    made = new_credential(cloud, demo, demo_id, secret="mine")
    token = with_secret(cloud, id=made["id"], secret="mine").headers["X-Subject-Token"]
    project, role = cloud.id_of("projects", "demo"), cloud.id_of("roles", "member")
    cloud("DELETE", f"/v3/projects/{project}/users/{demo_id}/roles/{role}")
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 401
    assert with_secret(cloud, id=made["id"], secret="mine").status_code == 401


@pytest.mark.parametrize(
    "attributes",
    [
        {"name": ""},
        {"expires_at": "soon"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"roles": [{"name": "admin"}]},
        {"project_id": "another"},
        {"access_rules": [{"service": "compute"}]},
        {"access_rules": [{"service": "compute", "path": "v2.1/servers", "method": "GET"}]},
        {"access_rules": [{"service": "compute", "path": "/v2.1/servers", "method": "BREW"}]},
    ],
)
def test_a_bad_application_credential_is_a_400(
    cloud: Cloud, demo: str, demo_id: str, attributes: dict[str, Any]
) -> None:
    body = {"application_credential": {"name": "ci", **attributes}}
    answer = cloud("POST", f"/v3/users/{demo_id}/application_credentials", token=demo, json=body)
    assert answer.status_code == 400


def test_who_may_make_application_credentials(cloud: Cloud, demo: str, demo_id: str) -> None:
    path = f"/v3/users/{demo_id}/application_credentials"
    body = {"application_credential": {"name": "x"}}
    assert cloud("POST", path, json=body).status_code == 403
    made = new_credential(cloud, demo, demo_id, secret="mine")
    restricted = with_secret(cloud, id=made["id"], secret="mine").headers["X-Subject-Token"]
    assert cloud("POST", path, token=restricted, json=body).status_code == 403
    assert cloud("DELETE", f"{path}/{made['id']}", token=restricted).status_code == 403
    made = new_credential(cloud, demo, demo_id, name="free", secret="mine", unrestricted=True)
    unrestricted = with_secret(cloud, id=made["id"], secret="mine").headers["X-Subject-Token"]
    assert cloud("POST", path, token=unrestricted, json=body).status_code == 201
    assert cloud("POST", path, token=demo, json=body).status_code == 409
    assert [it["name"] for it in cloud("GET", path, token=demo).json()["application_credentials"]] == [
        "ci",
        "free",
        "x",
    ]


def test_access_rules(cloud: Cloud, demo: str, demo_id: str) -> None:
    rule = {"service": "compute", "path": "/v2.1/servers", "method": "GET"}
    made = new_credential(cloud, demo, demo_id, access_rules=[rule])
    (kept,) = made["access_rules"]
    path = f"/v3/users/{demo_id}/access_rules"
    listed = cloud("GET", path, token=demo).json()["access_rules"]
    assert [(it["id"], it["service"], it["path"], it["method"]) for it in listed] == [(kept["id"], *rule.values())]
    assert cloud("GET", f"{path}/{kept['id']}", token=demo).json()["access_rule"]["path"] == "/v2.1/servers"
    again = new_credential(cloud, demo, demo_id, name="two", access_rules=[{"id": kept["id"]}])
    assert again["access_rules"] == [kept]
    assert cloud("DELETE", f"{path}/{kept['id']}", token=demo).status_code == 403
    for each in (made, again):
        cloud("DELETE", f"/v3/users/{demo_id}/application_credentials/{each['id']}", token=demo)
    assert cloud("DELETE", f"{path}/{kept['id']}", token=demo).status_code == 204
    assert cloud("GET", f"{path}/{kept['id']}", token=demo).status_code == 404


def test_a_token_is_good_for_what_the_access_rules_say_only(cloud: Cloud, demo: str, demo_id: str) -> None:
    rules = [
        {"service": "identity", "path": "/v3/auth/projects", "method": "GET"},
        {"service": "identity", "path": "/v3/users/{user_id}/projects", "method": "GET"},
        {"service": "compute", "path": "/**", "method": "GET"},
    ]
    made = new_credential(cloud, demo, demo_id, secret="mine", access_rules=rules)
    token = with_secret(cloud, id=made["id"], secret="mine").headers["X-Subject-Token"]
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 200
    assert cloud("GET", f"/v3/users/{demo_id}/projects", token=token).status_code == 200
    for method, path in (("GET", "/v3/auth/catalog"), ("GET", f"/v3/users/{demo_id}"), ("POST", "/v3/auth/projects")):
        assert cloud(method, path, token=token).status_code == 401


@pytest.mark.parametrize(
    ("path", "asked", "permitted"),
    [
        ("/v2.1/servers", "/compute/v2.1/servers", True),
        ("/compute/v2.1/servers", "/compute/v2.1/servers", True),
        ("/v2.1/servers", "/compute/v2.1/servers/1", False),
        ("/v2.1/servers/*", "/compute/v2.1/servers/1", True),
        ("/v2.1/servers/*", "/compute/v2.1/servers/1/action", False),
        ("/v2.1/servers/{server_id}/action", "/compute/v2.1/servers/1/action", True),
        ("/v2.1/**", "/compute/v2.1/servers/1/action", True),
        ("/v2.1/server.", "/compute/v2.1/servers", False),
    ],
)
def test_paths_of_access_rules(path: str, asked: str, permitted: bool) -> None:
    rules = [AccessRule("compute", "GET", path)]
    assert permits(rules, "compute", "GET", asked, "/compute") is permitted
    assert not permits(rules, "image", "GET", asked, "/compute")
    assert not permits(rules, "compute", "POST", asked, "/compute")


@pytest.fixture
def trust(cloud: Cloud, demo: str, demo_id: str) -> dict[str, Any]:
    cloud.made("users", name="helper", password="secret")
    answer = give_trust(cloud, demo, demo_id)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["trust"]
    return found


def give_trust(cloud: Cloud, token: str, trustor: str, **attributes: Any) -> Any:
    values = {
        "trustor_user_id": trustor,
        "trustee_user_id": cloud.id_of("users", "helper"),
        "project_id": cloud.id_of("projects", "demo"),
        "impersonation": True,
        "roles": [{"name": "reader"}],
    }
    return cloud("POST", "/v3/OS-TRUST/trusts", token=token, json={"trust": {**values, **attributes}})


def by_trust(cloud: Cloud, trust_id: str) -> Any:
    token = cloud.token("helper", "secret", "unscoped")
    identity = {"methods": ["token"], "token": {"id": token}}
    body = {"auth": {"identity": identity, "scope": {"OS-TRUST:trust": {"id": trust_id}}}}
    return cloud("POST", "/v3/auth/tokens", token="", json=body)


def test_a_trustee_acts_for_the_trustor(cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any]) -> None:
    assert trust["redelegation_count"] == 0
    assert [role["name"] for role in trust["roles"]] == ["reader"]
    answer = by_trust(cloud, trust["id"])
    token = answer.json()["token"]
    assert answer.status_code == 201
    assert token["user"]["name"] == "demo"
    assert token["project"]["name"] == "demo"
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["OS-TRUST:trust"]["trustee_user"] == {"id": cloud.id_of("users", "helper")}
    subject = answer.headers["X-Subject-Token"]
    rescope = {"methods": ["token"], "token": {"id": subject}}
    body = {"auth": {"identity": rescope, "scope": on_project("demo")}}
    assert cloud("POST", "/v3/auth/tokens", token="", json=body).status_code == 403
    assert cloud("DELETE", f"/v3/OS-TRUST/trusts/{trust['id']}", token=demo).status_code == 204
    assert cloud("GET", "/v3/auth/projects", token=subject).status_code == 401
    assert by_trust(cloud, trust["id"]).status_code == 403


def test_without_impersonation_the_trustee_stays_itself(
    cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any]
) -> None:
    own = give_trust(cloud, demo, demo_id, impersonation=False).json()["trust"]
    assert by_trust(cloud, own["id"]).json()["token"]["user"]["name"] == "helper"


def test_a_trust_ends(cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any], clock: FakeClock) -> None:
    once = give_trust(cloud, demo, demo_id, remaining_uses=1).json()["trust"]
    assert by_trust(cloud, once["id"]).status_code == 201
    assert by_trust(cloud, once["id"]).status_code == 403
    short = give_trust(cloud, demo, demo_id, expires_at="2023-11-14T22:15:00Z").json()["trust"]
    assert by_trust(cloud, short["id"]).json()["token"]["expires_at"] == "2023-11-14T22:15:00.000000Z"
    clock.advance(200)
    assert by_trust(cloud, short["id"]).status_code == 403
    assert cloud("GET", f"/v3/OS-TRUST/trusts/{short['id']}", token=demo).status_code == 404


def test_a_trust_ends_with_the_trustors_role(cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any]) -> None:
    subject = by_trust(cloud, trust["id"]).headers["X-Subject-Token"]
    role = cloud.id_of("roles", "member")
    cloud("DELETE", f"/v3/projects/{trust['project_id']}/users/{demo_id}/roles/{role}")
    assert cloud("GET", "/v3/auth/projects", token=subject).status_code == 401
    assert by_trust(cloud, trust["id"]).status_code == 403


@pytest.mark.parametrize("impersonation", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        ("DELETE", "/v3/users/{trustor}", None),
        ("PATCH", "/v3/users/{trustor}", {"user": {"enabled": False}}),
        ("PATCH", "/v3/users/{trustee}", {"user": {"enabled": False}}),
        ("DELETE", "/v3/projects/{project}/users/{trustor}/roles/{role}", None),
        ("PATCH", "/v3/projects/{project}", {"project": {"enabled": False}}),
    ],
)
def test_tokens_of_a_trust_end_with_what_it_stands_on(
    cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any], change: tuple[str, str, Any], impersonation: bool
) -> None:
    given = give_trust(cloud, demo, demo_id, impersonation=impersonation).json()["trust"]
    token = by_trust(cloud, given["id"]).headers["X-Subject-Token"]
    ids = {
        "trustor": demo_id,
        "trustee": given["trustee_user_id"],
        "project": given["project_id"],
        "role": cloud.id_of("roles", "member"),
    }
    method, path, body = change
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 200
    assert cloud(method, path.format(**ids), json=body).status_code in (200, 204)
    assert cloud("GET", "/v3/auth/projects", token=token).status_code == 401


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"roles": [{"name": "admin"}]}, 403),
        ({"roles": []}, 403),
        ({"roles": [{"name": "nothing"}]}, 404),
        ({"project_id": None}, 400),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "soon"}, 400),
        ({"remaining_uses": 0}, 400),
        ({"trustee_user_id": "nobody"}, 404),
        ({"impersonation": "yes"}, 400),
        ({"allow_redelegation": True, "remaining_uses": 3}, 400),
        ({"allow_redelegation": True, "redelegation_count": 9}, 403),
    ],
)
def test_a_bad_trust_is_refused(
    cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any], attributes: dict[str, Any], status: int
) -> None:
    assert give_trust(cloud, demo, demo_id, **attributes).status_code == status


def test_a_trust_is_given_by_the_trustor_and_seen_by_both(
    cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any]
) -> None:
    assert give_trust(cloud, cloud.admin, demo_id).status_code == 403
    path = f"/v3/OS-TRUST/trusts/{trust['id']}"
    helper = cloud.token("helper", "secret", "unscoped")
    assert cloud("GET", path, token=helper).json()["trust"] == trust
    assert cloud("DELETE", path, token=helper).status_code == 403
    roles = cloud("GET", f"{path}/roles", token=demo).json()["roles"]
    assert cloud("HEAD", f"{path}/roles/{roles[0]['id']}", token=demo).status_code == 200
    assert cloud("GET", f"{path}/roles/nothing", token=demo).status_code == 404
    mine = f"/v3/OS-TRUST/trusts?trustor_user_id={demo_id}"
    assert [it["id"] for it in cloud("GET", mine, token=demo).json()["trusts"]] == [trust["id"]]
    assert cloud("GET", mine, token=helper).status_code == 403
    assert cloud("GET", "/v3/OS-TRUST/trusts", token=demo).status_code == 403
    assert len(cloud("GET", "/v3/OS-TRUST/trusts").json()["trusts"]) == 1


def test_a_trust_is_handed_on(cloud: Cloud, demo: str, demo_id: str, trust: dict[str, Any]) -> None:
    first = give_trust(cloud, demo, demo_id, allow_redelegation=True, redelegation_count=1).json()["trust"]
    token = by_trust(cloud, first["id"]).headers["X-Subject-Token"]
    second = give_trust(cloud, token, demo_id, allow_redelegation=True).json()["trust"]
    assert second["redelegated_trust_id"] == first["id"]
    assert second["redelegation_count"] == 0
    last = by_trust(cloud, second["id"]).headers["X-Subject-Token"]
    assert give_trust(cloud, last, demo_id).status_code == 403
    assert cloud("DELETE", f"/v3/OS-TRUST/trusts/{first['id']}", token=demo).status_code == 204
    assert cloud("GET", "/v3/auth/projects", token=last).status_code == 401
