"""What administrators offer and limit: types, QoS, quotas, services, pools; and transfers between projects."""

from concurrent.futures import ThreadPoolExecutor

from tests.conftest import CALLERS, OTHER_PROJECT, PROJECT
from tests.unit.volume.conftest import Cinder

from nephele.kernel.errors import Refused
from nephele.volume.accept import NewVolume


def test_types(cinder: Cinder) -> None:
    body = {"volume_type": {"name": "fast", "description": "d", "extra_specs": {"a": "b"}}}
    assert cinder("POST", "/types", json=body).status_code == 403
    made = cinder("POST", "/types", as_="admin", json=body).json()["volume_type"]
    path = f"/types/{made['id']}"
    assert (made["extra_specs"], made["is_public"], "qos_specs_id" in made) == ({"a": "b"}, True, False)
    assert cinder("GET", path, as_="admin").json()["volume_type"]["qos_specs_id"] is None
    assert cinder("POST", "/types", as_="admin", json=body).status_code == 409
    assert cinder("GET", path).json()["volume_type"]["extra_specs"] == {}
    assert [kind["name"] for kind in cinder("GET", "/types").json()["volume_types"]] == ["fast", "__DEFAULT__"]
    assert cinder("PUT", path, as_="admin", json={"volume_type": {"name": " "}}).status_code == 400
    assert cinder("PUT", path, as_="admin", json={"volume_type": {}}).status_code == 400
    changed = cinder("PUT", path, as_="admin", json={"volume_type": {"name": "slow"}}).json()["volume_type"]
    assert (changed["name"], changed["description"]) == ("slow", "d")
    volume = cinder.volume(volume_type="slow")
    assert cinder("DELETE", path, as_="admin").status_code == 400
    assert cinder("POST", f"{path}/extra_specs", as_="admin", json={"extra_specs": {"c": "d"}}).status_code == 400
    cinder("DELETE", f"/volumes/{volume['id']}")
    cinder.settled(f"/volumes/{volume['id']}")
    assert cinder("DELETE", path, as_="admin").status_code == 202
    assert cinder("GET", path, as_="admin").status_code == 404
    default = cinder("GET", "/types/default").json()["volume_type"]
    assert cinder("DELETE", f"/types/{default['id']}", as_="admin").status_code == 400


def test_extra_specs(cinder: Cinder) -> None:
    made = cinder("POST", "/types", as_="admin", json={"volume_type": {"name": "t"}}).json()["volume_type"]
    path = f"/types/{made['id']}/extra_specs"
    assert cinder("POST", path, as_="admin", json={"extra_specs": {"a": "1"}}).json() == {"extra_specs": {"a": "1"}}
    assert cinder("PUT", f"{path}/a", as_="admin", json={"a": "2"}).json() == {"a": "2"}
    for body in ({"b": "2"}, {"a": "2", "b": "2"}, None):
        assert cinder("PUT", f"{path}/a", as_="admin", json=body).status_code == 400
    assert cinder("GET", f"{path}/a", as_="admin").json() == {"a": "2"}
    assert cinder("GET", f"{path}/a").status_code == 404
    assert cinder("DELETE", f"{path}/a", as_="admin").status_code == 202
    assert cinder("DELETE", f"{path}/a", as_="admin").status_code == 404
    assert cinder("POST", path, as_="admin", json={"extra_specs": None}).status_code == 400


def test_private_types_and_their_access(cinder: Cinder) -> None:
    body = {"volume_type": {"name": "secret", "os-volume-type-access:is_public": False}}
    made = cinder("POST", "/types", as_="admin", json=body).json()["volume_type"]
    path = f"/types/{made['id']}"
    assert cinder("GET", path).status_code == 404
    assert cinder("POST", "/volumes", json={"volume": {"size": 1, "volume_type": "secret"}}).status_code == 404
    grant = {"addProjectAccess": {"project": PROJECT}}
    assert cinder("POST", f"{path}/action", as_="admin", json=grant).status_code == 202
    assert cinder("POST", f"{path}/action", as_="admin", json=grant).status_code == 409
    assert cinder("GET", path).status_code == 200
    access = cinder("GET", f"{path}/os-volume-type-access", as_="admin").json()["volume_type_access"]
    assert access == [{"volume_type_id": made["id"], "project_id": PROJECT}]
    withdraw = {"removeProjectAccess": {"project": PROJECT}}
    assert cinder("POST", f"{path}/action", as_="admin", json=withdraw).status_code == 202
    assert cinder("POST", f"{path}/action", as_="admin", json=withdraw).status_code == 404
    names = [kind["name"] for kind in cinder("GET", "/types?is_public=None", as_="admin").json()["volume_types"]]
    assert names == ["secret", "__DEFAULT__"]


def test_a_projects_own_default_type(cinder: Cinder) -> None:
    made = cinder("POST", "/types", as_="admin", json={"volume_type": {"name": "ours"}}).json()["volume_type"]
    path = f"/default-types/{PROJECT}"
    assert cinder("GET", path, as_="admin").status_code == 404
    body = {"default_type": {"volume_type": "ours"}}
    assert cinder("PUT", path, as_="admin", json=body).json()["default_type"]["volume_type_id"] == made["id"]
    assert cinder.volume()["volume_type"] == "ours"
    assert cinder("DELETE", path, as_="admin").status_code == 204
    assert cinder.volume()["volume_type"] == "__DEFAULT__"


def test_a_type_that_no_backend_fits(cinder: Cinder) -> None:
    body = {"volume_type": {"name": "ssd", "extra_specs": {"volume_backend_name": "ceph"}}}
    cinder("POST", "/types", as_="admin", json=body)
    volume = cinder.volume(volume_type="ssd")
    assert volume["status"] == "error"
    (message,) = cinder("GET", "/messages").json()["messages"]
    assert "volume_backend_name ceph" in message["user_message"]
    assert message["event_id"] == "VOLUME_VOLUME_001_001"


def test_qos(cinder: Cinder) -> None:
    body = {"qos_specs": {"name": "q", "consumer": "front-end", "total_iops_sec": "100"}}
    made = cinder("POST", "/qos-specs", as_="admin", json=body).json()["qos_specs"]
    path = f"/qos-specs/{made['id']}"
    assert (made["consumer"], made["specs"]) == ("front-end", {"total_iops_sec": "100"})
    assert cinder("POST", "/qos-specs", as_="admin", json=body).status_code == 409
    assert cinder("PUT", path, as_="admin", json={"qos_specs": {"a": "b"}}).json() == {"qos_specs": {"a": "b"}}
    assert cinder("PUT", f"{path}/delete_keys", as_="admin", json={"keys": ["a"]}).status_code == 202
    assert cinder("PUT", f"{path}/delete_keys", as_="admin", json={"keys": ["a"]}).status_code == 404
    kind = cinder("GET", "/types/default").json()["volume_type"]["id"]
    assert cinder("GET", f"{path}/associate?vol_type_id={kind}", as_="admin").status_code == 202
    assert cinder("GET", f"{path}/associations", as_="admin").json()["qos_associations"][0]["id"] == kind
    assert cinder("DELETE", path, as_="admin").status_code == 400
    assert cinder("GET", f"{path}/disassociate_all", as_="admin").status_code == 202
    assert cinder("DELETE", path, as_="admin").status_code == 202
    assert cinder("GET", path, as_="admin").status_code == 404


def test_quotas_are_counted_from_truth(cinder: Cinder) -> None:
    path = f"/os-quota-sets/{PROJECT}"
    limits = {"quota_set": {"volumes": 2, "gigabytes": 5, "per_volume_gigabytes": "4"}}
    assert cinder("PUT", path, json=limits).status_code == 403
    assert cinder("PUT", path, as_="admin", json=limits).json()["quota_set"]["volumes"] == 2
    first = cinder.volume(size=3)
    assert cinder("POST", "/volumes", json={"volume": {"size": 3}}).status_code == 413
    assert cinder("POST", "/snapshots", json={"snapshot": {"volume_id": first["id"]}}).status_code == 413
    assert cinder.act(first["id"], "os-extend", {"new_size": 5}).status_code == 413
    cinder.volume(size=1)
    answer = cinder("POST", "/volumes", json={"volume": {"size": 1}})
    assert answer.status_code == 413
    assert "(2) exceeded for quota 'volumes'" in answer.json()["overLimit"]["message"]
    usage = cinder("GET", f"{path}?usage=true").json()["quota_set"]
    assert usage["volumes"] == {"limit": 2, "in_use": 2, "reserved": 0, "allocated": 0}
    assert usage["gigabytes___DEFAULT__"]["in_use"] == 4
    absolute = cinder("GET", "/limits").json()["limits"]["absolute"]
    assert (absolute["maxTotalVolumes"], absolute["totalGigabytesUsed"]) == (2, 4)
    assert cinder("PUT", path, as_="admin", json={"quota_set": {"volumes": 1}}).status_code == 400
    assert cinder("PUT", path, as_="admin", json={"quota_set": {"colours": 1}}).status_code == 400
    assert cinder("DELETE", path, as_="admin").status_code == 200
    assert cinder("GET", path).json()["quota_set"]["volumes"] == 10
    assert cinder("GET", path, as_="other").status_code == 403
    classes = "/os-quota-class-sets/default"
    changed = cinder("PUT", classes, as_="admin", json={"quota_class_set": {"volumes": 3}}).json()["quota_class_set"]
    assert changed["volumes"] == 3
    assert cinder("GET", f"{path}/defaults").json()["quota_set"]["volumes"] == 3


def test_quotas_hold_under_concurrency(cinder: Cinder) -> None:
    def create(_number: int) -> bool:
        try:
            cinder.volumes.create(CALLERS["member"], NewVolume(size_gb=1))
        except Refused as refused:
            if refused.status == 413:
                return False
            raise
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(40))) == 10


def test_transfers(cinder: Cinder) -> None:
    volume = cinder.volume()
    snapshot = cinder.snapshot(volume["id"])
    body = {"transfer": {"volume_id": volume["id"], "name": "t"}}
    bare = {"transfer": {"volume_id": volume["id"], "no_snapshots": True}}
    assert cinder("POST", "/volume-transfers", json=bare).status_code == 400
    offer = cinder("POST", "/volume-transfers", json=body).json()["transfer"]
    path = f"/volume-transfers/{offer['id']}"
    assert (offer["accepted"], offer["no_snapshots"], len(offer["auth_key"])) == (False, False, 16)
    assert cinder("GET", f"/volumes/{volume['id']}").json()["volume"]["status"] == "awaiting-transfer"
    assert "auth_key" not in cinder("GET", path).json()["transfer"]
    assert cinder("GET", path, as_="other").status_code == 404
    wrong = cinder("POST", f"{path}/accept", as_="other", json={"accept": {"auth_key": "x" * 16}})
    assert wrong.status_code == 400
    taken = cinder("POST", f"{path}/accept", as_="other", json={"accept": {"auth_key": offer["auth_key"]}})
    assert taken.status_code == 202
    found = cinder("GET", f"/volumes/{volume['id']}", as_="other").json()["volume"]
    assert (found["status"], found["os-vol-tenant-attr:tenant_id"]) == ("available", OTHER_PROJECT)
    assert cinder("GET", f"/volumes/{volume['id']}").status_code == 404
    assert cinder("GET", f"/snapshots/{snapshot['id']}", as_="other").status_code == 200
    again = {"transfer": {"volume_id": volume["id"]}}
    offer = cinder("POST", "/os-volume-transfer", "3.0", as_="other", json=again).json()["transfer"]
    assert cinder("GET", "/os-volume-transfer/detail", as_="other").json()["transfers"][0]["id"] == offer["id"]
    assert cinder("DELETE", f"/os-volume-transfer/{offer['id']}", as_="other").status_code == 202
    assert cinder("GET", f"/volumes/{volume['id']}", as_="other").json()["volume"]["status"] == "available"


def test_services_pools_and_hosts(cinder: Cinder) -> None:
    assert cinder("GET", "/os-services").status_code == 403
    found = cinder("GET", "/os-services", as_="admin").json()["services"]
    assert [(row["binary"], row["host"], row["state"]) for row in found] == [
        ("cinder-backup", "nephele", "up"),
        ("cinder-scheduler", "nephele", "up"),
        ("cinder-volume", "nephele@file", "up"),
    ]
    switch = {"host": "nephele@file", "binary": "cinder-volume"}
    assert cinder("PUT", "/os-services/disable", as_="admin", json=switch).json()["status"] == "disabled"
    assert cinder.volume()["status"] == "error"
    assert cinder("PUT", "/os-services/enable", as_="admin", json=switch).json()["status"] == "enabled"
    volume = cinder.volume()["id"]
    wrong = {"host": "nowhere", "binary": "cinder-volume"}
    assert cinder("PUT", "/os-services/enable", as_="admin", json=wrong).status_code == 404
    assert cinder("PUT", "/os-services/disable-log-reason", as_="admin", json=switch).status_code == 400
    assert cinder("PUT", "/os-services/freeze", as_="admin", json={"host": "nowhere"}).status_code == 400
    assert cinder("PUT", "/os-services/freeze", as_="admin", json={"host": "nephele@file"}).status_code == 202
    assert cinder("DELETE", f"/volumes/{volume}").status_code == 400
    assert cinder("PUT", "/os-services/thaw", as_="admin", json={"host": "nephele@file"}).status_code == 202
    (pool,) = cinder("GET", "/scheduler-stats/get_pools?detail=true", as_="admin").json()["pools"]
    assert pool["name"] == "nephele@file#file"
    assert pool["capabilities"]["storage_protocol"] == "file"
    assert cinder("GET", "/capabilities/nephele@file", as_="admin").json()["storage_protocol"] == "file"
    assert cinder("GET", "/capabilities/elsewhere", as_="admin").status_code == 404
    total, _project = cinder("GET", "/os-hosts/nephele@file", as_="admin").json()["host"]
    assert (total["resource"]["project"], total["resource"]["volume_count"]) == ("(total)", "1")
    assert cinder("GET", "/os-hosts/nowhere", as_="admin").status_code == 404
    assert len(cinder("GET", "/os-hosts", as_="admin").json()["hosts"]) == 3
    zones = cinder("GET", "/os-availability-zone").json()["availabilityZoneInfo"]
    assert zones == [{"zoneName": "nova", "zoneState": {"available": True}}]
    assert cinder("GET", "/extensions").json()["extensions"][0]["alias"] == "os-admin-actions"
    filters = cinder("GET", "/resource_filters?resource=snapshot").json()["resource_filters"]
    assert filters[0]["filters"] == ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"]
