"""Regions, services and endpoints over HTTP."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, on_project


def test_a_region_is_created_changed_and_deleted(cloud: Cloud) -> None:
    region = cloud.made("regions", id="north", description="cold")
    assert region["parent_region_id"] is None
    assert cloud("GET", "/v3/regions/north").json()["region"] == region
    assert len(cloud.made("regions")["id"]) == 32
    answer = cloud("PUT", "/v3/regions/arctic", json={"region": {"parent_region_id": "north"}})
    assert answer.status_code == 201
    assert answer.json()["region"]["id"] == "arctic"
    assert [it["id"] for it in cloud("GET", "/v3/regions?parent_region_id=north").json()["regions"]] == ["arctic"]
    changed = cloud("PATCH", "/v3/regions/arctic", json={"region": {"description": "colder"}})
    assert changed.json()["region"]["description"] == "colder"
    assert cloud("PATCH", "/v3/regions/north", json={"region": {"parent_region_id": "arctic"}}).status_code == 400
    assert cloud("POST", "/v3/regions", json={"region": {"id": "north"}}).status_code == 409
    assert cloud("POST", "/v3/regions", json={"region": {"parent_region_id": "nowhere"}}).status_code == 404
    assert cloud("DELETE", "/v3/regions/north").status_code == 204
    assert cloud("GET", "/v3/regions/arctic").status_code == 404


def test_a_service_is_created_changed_and_deleted(cloud: Cloud) -> None:
    service = cloud.made("services", type="object-store", name="swift", description="blobs")
    path = f"/v3/services/{service['id']}"
    assert cloud("GET", path).json()["service"] == service
    assert cloud("PATCH", path, json={"service": {"name": "s"}}).json()["service"]["name"] == "s"
    assert [it["id"] for it in cloud("GET", "/v3/services?type=object-store").json()["services"]] == [service["id"]]
    assert [it["type"] for it in cloud("GET", "/v3/services?name=nova").json()["services"]] == ["compute"]
    assert cloud("POST", "/v3/services", json={"service": {"name": "no type"}}).status_code == 400
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404


def new_endpoint(cloud: Cloud, **attributes: Any) -> dict[str, Any]:
    service = cloud.id_of("services", "nova")
    values = {"service_id": service, "interface": "public", "url": "http://other/v2/$(project_id)s"}
    return {"endpoint": {**values, **attributes}}


def test_an_endpoint_is_created_changed_and_deleted(cloud: Cloud) -> None:
    answer = cloud("POST", "/v3/endpoints", json=new_endpoint(cloud, region_id="RegionOne"))
    endpoint = answer.json()["endpoint"]
    assert answer.status_code == 201
    assert endpoint["region"] == endpoint["region_id"] == "RegionOne"
    assert endpoint["url"] == "http://other/v2/$(project_id)s"
    path = f"/v3/endpoints/{endpoint['id']}"
    assert cloud("GET", path).json()["endpoint"] == endpoint
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    urls = [
        each["url"]
        for entry in cloud("GET", "/v3/auth/catalog", token=token).json()["catalog"]
        for each in entry["endpoints"]
    ]
    assert f"http://other/v2/{cloud.id_of('projects', 'demo')}" in urls
    cloud("PATCH", path, json={"endpoint": {"enabled": False}})
    assert "http://other" not in cloud("GET", "/v3/auth/catalog", token=token).text
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404


def test_the_clouds_own_endpoints_show_the_clients_address(cloud: Cloud) -> None:
    found = cloud("GET", f"/v3/endpoints?service_id={cloud.id_of('services', 'glance')}&interface=public").json()
    assert [it["url"] for it in found["endpoints"]] == ["http://cloud:8774/image"]


def test_an_older_client_names_a_region_that_is_not_there(cloud: Cloud) -> None:
    answer = cloud("POST", "/v3/endpoints", json=new_endpoint(cloud, region="south"))
    assert answer.json()["endpoint"]["region_id"] == "south"
    assert cloud("GET", "/v3/regions/south").status_code == 200
    assert cloud("DELETE", "/v3/regions/south").status_code == 403


@pytest.mark.parametrize(
    "attributes",
    [
        {"interface": "private"},
        {"url": "no scheme"},
        {"url": "http://other/$(password)s"},
        {"url": "http://other/$(project_id"},
        {"service_id": "nothing"},
        {"region_id": "nowhere"},
        {"enabled": "yes"},
    ],
)
def test_a_bad_endpoint_is_refused(cloud: Cloud, attributes: dict[str, Any]) -> None:
    assert cloud("POST", "/v3/endpoints", json=new_endpoint(cloud, **attributes)).status_code == 400


def test_only_an_administrator_changes_the_catalog(cloud: Cloud) -> None:
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    assert cloud("GET", "/v3/regions", token=token).status_code == 200
    assert cloud("GET", "/v3/services", token=token).status_code == 403
    assert cloud("POST", "/v3/regions", token=token, json={"region": {}}).status_code == 403
    assert cloud("POST", "/v3/endpoints", token=token, json=new_endpoint(cloud)).status_code == 403


def types_seen(cloud: Cloud) -> set[str]:
    """The types of service whose endpoints the demo project's catalog shows."""
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    catalog = cloud("GET", "/v3/auth/catalog", token=token).json()["catalog"]
    return {entry["type"] for entry in catalog if entry["endpoints"]}


def test_a_project_sees_the_endpoints_chosen_for_it(cloud: Cloud) -> None:
    service, project = cloud.id_of("services", "glance"), cloud.id_of("projects", "demo")
    endpoint = cloud("GET", f"/v3/endpoints?service_id={service}").json()["endpoints"][0]["id"]
    everything = types_seen(cloud)
    path = f"/v3/OS-EP-FILTER/projects/{project}/endpoints"
    assert cloud("HEAD", f"{path}/{endpoint}").status_code == 404
    assert cloud("PUT", f"{path}/{endpoint}").status_code == 204
    assert cloud("HEAD", f"{path}/{endpoint}").status_code == 204
    assert [it["id"] for it in cloud("GET", path).json()["endpoints"]] == [endpoint]
    projects = cloud("GET", f"/v3/OS-EP-FILTER/endpoints/{endpoint}/projects").json()["projects"]
    assert [it["id"] for it in projects] == [project]
    assert types_seen(cloud) == {"image"}
    assert cloud("DELETE", f"{path}/{endpoint}").status_code == 204
    assert types_seen(cloud) == everything
    assert cloud("PUT", f"{path}/nothing").status_code == 404


def test_an_endpoint_group_is_chosen_for_a_project(cloud: Cloud) -> None:
    service, project = cloud.id_of("services", "glance"), cloud.id_of("projects", "demo")
    body = {"endpoint_group": {"name": "images", "filters": {"service_id": service, "interface": "public"}}}
    answer = cloud("POST", "/v3/OS-EP-FILTER/endpoint_groups", json=body)
    group = answer.json()["endpoint_group"]
    assert answer.status_code == 201
    path = f"/v3/OS-EP-FILTER/endpoint_groups/{group['id']}"
    assert cloud("GET", path).json()["endpoint_group"] == group
    assert cloud("HEAD", path).status_code == 200
    assert len(cloud("GET", f"{path}/endpoints").json()["endpoints"]) == 1
    assert cloud("PUT", f"{path}/projects/{project}").status_code == 204
    assert cloud("PUT", f"{path}/projects/{project}").status_code == 409
    assert cloud("GET", f"{path}/projects/{project}").json()["endpoint_group"]["name"] == "images"
    assert [it["id"] for it in cloud("GET", f"{path}/projects").json()["projects"]] == [project]
    of_project = f"/v3/OS-EP-FILTER/projects/{project}"
    assert len(cloud("GET", f"{of_project}/endpoint_groups").json()["endpoint_groups"]) == 1
    assert len(cloud("GET", f"{of_project}/endpoints").json()["endpoints"]) == 1
    assert types_seen(cloud) == {"image"}
    other = {"endpoint_group": {"filters": {"service_id": cloud.id_of("services", "nova")}}}
    assert cloud("PATCH", path, json=other).json()["endpoint_group"]["filters"]["interface"] == "public"
    assert types_seen(cloud) == {"compute"}
    for wrong in ({}, {"colour": "red"}, {"interface": "private"}):
        bad = {"endpoint_group": {"name": "x", "filters": wrong}}
        assert cloud("POST", "/v3/OS-EP-FILTER/endpoint_groups", json=bad).status_code == 400
    assert cloud("DELETE", f"{path}/projects/{project}").status_code == 204
    assert cloud("GET", f"{path}/projects/{project}").status_code == 404
    assert cloud("DELETE", path).status_code == 204
    assert cloud("GET", path).status_code == 404
