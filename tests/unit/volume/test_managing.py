"""Disks from outside become volumes and snapshots and leave again; encryption types; logs; what is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.volume.conftest import Cinder

HOST = "nephele@file#file"
MB = 1 << 20


def lay(cinder: Cinder, name: str, data: bytes = b"outside") -> None:
    (cinder.backend.root / "manageable" / name).write_bytes(data)


def manage(cinder: Cinder, disk: str, **more: Any) -> Any:
    wish = {"host": HOST, "ref": {"source-name": disk}, **more}
    return cinder("POST", "/manageable_volumes", as_="admin", json={"volume": wish})


def found(cinder: Cinder, what: str = "volumes", query: str = f"?host={HOST}".replace("#", "%23")) -> Any:
    return cinder("GET", f"/manageable_{what}/detail{query}", as_="admin").json()[f"manageable-{what}"]


def test_a_disk_becomes_a_volume_and_leaves_again(cinder: Cinder) -> None:
    lay(cinder, "disk")
    os.truncate(cinder.backend.root / "manageable" / "disk", 1500 * MB)
    assert [(one["reference"], one["size"], one["safe_to_manage"]) for one in found(cinder)] == [
        ({"source-name": "disk"}, 2, True)
    ]
    assert cinder("GET", "/manageable_volumes?host=x", as_="member").status_code == 403
    answer = manage(cinder, "disk", name="v", bootable=True, metadata={"k": "v"})
    assert (answer.status_code, answer.json()["volume"]["status"]) == (202, "managing")
    volume = cinder.settled(f"/volumes/{answer.json()['volume']['id']}", as_="admin")
    assert (volume["status"], volume["size"], volume["bootable"], volume["name"]) == ("available", 2, "true", "v")
    disk = cinder.backend.root / f"volume-{volume['id']}"
    assert disk.stat().st_size == 2048 * MB
    (listed,) = found(cinder)
    assert (listed["reason_not_safe"], listed["cinder_id"]) == ("already managed", volume["id"])
    assert cinder.act(volume["id"], "os-unmanage").status_code == 404  # it is the administrator's
    assert cinder.act(volume["id"], "os-unmanage", as_="admin").status_code == 202
    assert cinder.settled(f"/volumes/{volume['id']}", as_="admin") == {}
    (listed,) = found(cinder)
    assert listed["reference"]["source-name"] == f"volume-{volume['id']}"
    assert cinder.volumes.leftovers() == []
    again = manage(cinder, f"volume-{volume['id']}").json()["volume"]["id"]
    assert cinder.settled(f"/volumes/{again}", as_="admin")["status"] == "available"
    with (cinder.backend.root / f"volume-{again}").open("rb") as file:
        assert file.read(7) == b"outside"


def test_a_volume_of_an_image_leaves_with_all_of_it(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"boot" * 100_000)
    volume = cinder.volume(imageRef=cinder.glance.add(data).id)
    cinder.act(volume["id"], "os-unmanage", as_="admin")
    assert cinder.settled(f"/volumes/{volume['id']}") == {}
    left = cinder.backend.root / "manageable" / f"volume-{volume['id']}"
    with left.open("rb") as file:
        assert file.read(400_000) == b"boot" * 100_000
    assert left.stat().st_size == 1024 * MB
    assert list((cinder.backend.root / "bases").glob("*.raw")) == []


def test_snapshots_too(cinder: Cinder) -> None:
    volume = cinder.volume()
    with (cinder.backend.root / f"volume-{volume['id']}").open("r+b") as file:
        file.write(b"then")
    snapshot = cinder.snapshot(volume["id"])
    assert cinder.act(volume["id"], "os-unmanage", as_="admin").status_code == 400
    path = f"/snapshots/{snapshot['id']}"
    assert cinder("POST", f"{path}/action", as_="admin", json={"os-unmanage": {}}).status_code == 202
    assert cinder.settled(path) == {}
    (listed,) = found(cinder, "snapshots")
    assert (listed["source_reference"], listed["safe_to_manage"]) == (None, True)
    wish = {"volume_id": volume["id"], "ref": listed["reference"], "name": "back"}
    answer = cinder("POST", "/manageable_snapshots", as_="admin", json={"snapshot": wish})
    assert answer.status_code == 202, answer.text
    back = cinder.settled(f"/snapshots/{answer.json()['snapshot']['id']}")
    assert (back["status"], back["name"]) == ("available", "back")
    made = cinder.volume(snapshot_id=back["id"])
    with (cinder.backend.root / f"volume-{made['id']}").open("rb") as file:
        assert file.read(4) == b"then"


def test_what_can_not_be_managed(cinder: Cinder) -> None:
    lay(cinder, "empty", b"")
    assert manage(cinder, "nothing").status_code == 404
    assert manage(cinder, "empty").status_code == 400
    assert manage(cinder, "../bases/x").status_code == 404
    wrong = {"host": "nowhere@x", "ref": {"source-name": "disk"}}
    assert cinder("POST", "/manageable_volumes", as_="admin", json={"volume": wrong}).status_code == 404
    nameless = {"host": HOST, "ref": {"name": "disk"}}
    assert cinder("POST", "/manageable_volumes", as_="admin", json={"volume": nameless}).status_code == 400
    assert cinder("GET", "/manageable_volumes", as_="admin").status_code == 400
    assert cinder("GET", "/manageable_volumes", "3.7", as_="admin").status_code == 404
    assert cinder("GET", "/os-volume-manage?host=nephele@file", "3.0", as_="admin").status_code == 200


def test_encrypted_volumes_are_described_and_refused(cinder: Cinder) -> None:
    kind = cinder("POST", "/types", as_="admin", json={"volume_type": {"name": "secret"}}).json()["volume_type"]["id"]
    path = f"/types/{kind}/encryption"
    wish = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
    assert cinder("GET", path, as_="admin").json() == {}
    assert cinder("POST", path, json={"encryption": wish}).status_code == 403
    made = cinder("POST", path, as_="admin", json={"encryption": wish}).json()["encryption"]
    assert wish.items() <= made.items()
    assert cinder("POST", path, as_="admin", json={"encryption": wish}).status_code == 409
    one = f"{path}/{made['encryption_id']}"
    assert cinder("PUT", one, as_="admin", json={"encryption": {"key_size": 512}}).json()["encryption"] == {
        "key_size": 512
    }
    assert cinder("GET", f"{path}/key_size", as_="admin").json() == {"key_size": 512}
    assert cinder("GET", f"{path}/colour", as_="admin").status_code == 404
    refused = cinder("POST", "/volumes", json={"volume": {"size": 1, "volume_type": "secret"}})
    assert (refused.status_code, "no key store" in refused.text) == (400, True)
    volume = cinder.volume()
    assert cinder.act(volume["id"], "os-retype", {"new_type": "secret"}).status_code == 400
    assert cinder("GET", f"/volumes/{volume['id']}/encryption").json() == {"encryption_key_id": None}
    assert cinder("GET", f"/volumes/{volume['id']}/encryption/encryption_key_id").status_code == 200
    assert cinder("DELETE", one, as_="admin").status_code == 202
    assert cinder("DELETE", one, as_="admin").status_code == 404
    assert cinder.volume(volume_type="secret")["status"] == "available"
    assert cinder("POST", path, as_="admin", json={"encryption": wish}).status_code == 400


def test_logs_are_turned_up_and_down(cinder: Cinder) -> None:
    wish = {"binary": "cinder-volume", "prefix": "nephele.volume.moving"}
    for level in ("DEBUG", "WARNING"):
        changed = cinder("PUT", "/os-services/set-log", as_="admin", json={**wish, "level": level})
        assert changed.status_code == 202
        (seen,) = cinder("PUT", "/os-services/get-log", as_="admin", json=wish).json()["log_levels"]
        assert (seen["host"], seen["levels"]) == ("nephele@file", {"nephele.volume.moving": level})
    assert cinder("PUT", "/os-services/set-log", as_="admin", json={**wish, "level": "loud"}).status_code == 400
    assert cinder("PUT", "/os-services/get-log", as_="admin", json={"binary": "nova"}).status_code == 400
    assert cinder("PUT", "/os-services/get-log", json={}).status_code == 403


@pytest.mark.parametrize(("word", "version"), [("failover_host", "3.0"), ("failover", "3.26")])
def test_nothing_fails_over_to_what_is_not_there(cinder: Cinder, word: str, version: str) -> None:
    for host, status in (("nephele@file", 400), ("nowhere", 404)):
        answer = cinder("PUT", f"/os-services/{word}", version, as_="admin", json={"host": host})
        assert answer.status_code == status
