"""Quotas are exact: many ask at once, as many are let in as there is room for, and the others are told the numbers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.running import RunningCloud, running_cloud
from yaml import safe_load

AT_ONCE = 12
ROOM = 5


class User:
    """A signed-in entry of clouds.yaml."""

    def __init__(self, cloud: RunningCloud, entry: str) -> None:
        auth = safe_load(cloud.clouds_yaml.read_text())["clouds"][entry]["auth"]
        user = {"name": auth["username"], "domain": {"id": "default"}, "password": auth["password"]}
        scope = {"project": {"name": auth["project_name"], "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = httpx.post(f"{cloud.url}/identity/v3/auth/tokens", json=body)
        self.project_id = answer.json()["token"]["project"]["id"]
        headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
        self.http = httpx.Client(base_url=cloud.url, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    folder = Path(tmp_path_factory.mktemp("quotas"))
    (folder / "settings.toml").write_text(f"[images]\nproject_images = {ROOM}\n")
    with running_cloud(folder / "state", "--hosts", "2", "--config", str(folder / "settings.toml")) as running:
        yield running


@pytest.fixture(scope="module")
def demo(cloud: RunningCloud) -> User:
    return User(cloud, "nephele")


@pytest.fixture(scope="module")
def admin(cloud: RunningCloud) -> User:
    return User(cloud, "nephele-admin")


def at_once(work: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, range(AT_ONCE)))


def check(answers: list[httpx.Response], good: int, refused: int, *numbers: str) -> None:
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == sorted([good] * ROOM + [refused] * (AT_ONCE - ROOM)), [answer.text for answer in answers]
    told = next(answer.text for answer in answers if answer.status_code == refused)
    assert all(number in told for number in numbers), told


def test_servers(demo: User, admin: User) -> None:
    set_ = admin.http.put(f"/compute/v2.1/os-quota-sets/{demo.project_id}", json={"quota_set": {"instances": ROOM}})
    assert set_.status_code == 200
    flavor = demo.http.get("/compute/v2.1/flavors").json()["flavors"][0]["id"]
    image = demo.http.get("/image/v2/images").json()["images"][0]["id"]
    network = demo.http.get("/network/v2.0/networks?name=private").json()["networks"][0]["id"]
    server = {"flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}]}
    answers = at_once(lambda n: demo.http.post("/compute/v2.1/servers", json={"server": {**server, "name": f"s{n}"}}))
    check(answers, 202, 403, f"{ROOM} of {ROOM} instances")


def test_networks(demo: User, admin: User) -> None:
    have = len(demo.http.get(f"/network/v2.0/networks?project_id={demo.project_id}").json()["networks"])
    limit: dict[str, Any] = {"quota": {"network": have + ROOM}}
    assert admin.http.put(f"/network/v2.0/quotas/{demo.project_id}", json=limit).status_code == 200
    answers = at_once(lambda n: demo.http.post("/network/v2.0/networks", json={"network": {"name": f"n{n}"}}))
    check(answers, 201, 409, "network")
    details = admin.http.get(f"/network/v2.0/quotas/{demo.project_id}/details").json()["quota"]["network"]
    assert details == {"limit": have + ROOM, "used": have + ROOM, "reserved": 0}


def test_volumes(demo: User, admin: User) -> None:
    limit = {"quota_set": {"volumes": ROOM}}
    assert admin.http.put(f"/volume/v3/os-quota-sets/{demo.project_id}", json=limit).status_code == 200
    answers = at_once(lambda n: demo.http.post("/volume/v3/volumes", json={"volume": {"name": f"v{n}", "size": 1}}))
    check(answers, 202, 413, f"({ROOM})")
    used = demo.http.get("/volume/v3/limits").json()["limits"]["absolute"]
    assert (used["maxTotalVolumes"], used["totalVolumesUsed"]) == (ROOM, ROOM)


def test_images(demo: User) -> None:
    body = {"container_format": "bare", "disk_format": "raw"}
    answers = at_once(lambda n: demo.http.post("/image/v2/images", json={**body, "name": f"i{n}"}))
    check(answers, 201, 413, str(ROOM))
    usage = demo.http.get("/image/v2/info/usage").json()["usage"]
    assert (usage["image_count_total"]["limit"], usage["image_count_total"]["usage"]) == (ROOM, ROOM)
