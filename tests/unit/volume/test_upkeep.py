"""What is left over is found and removed; what is in use is not."""

from pathlib import Path

from tests.unit.volume.conftest import Cinder

from nephele.volume.model import LeftoverKind as Kind


def test_leftovers(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"boot")
    volume = cinder.volume(imageRef=cinder.glance.add(data).id)
    cinder.snapshot(volume["id"])
    assert cinder.volumes.leftovers() == []
    root = cinder.backend.root
    for name in ("volume-gone", ".snapshot-half", ".volume-sent.qcow2", "bases/old.raw"):
        (root / name).write_bytes(b"x")
    found = {(leftover.kind, leftover.subject) for leftover in cinder.volumes.leftovers()}
    assert found == {
        (Kind.DISK, "volume-gone"),
        (Kind.DISK, "snapshot-half"),
        (Kind.DISK, "volume-sent"),
        (Kind.BASE, "old.raw"),
    }
    for leftover in cinder.volumes.leftovers():
        cinder.volumes.remove_leftover(leftover)
    assert cinder.volumes.leftovers() == []
    assert cinder.settled(f"/volumes/{volume['id']}")["status"] == "available"
    assert (root / f"volume-{volume['id']}").exists()


def test_what_waits_without_an_owner(cinder: Cinder) -> None:
    volume = cinder.volume()
    cinder.act(volume["id"], "os-reset_status", {"status": "uploading"}, as_="admin")
    (found,) = cinder.volumes.leftovers()
    assert (found.kind, found.subject, found.removable) == (Kind.STUCK, volume["id"], False)
    cinder.volumes.remove_leftover(found)
    assert cinder("GET", f"/volumes/{volume['id']}").status_code == 200


def test_objects_of_no_backup(cinder: Cinder) -> None:
    volume = cinder.volume()
    made = cinder("POST", "/backups", json={"backup": {"volume_id": volume["id"]}}).json()["backup"]["id"]
    assert cinder.settled(f"/backups/{made}")["status"] == "available"
    cinder.volumes.parts.backups.put("backups/gone/manifest", b"x")
    (found,) = cinder.volumes.leftovers()
    assert (found.kind, found.subject, found.removable) == (Kind.BACKUP, "backups/gone/", True)
    cinder.volumes.remove_leftover(found)
    assert cinder.volumes.leftovers() == []
    assert list(cinder.volumes.parts.backups.names("")) == [f"backups/{made}/manifest"]
