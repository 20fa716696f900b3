"""Projects and domains over HTTP."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, login, on_project

from nephele.identity import shared


def test_a_project_is_created_shown_changed_and_deleted(cloud: Cloud) -> None:
    project = cloud.made("projects", name="web", description="shop", owner="bob", tags=["b", "a"])
    assert project["domain_id"] == project["parent_id"] == "default"
    assert (project["is_domain"], project["enabled"], project["owner"]) == (False, True, "bob")
    path = f"/v3/projects/{project['id']}"
    assert cloud("GET", path).json()["project"] == {**project, "tags": ["a", "b"]}
    changed = cloud("PATCH", path, json={"project": {"name": "shop", "description": None, "enabled": False}})
    assert (changed.json()["project"]["name"], changed.json()["project"]["description"]) == ("shop", "")
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404
    assert cloud("DELETE", path).status_code == 404


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": "x" * 65}, 400),
        ({"name": "web", "enabled": "yes"}, 400),
        ({"name": "web", "domain_id": "nowhere"}, 400),
        ({"name": "web", "parent_id": "nowhere"}, 400),
        ({"name": "web", "tags": ["a,b"]}, 400),
        ({"name": "web", "tags": ["a", "a"]}, 400),
        ({"name": "web", "tags": [str(number) for number in range(81)]}, 400),
        ({"name": "web", "is_domain": True, "domain_id": "default"}, 400),
        ({"name": "demo"}, 409),
    ],
)
def test_a_bad_project_is_refused(cloud: Cloud, attributes: dict[str, Any], status: int) -> None:
    assert cloud("POST", "/v3/projects", json={"project": attributes}).status_code == status


def test_what_can_not_be_changed(cloud: Cloud) -> None:
    path = f"/v3/projects/{cloud.id_of('projects', 'demo')}"
    assert cloud("PATCH", path, json={"project": {"parent_id": "elsewhere"}}).status_code == 403
    for body in ({}, {"domain_id": "elsewhere"}, {"is_domain": True}, {"id": "another"}, {"name": "x" * 65}):
        assert cloud("PATCH", path, json={"project": body}).status_code == 400
    assert cloud("PATCH", path, json={"project": {"name": "admin"}}).status_code == 409


def test_an_immutable_project_stays(cloud: Cloud) -> None:
    project = cloud.made("projects", name="web", options={"immutable": True})
    path = f"/v3/projects/{project['id']}"
    assert cloud("PATCH", path, json={"project": {"name": "x"}}).status_code == 403
    assert cloud("DELETE", path).status_code == 403
    free = {"project": {"name": "x", "options": {"immutable": False}}}
    assert cloud("PATCH", path, json=free).json()["project"]["name"] == "x"
    assert cloud("DELETE", path).status_code == 204


def tree(cloud: Cloud, depth: int) -> list[str]:
    """Projects below each other, the highest first."""
    parent, found = "default", []
    for level in range(depth):
        parent = cloud.made("projects", name=f"level-{level}", parent_id=parent)["id"]
        found.append(parent)
    return found


def test_a_tree_of_projects(cloud: Cloud) -> None:
    top, middle, low = tree(cloud, 3)
    shown = cloud("GET", f"/v3/projects/{middle}?parents_as_ids&subtree_as_ids").json()["project"]
    assert shown["parents"] == {top: {"default": None}}
    assert shown["subtree"] == {low: None}
    shown = cloud("GET", f"/v3/projects/{middle}?parents_as_list&subtree_as_list").json()["project"]
    assert shown["parents"] == shown["subtree"] == []
    admin, role = cloud.id_of("users", "admin"), cloud.id_of("roles", "reader")
    cloud("PUT", f"/v3/OS-INHERIT/domains/default/users/{admin}/roles/{role}/inherited_to_projects")
    shown = cloud("GET", f"/v3/projects/{middle}?parents_as_list&subtree_as_list").json()["project"]
    assert [it["project"]["id"] for it in shown["parents"]] == [top]
    assert [it["project"]["id"] for it in shown["subtree"]] == [low]
    assert [it["id"] for it in cloud("GET", f"/v3/projects?parent_id={middle}").json()["projects"]] == [low]
    assert cloud("GET", f"/v3/projects/{middle}?parents_as_ids&parents_as_list").status_code == 400
    assert cloud("DELETE", f"/v3/projects/{middle}").status_code == 403


def test_a_tree_has_five_levels_at_most(cloud: Cloud) -> None:
    lowest = tree(cloud, 5)[-1]
    answer = cloud("POST", "/v3/projects", json={"project": {"name": "too-deep", "parent_id": lowest}})
    assert answer.status_code == 403


def test_enabling_and_disabling_goes_by_the_tree(cloud: Cloud) -> None:
    top, middle = tree(cloud, 2)
    disable, enable = {"project": {"enabled": False}}, {"project": {"enabled": True}}
    assert cloud("PATCH", f"/v3/projects/{top}", json=disable).status_code == 403
    assert cloud("PATCH", f"/v3/projects/{middle}", json=disable).status_code == 200
    assert cloud("PATCH", f"/v3/projects/{top}", json=disable).status_code == 200
    assert cloud("PATCH", f"/v3/projects/{middle}", json=enable).status_code == 403
    below = {"project": {"name": "x", "parent_id": top}}
    assert cloud("POST", "/v3/projects", json=below).status_code == 403


def test_tags(cloud: Cloud) -> None:
    project = cloud.made("projects", name="web")["id"]
    path = f"/v3/projects/{project}/tags"
    assert cloud("PUT", path, json={"tags": ["red", "blue"]}).json()["tags"] == ["blue", "red"]
    assert cloud("PUT", f"{path}/green").status_code == 201
    assert cloud("HEAD", f"{path}/green").status_code == 204
    assert cloud("HEAD", f"{path}/black").status_code == 404
    assert cloud("GET", path).json()["tags"] == ["blue", "green", "red"]
    for query, found in (
        ("tags=red,blue", True),
        ("tags=red,black", False),
        ("tags-any=red,black", True),
        ("not-tags=red,blue", False),
        ("not-tags-any=black,white", True),
    ):
        names = [it["name"] for it in cloud("GET", f"/v3/projects?{query}").json()["projects"]]
        assert ("web" in names) is found, query
    assert cloud("DELETE", f"{path}/red").status_code == 204
    assert cloud("DELETE", f"{path}/red").status_code == 404
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).json()["tags"] == []
    assert cloud("PUT", path, json={"tags": ["a/b"]}).status_code == 400


def test_a_project_is_seen_by_its_members(cloud: Cloud) -> None:
    demo = cloud.token("demo", "demo-secret", on_project("demo"))
    assert cloud("GET", f"/v3/projects/{cloud.id_of('projects', 'demo')}", token=demo).status_code == 200
    assert cloud("GET", f"/v3/projects/{cloud.id_of('projects', 'admin')}", token=demo).status_code == 403
    assert cloud("GET", "/v3/projects", token=demo).status_code == 403
    assert cloud("POST", "/v3/projects", token=demo, json={"project": {"name": "x"}}).status_code == 403


def test_a_domain_is_created_changed_and_deleted_with_all_in_it(cloud: Cloud) -> None:
    domain = cloud.made("domains", name="acme", description="theirs")
    path = f"/v3/domains/{domain['id']}"
    assert cloud("GET", path).json()["domain"] == domain
    assert "domain_id" not in domain
    made = {
        "users": cloud.made("users", name="bob", domain_id=domain["id"], password="secret")["id"],
        "groups": cloud.made("groups", name="ops", domain_id=domain["id"])["id"],
        "projects": cloud.made("projects", name="web", domain_id=domain["id"])["id"],
        "roles": cloud.made("roles", name="own", domain_id=domain["id"])["id"],
    }
    assert cloud("DELETE", path).status_code == 403
    assert cloud("PATCH", path, json={"domain": {"enabled": False}}).status_code == 200
    body = login("bob", "secret", domain=domain["id"])
    assert cloud("POST", "/v3/auth/tokens", token="", json=body).status_code == 401
    assert cloud("DELETE", path).status_code == 204
    for kind, resource_id in made.items():
        assert cloud("GET", f"/v3/{kind}/{resource_id}").status_code == 404
    assert cloud("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("attributes", "status"),
    [({}, 400), ({"name": ""}, 400), ({"name": "x" * 65}, 400), ({"name": "Default"}, 409), ({"name": 1}, 400)],
)
def test_a_bad_domain_is_refused(cloud: Cloud, attributes: dict[str, Any], status: int) -> None:
    assert cloud("POST", "/v3/domains", json={"domain": attributes}).status_code == status


def test_domains_are_listed(cloud: Cloud) -> None:
    cloud.made("domains", name="acme", enabled=False)
    assert [it["name"] for it in cloud("GET", "/v3/domains").json()["domains"]] == ["Default", "acme"]
    assert [it["name"] for it in cloud("GET", "/v3/domains?enabled=true").json()["domains"]] == ["Default"]
    assert [it["name"] for it in cloud("GET", "/v3/domains?name=acme").json()["domains"]] == ["acme"]
    assert "Default" not in [it["name"] for it in cloud("GET", "/v3/projects").json()["projects"]]
    assert [it["id"] for it in cloud("GET", "/v3/projects?is_domain=true&name=Default").json()["projects"]] == [
        "default"
    ]


def test_a_name_may_be_used_once_in_each_domain(cloud: Cloud) -> None:
    domain = cloud.made("domains", name="acme")["id"]
    for kind in ("users", "groups", "projects"):
        cloud.made(kind, name="same")
        cloud.made(kind, name="same", domain_id=domain)
        body = {kind[:-1]: {"name": "same", "domain_id": domain}}
        assert cloud("POST", f"/v3/{kind}", json=body).status_code == 409


def test_more_ids_than_a_statement_can_name(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    top, _middle, low = tree(cloud, 3)
    expected = cloud.identity.projects.find([])
    monkeypatch.setattr(shared, "MANY", 1)
    assert cloud.identity.projects.find([]) == expected
    assert {it.id for it in cloud.identity.projects.find([], only=[top, low])} == {top, low}
    assert set(cloud.identity.projects.by_ids([top, low])) == {top, low}
    assert [it.name for it in cloud.identity.projects.subtree(top)] == ["level-1", "level-2"]
    everyone = {user.id for user in cloud.identity.users.find([])}
    assert set(cloud.identity.users.by_ids(everyone)) == everyone
