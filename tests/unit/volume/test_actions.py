"""What can be done with a volume that is there, and in which status."""

from pathlib import Path

import pytest
from tests.unit.volume.conftest import Cinder

from nephele.volume.life import BEFORE, LIFE
from nephele.volume.model import VolumeStatus

GB = 1 << 30


def test_extend(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    for size in (None, "x", 1, 0):
        assert cinder.act(volume, "os-extend", {"new_size": size}).status_code == 400, size
    assert cinder.act(volume, "os-extend", {"new_size": "3"}).status_code == 202
    assert cinder.settled(f"/volumes/{volume}")["size"] == 3
    assert (cinder.backend.root / f"volume-{volume}").stat().st_size == 3 * GB
    assert cinder.act(volume, "os-extend", {"new_size": 1001}).status_code == 413
    assert cinder.act(volume, "os-reset_status", {"status": "maintenance"}, as_="admin").status_code == 202
    assert cinder.act(volume, "os-extend", {"new_size": 4}).status_code == 400


def test_extend_while_attached(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"boot")
    told: list[str] = []
    attach = {"instance_uuid": "c" * 8 + "-cccc-cccc-cccc-" + "c" * 12, "mountpoint": "/dev/vdb"}
    for words in ({}, {"imageRef": cinder.glance.add(data).id}):
        volume = cinder.volume(**words)["id"]
        cinder.act(volume, "os-attach", attach)
        cinder.volumes.parts.tell_grown.clear()
        assert cinder.act(volume, "os-extend", {"new_size": 2}).status_code == 400
        cinder.volumes.tell_when_grown(lambda _context, volume_id: told.append(volume_id))
        assert cinder.act(volume, "os-extend", {"new_size": 2}, version="3.41").status_code == 400
        assert cinder.act(volume, "os-extend", {"new_size": 2}).status_code == 202
        found = cinder.settled(f"/volumes/{volume}")
        assert (found["status"], found["size"], told.pop()) == ("in-use", 2, volume)
        done = {"error": False}
        assert cinder.act(volume, "os-extend_volume_completion", done).status_code == 403
        assert cinder.act(volume, "os-extend_volume_completion", done, as_="admin").status_code == 400
        assert cinder.act(volume, "os-extend_volume_completion", done, version="3.70").status_code == 404


def test_extend_of_an_overlay(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"x" * 1000)
    volume = cinder.volume(imageRef=cinder.glance.add(data).id)["id"]
    assert cinder.act(volume, "os-extend", {"new_size": 5}).status_code == 202
    assert cinder.settled(f"/volumes/{volume}")["size"] == 5
    attach = {"instance_uuid": "5e" * 16, "mountpoint": "/dev/vdb"}
    assert cinder.act(volume, "os-attach", attach).status_code == 202
    assert cinder.act(volume, "os-extend", {"new_size": 6}).status_code == 400


def test_flags(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    assert cinder.act(volume, "os-set_bootable", {"bootable": "true"}).status_code == 200
    assert cinder.act(volume, "os-set_bootable", {"bootable": "maybe"}).status_code == 400
    assert cinder.act(volume, "os-update_readonly_flag", {"readonly": True}).status_code == 202
    found = cinder("GET", f"/volumes/{volume}").json()["volume"]
    assert (found["bootable"], found["metadata"]) == ("true", {"readonly": "True"})
    assert cinder.act(volume, "os-dance").status_code == 400


def test_image_metadata(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    words = {"metadata": {"os": "a", "size": "1"}}
    assert cinder.act(volume, "os-set_image_metadata", words).json() == words
    assert cinder.act(volume, "os-unset_image_metadata", {"key": "os"}).status_code == 200
    assert cinder.act(volume, "os-unset_image_metadata", {"key": "os"}).status_code == 404
    assert cinder.act(volume, "os-show_image_metadata").json() == {"metadata": {"size": "1"}}
    found = cinder("GET", "/volumes/detail?glance_metadata={'size': '1'}").json()["volumes"]
    assert [one["volume_image_metadata"] for one in found] == [{"size": "1"}]


def test_reset_status_is_for_administrators(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    assert cinder.act(volume, "os-reset_status", {"status": "error"}).status_code == 403
    for status in ("deleting", "in-use", "nonsense", ""):
        assert cinder.act(volume, "os-reset_status", {"status": status}, as_="admin").status_code == 400, status
    assert cinder.act(volume, "os-reset_status", {"status": "error"}, as_="admin").status_code == 202
    assert cinder("GET", f"/volumes/{volume}").json()["volume"]["status"] == "error"


def test_force_delete_interrupts_whatever_it_is(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    cinder.act(volume, "os-reset_status", {"status": "uploading"}, as_="admin")
    assert cinder("DELETE", f"/volumes/{volume}").status_code == 400
    assert cinder.act(volume, "os-force_delete").status_code == 403
    assert cinder.act(volume, "os-force_delete", as_="admin").status_code == 202
    assert cinder.settled(f"/volumes/{volume}") == {}
    assert cinder.backend.disks() == set()


def test_reimage(cinder: Cinder, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old " * 1000)
    new.write_bytes(b"new " * 1000)
    volume = cinder.volume(imageRef=cinder.glance.add(old).id)["id"]
    image = cinder.glance.add(new, name="new")
    assert cinder.act(volume, "os-reimage", {"image_id": image.id}, version="3.67").status_code == 404
    assert cinder.act(volume, "os-reimage", {"image_id": "0" * 32}).status_code == 400
    assert cinder.act(volume, "os-reimage", {"image_id": image.id}).status_code == 202
    found = cinder.settled(f"/volumes/{volume}")
    assert (found["status"], found["volume_image_metadata"]["image_name"]) == ("available", "new")
    assert cinder.backend.bases() == {f"{image.id}.raw"}
    cinder("POST", "/attachments", json={"attachment": {"volume_uuid": volume, "instance_uuid": "5e" * 16}})
    assert cinder.act(volume, "os-reimage", {"image_id": image.id}).status_code == 409
    again = {"image_id": image.id, "reimage_reserved": True}
    assert cinder.act(volume, "os-reimage", again).status_code == 202
    assert cinder.settled(f"/volumes/{volume}")["status"] == "reserved"


def test_retype(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    cinder("POST", "/types", as_="admin", json={"volume_type": {"name": "fast"}})
    assert cinder.act(volume, "os-retype", {"new_type": "fast", "migration_policy": "never"}).status_code == 202
    assert cinder("GET", f"/volumes/{volume}").json()["volume"]["volume_type"] == "fast"
    assert cinder.act(volume, "os-retype", {"new_type": "fast"}).status_code == 400
    assert cinder.act(volume, "os-retype", {"new_type": "nowhere"}).status_code == 404


def test_an_upload_that_fails_leaves_the_volume_as_it_was(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    cinder.glance.fail_uploads = True
    answer = cinder.act(volume, "os-volume_upload_image", {"image_name": "i"})
    assert answer.json()["os-volume_upload_image"]["status"] == "uploading"
    assert cinder.settled(f"/volumes/{volume}")["status"] == "available"
    (message,) = cinder("GET", "/messages").json()["messages"]
    assert message["user_message"].startswith("copy volume to image")
    answer = cinder.act(volume, "os-volume_upload_image", {"image_name": "i", "visibility": "public"})
    assert answer.status_code == 403


@pytest.mark.parametrize("move", list(LIFE))
def test_the_table_of_life_speaks_of_statuses_only(move: str) -> None:
    found = LIFE[move]
    known = set(VolumeStatus)
    assert (found.sources | found.shared) <= known
    assert {found.shows, found.arrives, found.fails_to} <= known | {"", BEFORE}
    assert not found.shows or (found.fails_to and found.within), "what takes time has an end, also when it fails"
