"""`kill -9` amid what is done to volumes: after the next start it is completed, and nothing is left over."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import KILLER, assert_clean, died, nephele_says
from tests.running import RunningCloud, running_cloud, start_cloud

from nephele.volume.backing import BACKUP, FORGET, RESTORE
from nephele.volume.work import CREATE, DELETE, DROP_SNAPSHOT, EXTEND, TAKE_SNAPSHOT, UPLOAD

PASSING = frozenset(
    {"creating", "downloading", "deleting", "extending", "uploading", "backing-up", "restoring-backup", "restoring"}
)


def steps() -> Iterator[Any]:
    for operation in (CREATE, DELETE, EXTEND, TAKE_SNAPSHOT, DROP_SNAPSHOT, UPLOAD, BACKUP, RESTORE, FORGET):
        for step in operation.steps:
            yield pytest.param(f"{operation.kind}:{step.name}", id=f"{operation.kind}-{step.name}")


class Cinder:
    """The cloud's volumes, over HTTP without second tries."""

    def __init__(self, cloud: RunningCloud) -> None:
        demo = connect(cloud, "nephele")
        self.image = demo.image.find_image("nephele-guest").id
        self.http = httpx.Client(base_url=f"{cloud.url}/volume/v3", headers={"X-Auth-Token": demo.auth_token})

    def make(self, kind: str, words: dict[str, Any]) -> str:
        """A new thing's path, once it is there."""
        answer = self.http.post(f"/{kind}s", json={kind: words})
        assert answer.status_code == 202, answer.text
        path = f"/{kind}s/{answer.json()[kind]['id']}"
        assert self.settled(path) == "available"
        return path

    def act(self, path: str, body: Any) -> None:
        assert self.http.post(path, json=body).status_code == 202
        assert self.settled(path.rpartition("/")[0]) == "available"

    def delete(self, path: str) -> None:
        assert self.http.delete(path).status_code == 202
        assert self.settled(path) == "gone"

    def settled(self, path: str) -> str:
        """The status at which what is at the path arrives."""
        for _try in range(3000):
            answer = self.http.get(path)
            if answer.status_code == 404:
                return "gone"
            status = str(next(iter(answer.json().values()))["status"])
            if status not in PASSING:
                return status
            time.sleep(0.02)
        raise AssertionError(f"{path} is still {status}")

    def everything(self) -> list[str]:
        """The paths of all that is there, in an order in which it can be deleted."""
        kinds = ("backups", "snapshots", "volumes")
        return [f"/{kind}/{one['id']}" for kind in kinds for one in self.http.get(f"/{kind}").json()[kind]]

    def walk(self, *, upload: bool) -> None:
        """Use every operation once; an upload, which hashes a whole GB, only where it is wanted."""
        volume = self.make("volume", {"size": 1, "imageRef": self.image})
        if upload:
            self.act(f"{volume}/action", {"os-volume_upload_image": {"image_name": "out"}})
        self.act(f"{volume}/action", {"os-extend": {"new_size": 2}})
        volume_id = volume.rpartition("/")[2]
        snapshot = self.make("snapshot", {"volume_id": volume_id})
        backup = self.make("backup", {"volume_id": volume_id})
        self.act(f"{backup}/restore", {"restore": {"volume_id": volume_id}})
        assert self.settled(volume) == "available"
        for path in (backup, snapshot, volume):
            self.delete(path)


@pytest.mark.parametrize("step", list(steps()))
def test_volumes_survive_a_kill(tmp_path: Path, step: str) -> None:
    """The process dies after the step was done and before that was noted."""
    cloud = start_cloud(tmp_path / "state", program=(KILLER, step, "after"))
    with pytest.raises(httpx.TransportError):
        Cinder(cloud).walk(upload=step.startswith("volume.upload"))
    died(cloud)
    with running_cloud(tmp_path / "state") as again:
        cinder = Cinder(again)
        for path in cinder.everything():
            assert cinder.settled(path) in ("available", "gone")
        assert_clean(again)
        for path in cinder.everything():
            cinder.delete(path)
        assert_clean(again)
        assert [path.name for path in (tmp_path / "state" / "volumes").rglob("*") if path.is_file()] == [".lock"]
        assert not any(path.is_file() for path in (tmp_path / "state" / "backups").rglob("*"))


def test_doctor_finds_data_of_no_image_and_reap_removes_it(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "state") as cloud:
        assert_clean(cloud)
        left = tmp_path / "state" / "images" / "0badcafe-0000-4000-8000-000000000000"
        left.write_bytes(b"left")
        os.utime(left, (1, 1))
        sick = nephele_says(cloud, "doctor")
        assert (sick.returncode, "image data of no image" in sick.stdout) == (1, True)
        reaped = nephele_says(cloud, "reap", "--yes")
        assert reaped.returncode == 0, reaped.stdout + reaped.stderr
        assert not left.exists()
        assert_clean(cloud)
