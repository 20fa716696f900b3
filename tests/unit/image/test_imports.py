"""Imports and their tasks."""

import ipaddress
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.conftest import CALLERS, Http
from tests.unit.image import samples

from nephele.image.fetch import Web, is_public
from nephele.image.imports import ImportRequest, Method
from nephele.image.model import ImportMethod, NewImage, Status, TaskStatus
from nephele.image.policy import RULES
from nephele.image.service import Images
from nephele.image.sources import Regions
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store

IMAGES = "/image/v2/images"
OCTETS = {"Content-Type": "application/octet-stream"}
MEMBER = CALLERS["member"]
DIRECT = {"method": {"name": "glance-direct"}}


def queue(call: Http, disk_format: str = "qcow2") -> str:
    body = {"disk_format": disk_format, "container_format": "bare"}
    image_id: str = call("POST", IMAGES, json=body).json()["id"]
    return f"{IMAGES}/{image_id}"


def settled(call: Http, path: str) -> dict[str, Any]:
    """The image once no task works on it."""
    deadline = time.monotonic() + 20
    while True:
        tasks = call("GET", f"{path}/tasks").json()["tasks"]
        if tasks and tasks[0]["status"] in ("success", "failure"):
            image: dict[str, Any] = call("GET", path).json()
            return image
        assert time.monotonic() < deadline, tasks
        time.sleep(0.01)


def test_staged_data_is_imported(call: Http, images: Images) -> None:
    path = queue(call)
    assert call("POST", f"{path}/import", json=DIRECT).status_code == 409
    assert call("PUT", f"{path}/stage", content=samples.QCOW2, headers=OCTETS).status_code == 204
    assert call("GET", path).json()["status"] == "uploading"
    assert call("GET", path).json()["size"] == len(samples.QCOW2)
    assert call("PUT", f"{path}/stage", content=samples.QCOW2, headers=OCTETS).status_code == 409
    assert call("PUT", f"{path}/file", content=samples.QCOW2, headers=OCTETS).status_code == 409
    answer = call("POST", f"{path}/import", json=DIRECT)
    assert answer.status_code == 202
    image = settled(call, path)
    assert (image["status"], image["virtual_size"], image["stores"]) == ("active", 16 << 20, "local")
    assert (image["os_glance_failed_import"], image["os_glance_importing_to_stores"]) == ("", "")
    assert "os_glance_import_task" not in image
    task = call("GET", f"{path}/tasks").json()["tasks"][0]
    assert task["status"] == "success"
    assert task["request_id"] == answer.headers["X-OpenStack-Request-ID"]
    assert task["input"]["import_req"]["method"]["name"] == "glance-direct"
    assert call("GET", f"{path}/file").content == samples.QCOW2
    assert call("POST", f"{path}/import", json=DIRECT).status_code == 409
    assert not images.files.staged(image["id"]).exists()


def test_staged_data_that_lies_is_refused(call: Http, images: Images) -> None:
    path = queue(call)
    call("PUT", f"{path}/stage", content=samples.with_backing_file(), headers=OCTETS)
    assert call("POST", f"{path}/import", json=DIRECT).status_code == 202
    image = settled(call, path)
    assert (image["status"], image["size"], image["os_glance_failed_import"]) == ("queued", None, "local")
    task = call("GET", f"{path}/tasks").json()["tasks"][0]
    assert task["status"] == "failure"
    assert "backing file" in task["message"]
    assert [each for each in images.files.root.rglob("*") if each.is_file()] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"method": {}}, 400),
        ({"method": {"name": "magic"}}, 400),
        ({"method": {"name": "glance-direct"}, "all_stores": "yes"}, 400),
        ({"method": {"name": "web-download"}}, 400),
        ({"method": {"name": "web-download", "uri": "file:///etc/passwd"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://127.0.0.1/x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://[::1]/x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://169.254.169.254/latest"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://8.8.8.8:8774/x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://user@8.8.8.8/x"}}, 400),
        ({"method": {"name": "web-download", "uri": "http://8.8.8.8/\u00e4"}}, 400),
        ({"method": {"name": "glance-download"}}, 400),
        ({"method": {"name": "glance-download", "glance_region": "R", "glance_image_id": "foo"}}, 400),
        ({"method": {"name": "copy-image"}, "all_stores": True}, 409),
        ({"method": {"name": "glance-direct"}, "stores": ["local"]}, 409),
    ],
)
def test_imports_that_are_refused(call: Http, body: Any, status: int) -> None:
    path = queue(call)
    assert call("POST", f"{path}/import", json=body).status_code == status
    assert call("GET", f"{path}/tasks").json()["tasks"] == []


def test_copies_of_what_is_everywhere(call: Http) -> None:
    path = queue(call)
    call("PUT", f"{path}/file", content=samples.QCOW2, headers=OCTETS)
    copy = {"method": {"name": "copy-image"}}
    assert call("POST", f"{path}/import", as_="admin", json={**copy, "all_stores": True}).status_code == 202
    assert settled(call, path)["os_glance_importing_to_stores"] == ""
    assert call("POST", f"{path}/import", as_="admin", json={**copy, "stores": ["local"]}).status_code == 400
    assert call("POST", f"{path}/import", as_="admin", json={**copy, "stores": ["moon"]}).status_code == 409
    assert call("POST", f"{path}/import", json={**copy, "all_stores": True}).status_code == 403


def test_stores_and_locations(call: Http) -> None:
    path = queue(call)
    store = path.replace("/images/", "/stores/local/")
    assert call("DELETE", store, as_="admin").status_code == 409
    assert call("POST", f"{path}/locations", json={"url": "http://a/b"}).status_code == 400
    call("PUT", f"{path}/file", content=samples.QCOW2, headers=OCTETS)
    assert call("DELETE", store, as_="admin").status_code == 403
    assert call("DELETE", store.replace("local", "moon"), as_="admin").status_code == 409
    assert call("GET", f"{path}/locations").status_code == 403
    assert call("GET", f"{path}/locations", as_="admin").json()[0]["metadata"] == {"store": "local"}
    assert call("POST", f"{path}/locations", json={"url": "http://a/b"}).status_code == 409
    bad = {"url": "http://a/b", "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "dbc9"}}
    assert call("POST", f"{path}/locations", json=bad).status_code == 400


def test_tasks_are_for_administrators(call: Http, clock: FakeClock) -> None:
    for _ in range(2):
        path = queue(call)
        call("PUT", f"{path}/stage", content=samples.QCOW2, headers=OCTETS)
        call("POST", f"{path}/import", json=DIRECT)
        settled(call, path)
        clock.advance(1)
    assert call("GET", "/image/v2/tasks").status_code == 403
    first = call("GET", "/image/v2/tasks?limit=1&status=success", as_="admin").json()
    second = call("GET", "/image" + first["next"], as_="admin").json()
    assert first["tasks"][0]["created_at"] > second["tasks"][0]["created_at"]
    shown = call("GET", "/image" + first["tasks"][0]["self"], as_="admin").json()
    assert shown["expires_at"] == "2023-11-16T22:13:21Z"
    assert shown["result"] == {"image_id": path.rpartition("/")[2]}
    assert call("GET", "/image/v2/tasks/nothing", as_="admin").status_code == 404
    assert call("GET", "/image/v2/tasks?status=odd", as_="admin").status_code == 400
    assert call("GET", "/image/v2/tasks?marker=nothing", as_="admin").status_code == 400


def test_a_task_makes_an_image_or_nothing(call: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_: Any, **__: Any) -> Any:
        raise OSError("no such name")

    monkeypatch.setattr("socket.getaddrinfo", no_such_name)
    told = {
        "import_from": "http://nowhere.example/image",
        "import_from_format": "qcow2",
        "image_properties": {"name": "made", "disk_format": "qcow2", "container_format": "bare"},
    }
    tasks = "/image/v2/tasks"
    assert call("POST", tasks, json={"type": "import", "input": told}).status_code == 403
    assert call("POST", tasks, as_="admin", json={"type": "export", "input": told}).status_code == 400
    inside = {**told, "import_from": "http://127.0.0.1/"}
    assert call("POST", tasks, as_="admin", json={"type": "import", "input": inside}).status_code == 400
    answer = call("POST", tasks, as_="admin", json={"type": "import", "input": told})
    assert (answer.status_code, answer.json()["type"], answer.json()["status"]) == (201, "import", "pending")
    deadline = time.monotonic() + 20
    while (task := call("GET", f"{tasks}/{answer.json()['id']}", as_="admin").json())["status"] != "failure":
        assert time.monotonic() < deadline, task
    assert "no such name" in task["message"]
    assert call("GET", f"{IMAGES}/{task['image_id']}", as_="admin").status_code == 404


def test_what_a_dead_server_was_importing_has_failed(images: Images) -> None:
    image = images.create(MEMBER, NewImage(disk_format="qcow2", container_format="bare"))
    arrival = images.transfer.begin_staging(MEMBER, image.id)
    arrival.writer.store(samples.QCOW2)
    arrival.complete()
    images.start()
    assert images.show(MEMBER, image.id).status == Status.UPLOADING, "staged data waits for ever"
    images.imports.run = lambda *_: None  # type: ignore[method-assign]
    images.imports.start(MEMBER, image.id, ImportRequest(Method(ImportMethod.GLANCE_DIRECT)))
    images.start()
    left = images.show(MEMBER, image.id)
    assert (left.status, left.properties["os_glance_failed_import"]) == (Status.QUEUED, "local")
    assert [task.status for task in images.imports.of_image(MEMBER, image.id)] == [TaskStatus.FAILURE]
    assert not images.files.staged(image.id).exists()


class Page(BaseHTTPRequestHandler):
    """A web server of one image, a redirect to it, one that leads inside, and one that breaks off."""

    def do_GET(self) -> None:
        here = self.headers["Host"]
        where = {"/moved": f"http://{here}/image", "/inside": "http://169.254.169.254/", "/loop": "/loop"}
        if self.path in where:
            self.send_response(302)
            self.send_header("Location", where[self.path])
            self.end_headers()
        elif self.path == "/silent":
            self.send_response(200)
            self.send_header("Content-Length", "100000000")
            self.end_headers()
            self.connection.recv(1)
        elif self.path.startswith("/glance/v2/images/") and self.headers["X-Auth-Token"] != "b":
            self.send_error(401)
        elif self.path.startswith("/glance/v2/images/") and not self.path.endswith("/file"):
            self.send_response(200)
            self.end_headers()
            told = {"status": "active", "disk_format": "qcow2", "container_format": "bare", "size": 65536}
            self.wfile.write(json.dumps({**told, "os_distro": "debian", "checksum": None}).encode())
        elif self.path in ("/image", "/cut") or self.path.endswith("/file"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(samples.QCOW2)))
            self.end_headers()
            self.wfile.write(samples.QCOW2[:1000] if self.path == "/cut" else samples.QCOW2)
        else:
            self.send_error(404)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("/image", ""),
        ("/moved", ""),
        ("/inside", "does not pass filtering"),
        ("/loop", "redirects"),
        ("/cut", "only 1000 of"),
        ("/nothing", "404"),
    ],
)
def test_images_from_the_web(
    store: Store, clock: FakeClock, ids: Ids, tmp_path: Path, web: str, page: str, says: str
) -> None:
    trusting = Web(trusted_hosts=frozenset({"127.0.0.1"}))
    images = Images(store, clock, ids, tmp_path / "images", Policy(RULES), web=trusting)
    image = images.create(MEMBER, NewImage(disk_format="qcow2", container_format="bare"))
    images.imports.start(MEMBER, image.id, ImportRequest(Method(ImportMethod.WEB_DOWNLOAD, web + page)))
    images.workers.shutdown(wait=True)
    after = images.show(MEMBER, image.id)
    task = images.imports.of_image(MEMBER, image.id)[0]
    if says:
        assert (after.status, task.status) == (Status.QUEUED, TaskStatus.FAILURE)
        assert says in task.message
    else:
        assert (after.status, task.status, task.message) == (Status.ACTIVE, TaskStatus.SUCCESS, "")
        assert images.open_data(after).read_bytes() == samples.QCOW2


def from_glance(call: Http, source: str, region: str = "RegionOne", interface: str = "public") -> dict[str, Any]:
    """A new image filled from another one."""
    path = queue(call, "iso")
    method = {
        "name": "glance-download",
        "glance_image_id": source,
        "glance_region": region,
        "glance_service_interface": interface,
    }
    assert call("POST", f"{path}/import", json={"method": method}).status_code == 202
    return {**settled(call, path), "task": call("GET", f"{path}/tasks").json()["tasks"][0]}


def test_images_from_another_image(call: Http) -> None:
    body = {"disk_format": "qcow2", "container_format": "bare", "hw_cpu_cores": "5", "speed": "88mph"}
    source = call("POST", IMAGES, json=body).json()["id"]
    assert "not active" in from_glance(call, source)["task"]["message"]
    call("PUT", f"{IMAGES}/{source}/file", content=samples.QCOW2, headers=OCTETS)
    image = from_glance(call, source)
    assert (image["status"], image["disk_format"], image["hw_cpu_cores"]) == ("active", "qcow2", "5")
    assert "speed" not in image
    assert call("GET", f"{IMAGES}/{image['id']}/file").content == samples.QCOW2
    assert "No image found" in from_glance(call, "36d4b546-64a2-4bb9-bdd0-ba676aa48f2c")["task"]["message"]
    failed = from_glance(call, source, interface="odd")
    assert (failed["status"], failed["disk_format"], failed["task"]["status"]) == ("queued", "iso", "failure")
    assert "no odd image endpoint" in failed["task"]["message"]


def test_images_from_another_region(store: Store, clock: FakeClock, ids: Ids, tmp_path: Path, web: str) -> None:
    regions = Regions("RegionOne", lambda region, _interface: f"{web}/glance" if region == "RegionTwo" else "")
    images = Images(store, clock, ids, tmp_path / "images", Policy(RULES), regions=regions)
    image = images.create(MEMBER, NewImage(disk_format="iso", container_format="ovf"))
    remote = "36d4b546-64a2-4bb9-bdd0-ba676aa48f2c"
    method = Method(ImportMethod.GLANCE_DOWNLOAD, glance_region="RegionTwo", glance_image_id=remote)
    images.imports.start(MEMBER, image.id, ImportRequest(method))
    images.workers.shutdown(wait=True)
    after = images.show(MEMBER, image.id)
    assert images.imports.of_image(MEMBER, image.id)[0].message == ""
    assert (after.status, after.disk_format, after.properties["os_distro"]) == ("active", "qcow2", "debian")
    assert images.open_data(after).read_bytes() == samples.QCOW2


def test_a_server_that_stops_does_not_wait_for_the_web(
    store: Store, clock: FakeClock, ids: Ids, tmp_path: Path, web: str
) -> None:
    trusting = Web(trusted_hosts=frozenset({"127.0.0.1"}))
    images = Images(store, clock, ids, tmp_path / "images", Policy(RULES), web=trusting)
    image = images.create(MEMBER, NewImage(disk_format="qcow2", container_format="bare"))
    images.imports.start(MEMBER, image.id, ImportRequest(Method(ImportMethod.WEB_DOWNLOAD, f"{web}/silent")))
    deadline = time.monotonic() + 20
    while not trusting.live:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    images.close()
    assert time.monotonic() - began < 10
    assert images.show(MEMBER, image.id).status == Status.QUEUED


def test_names_that_lead_inside_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad address among good ones is enough: the name service may be the attacker's."""
    addresses = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: addresses)
    with pytest.raises(Refused, match="does not pass filtering"):
        list(Web().fetch("http://rebind.example/image"))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public
