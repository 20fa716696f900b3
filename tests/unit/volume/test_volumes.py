"""Volumes over HTTP: made of everything, listed, changed, deleted."""

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PROJECT
from tests.unit.volume.conftest import Cinder

from nephele.kernel.context import Context
from nephele.volume import rows

GB = 1 << 30


def test_versions_need_no_token(cinder: Cinder) -> None:
    root = cinder.http("GET", "/volume/", as_="")
    assert root.status_code == 300
    assert root.json()["versions"][0]["version"] == "3.71"
    assert cinder.http("GET", "/volume/v3/", as_="").status_code == 200


def test_an_empty_volume_becomes_available(cinder: Cinder) -> None:
    made = cinder("POST", "/volumes", json={"volume": {"size": 2, "name": " a ", "metadata": {"k": "v"}}})
    assert made.status_code == 202
    assert made.json()["volume"]["status"] == "creating"
    volume = cinder.settled(f"/volumes/{made.json()['volume']['id']}")
    assert (volume["status"], volume["size"], volume["name"]) == ("available", 2, "a")
    assert (volume["volume_type"], volume["bootable"], volume["encrypted"]) == ("__DEFAULT__", "false", False)
    assert volume["metadata"] == {"k": "v"}
    assert volume["os-vol-tenant-attr:tenant_id"] == PROJECT
    assert "os-vol-host-attr:host" not in volume
    disk = cinder.backend.root / f"volume-{volume['id']}"
    assert disk.stat().st_size == 2 * GB
    assert disk.stat().st_blocks == 0


def test_a_volume_from_an_image_outlives_it_and_costs_no_copy(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"boot" * 100_000)
    image = cinder.glance.add(data)
    volume = cinder.volume(imageRef=image.id)
    assert (volume["status"], volume["bootable"]) == ("available", "true")
    assert volume["volume_image_metadata"]["image_id"] == image.id
    assert volume["volume_image_metadata"]["os_distro"] == "debian"
    data.unlink()
    assert (cinder.backend.root / f"volume-{volume['id']}").stat().st_size < 1 << 20
    assert cinder.act(volume["id"], "os-volume_upload_image", {"image_name": "back"}).status_code == 202
    cinder.settled(f"/volumes/{volume['id']}")
    ((content, size),) = cinder.glance.uploaded.values()
    assert size == GB
    assert content[:400_000] == b"boot" * 100_000
    assert not any(content[400_000:500_000])
    cinder("DELETE", f"/volumes/{volume['id']}")
    assert cinder.settled(f"/volumes/{volume['id']}") == {}
    assert list((cinder.backend.root / "bases").glob("*.raw")) == []


def test_clones_and_snapshots_have_their_own_content(cinder: Cinder) -> None:
    first = cinder.volume()
    disk = cinder.backend.root / f"volume-{first['id']}"
    with disk.open("r+b") as file:
        file.write(b"first")
    snapshot = cinder.snapshot(first["id"], name="then")
    assert (snapshot["status"], snapshot["os-extended-snapshot-attributes:progress"]) == ("available", "100%")
    with disk.open("r+b") as file:
        file.write(b"later")
    clone = cinder.volume(source_volid=first["id"])
    older = cinder.volume(snapshot_id=snapshot["id"], size=2)
    assert _start(cinder.backend.root / f"volume-{clone['id']}") == b"later"
    old_disk = cinder.backend.root / f"volume-{older['id']}"
    assert (_start(old_disk), old_disk.stat().st_size) == (b"first", 2 * GB)
    assert cinder.act(first["id"], "revert", {"snapshot_id": snapshot["id"]}).status_code == 202
    assert cinder.settled(f"/volumes/{first['id']}")["status"] == "available"
    assert _start(disk) == b"first"


def _start(disk: Path) -> bytes:
    with disk.open("rb") as file:
        return file.read(5)


def test_a_volume_with_snapshots_goes_only_with_them(cinder: Cinder) -> None:
    volume = cinder.volume()
    snapshot = cinder.snapshot(volume["id"])
    assert cinder("DELETE", f"/volumes/{volume['id']}").status_code == 400
    assert cinder("DELETE", f"/volumes/{volume['id']}?cascade=true").status_code == 202
    assert cinder.settled(f"/volumes/{volume['id']}") == {}
    assert cinder.settled(f"/snapshots/{snapshot['id']}") == {}
    assert cinder.backend.disks() == set()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"size": 0}, 400),
        ({"size": -1}, 400),
        ({"size": "#$%"}, 400),
        ({"size": 1.5}, 400),
        ({}, 400),
        ({"size": 1, "name": "n" * 256}, 400),
        ({"size": 1, "metadata": {"": "v"}}, 400),
        ({"size": 1, "metadata": {"k": "v" * 256}}, 400),
        ({"size": 1, "colour": "red"}, 400),
        ({"size": 1, "volume_type": "nowhere"}, 404),
        ({"size": 1, "snapshot_id": "0" * 32}, 404),
        ({"size": 1, "source_volid": "0" * 32}, 404),
        ({"size": 1, "snapshot_id": "no uuid"}, 400),
        ({"size": 1, "imageRef": "0" * 32}, 400),
        ({"size": 1, "availability_zone": "elsewhere"}, 400),
        ({"size": 1, "multiattach": True}, 400),
        ({"size": 1001}, 413),
    ],
)
def test_bad_requests_change_nothing(cinder: Cinder, body: dict[str, Any], status: int) -> None:
    answer = cinder("POST", "/volumes", json={"volume": body})
    assert answer.status_code == status, answer.text
    assert cinder("GET", "/volumes").json() == {"volumes": []}


def test_old_microversions_overlook_unknown_fields(cinder: Cinder) -> None:
    body = {"volume": {"size": "1", "status": "creating", "user_id": None}}
    assert cinder("POST", "/volumes", "3.52", json=body).status_code == 202


def test_images_that_do_not_fit(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"x")
    cases = ({"min_disk": 2}, {"virtual_size": 2 * GB}, {"status": "queued"}, {"container_format": "ova"})
    for words in cases:
        image = cinder.glance.add(data, **words)
        answer = cinder("POST", "/volumes", json={"volume": {"size": 1, "imageRef": image.id}})
        assert answer.status_code == 400, words


def test_what_failed_says_why(cinder: Cinder, tmp_path: Path) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"x")
    image = cinder.glance.add(data)
    data.unlink()
    volume = cinder.volume(imageRef=image.id)
    assert volume["status"] == "error"
    (message,) = cinder("GET", f"/messages?resource_uuid={volume['id']}").json()["messages"]
    assert "missing" in message["user_message"]
    assert cinder("DELETE", f"/messages/{message['id']}").status_code == 204
    assert cinder("GET", f"/messages/{message['id']}").status_code == 404
    assert cinder.backend.disks() == set()


def test_other_projects_see_nothing(cinder: Cinder) -> None:
    volume = cinder.volume()
    path = f"/volumes/{volume['id']}"
    assert cinder("GET", path, as_="other").status_code == 404
    assert cinder("DELETE", path, as_="other").status_code == 404
    assert cinder("GET", "/volumes?all_tenants=1", as_="other", version="3.0").json() == {"volumes": []}
    assert cinder("DELETE", path, as_="reader").status_code == 403
    assert cinder("POST", "/volumes", as_="reader", json={"volume": {"size": 1}}).status_code == 403
    everything = cinder("GET", "/volumes/detail?all_tenants=1", as_="admin").json()["volumes"]
    assert [found["id"] for found in everything] == [volume["id"]]
    assert everything[0]["os-vol-host-attr:host"] == "nephele@file#file"


def test_lists_filter_sort_and_page(cinder: Cinder) -> None:
    made = [cinder.volume(name=name, metadata={"n": name}) for name in ("a", "b", "c")]

    def names(query: str, version: str = "3.71") -> list[str]:
        return [found["name"] for found in cinder("GET", f"/volumes?{query}", version).json()["volumes"]]

    assert names("") == ["c", "b", "a"]
    assert names("sort=name:asc") == ["a", "b", "c"]
    assert names("sort_key=name&sort_dir=desc") == ["c", "b", "a"]
    assert names("name=b") == ["b"]
    assert names("metadata={'n': 'c'}") == ["c"]
    assert names('metadata={"n": "x"}') == []
    assert names("status=in-use") == []
    assert names("bootable=false") == ["c", "b", "a"]
    assert names("colour=red", "3.30") == ["c", "b", "a"]
    assert names(f"marker={made[2]['id']}&limit=1") == ["b"]
    assert names("offset=1&limit=1") == ["b"]
    assert names("limit=0") == []
    assert names("created_at=gt:2001-01-01T00:00:00") == ["c", "b", "a"]
    assert names("name~=b", "3.34") == ["b"]
    page = cinder("GET", "/volumes?limit=2&with_count=true").json()
    assert page["count"] == 3
    assert f"marker={made[1]['id']}" in page["volumes_links"][0]["href"]
    for query in ("colour=red", "sort=colour", "limit=-1", "limit=x", "bootable=maybe", "created_at=soon"):
        assert cinder("GET", f"/volumes?{query}").status_code == 400, query
    assert cinder("GET", "/volumes?marker=nowhere").status_code == 404
    summary = cinder("GET", "/volumes/summary").json()["volume-summary"]
    assert summary == {"total_count": 3, "total_size": 3, "metadata": {"n": ["a", "b", "c"]}}


def test_metadata(cinder: Cinder) -> None:
    path = f"/volumes/{cinder.volume(metadata={'a': '1'})['id']}/metadata"
    assert cinder("POST", path, json={"metadata": {"b": "2"}}).json() == {"metadata": {"a": "1", "b": "2"}}
    assert cinder("PUT", f"{path}/b", json={"meta": {"b": "3"}}).json() == {"meta": {"b": "3"}}
    assert cinder("PUT", f"{path}/b", json={"meta": {"c": "3"}}).status_code == 400
    assert cinder("GET", f"{path}/b").json() == {"meta": {"b": "3"}}
    assert cinder("DELETE", f"{path}/a").status_code == 200
    assert cinder("DELETE", f"{path}/a").status_code == 404
    etag = cinder("GET", path).headers["Etag"]
    assert cinder("PUT", path, json={"metadata": {}}, headers={"If-Match": "another"}).status_code == 412
    assert cinder("PUT", path, json={"metadata": {}}, headers={"If-Match": etag}).json() == {"metadata": {}}


def test_update(cinder: Cinder) -> None:
    path = f"/volumes/{cinder.volume(name='a')['id']}"
    assert cinder("PUT", path, json={"volume": {"description": "d"}}).json()["volume"]["name"] == "a"
    assert cinder("PUT", path, json={"volume": {"name": "b", "metadata": {"k": "v"}}}).json()["volume"]["name"] == "b"
    assert cinder("PUT", path, json={"volume": {}}).status_code == 400
    assert cinder("PUT", path, "3.0", json={"volume": {}}).status_code == 200
    assert cinder("PUT", path, json={"volume": {"size": 3}}).status_code == 400


def test_known_paths_answer_404_to_other_methods(cinder: Cinder) -> None:
    assert cinder("DELETE", "/volumes/").status_code == 404
    assert cinder("GET", "/volumes/").status_code == 404
    assert cinder("POST", "/snapshots/detail").status_code == 404


@pytest.mark.parametrize("status", ["creating", "error", "uploading", "error_deleting", "maintenance"])
def test_what_was_made_is_discarded_in_any_status(cinder: Cinder, member: Context, status: str) -> None:
    volume = cinder.volume()
    cinder.snapshot(volume["id"])
    with cinder.volumes.parts.store.write() as db:
        rows.move(db, volume["id"], None, status=status)
    cinder.volumes.discard(member, volume["id"])
    assert cinder.settled(f"/volumes/{volume['id']}") == {}
    assert cinder.backend.disks() == set()
    cinder.volumes.discard(member, volume["id"])
