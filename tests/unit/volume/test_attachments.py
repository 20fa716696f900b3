"""Volumes promised, connected, used, given back: over HTTP, for compute, and by agents over the bus."""

from typing import Any

import msgspec
import pytest
from tests.conftest import CALLERS, verify
from tests.unit.volume.conftest import Cinder

from nephele.kernel.bus import LocalBus
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.volume.messages import (
    COMPLETE_ATTACHMENT,
    CONNECT_VOLUME,
    CompleteAttachment,
    ConnectVolume,
    FileConnection,
)

SERVER, OTHER_SERVER = "5e" * 16, "07" * 16
CONNECTOR = {"host": "compute-1", "mountpoint": "/dev/vdb"}


def status(cinder: Cinder, volume_id: str) -> str:
    return str(cinder("GET", f"/volumes/{volume_id}").json()["volume"]["status"])


def reserve(cinder: Cinder, volume_id: str, server: str = SERVER, **more: Any) -> Any:
    body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": server, **more}}
    return cinder("POST", "/attachments", json=body)


def test_the_attachment_flow(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    made = reserve(cinder, volume, mode="rw").json()["attachment"]
    assert (made["status"], made["attach_mode"], status(cinder, volume)) == ("reserved", "rw", "reserved")
    path = f"/attachments/{made['id']}"
    connected = cinder("PUT", path, json={"attachment": {"connector": CONNECTOR}}).json()["attachment"]
    assert (connected["status"], status(cinder, volume)) == ("attaching", "attaching")
    assert connected["connection_info"]["device_path"].endswith(f"volume-{volume}")
    assert cinder("POST", f"{path}/action", json={"os-complete": None}).status_code == 204
    shown = cinder("GET", f"/volumes/{volume}").json()["volume"]
    assert shown["status"] == "in-use"
    assert shown["attachments"][0]["server_id"] == SERVER
    assert shown["attachments"][0]["device"] == "/dev/vdb"
    assert cinder("GET", "/attachments?instance_id=" + SERVER).json()["attachments"][0]["id"] == made["id"]
    assert cinder("DELETE", f"/volumes/{volume}").status_code == 400
    assert cinder("DELETE", path).json() == {"attachments": []}
    assert status(cinder, volume) == "available"
    assert cinder("GET", path).status_code == 404


def test_who_may_reserve_when(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    assert reserve(cinder, volume).status_code == 200
    assert reserve(cinder, volume, OTHER_SERVER).status_code == 400
    assert reserve(cinder, volume, SERVER).status_code == 200, "the same server, on its way to another host"
    assert reserve(cinder, "0" * 32).status_code == 404
    assert reserve(cinder, "no uuid").status_code == 400
    assert cinder("GET", "/attachments", "3.26").status_code == 404
    readonly = cinder.volume()["id"]
    cinder.act(readonly, "os-update_readonly_flag", {"readonly": True})
    assert reserve(cinder, readonly, mode="rw").status_code == 400
    assert reserve(cinder, readonly).json()["attachment"]["attach_mode"] == "ro"


def test_multiattach(cinder: Cinder) -> None:
    body = {"volume_type": {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}}
    assert cinder("POST", "/types", as_="admin", json=body).status_code == 200
    volume = cinder.volume(volume_type="shared")
    assert volume["multiattach"] is True
    for server in (SERVER, OTHER_SERVER):
        made = reserve(cinder, volume["id"], server, connector=CONNECTOR).json()["attachment"]
        cinder("POST", f"/attachments/{made['id']}/action", json={"os-complete": None})
    assert status(cinder, volume["id"]) == "in-use"
    left = cinder("DELETE", f"/attachments/{made['id']}").json()["attachments"]
    assert [other["instance"] for other in left] == [SERVER]
    assert status(cinder, volume["id"]) == "in-use"


def test_the_old_actions(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    for action, wanted in (
        ("os-reserve", "attaching"),
        ("os-unreserve", "available"),
        ("os-unreserve", "available"),
        ("os-reserve", "attaching"),
    ):
        assert cinder.act(volume, action).status_code == 202
        assert status(cinder, volume) == wanted
    assert cinder.act(volume, "os-reserve").status_code == 400
    info = cinder.act(volume, "os-initialize_connection", {"connector": CONNECTOR}).json()["connection_info"]
    assert info["driver_volume_type"] == "local"
    attach = {"instance_uuid": SERVER, "mountpoint": "/dev/vdc", "mode": "rw"}
    assert cinder.act(volume, "os-attach", {"mountpoint": "/dev/vdc"}).status_code == 400
    assert cinder.act(volume, "os-attach", attach).status_code == 202
    assert status(cinder, volume) == "in-use"
    for action, wanted in (
        ("os-begin_detaching", "detaching"),
        ("os-roll_detaching", "in-use"),
        ("os-begin_detaching", "detaching"),
        ("os-detach", "available"),
    ):
        assert cinder.act(volume, action).status_code == 202
        assert status(cinder, volume) == wanted
    assert cinder.act(volume, "os-begin_detaching").status_code == 400


def test_compute_reserves_in_its_own_transaction(cinder: Cinder, member: Context) -> None:
    volume = cinder.volume()["id"]
    store = cinder.volumes.parts.store

    def fail() -> None:
        with store.write():
            cinder.volumes.reserve(member, volume, SERVER)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert status(cinder, volume) == "available"
    attachment = cinder.volumes.reserve(member, volume, SERVER)
    assert [found.id for found in cinder.volumes.attachments_of([SERVER, OTHER_SERVER])] == [attachment]
    cinder.volumes.unreserve(member, attachment)
    cinder.volumes.unreserve(member, attachment)
    assert status(cinder, volume) == "available"
    with pytest.raises(Refused, match="could not be found"):
        cinder.volumes.reserve(CALLERS["other"], volume, SERVER)


def test_an_agent_connects_only_for_the_server_that_its_token_names(
    cinder: Cinder, member: Context, bus: LocalBus
) -> None:
    volume = cinder.volume()["id"]
    attachment = cinder.volumes.reserve(member, volume, SERVER)

    def delegated(token: str) -> Context:
        return msgspec.structs.replace(verify("member"), server_id=token)

    cinder.volumes.serve(bus, delegated)

    def ask(token: str, server: str) -> Any:
        message = ConnectVolume(
            token=token, request_id="r", attachment_id=attachment, server_id=server, host="h", device_name="/dev/vda"
        )
        return bus.call(CONNECT_VOLUME, message)

    for token, server in ((OTHER_SERVER, SERVER), (OTHER_SERVER, OTHER_SERVER), (SERVER, OTHER_SERVER)):
        with pytest.raises(Refused) as refused:
            ask(token, server)
        assert refused.value.status == 403
    for _twice in range(2):
        connected = ask(SERVER, SERVER)
        assert isinstance(connected.connection, FileConnection)
        assert (connected.volume_id, connected.size_gb, connected.connection.format) == (volume, 1, "raw")
    stolen = CompleteAttachment(token=OTHER_SERVER, request_id="r", attachment_id=attachment)
    with pytest.raises(Refused):
        bus.call(COMPLETE_ATTACHMENT, stolen)
    for _twice in range(2):
        bus.call(COMPLETE_ATTACHMENT, CompleteAttachment(token=SERVER, request_id="r", attachment_id=attachment))
    assert status(cinder, volume) == "in-use"
    cinder.volumes.begin_detach(member, volume)
    cinder.volumes.roll_detach(member, volume)
    cinder.volumes.begin_detach(member, volume)
    assert cinder.volumes.detach(member, attachment) == volume
    assert cinder.volumes.detach(member, attachment) == ""
    assert status(cinder, volume) == "available"


def test_users_can_not_take_a_volume_from_under_a_server(cinder: Cinder, member: Context) -> None:
    volume = cinder.volume()["id"]
    held = reserve(cinder, volume).json()["attachment"]["id"]
    cinder("POST", f"/attachments/{held}/action", json={"os-complete": None})
    cinder.volumes.ask_before_detaching(lambda attachment: attachment.id == held)
    for answer in (
        cinder("DELETE", f"/attachments/{held}"),
        cinder.act(volume, "os-detach", {"attachment_id": held}),
        cinder.act(volume, "os-detach", {}),
        cinder.act(volume, "os-force_detach", {"attachment_id": held}, as_="admin"),
    ):
        assert answer.status_code == 409
        assert "using the Compute API" in answer.json()["conflictingRequest"]["message"]
    assert status(cinder, volume) == "in-use"
    assert cinder.volumes.detach(member, held) == volume


def test_readiness(cinder: Cinder, member: Context) -> None:
    id = cinder.volumes.create_for_boot(member, size_gb=1, name="root")
    assert cinder.volumes.readiness(member, id).readiness in ("coming", "ready")
    cinder.settled(f"/volumes/{id}")
    assert cinder.volumes.readiness(member, id).readiness == "ready"
    cinder.act(id, "os-reset_status", {"status": "error"}, as_="admin")
    assert cinder.volumes.readiness(member, id).readiness == "failed"
