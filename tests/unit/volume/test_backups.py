"""Backups over HTTP: full and incremental, of volumes and snapshots, restored, exported, deleted."""

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PROJECT
from tests.unit.volume.conftest import Cinder

MB = 1 << 20


def put(cinder: Cinder, volume_id: str, data: bytes, at: int = 0) -> None:
    with (cinder.backend.root / f"volume-{volume_id}").open("r+b") as file:
        file.seek(at)
        file.write(data)


def content(cinder: Cinder, volume_id: str, length: int, at: int = 0) -> bytes:
    with (cinder.backend.root / f"volume-{volume_id}").open("rb") as file:
        file.seek(at)
        return file.read(length)


def back_up(cinder: Cinder, volume_id: str, **more: Any) -> dict[str, Any]:
    answer = cinder("POST", "/backups", json={"backup": {"volume_id": volume_id, **more}})
    assert answer.status_code == 202, answer.text
    return cinder.settled(f"/backups/{answer.json()['backup']['id']}")


def objects(cinder: Cinder) -> list[Path]:
    root = cinder.backend.root.parent / "backups"
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_volume_is_backed_up_and_restored(cinder: Cinder) -> None:
    volume = cinder.volume(name="v", metadata={"m": "1"})
    put(cinder, volume["id"], b"first" * 1000)
    put(cinder, volume["id"], b"far", 900 * MB)
    backup = back_up(cinder, volume["id"], name=" b ", metadata={"k": "v"}, container="c")
    assert (backup["status"], backup["size"], backup["object_count"]) == ("available", 1, 2)
    assert (backup["name"], backup["container"], backup["metadata"]) == ("b", "c", {"k": "v"})
    assert (backup["is_incremental"], backup["has_dependent_backups"]) == (False, False)
    assert cinder("GET", f"/volumes/{volume['id']}").json()["volume"]["status"] == "available"
    put(cinder, volume["id"], b"later" * 1000)
    path = f"/backups/{backup['id']}"
    answer = cinder("POST", f"{path}/restore", json={"restore": {"volume_id": volume["id"]}})
    assert (answer.status_code, answer.json()["restore"]["volume_name"]) == (202, "v")
    assert cinder.settled(f"/volumes/{volume['id']}")["status"] == "available"
    assert content(cinder, volume["id"], 5) == b"first"
    assert content(cinder, volume["id"], 3, 900 * MB) == b"far"
    answer = cinder("POST", f"{path}/restore", json={"restore": {"name": "again"}})
    made = cinder.settled(f"/volumes/{answer.json()['restore']['volume_id']}")
    assert (made["status"], made["name"], made["metadata"]) == ("available", "again", {"m": "1"})
    assert content(cinder, made["id"], 5) == b"first"
    assert (cinder.backend.root / f"volume-{made['id']}").stat().st_blocks * 512 < 64 * MB
    assert cinder("DELETE", path).status_code == 202
    assert cinder.settled(path) == {}
    assert objects(cinder) == []


def test_an_incremental_backup_adds_what_changed(cinder: Cinder) -> None:
    volume = cinder.volume()
    answer = cinder("POST", "/backups", json={"backup": {"volume_id": volume["id"], "incremental": True}})
    assert "No backups available" in answer.text
    put(cinder, volume["id"], b"one")
    full = back_up(cinder, volume["id"])
    put(cinder, volume["id"], b"two", 500 * MB)
    more = back_up(cinder, volume["id"], incremental=True)
    assert (more["is_incremental"], more["object_count"]) == (True, 1)
    assert cinder("GET", f"/backups/{full['id']}").json()["backup"]["has_dependent_backups"]
    assert cinder("DELETE", f"/backups/{full['id']}").status_code == 400
    put(cinder, volume["id"], bytes(3), 500 * MB)
    for one, seen in ((more, b"two"), (full, bytes(3))):
        cinder("POST", f"/backups/{one['id']}/restore", json={"restore": {"volume_id": volume["id"]}})
        assert cinder.settled(f"/volumes/{volume['id']}")["status"] == "available"
        assert (content(cinder, volume["id"], 3), content(cinder, volume["id"], 3, 500 * MB)) == (b"one", seen)
        cinder.settled(f"/backups/{one['id']}")
    for one in (more, full):
        cinder("DELETE", f"/backups/{one['id']}")
        assert cinder.settled(f"/backups/{one['id']}") == {}


def test_volumes_in_use_and_snapshots_are_backed_up(cinder: Cinder) -> None:
    volume = cinder.volume()
    put(cinder, volume["id"], b"then")
    snapshot = cinder.snapshot(volume["id"])
    put(cinder, volume["id"], b"now!")
    attach = {"instance_uuid": "c" * 8 + "-cccc-cccc-cccc-" + "c" * 12, "mountpoint": "/dev/vdb"}
    cinder.act(volume["id"], "os-attach", attach)
    body = {"backup": {"volume_id": volume["id"]}}
    assert "must use the force flag" in cinder("POST", "/backups", json=body).text
    now = back_up(cinder, volume["id"], force=True)
    then = back_up(cinder, volume["id"], snapshot_id=snapshot["id"])
    assert then["data_timestamp"] == snapshot["created_at"]
    assert cinder("GET", f"/volumes/{volume['id']}").json()["volume"]["status"] == "in-use"
    assert cinder("GET", f"/snapshots/{snapshot['id']}").json()["snapshot"]["status"] == "available"
    for backup, seen in ((now, b"now!"), (then, b"then")):
        made = cinder.volume(backup_id=backup["id"], size=2)
        assert (made["status"], made["size"], content(cinder, made["id"], 4)) == ("available", 2, seen)
        cinder.settled(f"/backups/{backup['id']}")
    assert cinder.volumes.leftovers() == []
    assert {disk.partition("-")[0] for disk in cinder.backend.disks()} == {"volume", "snapshot"}


def test_what_was_bootable_is_so_again(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"boot" * 100_000)
    volume = cinder.volume(imageRef=cinder.glance.add(data).id)
    backup = back_up(cinder, volume["id"])
    data.unlink()
    cinder("POST", f"/backups/{backup['id']}/restore", json={"restore": {"volume_id": volume["id"]}})
    assert cinder.settled(f"/volumes/{volume['id']}")["status"] == "available"
    assert list((cinder.backend.root / "bases").glob("*.raw")) == []
    made = cinder.volume(backup_id=backup["id"])
    assert (made["bootable"], made["volume_image_metadata"]["os_distro"]) == ("true", "debian")
    assert content(cinder, made["id"], 400_000) == content(cinder, volume["id"], 400_000) == b"boot" * 100_000


def test_what_can_not_be(cinder: Cinder) -> None:
    volume = cinder.volume(size=2)
    backup = back_up(cinder, volume["id"])
    small = cinder.volume()
    path = f"/backups/{backup['id']}"
    refusals = {
        "is too small": {"volume_id": small["id"]},
        "could not be found": {"volume_id": "0" * 8 + "-0000-0000-0000-" + "0" * 12},
        "not a 'uuid'": {"volume_id": "x"},
    }
    for message, wish in refusals.items():
        assert message in cinder("POST", f"{path}/restore", json={"restore": wish}).text
    assert cinder("GET", path, as_="other").status_code == 404
    assert cinder("DELETE", path, as_="reader").status_code == 403
    cinder.act(small["id"], "os-reset_status", {"status": "error"}, as_="admin")
    assert cinder("POST", "/backups", json={"backup": {"volume_id": small["id"]}}).status_code == 400
    quota = {"quota_set": {"backups": 1}}
    cinder("PUT", f"/os-quota-sets/{PROJECT}", as_="admin", json=quota)
    assert "BackupLimitExceeded" in cinder("POST", "/backups", json={"backup": {"volume_id": volume["id"]}}).text
    quota = {"quota_set": {"backups": 5, "backup_gigabytes": 3}}
    cinder("PUT", f"/os-quota-sets/{PROJECT}", as_="admin", json=quota)
    assert cinder("POST", "/backups", json={"backup": {"volume_id": volume["id"]}}).status_code == 413
    absolute = cinder("GET", "/limits").json()["limits"]["absolute"]
    assert (absolute["totalBackupsUsed"], absolute["totalBackupGigabytesUsed"]) == (1, 2)


def test_a_damaged_backup_is_not_restored_over_a_volume(cinder: Cinder) -> None:
    volume = cinder.volume()
    put(cinder, volume["id"], b"first")
    backup = back_up(cinder, volume["id"])
    put(cinder, volume["id"], b"later")
    next(path for path in objects(cinder) if path.name != "manifest").write_bytes(b"damage")
    cinder("POST", f"/backups/{backup['id']}/restore", json={"restore": {"volume_id": volume["id"]}})
    found = cinder.settled(f"/volumes/{volume['id']}")
    assert (found["status"], content(cinder, volume["id"], 5)) == ("error_restoring", b"later")
    assert "is damaged" in cinder("GET", "/messages").json()["messages"][0]["user_message"]
    assert cinder.settled(f"/backups/{backup['id']}")["status"] == "available"


def test_records_bring_backups_to_another_cloud(cinder: Cinder) -> None:
    volume = cinder.volume(name="v")
    put(cinder, volume["id"], b"mine")
    backup = back_up(cinder, volume["id"])
    path = f"/backups/{backup['id']}"
    assert cinder("GET", f"{path}/export_record").status_code == 403
    record = cinder("GET", f"{path}/export_record", as_="admin").json()
    again = cinder("POST", "/backups/import_record", as_="admin", json=record)
    assert (again.status_code, "already exists" in again.text) == (400, True)
    with cinder.volumes.parts.store.write() as db:
        db.exec_driver_sql("DELETE FROM volume_backups")
    assert cinder("POST", "/backups/import_record", as_="admin", json=record).status_code == 201
    taken = cinder.settled(path, as_="admin")
    assert (taken["status"], taken["size"]) == ("available", 1)
    restored = cinder("POST", f"{path}/restore", as_="admin", json={"restore": {"volume_id": volume["id"]}})
    assert restored.status_code == 202
    assert cinder.settled(f"/volumes/{volume['id']}")["status"] == "available"
    with cinder.volumes.parts.store.write() as db:
        db.exec_driver_sql("DELETE FROM volume_backups")
    for one in objects(cinder):
        one.unlink()
    cinder("POST", "/backups/import_record", as_="admin", json=record)
    found = cinder.settled(path, as_="admin")
    assert (found["status"], "no object" in found["fail_reason"]) == ("error", True)
    for where, text in (("nowhere", "x"), (record["backup-record"]["backup_service"], "x")):
        wrong = {"backup-record": {"backup_service": where, "backup_url": text}}
        assert cinder("POST", "/backups/import_record", as_="admin", json=wrong).status_code == 400


def test_words_lists_and_statuses(cinder: Cinder) -> None:
    volume = cinder.volume()
    first, second = back_up(cinder, volume["id"], name="a"), back_up(cinder, volume["id"], name="b")
    path = f"/backups/{first['id']}"
    changed = cinder("PUT", path, json={"backup": {"name": "c", "metadata": {"x": "y"}}})
    assert changed.json()["backup"]["name"] == "c"
    assert cinder("PUT", path, json={"backup": {}}).status_code == 400
    assert cinder("PUT", path, "3.8", json={"backup": {"name": "d"}}).status_code == 404
    listed = cinder("GET", "/backups/detail?sort=name:asc&limit=1&with_count=true").json()
    assert ([one["id"] for one in listed["backups"]], listed["count"]) == ([second["id"]], 2)
    assert listed["backups_links"][0]["rel"] == "next"
    assert [one["name"] for one in cinder("GET", "/backups?name=c").json()["backups"]] == ["c"]
    assert "os-backup-project-attr:project_id" in cinder("GET", path, as_="admin").json()["backup"]
    reset = f"{path}/action"
    assert cinder("POST", reset, json={"os-reset_status": {"status": "error"}}).status_code == 403
    assert cinder("POST", reset, as_="admin", json={"os-reset_status": {"status": "deleting"}}).status_code == 400
    assert cinder("POST", reset, as_="admin", json={"os-reset_status": {"status": "error"}}).status_code == 202
    assert cinder("GET", path).json()["backup"]["status"] == "error"
    assert cinder("POST", reset, as_="admin", json={"os-force_delete": {}}).status_code == 202
    assert cinder.settled(path) == {}


@pytest.mark.parametrize("version", ["3.0", "3.42"])
def test_older_versions_know_no_metadata(cinder: Cinder, version: str) -> None:
    volume = cinder.volume()
    body = {"backup": {"volume_id": volume["id"], "metadata": {"k": "v"}}}
    assert cinder("POST", "/backups", version, json=body).status_code == 400
