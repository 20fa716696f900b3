"""Images in several stores: uploaded to one, imported to all, copied, removed from one."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Http

from nephele.image.policy import RULES
from nephele.image.routes import api
from nephele.image.service import Images
from nephele.kernel.clock import FakeClock
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store

OCTETS = {"Content-Type": "application/octet-stream"}
DATA = b"data" * 1000


@pytest.fixture
def images(store: Store, clock: FakeClock, ids: Ids, tmp_path: Path) -> Iterator[Images]:
    stores = {"second": tmp_path / "second", "third": tmp_path / "third"}
    service = Images(store, clock, ids, tmp_path / "images", Policy(RULES), stores=stores)
    yield service
    service.close()


@pytest.fixture
def call(http: Callable[..., Http], images: Images) -> Http:
    return http(api(images, Policy(RULES)))


def new(call: Http) -> str:
    body = {"name": "i", "disk_format": "raw", "container_format": "bare"}
    made = call("POST", "/image/v2/images", as_="admin", json=body)
    assert made.headers["OpenStack-image-store-ids"] == "local,second,third"
    return f"/image/v2/images/{made.json()['id']}"


def upload(call: Http, store: str = "") -> str:
    path = new(call)
    headers = {**OCTETS, **({"X-Image-Meta-Store": store} if store else {})}
    assert call("PUT", f"{path}/file", as_="admin", content=DATA, headers=headers).status_code == 204
    return path


def settled(call: Http, path: str) -> dict[str, Any]:
    for _try in range(300):
        image: dict[str, Any] = call("GET", path, as_="admin").json()
        if "os_glance_import_task" not in image:
            return image
        time.sleep(0.01)
    raise AssertionError(image)


def files(tmp_path: Path, path: str) -> set[str]:
    """Which directories have the image's data."""
    name = path.rpartition("/")[2]
    return {directory for directory in ("images", "second", "third") if (tmp_path / directory / name).exists()}


def test_stores_are_listed(call: Http) -> None:
    found = call("GET", "/image/v2/info/stores").json()["stores"]
    assert [(store["id"], store.get("default")) for store in found] == [
        ("local", "true"),
        ("second", None),
        ("third", None),
    ]
    detail = call("GET", "/image/v2/info/stores/detail", as_="admin").json()["stores"]
    assert detail[1]["properties"]["data_dir"].endswith("/second")


def test_an_upload_goes_where_it_is_told(call: Http, tmp_path: Path) -> None:
    path = upload(call, "second")
    image = call("GET", path, as_="admin").json()
    assert (image["status"], image["stores"], files(tmp_path, path)) == ("active", "second", {"second"})
    assert call("GET", f"{path}/file", as_="admin").content == DATA
    headers = {**OCTETS, "X-Image-Meta-Store": "moon"}
    assert call("PUT", f"{new(call)}/file", as_="admin", content=DATA, headers=headers).status_code == 400
    assert call("DELETE", path, as_="admin").status_code == 204
    assert files(tmp_path, path) == set()


@pytest.mark.parametrize(
    ("wish", "stores"),
    [({}, "local"), ({"stores": ["third", "second"]}, "third,second"), ({"all_stores": True}, "local,second,third")],
)
def test_an_import_goes_to_several(call: Http, tmp_path: Path, wish: dict[str, Any], stores: str) -> None:
    path = new(call)
    assert call("PUT", f"{path}/stage", as_="admin", content=DATA, headers=OCTETS).status_code == 204
    body = {"method": {"name": "glance-direct"}, **wish}
    assert call("POST", f"{path}/import", as_="admin", json=body).status_code == 202
    image = settled(call, path)
    assert (image["status"], image["stores"]) == ("active", stores)
    assert len(files(tmp_path, path)) == len(stores.split(","))
    (task,) = call("GET", f"{path}/tasks", as_="admin").json()["tasks"]
    assert task["status"] == "success"


def test_copies_come_and_go(call: Http, tmp_path: Path) -> None:
    path = upload(call)
    copy = {"method": {"name": "copy-image"}, "stores": ["second"]}
    assert call("POST", f"{path}/import", as_="admin", json=copy).status_code == 202
    assert settled(call, path)["stores"] == "local,second"
    assert call("POST", f"{path}/import", as_="admin", json=copy).status_code == 400
    rest = {"method": {"name": "copy-image"}, "all_stores": True}
    assert call("POST", f"{path}/import", as_="admin", json=rest).status_code == 202
    assert settled(call, path)["stores"] == "local,second,third"
    name = path.rpartition("/")[2]
    for store in ("local", "third"):
        assert call("DELETE", f"/image/v2/stores/{store}/{name}", as_="admin").status_code == 204
    assert call("DELETE", f"/image/v2/stores/third/{name}", as_="admin").status_code == 404
    assert call("DELETE", f"/image/v2/stores/second/{name}", as_="admin").status_code == 403
    assert (files(tmp_path, path), call("GET", f"{path}/file", as_="admin").content) == ({"second"}, DATA)
    assert call("GET", path, as_="admin").json()["stores"] == "second"


@pytest.mark.parametrize("must", [True, False])
def test_a_store_that_is_not_well(call: Http, tmp_path: Path, must: bool) -> None:
    path = upload(call)
    shutil.rmtree(tmp_path / "third")
    copy = {"method": {"name": "copy-image"}, "all_stores": True, "all_stores_must_succeed": must}
    assert call("POST", f"{path}/import", as_="admin", json=copy).status_code == 202
    image = settled(call, path)
    assert image["status"] == "active"
    (task,) = call("GET", f"{path}/tasks", as_="admin").json()["tasks"]
    if must:
        assert (image["stores"], files(tmp_path, path), task["status"]) == ("local", {"images"}, "failure")
        assert "third" in task["message"]
    else:
        assert (image["stores"], task["status"]) == ("local,second", "success")
        assert image["os_glance_failed_import"] == "third"
    assert call("GET", f"{path}/file", as_="admin").content == DATA


def test_an_import_that_must_be_everywhere_or_nowhere(call: Http, tmp_path: Path) -> None:
    path = new(call)
    call("PUT", f"{path}/stage", as_="admin", content=DATA, headers=OCTETS)
    shutil.rmtree(tmp_path / "second")
    body = {"method": {"name": "glance-direct"}, "all_stores": True}
    assert call("POST", f"{path}/import", as_="admin", json=body).status_code == 202
    image = settled(call, path)
    assert (image["status"], image["size"], "stores" in image) == ("queued", None, False)
    assert files(tmp_path, path) == set()


def test_what_no_image_has_is_found_in_every_store(images: Images, clock: FakeClock, tmp_path: Path) -> None:
    for directory in ("images", "second"):
        (tmp_path / directory / "left").write_bytes(b"x")
    clock.advance(10**9)
    assert {path.parent.name for path in images.orphans()} == {"images", "second"}
    images.reap("left")
    assert images.orphans() == ()
