"""Groups: their types, what is in them, snapshots of them, clones of them."""

from typing import Any

import pytest
from tests.unit.volume.conftest import Cinder


def make_kind(cinder: Cinder, name: str = "together", **more: Any) -> str:
    answer = cinder("POST", "/group_types", as_="admin", json={"group_type": {"name": name, **more}})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["group_type"]["id"])


def default_type(cinder: Cinder) -> str:
    return str(cinder("GET", "/types/default").json()["volume_type"]["id"])


@pytest.fixture
def group(cinder: Cinder) -> str:
    """A group, empty."""
    words = {"group_type": make_kind(cinder), "volume_types": [default_type(cinder)], "name": " g "}
    answer = cinder("POST", "/groups", json={"group": words})
    assert (answer.status_code, answer.json()["group"]["name"]) == (202, "g")
    return str(answer.json()["group"]["id"])


def act(cinder: Cinder, group_id: str, action: str, body: Any, as_: str = "member") -> Any:
    return cinder("POST", f"/groups/{group_id}/action", as_=as_, json={action: body})


def test_group_types(cinder: Cinder) -> None:
    specs = {"consistent_group_snapshot_enabled": "<is> True"}
    made = make_kind(cinder, group_specs=specs, description="d")
    path = f"/group_types/{made}"
    assert cinder("POST", "/group_types", json={"group_type": {"name": "x"}}).status_code == 403
    assert cinder("POST", "/group_types", as_="admin", json={"group_type": {"name": "together"}}).status_code == 409
    assert cinder("GET", path, as_="admin").json()["group_type"]["group_specs"] == specs
    assert "group_specs" not in cinder("GET", path).json()["group_type"]
    assert [kind["name"] for kind in cinder("GET", "/group_types").json()["group_types"]] == [
        "together",
        "default_cgsnapshot_type",
    ]
    assert cinder("GET", "/group_types/default").status_code == 404
    assert cinder("GET", "/group_types", version="3.10").status_code == 404
    assert cinder("PUT", path, as_="admin", json={"group_type": {"name": " "}}).status_code == 400
    assert cinder("PUT", path, as_="admin", json={"group_type": {}}).status_code == 400
    changed = cinder("PUT", path, as_="admin", json={"group_type": {"name": "apart", "is_public": False}})
    assert changed.json()["group_type"] | {"description": "d"} == changed.json()["group_type"]
    assert cinder("GET", path).status_code == 404
    assert [kind["name"] for kind in cinder("GET", "/group_types?is_public=False", as_="admin").json()["group_types"]]
    more = f"{path}/group_specs"
    assert cinder("POST", more, as_="admin", json={"group_specs": {"a": "1"}}).json() == {"group_specs": {"a": "1"}}
    assert cinder("PUT", f"{more}/a", as_="admin", json={"b": "1"}).status_code == 400
    assert cinder("PUT", f"{more}/a", as_="admin", json={"a": "2"}).json() == {"a": "2"}
    assert cinder("GET", more, as_="admin").json() == {"group_specs": {**specs, "a": "2"}}
    assert cinder("DELETE", f"{more}/a", as_="admin").status_code == 202
    assert cinder("GET", f"{more}/a", as_="admin").status_code == 404
    assert cinder("DELETE", path, as_="admin").status_code == 202
    assert cinder("GET", path, as_="admin").status_code == 404


def test_what_is_in_a_group(cinder: Cinder, group: str) -> None:
    path = f"/groups/{group}"
    first, second = cinder.volume(), cinder.volume(group_id=group)
    assert second["group_id"] == group
    shown = cinder("GET", f"{path}?list_volume=true").json()["group"]
    assert (shown["status"], shown["volumes"]) == ("available", [second["id"]])
    wish = {"add_volumes": first["id"], "remove_volumes": second["id"], "description": "new"}
    assert cinder("PUT", path, json={"group": wish}).status_code == 202
    (listed,) = cinder("GET", "/groups/detail?list_volume=true").json()["groups"]
    assert (listed["volumes"], listed["description"]) == ([first["id"]], "new")
    assert cinder("GET", "/groups?name=g").json()["groups"] == [{"id": group, "name": "g"}]
    assert [one["id"] for one in cinder("GET", f"/volumes?group_id={group}").json()["volumes"]] == [first["id"]]
    assert cinder("PUT", path, json={"group": {}}).status_code == 400
    refusals = {
        "already in group": {"add_volumes": first["id"]},
        "it is not in the group": {"remove_volumes": second["id"]},
        "in both": {"add_volumes": second["id"], "remove_volumes": second["id"]},
        "could not be found": {"add_volumes": "no-such-volume"},
    }
    for message, wish in refusals.items():
        answer = cinder("PUT", path, json={"group": wish})
        assert (answer.status_code, message in answer.text) == (400, True), answer.text
    assert "belong to a group" in cinder("DELETE", f"/volumes/{first['id']}").text
    assert cinder("GET", path, as_="other").status_code == 404


def test_types_and_numbers_limit_groups(cinder: Cinder, group: str) -> None:
    cinder("POST", "/types", as_="admin", json={"volume_type": {"name": "strange"}})
    strange = cinder.volume(volume_type="strange")
    answer = cinder("PUT", f"/groups/{group}", json={"group": {"add_volumes": strange["id"]}})
    assert "is not supported by the group" in answer.text
    body = {"volume": {"size": 1, "group_id": group, "volume_type": "strange"}}
    assert cinder("POST", "/volumes", json=body).status_code == 400
    words = {"group_type": "together", "volume_types": ["nonesuch"]}
    assert cinder("POST", "/groups", json={"group": words}).status_code == 404
    reserved = {"group_type": "default_cgsnapshot_type", "volume_types": ["__DEFAULT__"]}
    assert cinder("POST", "/groups", json={"group": reserved}).status_code == 400
    project = "1" * 32
    cinder("PUT", f"/os-quota-sets/{project}", as_="admin", json={"quota_set": {"groups": 1}})
    words["volume_types"] = ["__DEFAULT__"]
    assert cinder("POST", "/groups", json={"group": words}).status_code == 413


def test_a_group_is_snapshotted_cloned_and_deleted(cinder: Cinder, group: str) -> None:
    assert cinder("POST", "/group_snapshots", json={"group_snapshot": {"group_id": group}}).status_code == 400
    members = {cinder.volume(group_id=group)["id"] for _two in range(2)}
    made = cinder("POST", "/group_snapshots", json={"group_snapshot": {"group_id": group, "name": "s"}})
    assert made.status_code == 202, made.text
    path = f"/group_snapshots/{made.json()['group_snapshot']['id']}"
    assert cinder.settled(path)["status"] == "available"
    taken = [one for one in cinder("GET", "/snapshots/detail").json()["snapshots"] if one["group_snapshot_id"]]
    assert {one["volume_id"] for one in taken} == members
    assert {one["status"] for one in taken} == {"available"}
    assert cinder("DELETE", f"/snapshots/{taken[0]['id']}").status_code == 400
    (listed,) = cinder("GET", "/group_snapshots/detail").json()["group_snapshots"]
    assert listed["group_id"] == group
    copies = []
    for source in ({"source_group_id": group}, {"group_snapshot_id": path.rpartition("/")[2]}):
        answer = cinder("POST", "/groups/action", json={"create-from-src": {"name": "copy", **source}})
        assert answer.status_code == 202, answer.text
        copies.append(answer.json()["group"]["id"])
        copy = cinder.settled(f"/groups/{copies[-1]}")
        assert (copy["status"], source.items() <= copy.items()) == ("available", True)
        assert len(cinder("GET", f"/volumes?group_id={copies[-1]}").json()["volumes"]) == 2
    both = {"source_group_id": group, "group_snapshot_id": path.rpartition("/")[2]}
    assert cinder("POST", "/groups/action", json={"create-from-src": both}).status_code == 400
    assert "dependent group snapshots" in act(cinder, group, "delete", {"delete-volumes": True}).text
    assert cinder("DELETE", path).status_code == 202
    assert cinder.settled(path) == {}
    assert "still contains volumes" in act(cinder, group, "delete", {}).text
    for one in (group, *copies):
        assert act(cinder, one, "delete", {"delete-volumes": True}).status_code == 202
        assert cinder.settled(f"/groups/{one}") == {}
    assert cinder("GET", "/volumes").json()["volumes"] == []
    assert cinder("GET", "/snapshots").json()["snapshots"] == []
    assert cinder.volumes.leftovers() == []


def test_one_moment_for_all_is_promised_only_where_it_can_be_kept(cinder: Cinder) -> None:
    kind = make_kind(cinder, "consistent", group_specs={"consistent_group_snapshot_enabled": "<is> True"})
    words = {"group_type": kind, "volume_types": [default_type(cinder)]}
    group = cinder("POST", "/groups", json={"group": words}).json()["group"]["id"]
    for _two in range(2):
        volume = cinder.volume(group_id=group)
        attach = {"instance_uuid": "c" * 8 + "-cccc-cccc-cccc-" + "c" * 12, "mountpoint": "/dev/vdb"}
        assert cinder.act(volume["id"], "os-attach", attach).status_code == 202
    answer = cinder("POST", "/group_snapshots", json={"group_snapshot": {"group_id": group}})
    assert (answer.status_code, "several of its volumes are in use" in answer.text) == (400, True)


def test_administrators_declare_statuses(cinder: Cinder, group: str) -> None:
    assert act(cinder, group, "reset_status", {"status": "error"}).status_code == 403
    assert act(cinder, group, "reset_status", {"status": "strange"}, "admin").status_code == 400
    assert act(cinder, group, "reset_status", {"status": "error"}, "admin").status_code == 202
    assert cinder("GET", f"/groups/{group}").json()["group"]["status"] == "error"
    assert cinder("PUT", f"/groups/{group}", json={"group": {"name": "n"}}).status_code == 400
    assert act(cinder, group, "enable_replication", {}).status_code == 400
    assert act(cinder, group, "failover_replication", {"secondary_backend_id": "x"}).status_code == 400
    assert act(cinder, group, "delete", {}).status_code == 202
    assert cinder.settled(f"/groups/{group}") == {}


def test_services_that_died_are_cleaned_up_after(cinder: Cinder) -> None:
    volume = cinder.volume()
    snapshot = cinder.snapshot(volume["id"])
    cinder.act(volume["id"], "os-reset_status", {"status": "uploading"}, as_="admin")
    cinder("POST", f"/snapshots/{snapshot['id']}/action", as_="admin", json={"os-reset_status": {"status": "deleting"}})
    assert cinder("POST", "/workers/cleanup", json={}).status_code == 403
    assert cinder("POST", "/workers/cleanup", as_="admin", json={}).json() == {"cleaning": [], "unavailable": []}
    wish = {"is_up": True, "binary": "cinder-volume"}
    answer = cinder("POST", "/workers/cleanup", as_="admin", json=wish)
    assert answer.status_code == 202
    assert [one["host"] for one in answer.json()["cleaning"]] == ["nephele@file"]
    assert cinder("GET", f"/volumes/{volume['id']}").json()["volume"]["status"] == "error"
    assert cinder("GET", f"/snapshots/{snapshot['id']}").json()["snapshot"]["status"] == "error_deleting"
    assert cinder.volumes.leftovers() == []
    assert len(cinder("GET", "/messages").json()["messages"]) == 2
    bad = {"resource_type": "Backup"}
    assert cinder("POST", "/workers/cleanup", as_="admin", json=bad).status_code == 400


def test_consistency_groups_are_groups_in_older_words(cinder: Cinder, group: str) -> None:
    body = {"consistencygroup": {"name": "old", "volume_types": "__DEFAULT__"}}
    made = cinder("POST", "/consistencygroups", "3.0", json=body)
    assert made.status_code == 202, made.text
    mine = made.json()["consistencygroup"]["id"]
    path = f"/consistencygroups/{mine}"
    assert cinder("GET", path, "3.0").json()["consistencygroup"]["status"] == "available"
    assert [one["id"] for one in cinder("GET", "/consistencygroups").json()["consistencygroups"]] == [mine]
    assert cinder("GET", f"/consistencygroups/{group}").status_code == 404
    assert cinder("GET", f"/groups/{mine}").status_code == 400
    assert cinder("GET", "/groups").json()["groups"] == [{"id": group, "name": "g"}]
    volume = cinder.volume(consistencygroup_id=mine)
    assert (volume["consistencygroup_id"], volume["group_id"]) == (mine, mine)
    change = {"consistencygroup": {"remove_volumes": volume["id"]}}
    assert cinder("PUT", f"{path}/update", json=change).status_code == 202
    assert cinder("PUT", f"{path}/update", json={"consistencygroup": {}}).status_code == 400
    change = {"consistencygroup": {"add_volumes": volume["id"], "description": "d"}}
    assert cinder("PUT", f"{path}/update", json=change).status_code == 202
    taken = cinder("POST", "/cgsnapshots", json={"cgsnapshot": {"consistencygroup_id": mine, "name": "s"}})
    snapshot = f"/cgsnapshots/{taken.json()['cgsnapshot']['id']}"
    assert cinder.settled(snapshot)["consistencygroup_id"] == mine
    assert [one["name"] for one in cinder("GET", "/cgsnapshots/detail").json()["cgsnapshots"]] == ["s"]
    assert cinder("GET", "/group_snapshots").json()["group_snapshots"] == []
    copies = []
    for source in ({"source_cgid": mine}, {"cgsnapshot_id": snapshot.rpartition("/")[2]}):
        answer = cinder("POST", "/consistencygroups/create_from_src", json={"consistencygroup-from-src": source})
        copies.append(f"/consistencygroups/{answer.json()['consistencygroup']['id']}")
        assert cinder.settled(copies[-1])["status"] == "available"
    assert (
        cinder("POST", "/consistencygroups/create_from_src", json={"consistencygroup-from-src": {}}).status_code == 400
    )
    assert cinder("DELETE", snapshot).status_code == 202
    assert cinder.settled(snapshot) == {}
    assert cinder("POST", f"{path}/delete", json={"consistencygroup": {}}).status_code == 400
    for one in (path, *copies):
        assert cinder("POST", f"{one}/delete", json={"consistencygroup": {"force": True}}).status_code == 202
        assert cinder.settled(one) == {}
