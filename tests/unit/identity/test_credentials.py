"""Credentials, EC2 keys, policies and limits over HTTP."""

import json
from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, on_project


def test_a_credential_is_created_changed_and_deleted(cloud: Cloud) -> None:
    demo = cloud.id_of("users", "demo")
    made = cloud.made("credentials", type="cert", blob="-----", user_id=demo)
    path = f"/v3/credentials/{made['id']}"
    assert cloud("GET", path).json()["credential"] == made
    assert cloud("PATCH", path, json={"credential": {"blob": "+++"}}).json()["credential"]["blob"] == "+++"
    assert [it["id"] for it in cloud("GET", f"/v3/credentials?user_id={demo}&type=cert").json()["credentials"]] == [
        made["id"]
    ]
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404


def test_an_ec2_credential_is_found_by_its_access_key(cloud: Cloud) -> None:
    demo, project = cloud.id_of("users", "demo"), cloud.id_of("projects", "demo")
    blob = json.dumps({"access": "key", "secret": "secret"})
    made = cloud.made("credentials", type="ec2", blob=blob, user_id=demo, project_id=project)
    shown = cloud("GET", f"/v3/users/{demo}/credentials/OS-EC2/key").json()["credential"]
    assert (shown["secret"], shown["tenant_id"]) == ("secret", project)
    same = {"credential": {"type": "ec2", "blob": blob, "user_id": demo, "project_id": project}}
    assert cloud("POST", "/v3/credentials", json=same).status_code == 409
    for change in ({"blob": "{}"}, {"blob": "no json"}, {"project_id": None}):
        assert cloud("PATCH", f"/v3/credentials/{made['id']}", json={"credential": change}).status_code == 400
        assert (
            cloud("POST", "/v3/credentials", json={"credential": {**same["credential"], **change}}).status_code == 400
        )


def test_a_user_keeps_its_own_credentials_only(cloud: Cloud) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    demo, admin = cloud.id_of("users", "demo"), cloud.id_of("users", "admin")
    own = {"credential": {"type": "cert", "blob": "x"}}
    made = cloud("POST", "/v3/credentials", token=token, json=own).json()["credential"]
    assert made["user_id"] == demo
    theirs = cloud.made("credentials", type="cert", blob="y", user_id=admin)["id"]
    assert cloud("GET", f"/v3/credentials/{theirs}", token=token).status_code == 403
    assert [it["id"] for it in cloud("GET", "/v3/credentials", token=token).json()["credentials"]] == [made["id"]]
    give = {"credential": {"user_id": admin}}
    assert cloud("PATCH", f"/v3/credentials/{made['id']}", token=token, json=give).status_code == 403
    for_admin = {"credential": {**own["credential"], "user_id": admin}}
    assert cloud("POST", "/v3/credentials", token=token, json=for_admin).status_code == 403


def test_ec2_keys(cloud: Cloud) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    demo, project = cloud.id_of("users", "demo"), cloud.id_of("projects", "demo")
    path = f"/v3/users/{demo}/credentials/OS-EC2"
    answer = cloud("POST", path, token=token, json={"tenant_id": project})
    made = answer.json()["credential"]
    assert answer.status_code == 201
    assert (made["user_id"], made["tenant_id"], made["trust_id"]) == (demo, project, None)
    assert cloud("GET", path, token=token).json()["credentials"] == [made]
    assert cloud("GET", f"{path}/{made['access']}", token=token).json()["credential"] == made
    assert cloud("POST", path, token=token, json={}).status_code == 400
    assert cloud("POST", path, token=token, json={"tenant_id": "nothing"}).status_code == 404
    assert cloud("DELETE", f"{path}/{made['access']}", token=token).status_code == 204
    assert cloud("GET", f"{path}/{made['access']}").status_code == 404


def test_policies(cloud: Cloud) -> None:
    answer = cloud("POST", "/v3/policies", json={"policy": {"type": "application/json", "blob": "{}"}})
    made = answer.json()["policy"]
    path = f"/v3/policies/{made['id']}"
    assert answer.status_code == 201
    assert cloud("GET", path).json()["policy"] == made
    assert cloud("GET", "/v3/policies?type=application/json").json()["policies"] == [made]
    assert cloud("PATCH", path, json={"policy": {"type": "text/plain"}}).json()["policy"]["type"] == "text/plain"
    assert cloud("POST", "/v3/policies", json={"policy": {"type": "x"}}).status_code == 400
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404


def registered(cloud: Cloud, **attributes: Any) -> Any:
    values = {"service_id": cloud.id_of("services", "nova"), "resource_name": "servers", "default_limit": 10}
    return cloud("POST", "/v3/registered_limits", json={"registered_limits": [{**values, **attributes}]})


def limit(cloud: Cloud, **attributes: Any) -> Any:
    values = {
        "service_id": cloud.id_of("services", "nova"),
        "resource_name": "servers",
        "resource_limit": 5,
        "project_id": cloud.id_of("projects", "demo"),
    }
    return cloud("POST", "/v3/limits", json={"limits": [{**values, **attributes}]})


def test_limits_override_registered_limits(cloud: Cloud) -> None:
    assert limit(cloud).status_code == 400
    answer = registered(cloud)
    (default,) = answer.json()["registered_limits"]
    assert answer.status_code == 201
    assert registered(cloud).status_code == 409
    answer = limit(cloud)
    (own,) = answer.json()["limits"]
    assert (answer.status_code, own["resource_limit"], own["domain_id"]) == (201, 5, None)
    assert limit(cloud).status_code == 409
    path, default_path = f"/v3/limits/{own['id']}", f"/v3/registered_limits/{default['id']}"
    assert cloud("PATCH", path, json={"limit": {"resource_limit": 7}}).json()["limit"]["resource_limit"] == 7
    assert cloud("DELETE", default_path).status_code == 403
    rename = {"registered_limit": {"resource_name": "machines"}}
    assert cloud("PATCH", default_path, json=rename).status_code == 403
    more = {"registered_limit": {"default_limit": 20}}
    assert cloud("PATCH", default_path, json=more).json()["registered_limit"]["default_limit"] == 20
    demo = cloud.token("demo", "demo-secret", on_project("demo"))
    assert [it["id"] for it in cloud("GET", "/v3/limits", token=demo).json()["limits"]] == [own["id"]]
    assert cloud("GET", path, token=demo).status_code == 200
    assert cloud("GET", "/v3/limits/model", token=demo).json()["model"]["name"] == "flat"
    assert cloud("DELETE", path, token=demo).status_code == 403
    assert cloud("DELETE", path).status_code == 204
    assert cloud("DELETE", default_path).status_code == 204


@pytest.mark.parametrize(
    "attributes",
    [
        {"service_id": "nothing"},
        {"region_id": "nowhere"},
        {"default_limit": -2},
        {"default_limit": "ten"},
        {"resource_name": ""},
        {"colour": "red"},
    ],
)
def test_a_bad_registered_limit_is_a_400(cloud: Cloud, attributes: dict[str, Any]) -> None:
    assert registered(cloud, **attributes).status_code == 400


def test_a_limit_is_for_one_project_or_domain(cloud: Cloud) -> None:
    registered(cloud)
    assert limit(cloud, domain_id="default").status_code == 400
    assert limit(cloud, project_id=None).status_code == 400
    assert limit(cloud, project_id=None, domain_id="default").status_code == 201
    assert limit(cloud, project_id="nothing").status_code == 404
