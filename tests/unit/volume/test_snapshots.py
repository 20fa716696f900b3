"""Snapshots over HTTP."""

from tests.unit.volume.conftest import Cinder


def test_life_of_a_snapshot(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    snapshot = cinder.snapshot(volume, name="s", description="d", metadata={"k": "v"})
    path = f"/snapshots/{snapshot['id']}"
    assert (snapshot["size"], snapshot["volume_id"], snapshot["metadata"]) == (1, volume, {"k": "v"})
    assert cinder("GET", path, as_="other").status_code == 404
    assert cinder("PUT", path, json={"snapshot": {"name": "t"}}).json()["snapshot"]["name"] == "t"
    assert cinder("PUT", path, json={"snapshot": {}}).status_code == 400
    assert cinder("POST", f"{path}/metadata", json={"metadata": {"l": "w"}}).json()["metadata"] == {"k": "v", "l": "w"}
    assert cinder("DELETE", f"{path}/metadata/k").status_code == 200
    assert cinder("GET", f"{path}/metadata/k").status_code == 404
    assert cinder("PUT", f"{path}/metadata/l", json={"meta": {"l": "x"}}).json() == {"meta": {"l": "x"}}
    assert cinder("DELETE", path, as_="reader").status_code == 403
    assert cinder("DELETE", path).status_code == 202
    assert cinder.settled(path) == {}


def test_creation_is_checked(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    cases: tuple[tuple[dict[str, object], int], ...] = (
        ({"volume_id": None}, 404),
        ({"volume_id": "0" * 32}, 404),
        ({"volume_id": "no uuid"}, 400),
        ({}, 400),
        ({"volume_id": volume, "force": False}, 400),
        ({"volume_id": volume, "name": "n" * 256}, 400),
    )
    for body, status in cases:
        assert cinder("POST", "/snapshots", json={"snapshot": body}).status_code == status, body


def test_a_volume_in_use(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    cinder.act(volume, "os-attach", {"instance_uuid": "5e" * 16, "mountpoint": "/dev/vdb"})
    body = {"snapshot": {"volume_id": volume}}
    assert cinder("POST", "/snapshots", "3.65", json=body).status_code == 400
    forced = {"snapshot": {"volume_id": volume, "force": True}}
    assert cinder("POST", "/snapshots", "3.65", json=forced).status_code == 202
    assert cinder("POST", "/snapshots", json=body).status_code == 202


def test_lists(cinder: Cinder) -> None:
    volume = cinder.volume()["id"]
    made = [cinder.snapshot(volume, name=name) for name in ("a", "b", "c")]

    def names(query: str) -> list[str]:
        return [found["name"] for found in cinder("GET", f"/snapshots/detail?{query}").json()["snapshots"]]

    assert names("") == ["c", "b", "a"]
    assert names("sort=name:asc&limit=2") == ["a", "b"]
    assert names(f"marker={made[1]['id']}") == ["a"]
    assert names("status=available&name=b") == ["b"]
    assert names("volume_id=nowhere") == []
    assert cinder("GET", "/snapshots?marker=nowhere").status_code == 404
    assert cinder("GET", "/snapshots?sort=colour").status_code == 400


def test_statuses_declared_from_outside(cinder: Cinder) -> None:
    snapshot = cinder.snapshot(cinder.volume()["id"])["id"]
    action = f"/snapshots/{snapshot}/action"
    assert cinder("POST", action, json={"os-reset_status": {"status": "error"}}).status_code == 403
    assert cinder("POST", action, as_="admin", json={"os-reset_status": {"status": "creating"}}).status_code == 202
    progress = {"os-update_snapshot_status": {"status": "available", "progress": "80%"}}
    assert cinder("POST", action, json={"os-update_snapshot_status": {"status": "deleting"}}).status_code == 400
    assert cinder("POST", action, json=progress).status_code == 202
    found = cinder("GET", f"/snapshots/{snapshot}").json()["snapshot"]
    assert (found["status"], found["os-extended-snapshot-attributes:progress"]) == ("available", "80%")
    assert cinder("POST", action, json=progress).status_code == 400
    assert cinder("POST", action, as_="admin", json={"os-force_delete": {}}).status_code == 202
    assert cinder.settled(f"/snapshots/{snapshot}") == {}
