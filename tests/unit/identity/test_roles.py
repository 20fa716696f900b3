"""Roles, what they imply, and who has them on what, over HTTP."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, on_project


def test_a_role_is_created_changed_and_deleted(cloud: Cloud) -> None:
    role = cloud.made("roles", name="auditor", description="reads logs")
    assert (role["domain_id"], role["options"]) == (None, {})
    path = f"/v3/roles/{role['id']}"
    assert cloud("GET", path).json()["role"] == role
    assert cloud("PATCH", path, json={"role": {"name": "checker"}}).json()["role"]["name"] == "checker"
    assert cloud("POST", "/v3/roles", json={"role": {"name": "checker"}}).status_code == 409
    assert cloud("POST", "/v3/roles", json={"role": {"name": ""}}).status_code == 400
    names = [it["name"] for it in cloud("GET", "/v3/roles").json()["roles"]]
    assert names == ["admin", "checker", "manager", "member", "reader", "service"]
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404


def test_an_immutable_role_stays(cloud: Cloud) -> None:
    path = f"/v3/roles/{cloud.made('roles', name='fixed', options={'immutable': True})['id']}"
    assert cloud("PATCH", path, json={"role": {"name": "x"}}).status_code == 403
    assert cloud("DELETE", path).status_code == 403
    assert cloud("PATCH", path, json={"role": {"options": {"immutable": False}}}).status_code == 200
    assert cloud("DELETE", path).status_code == 204


def test_a_new_cloud_has_upstreams_implications(cloud: Cloud) -> None:
    found = cloud("GET", "/v3/role_inferences").json()["role_inferences"]
    pairs = {(it["prior_role"]["name"], implied["name"]) for it in found for implied in it["implies"]}
    assert pairs == {("admin", "manager"), ("manager", "member"), ("member", "reader")}


def test_a_role_implies_another(cloud: Cloud) -> None:
    a, b, c = (cloud.made("roles", name=name)["id"] for name in "abc")
    path = f"/v3/roles/{a}/implies/{b}"
    assert cloud("HEAD", path).status_code == 404
    answer = cloud("PUT", path)
    assert answer.status_code == 201
    assert answer.json()["role_inference"]["implies"]["id"] == b
    assert cloud("HEAD", path).status_code == 204
    assert cloud("GET", path).json()["role_inference"]["prior_role"]["id"] == a
    cloud("PUT", f"/v3/roles/{b}/implies/{c}")
    assert [it["id"] for it in cloud("GET", f"/v3/roles/{a}/implies").json()["role_inference"]["implies"]] == [b]
    assert cloud("PUT", f"/v3/roles/{c}/implies/{a}").status_code == 400
    assert cloud("PUT", f"/v3/roles/{a}/implies/{cloud.id_of('roles', 'admin')}").status_code == 403
    assert cloud("PUT", f"/v3/roles/{a}/implies/nothing").status_code == 404
    assert cloud("DELETE", path).status_code == 204
    assert cloud("DELETE", path).status_code == 404


def test_roles_of_a_domain(cloud: Cloud) -> None:
    domain = cloud.made("domains", name="acme")["id"]
    own = cloud.made("roles", name="own", domain_id=domain)
    assert "own" not in [it["name"] for it in cloud("GET", "/v3/roles").json()["roles"]]
    assert [it["name"] for it in cloud("GET", f"/v3/roles?domain_id={domain}").json()["roles"]] == ["own"]
    cloud("PUT", f"/v3/roles/{own['id']}/implies/{cloud.id_of('roles', 'reader')}")
    bob = cloud.made("users", name="bob", domain_id=domain, password="secret")["id"]
    web = cloud.made("projects", name="web", domain_id=domain)["id"]
    assert cloud("PUT", f"/v3/projects/{web}/users/{bob}/roles/{own['id']}").status_code == 204
    token = cloud.token("bob", "secret", {"project": {"id": web}}, domain=domain)
    assert cloud.identity.verify(token).roles == {"reader"}
    demo = cloud.id_of("projects", "demo")
    assert cloud("PUT", f"/v3/projects/{demo}/users/{bob}/roles/{own['id']}").status_code == 403


PLACES = ("projects/{project}", "domains/default", "system")


@pytest.mark.parametrize("actor", ["users/{user}", "groups/{group}"])
@pytest.mark.parametrize("place", PLACES)
def test_a_role_is_given_checked_listed_and_taken_away(cloud: Cloud, place: str, actor: str) -> None:
    ids = {
        "project": cloud.made("projects", name="web")["id"],
        "user": cloud.made("users", name="bob")["id"],
        "group": cloud.made("groups", name="ops")["id"],
    }
    role = cloud.id_of("roles", "member")
    path = f"/v3/{place}/{actor}/roles".format(**ids)
    assert cloud("HEAD", f"{path}/{role}").status_code == 404
    assert cloud("PUT", f"{path}/{role}").status_code == 204
    assert cloud("PUT", f"{path}/{role}").status_code == 204
    assert cloud("HEAD", f"{path}/{role}").status_code == 204
    assert [it["name"] for it in cloud("GET", path).json()["roles"]] == ["member"]
    assert cloud("DELETE", f"{path}/{role}").status_code == 204
    assert cloud("DELETE", f"{path}/{role}").status_code == 404
    assert cloud("GET", path).json()["roles"] == []
    assert cloud("PUT", f"{path}/nothing").status_code == 404
    missing = f"/v3/{place}/{actor}/roles/{role}".format(project="nothing", user="nobody", group="none")
    assert cloud("PUT", missing).status_code == 404


def inherited(place: str, actor: str, role: str = "") -> str:
    return f"/v3/OS-INHERIT/{place}/{actor}/roles/{role}/inherited_to_projects".replace("//", "/")


def test_inherited_roles_hold_below_and_not_above(cloud: Cloud) -> None:
    bob, role = cloud.made("users", name="bob", password="secret")["id"], cloud.id_of("roles", "member")
    top = cloud.made("projects", name="top")["id"]
    low = cloud.made("projects", name="low", parent_id=top)["id"]
    path = inherited(f"projects/{top}", f"users/{bob}", role)
    assert cloud("PUT", path).status_code == 204
    assert cloud("HEAD", path).status_code == 204
    assert cloud("GET", f"/v3/projects/{top}/users/{bob}/roles").json()["roles"] == []
    listed = cloud("GET", inherited(f"projects/{top}", f"users/{bob}")).json()["roles"]
    assert [it["name"] for it in listed] == ["member"]
    assert [it["id"] for it in cloud("GET", f"/v3/users/{bob}/projects").json()["projects"]] == [low]
    assert cloud.token("bob", "secret", {"project": {"id": low}})
    assert cloud("DELETE", path).status_code == 204
    assert cloud("PUT", inherited("domains/default", f"users/{bob}", role)).status_code == 204
    found = {it["name"] for it in cloud("GET", f"/v3/users/{bob}/projects").json()["projects"]}
    assert found == {"admin", "demo", "service", "top", "low"}


def assignments(cloud: Cloud, query: str) -> list[dict[str, Any]]:
    answer = cloud("GET", f"/v3/role_assignments?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["role_assignments"]
    return found


def test_assignments_as_given(cloud: Cloud) -> None:
    demo = cloud.id_of("users", "demo")
    (found,) = assignments(cloud, f"user.id={demo}&include_names")
    assert found["role"]["name"] == "member"
    assert found["user"] == {"id": demo, "name": "demo", "domain": {"id": "default", "name": "Default"}}
    assert found["scope"]["project"]["name"] == "demo"
    project = found["scope"]["project"]["id"]
    assert found["links"]["assignment"].endswith(f"/v3/projects/{project}/users/{demo}/roles/{found['role']['id']}")
    assert len(assignments(cloud, "")) == 3
    (system,) = assignments(cloud, "scope.system=all")
    assert system["scope"] == {"system": {"all": True}}
    assert len(assignments(cloud, f"scope.project.id={project}")) == 1
    assert len(assignments(cloud, f"role.id={cloud.id_of('roles', 'admin')}")) == 2


def test_effective_assignments_follow_groups_inheritance_and_implications(cloud: Cloud) -> None:
    bob, group = cloud.made("users", name="bob")["id"], cloud.made("groups", name="ops")["id"]
    cloud("PUT", f"/v3/groups/{group}/users/{bob}")
    top = cloud.made("projects", name="top")["id"]
    low = cloud.made("projects", name="low", parent_id=top)["id"]
    cloud("PUT", inherited(f"projects/{top}", f"groups/{group}", cloud.id_of("roles", "member")))
    given = assignments(cloud, f"group.id={group}")
    assert [it["scope"] for it in given] == [{"project": {"id": top}, "OS-INHERIT:inherited_to": "projects"}]
    found = assignments(cloud, f"user.id={bob}&effective&include_names=true")
    assert {it["role"]["name"] for it in found} == {"member", "reader"}
    assert {it["scope"]["project"]["id"] for it in found} == {low}
    by_role = {it["role"]["name"]: it["links"] for it in found}
    assert by_role["member"]["membership"].endswith(f"/v3/groups/{group}/users/{bob}")
    assert "prior_role" in by_role["reader"]
    assert len(assignments(cloud, f"scope.project.id={low}&effective")) == 2
    assert assignments(cloud, f"scope.project.id={top}&effective") == []
    assert len(assignments(cloud, f"scope.project.id={top}&include_subtree=true&effective=true")) == 2


@pytest.mark.parametrize(
    "query",
    [
        "user.id=a&group.id=b",
        "scope.project.id=a&scope.domain.id=b",
        "group.id=a&effective",
        "include_subtree=true",
    ],
)
def test_filters_that_make_no_sense(cloud: Cloud, query: str) -> None:
    assert cloud("GET", f"/v3/role_assignments?{query}").status_code == 400


def test_only_who_may_sees_and_gives_roles(cloud: Cloud) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    demo, project = cloud.id_of("users", "demo"), cloud.id_of("projects", "demo")
    admin = cloud.id_of("roles", "admin")
    assert cloud("PUT", f"/v3/projects/{project}/users/{demo}/roles/{admin}", token=token).status_code == 403
    assert cloud("PUT", f"/v3/system/users/{demo}/roles/{admin}", token=token).status_code == 403
    assert cloud("GET", "/v3/role_assignments", token=token).status_code == 403
    for path in ("/v3/roles", f"/v3/roles/{admin}", "/v3/roles/nothing", "/v3/role_inferences"):
        assert cloud("GET", path, token=token).status_code == 403


def test_a_domain_manager_gives_the_roles_below_its_own_only(cloud: Cloud) -> None:
    domain = cloud.made("domains", name="acme")["id"]
    boss = cloud.made("users", name="boss", domain_id=domain, password="secret")["id"]
    bob = cloud.made("users", name="bob", domain_id=domain)["id"]
    web = cloud.made("projects", name="web", domain_id=domain)["id"]
    roles = {name: cloud.id_of("roles", name) for name in ("admin", "manager", "member")}
    cloud("PUT", f"/v3/domains/{domain}/users/{boss}/roles/{roles['manager']}")
    token = cloud.token("boss", "secret", {"domain": {"id": domain}}, domain=domain)
    path = f"/v3/projects/{web}/users/{bob}/roles"
    assert cloud("PUT", f"{path}/{roles['member']}", token=token).status_code == 204
    assert cloud("PUT", f"{path}/{roles['admin']}", token=token).status_code == 403
    elsewhere = f"/v3/projects/{cloud.id_of('projects', 'demo')}/users/{bob}/roles/{roles['member']}"
    assert cloud("PUT", elsewhere, token=token).status_code == 403
