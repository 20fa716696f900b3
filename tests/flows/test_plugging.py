"""Volumes that are plugged into servers and out again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.flows.test_around_servers import call
from tests.flows.test_launch import launch


@pytest.fixture
def volume(demo: Any) -> Iterator[Any]:
    made = demo.block_storage.create_volume(size=1)
    demo.block_storage.wait_for_status(made, "available", interval=0.02, wait=10)
    yield made
    demo.block_storage.delete_volume(made)
    demo.block_storage.wait_for_delete(made, interval=0.02, wait=10)


def attach(demo: Any, server: Any, volume: Any, version: str = "2.79", **more: Any) -> Any:
    body = {"volumeAttachment": {"volumeId": volume.id, **more}}
    return call(demo, "POST", f"/servers/{server.id}/os-volume_attachments", version, json=body)


def detach(demo: Any, server: Any, volume: Any, version: str = "2.79") -> Any:
    return call(demo, "DELETE", f"/servers/{server.id}/os-volume_attachments/{volume.id}", version)


def wait(demo: Any, volume: Any, status: str) -> Any:
    """The volume as it is once it has that status, looked up anew at least once."""
    found = demo.block_storage.get_volume(volume.id)
    return demo.block_storage.wait_for_status(found, status, interval=0.02, wait=10)


def act(demo: Any, server: Any, status: str, action: dict[str, Any]) -> None:
    assert call(demo, "POST", f"/servers/{server.id}/action", json=action).status_code == 202
    demo.compute.wait_for_server(demo.compute.get_server(server.id), status=status, interval=0.02, wait=10)


def action_of(demo: Any, server: Any, name: str) -> Any:
    """The newest action of that name, with its events, once it is over."""
    path = f"/servers/{server.id}/os-instance-actions"
    newest = next(a for a in call(demo, "GET", path, "2.84").json()["instanceActions"] if a["action"] == name)
    return call(demo, "GET", f"{path}/{newest['request_id']}", "2.84").json()["instanceAction"]


def test_a_volume_comes_and_goes(demo: Any, server: Any, volume: Any) -> None:
    answer = attach(demo, server, volume, tag="data", delete_on_termination=True)
    assert answer.status_code == 200
    shown = {"volumeId": volume.id, "serverId": server.id, "device": "/dev/vdb"}
    shown |= {"id": volume.id, "tag": "data", "delete_on_termination": True}
    assert answer.json() == {"volumeAttachment": shown}
    (attachment,) = wait(demo, volume, "in-use").attachments
    assert (attachment["server_id"], attachment["device"]) == (server.id, "/dev/vdb")
    path = f"/servers/{server.id}/os-volume_attachments"
    assert call(demo, "GET", path, "2.79").json() == {"volumeAttachments": [shown]}
    new = call(demo, "GET", f"{path}/{volume.id}", "2.89").json()["volumeAttachment"]
    assert new["attachment_id"] == attachment["attachment_id"]
    assert attach(demo, server, volume).status_code == 400
    assert "attached /dev/vdb" in demo.compute.get_server_console_output(server)["output"]
    assert detach(demo, server, volume).status_code == 202
    wait(demo, volume, "available")
    assert call(demo, "GET", path).json() == {"volumeAttachments": []}
    assert detach(demo, server, volume).status_code == 404
    done = action_of(demo, server, "detach_volume")
    assert [(event["event"], event["result"]) for event in done["events"]] == [("compute_detach_volume", "Success")]


def test_each_version_has_its_own_body(demo: Any, server: Any, volume: Any) -> None:
    assert attach(demo, server, volume, "2.48", tag="x").status_code == 400
    assert attach(demo, server, volume, "2.78", delete_on_termination=True).status_code == 400
    assert attach(demo, server, volume, device="vdc").status_code == 400
    answer = attach(demo, server, volume, "2.1", device="/dev/sdf")
    assert answer.json()["volumeAttachment"].keys() == {"id", "volumeId", "serverId", "device"}
    assert answer.json()["volumeAttachment"]["device"] == "/dev/vdf"
    wait(demo, volume, "in-use")
    other = demo.block_storage.create_volume(size=1)
    wait(demo, other, "available")
    assert attach(demo, server, other, device="/dev/vdf").status_code == 409
    answer = attach(demo, server, other, "2.101")
    assert (answer.status_code, answer.content) == (202, b"")
    wait(demo, other, "in-use")
    for one in (volume, other):
        detach(demo, server, one)
        wait(demo, one, "available")
    demo.block_storage.delete_volume(other)


def test_a_server_that_is_off_takes_volumes_too(demo: Any, server: Any, volume: Any) -> None:
    act(demo, server, "SHUTOFF", {"os-stop": None})
    attach(demo, server, volume)
    wait(demo, volume, "in-use")
    act(demo, server, "ACTIVE", {"os-start": None})
    assert wait(demo, volume, "in-use").attachments
    act(demo, server, "SHUTOFF", {"os-stop": None})
    detach(demo, server, volume)
    wait(demo, volume, "available")
    act(demo, server, "ACTIVE", {"os-start": None})


def test_a_deleted_server_lets_go(demo: Any, volume: Any) -> None:
    server = launch(demo)
    attach(demo, server, volume)
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.02, wait=10)
    wait(demo, volume, "available")


def test_the_root_stays(demo: Any) -> None:
    image = demo.image.find_image("nephele-guest")
    device = {"boot_index": 0, "uuid": image.id, "source_type": "image", "destination_type": "volume"}
    device |= {"volume_size": 1, "delete_on_termination": True}
    server = launch(demo, image_id="", block_device_mapping=[device])
    (root,) = demo.compute.get_server(server.id).attached_volumes
    answer = call(demo, "DELETE", f"/servers/{server.id}/os-volume_attachments/{root['id']}")
    assert (answer.status_code, answer.json()["badRequest"]["message"]) == (400, "Cannot detach a root device volume")
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.02, wait=10)


def test_what_is_not_there_is_refused(demo: Any, server: Any, volume: Any, admin: Any) -> None:
    class Nothing:
        id = "00000000-0000-4000-8000-000000000000"

    assert attach(demo, server, Nothing).status_code == 404
    assert attach(demo, Nothing, volume).status_code == 404
    assert detach(demo, server, Nothing).status_code == 404
    demo.compute.lock_server(server)
    assert attach(demo, server, volume).status_code == 409
    demo.compute.unlock_server(server)
    admin.block_storage.reset_volume_status(volume.id, "error", None, None)
    assert attach(demo, server, volume).status_code == 400
    admin.block_storage.reset_volume_status(volume.id, "available", None, None)


def test_one_volume_for_several_servers(demo: Any, admin: Any, server: Any) -> None:
    kind = admin.block_storage.create_type(name="shared", extra_specs={"multiattach": "<is> True"})
    shared = demo.block_storage.create_volume(size=1, volume_type="shared")
    wait(demo, shared, "available")
    other = launch(demo)
    assert attach(demo, server, shared, "2.59").status_code == 400
    for one in (server, other):
        assert attach(demo, one, shared, "2.60").status_code == 200
        wait(demo, shared, "in-use")
    deadline = time.monotonic() + 5
    while len(demo.block_storage.get_volume(shared).attachments) < 2:
        assert time.monotonic() < deadline
    assert attach(demo, server, shared, "2.60").status_code == 400
    assert detach(demo, server, shared).status_code == 202
    while len(wait(demo, shared, "in-use").attachments) == 2:
        assert time.monotonic() < deadline
    detach(demo, other, shared)
    wait(demo, shared, "available")
    demo.block_storage.delete_volume(shared)
    demo.compute.delete_server(other)
    demo.compute.wait_for_delete(other, interval=0.02, wait=10)
    demo.block_storage.wait_for_delete(shared, interval=0.02, wait=10)
    admin.block_storage.delete_type(kind)


def test_a_swap_is_for_cinder_alone(demo: Any, admin: Any, server: Any, volume: Any) -> None:
    body = {"volumeAttachment": {"volumeId": volume.id}}
    path = f"/servers/{server.id}/os-volume_attachments/{volume.id}"
    assert call(demo, "PUT", path, json=body).status_code == 403


def test_volumes_in_novas_words(demo: Any, server: Any) -> None:
    path = "/os-volumes"
    assert call(demo, "GET", path, "2.36").status_code == 404
    assert call(demo, "POST", path, json={"volume": {"size": 0}}).status_code == 400
    body = {"volume": {"size": "1", "display_name": "old", "metadata": {"a": "b"}}}
    made = call(demo, "POST", path, json=body).json()["volume"]
    assert (made["displayName"], made["size"], made["attachments"]) == ("old", 1, [{}])
    volume = wait(demo, demo.block_storage.get_volume(made["id"]), "available")
    attach(demo, server, volume)
    wait(demo, volume, "in-use")
    shown = call(demo, "GET", f"{path}/{volume.id}").json()["volume"]
    assert shown["attachments"] == [
        {"id": volume.id, "volumeId": volume.id, "serverId": server.id, "device": "/dev/vdb"}
    ]
    assert shown in call(demo, "GET", f"{path}/detail").json()["volumes"]
    assert call(demo, "GET", f"{path}?limit=0").json() == {"volumes": []}
    new = {"snapshot": {"volume_id": volume.id, "force": True, "display_name": "shot"}}
    assert call(demo, "POST", "/os-snapshots", json={"snapshot": {"volume_id": volume.id}}).status_code == 400
    shot = call(demo, "POST", "/os-snapshots", json=new).json()["snapshot"]
    assert (shot["volumeId"], shot["displayName"]) == (volume.id, "shot")
    taken = demo.block_storage.get_snapshot(shot["id"])
    taken = demo.block_storage.wait_for_status(taken, "available", interval=0.02, wait=10)
    assert call(demo, "GET", f"/os-snapshots/{shot['id']}").json()["snapshot"]["status"] == "available"
    assert [one["id"] for one in call(demo, "GET", "/os-snapshots").json()["snapshots"]] == [shot["id"]]
    assert call(demo, "DELETE", f"/os-snapshots/{shot['id']}").status_code == 202
    detach(demo, server, volume)
    wait(demo, volume, "available")
    demo.block_storage.wait_for_delete(taken, interval=0.02, wait=10)
    assert call(demo, "DELETE", f"{path}/{volume.id}").status_code == 202
    assert call(demo, "GET", f"{path}/{server.id}").status_code == 404
    assert call(demo, "GET", f"{path}/").status_code == 404
