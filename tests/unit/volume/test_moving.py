"""Volumes move between backends, by themselves or for their new type; clusters of services."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.volume.conftest import Cinder

OTHER = "nephele@other#other"


def put(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)


def make_type(cinder: Cinder, name: str, **specs: str) -> str:
    answer = cinder("POST", "/types", as_="admin", json={"volume_type": {"name": name, "extra_specs": specs}})
    return str(answer.json()["volume_type"]["id"])


def migrate(cinder: Cinder, volume_id: str, host: str = OTHER, **more: Any) -> Any:
    return cinder.act(volume_id, "os-migrate_volume", {"host": host, **more}, as_="admin")


def test_pools_are_listed_and_chosen_by_type(two: Cinder) -> None:
    make_type(two, "elsewhere", volume_backend_name="other")
    names = [pool["name"] for pool in two("GET", "/scheduler-stats/get_pools", as_="admin").json()["pools"]]
    assert names == ["nephele@file#file", OTHER]
    fitting = two("GET", "/scheduler-stats/get_pools?volume_type=elsewhere", as_="admin").json()["pools"]
    assert [pool["name"] for pool in fitting] == [OTHER]
    volume = two.volume(volume_type="elsewhere")
    assert two("GET", f"/volumes/{volume['id']}", as_="admin").json()["volume"]["os-vol-host-attr:host"] == OTHER
    clone = two.volume(source_volid=volume["id"])
    found = two("GET", f"/volumes/{clone['id']}", as_="admin").json()["volume"]
    assert (found["os-vol-host-attr:host"], found["cluster_name"]) == (OTHER, "both")
    two("DELETE", f"/volumes/{volume['id']}")
    two("DELETE", f"/volumes/{clone['id']}")
    assert two.settled(f"/volumes/{volume['id']}") == two.settled(f"/volumes/{clone['id']}") == {}
    assert two.volumes.leftovers() == []


@pytest.mark.parametrize("imaged", [False, True])
def test_a_migration_takes_the_data_along(two: Cinder, tmp_path: Path, imaged: bool) -> None:
    data = tmp_path / "image"
    data.write_bytes(b"boot" * 100_000)
    words = {"imageRef": two.glance.add(data).id} if imaged else {}
    volume = two.volume(**words)
    if not imaged:
        put(two.backend.root / f"volume-{volume['id']}", b"mine")
    assert migrate(two, volume["id"], lock_volume=True).status_code == 202
    found = two.settled(f"/volumes/{volume['id']}", as_="admin")
    assert (found["status"], found["migration_status"], found["os-vol-host-attr:host"]) == (
        "available",
        "success",
        OTHER,
    )
    (disk,) = (two.volumes.parts.backends[1].root).glob("volume-*")  # type: ignore[attr-defined]
    with disk.open("rb") as file:
        assert file.read(4) == (b"boot" if imaged else b"mine")
    assert disk.stat().st_blocks * 512 < 1 << 20
    assert two.backend.disks() == set()
    assert two.volumes.leftovers() == []
    snapshot = two.snapshot(volume["id"])
    assert snapshot["status"] == "available"
    refused = migrate(two, volume["id"], "nephele@file#file")
    assert refused.status_code == 400
    assert "snapshots" in refused.text


@pytest.mark.parametrize(
    ("host", "message"), [("nowhere@file#file", "No available service"), ("nephele@file#file", "must be different")]
)
def test_migrations_that_can_not_be(two: Cinder, host: str, message: str) -> None:
    volume = two.volume()
    refused = migrate(two, volume["id"], host)
    assert refused.status_code == 400
    assert message in refused.text
    assert two.act(volume["id"], "os-migrate_volume", {"host": OTHER}).status_code == 403


def test_a_volume_on_its_way_is_left_alone(two: Cinder) -> None:
    volume = two.volume()
    two.act(volume["id"], "os-reset_status", {"migration_status": "migrating"}, as_="admin")
    path = f"/volumes/{volume['id']}"
    assert two("DELETE", path).status_code == 400
    assert two.act(volume["id"], "os-extend", {"new_size": 2}).status_code == 400
    assert two("POST", "/attachments", json={"attachment": {"volume_uuid": volume["id"]}}).status_code == 400
    end = {"new_volume": volume["id"]}
    assert "not mid-migration" in two.act(volume["id"], "os-migrate_volume_completion", end, as_="admin").text
    two.act(volume["id"], "os-reset_status", {"migration_status": "none"}, as_="admin")
    assert two("DELETE", path).status_code == 202


def test_a_retype_moves_where_it_has_to_and_may(two: Cinder) -> None:
    make_type(two, "elsewhere", volume_backend_name="other")
    make_type(two, "nowhere", volume_backend_name="nowhere")
    volume = two.volume()
    put(two.backend.root / f"volume-{volume['id']}", b"mine")
    for wish in ({"new_type": "elsewhere"}, {"new_type": "nowhere", "migration_policy": "on-demand"}):
        assert two.act(volume["id"], "os-retype", wish).status_code == 400
    wish = {"new_type": "elsewhere", "migration_policy": "on-demand"}
    assert two.act(volume["id"], "os-retype", wish).status_code == 202
    found = two.settled(f"/volumes/{volume['id']}", as_="admin")
    assert (found["status"], found["volume_type"], found["migration_status"]) == ("available", "elsewhere", "success")
    assert found["os-vol-host-attr:host"] == OTHER
    (disk,) = (two.volumes.parts.backends[1].root).glob("volume-*")  # type: ignore[attr-defined]
    with disk.open("rb") as file:
        assert file.read(4) == b"mine"


def test_clusters(two: Cinder) -> None:
    assert two("GET", "/clusters", as_="admin").json()["clusters"] == [
        {"name": "both", "binary": "cinder-volume", "state": "up", "status": "enabled"}
    ]
    shown = two("GET", "/clusters/both", as_="admin").json()["cluster"]
    assert (shown["num_hosts"], shown["num_down_hosts"]) == (2, 0)
    (detail,) = two("GET", "/clusters/detail?num_hosts=2", as_="admin").json()["clusters"]
    assert {**detail, "last_heartbeat": ""} == {**shown, "last_heartbeat": ""}
    assert two("GET", "/clusters/detail?is_up=false", as_="admin").json()["clusters"] == []
    assert two("GET", "/clusters/none", as_="admin").status_code == 404
    assert two("GET", "/clusters").status_code == 403
    volume = two.volume()
    answer = two.act(volume["id"], "os-migrate_volume", {"cluster": "none"}, as_="admin")
    assert answer.status_code == 404
    off = two("PUT", "/clusters/disable", as_="admin", json={"name": "both", "disabled_reason": "repair"})
    assert (off.status_code, off.json()["cluster"]["disabled_reason"]) == (200, "repair")
    assert two.volume()["status"] == "error"
    assert two("PUT", "/clusters/enable", as_="admin", json={"name": "both"}).status_code == 200
    assert two.volume()["status"] == "available"
    services = two("GET", "/os-services?binary=cinder-volume", as_="admin").json()["services"]
    assert {service["cluster"] for service in services} == {"both"}
