"""What single microversions of Nova changed, where nothing else shows it."""

from typing import Any

import pytest
from tests.flows.test_durability import create, settle


@pytest.fixture(scope="module")
def server_id(demo: Any) -> Any:
    made = create(demo)
    assert settle(demo, made) == "ACTIVE"
    yield made
    demo.compute.delete(f"/servers/{made}")
    assert settle(demo, made) == "GONE"


def get(user: Any, path: str, version: str) -> Any:
    return user.compute.get(path, microversion=version)


def test_users_have_more_filters_from_2_83_on(demo: Any, server_id: str) -> None:
    nothing = "/servers?task_state=spawning"
    assert [server["id"] for server in get(demo, nothing, "2.82").json()["servers"]] == [server_id]
    assert get(demo, nothing, "2.83").json()["servers"] == []


def test_administrators_have_all_filters_in_all_versions(admin: Any, server_id: str) -> None:
    found = get(admin, f"/servers?all_tenants=1&task_state=spawning&uuid={server_id}", "2.1").json()
    assert found == {"servers": []}


def test_unknown_parameters_are_refused_from_2_75_on_in_listings(demo: Any) -> None:
    assert get(demo, "/servers?colour=red", "2.74").status_code == 200
    refused = get(demo, "/servers?colour=red", "2.75")
    assert refused.status_code == 400
    assert "colour" in refused.json()["badRequest"]["message"]


def test_unknown_parameters_are_refused_from_2_102_on_everywhere(demo: Any, server_id: str) -> None:
    assert get(demo, f"/servers/{server_id}?colour=red", "2.101").status_code == 200
    assert get(demo, f"/servers/{server_id}?colour=red", "2.102").status_code == 400


def test_a_server_is_pinned_to_its_zone_and_unpinned(demo: Any, server_id: str) -> None:
    def pin(zone: str | None, version: str = "2.104") -> Any:
        body = {"server": {"pinned_availability_zone": zone}}
        return demo.compute.put(f"/servers/{server_id}", json=body, microversion=version)

    assert pin("nova", "2.103").status_code == 400
    assert pin("elsewhere").status_code == 409
    assert pin("nova").json()["server"]["pinned_availability_zone"] == "nova"
    assert pin("nova").status_code == 200
    assert pin("elsewhere").status_code == 409
    assert pin(None).json()["server"]["pinned_availability_zone"] is None


def test_whole_domain_names_are_host_names_from_2_94_on(demo: Any, server_id: str) -> None:
    body = {"server": {"hostname": "a.example.org"}}
    path = f"/servers/{server_id}"
    assert demo.compute.put(path, json=body, microversion="2.93").status_code == 400
    answer = demo.compute.put(path, json=body, microversion="2.94")
    assert answer.json()["server"]["OS-EXT-SRV-ATTR:hostname"] == "a.example.org"


def test_no_server_has_shares_and_none_can_be_attached(demo: Any, server_id: str) -> None:
    path, share = f"/servers/{server_id}/shares", "5f1a0e8e-3e59-4a8f-9a3a-111111111111"
    assert get(demo, path, "2.96").status_code == 404
    assert get(demo, path, "2.97").json() == {"shares": []}
    assert get(demo, f"{path}/{share}", "2.97").status_code == 404
    refused = demo.compute.post(path, json={"share": {"share_id": share}}, microversion="2.97")
    assert refused.status_code == 403
    assert "no shared file systems service" in refused.json()["forbidden"]["message"]
    assert demo.compute.delete(f"{path}/{share}", microversion="2.97").status_code == 404


def test_the_hosts_of_an_aggregate_fetch_images(admin: Any, demo: Any) -> None:
    made = admin.compute.post("/os-aggregates", json={"aggregate": {"name": "warm"}}).json()["aggregate"]
    path, image = f"/os-aggregates/{made['id']}", admin.image.find_image("nephele-guest").id
    admin.compute.post(f"{path}/action", json={"add_host": {"host": "sim-001"}})
    body = {"cache": [{"id": image}]}
    assert admin.compute.post(f"{path}/images", json=body, microversion="2.80").status_code == 404
    assert admin.compute.post(f"{path}/images", json=body, microversion="2.81").status_code == 202
    twice = {"cache": [{"id": image}, {"id": image}]}
    assert admin.compute.post(f"{path}/images", json=twice, microversion="2.81").status_code == 400
    unknown = {"cache": [{"id": "5f1a0e8e-3e59-4a8f-9a3a-111111111111"}]}
    assert admin.compute.post(f"{path}/images", json=unknown, microversion="2.81").status_code == 400
    assert demo.compute.post(f"{path}/images", json=body, microversion="2.81").status_code == 403
    admin.compute.post(f"{path}/action", json={"remove_host": {"host": "sim-001"}})
    admin.compute.delete(path)
