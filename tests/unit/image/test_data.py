"""Images' data: uploads, downloads, what is refused, and that nothing is left of it."""

import asyncio
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import falcon.asgi
import msgspec
import pytest
from tests.conftest import CALLERS, Http
from tests.unit.image import samples

from nephele.image.api.stream import chunks
from nephele.image.errors import IMAGE_GONE, UNSAFE
from nephele.image.messages import ASK_IMAGE, AskImage
from nephele.image.model import Image, Limits, NewImage, Status
from nephele.image.policy import RULES
from nephele.image.service import Images
from nephele.kernel import qcow2
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store

IMAGES = "/image/v2/images"
OCTETS = {"Content-Type": "application/octet-stream"}
MEMBER = CALLERS["member"]


def queue(call: Http, disk_format: str = "raw", container_format: str = "bare", **more: Any) -> str:
    body = {"disk_format": disk_format, "container_format": container_format, **more}
    answer = call("POST", IMAGES, json=body)
    assert answer.status_code == 201
    return str(answer.json()["id"])


def upload(call: Http, image_id: str, data: bytes, **headers: str) -> int:
    path = f"{IMAGES}/{image_id}/file"
    return call("PUT", path, content=data, headers={**OCTETS, **headers}).status_code


def files_of(images: Images) -> list[str]:
    return sorted(path.name for path in images.files.root.rglob("*") if path.is_file())


def test_upload_and_download(call: Http, images: Images) -> None:
    data = samples.RAW * 2000
    image_id = queue(call)
    assert call("GET", f"{IMAGES}/{image_id}/file").status_code == 204
    assert upload(call, image_id, data) == 204
    image = call("GET", f"{IMAGES}/{image_id}").json()
    assert image["status"] == "active"
    assert image["size"] == image["virtual_size"] == len(data)
    assert image["checksum"] == hashlib.md5(data).hexdigest()
    assert image["os_hash_algo"] == "sha512"
    assert image["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert image["stores"] == "local"
    answer = call("GET", f"{IMAGES}/{image_id}/file")
    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["Content-MD5"] == image["checksum"]
    assert answer.headers["Content-Length"] == str(len(data))
    assert files_of(images) == [image_id]
    assert call("DELETE", f"{IMAGES}/{image_id}").status_code == 204
    assert files_of(images) == []


@pytest.mark.parametrize(
    ("header", "status", "part", "says"),
    [
        ({"Range": "bytes=0-4"}, 206, slice(0, 5), "bytes 0-4/2048"),
        ({"Range": "bytes=2000-"}, 206, slice(2000, None), "bytes 2000-2047/2048"),
        ({"Range": "bytes=-3"}, 206, slice(-3, None), "bytes 2045-2047/2048"),
        ({"Range": "bytes=2040-9999"}, 206, slice(2040, None), "bytes 2040-2047/2048"),
        ({"Content-Range": "bytes 1-2/2048"}, 206, slice(1, 3), "bytes 1-2/2048"),
        ({"Range": "bytes=2048-"}, 416, None, ""),
        ({"Range": "bytes=5-4"}, 416, None, ""),
        ({"Range": "bytes=-"}, 416, None, ""),
        ({"Range": "lines=1-2"}, 416, None, ""),
    ],
)
def test_ranges(call: Http, header: dict[str, str], status: int, part: slice | None, says: str) -> None:
    image_id = queue(call)
    upload(call, image_id, samples.RAW)
    answer = call("GET", f"{IMAGES}/{image_id}/file", headers=header)
    assert answer.status_code == status
    if part is not None:
        assert answer.content == samples.RAW[part]
        assert answer.headers["Content-Range"] == says


@pytest.mark.parametrize(
    ("disk_format", "data", "virtual_size"),
    [
        ("qcow2", samples.QCOW2, 16 << 20),
        ("vmdk", samples.vmdk(), 65536),
        ("vdi", samples.vdi(), 1 << 20),
        ("vhd", samples.vhd(), 1 << 20),
        ("iso", samples.iso(), 40960),
        ("raw", samples.RAW, 2048),
        ("raw", samples.partitioned(), 4608),
        ("raw", samples.iso(), 38912),
        ("raw", b"", None),
        ("aki", samples.RAW, 2048),
    ],
)
def test_formats_that_are_what_they_claim(call: Http, disk_format: str, data: bytes, virtual_size: int | None) -> None:
    image_id = queue(call, disk_format)
    assert upload(call, image_id, data) == 204
    image = call("GET", f"{IMAGES}/{image_id}").json()
    assert (image["status"], image["virtual_size"]) == ("active", virtual_size)


@pytest.mark.parametrize(
    ("disk_format", "container_format", "data"),
    [
        ("qcow2", "bare", samples.RAW),
        ("qcow2", "bare", b"QFI\xfb"),
        ("qcow2", "bare", samples.vmdk()),
        ("vmdk", "bare", samples.QCOW2),
        ("raw", "bare", samples.QCOW2),
        ("raw", "bare", samples.vmdk()),
        ("ami", "bare", samples.QCOW2),
        ("iso", "bare", samples.RAW),
        ("qcow2", "bare", samples.with_backing_file()),
        ("raw", "bare", samples.with_backing_file()),
        ("qcow2", "ovf", samples.with_backing_file()),
        ("qcow2", "bare", samples.with_features(1 << 2)),
        ("qcow2", "bare", samples.with_features(1 << 40)),
        ("vmdk", "bare", samples.vmdk(extent=b'RW 128 FLAT "/etc/passwd" 0')),
        ("vmdk", "bare", samples.vmdk(kind=b"monolithicFlat")),
    ],
)
def test_formats_that_are_refused(
    call: Http, images: Images, disk_format: str, container_format: str, data: bytes
) -> None:
    image_id = queue(call, disk_format, container_format)
    assert upload(call, image_id, data) == 415
    assert call("GET", f"{IMAGES}/{image_id}").json()["status"] == "queued"
    assert files_of(images) == []


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
@pytest.mark.parametrize(
    ("options", "disk_format", "status"),
    [
        (["-f", "qcow2"], "qcow2", 204),
        (["-f", "qcow2", "-o", "compat=0.10"], "qcow2", 204),
        (["-f", "qcow2", "-o", "data_file=DIR/data,data_file_raw=on"], "qcow2", 415),
        (["-f", "vmdk"], "vmdk", 204),
        (["-f", "vmdk", "-o", "subformat=streamOptimized"], "vmdk", 204),
        (["-f", "vmdk", "-o", "subformat=monolithicFlat"], "vmdk", 415),
        (["-f", "vpc"], "vhd", 204),
        (["-f", "vhdx"], "vhdx", 204),
        (["-f", "vdi"], "vdi", 204),
        (["-f", "qed"], "raw", 415),
        (["-f", "raw"], "raw", 204),
    ],
)
def test_what_qemu_makes(call: Http, tmp_path: Path, options: list[str], disk_format: str, status: int) -> None:
    made = tmp_path / "made"
    words = [word.replace("DIR", str(tmp_path)) for word in options]
    subprocess.run(["qemu-img", "create", "-q", *words, str(made), "1M"], check=True, timeout=30)
    assert upload(call, queue(call, disk_format), made.read_bytes()) == status


def test_what_is_too_large(store: Store, clock: FakeClock, ids: Ids, tmp_path: Path) -> None:
    limits = Limits(size=100_000, virtual_size=10 << 20)
    images = Images(store, clock, ids, tmp_path / "images", Policy(RULES), limits=limits)
    new = NewImage(disk_format="raw", container_format="bare")
    with pytest.raises(Refused, match="too large"):
        images.create_with_data(MEMBER, new, [bytes(60_000), bytes(60_000)])
    with pytest.raises(Refused, match="describes a disk"):
        images.create_with_data(MEMBER, msgspec.structs.replace(new, disk_format="qcow2"), [samples.QCOW2])
    assert files_of(images) == []
    images.close()


def test_uploads_that_are_refused(call: Http) -> None:
    image_id = queue(call)
    path = f"{IMAGES}/{image_id}/file"
    assert call("PUT", path, content=b"x").status_code == 415
    assert upload(call, image_id, b"x", **{"X-OpenStack-Image-Size": "big"}) == 400
    assert upload(call, image_id, b"x", **{"X-OpenStack-Image-Size": "5"}) == 400
    assert call("PUT", path, as_="other", content=b"x", headers=OCTETS).status_code == 404
    assert call("PUT", path, as_="reader", content=b"x", headers=OCTETS).status_code == 403
    assert upload(call, image_id, b"x", **{"X-OpenStack-Image-Size": "1"}) == 204
    assert upload(call, image_id, b"x") == 409
    bare = call("POST", IMAGES, json={}).json()["id"]
    assert upload(call, bare, b"x") == 400


def test_formats_are_fixed_once_there_is_data(call: Http) -> None:
    image_id = queue(call)
    upload(call, image_id, b"x")
    change = [{"op": "replace", "path": "/disk_format", "value": "qcow2"}]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    assert call("PATCH", f"{IMAGES}/{image_id}", headers=headers, json=change).status_code == 403


def test_deactivated_images_keep_their_data_to_themselves(call: Http) -> None:
    image_id = queue(call)
    path = f"{IMAGES}/{image_id}"
    assert call("POST", f"{path}/actions/deactivate").status_code == 403
    upload(call, image_id, b"x")
    assert call("POST", f"{path}/actions/deactivate").status_code == 204
    assert call("POST", f"{path}/actions/deactivate").status_code == 204
    assert call("GET", path).json()["status"] == "deactivated"
    assert call("GET", f"{path}/file").status_code == 403
    assert call("GET", f"{path}/file", as_="admin").status_code == 200
    assert call("POST", f"{path}/actions/reactivate").status_code == 204
    assert call("GET", f"{path}/file").content == b"x"


@pytest.mark.parametrize("announced", [{}, {"Content-Length": "4096"}])
def test_an_upload_that_is_cut_off_leaves_nothing(images: Images, announced: dict[str, str]) -> None:
    """With a Content-Length or without: the client goes away in the middle."""

    async def gather() -> bytes:
        events = [
            {"type": "http.request", "body": b"x" * 1024, "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Any:
            return events.pop(0)

        headers = [(name.lower().encode(), value.encode()) for name, value in announced.items()]
        scope = {"type": "http", "method": "PUT", "path": "/", "query_string": b"", "headers": headers}
        request = falcon.asgi.Request({**scope, "asgi": {"version": "3.0"}}, receive)
        return b"".join([piece async for piece in chunks(request, 512)])

    with pytest.raises(ConnectionAbortedError):
        asyncio.run(gather())


def test_a_failed_upload_gives_the_image_back(images: Images) -> None:
    def data() -> Any:
        yield b"x"
        raise OSError("the source failed")

    image = images.create(MEMBER, NewImage(disk_format="raw", container_format="bare"))
    with pytest.raises(OSError, match="source failed"):
        images.transfer.fill(MEMBER, image.id, data(), move=False)
    assert images.show(MEMBER, image.id).status == Status.QUEUED
    assert files_of(images) == []
    with pytest.raises(OSError, match="source failed"):
        images.create_with_data(MEMBER, NewImage(disk_format="raw", container_format="bare"), data())
    with images.store.read() as db:
        assert db.exec_driver_sql("select count(*) from images").scalar_one() == 1


def test_an_image_deleted_during_its_upload(images: Images) -> None:
    image = images.create(MEMBER, NewImage(disk_format="raw", container_format="bare"))
    arrival = images.transfer.begin(MEMBER, image.id)
    arrival.writer.store(b"x")
    images.delete(MEMBER, image.id)
    with pytest.raises(Refused) as refused:
        arrival.complete()
    assert refused.value.error is IMAGE_GONE
    arrival.abandon()
    assert files_of(images) == []


@pytest.mark.parametrize("placed", [False, True])
def test_what_a_dead_server_was_writing_is_undone(images: Images, placed: bool) -> None:
    image = images.create(MEMBER, NewImage(disk_format="raw", container_format="bare"))
    arrival = images.transfer.begin(MEMBER, image.id)
    arrival.writer.store(b"x")
    if placed:
        arrival.writer.place(images.files.path(image.id))
    images.start()
    assert images.show(MEMBER, image.id).status == Status.QUEUED
    assert files_of(images) == []


def test_orphans_are_found_and_reaped(images: Images, clock: FakeClock) -> None:
    new = NewImage(disk_format="raw", container_format="bare")
    kept = images.create_with_data(MEMBER, new, [b"x"])
    staged = images.create(MEMBER, new)
    images.transfer.begin_staging(MEMBER, staged.id).complete()
    for path in (images.files.root / "lost", images.files.staged("lost")):
        path.write_bytes(b"x")
    clock.advance(10_000_000_000)
    assert len(images.orphans()) == 2
    assert {path.name for path in images.reap()} == {"lost"}
    assert images.orphans() == ()
    assert files_of(images) == sorted([kept.id, staged.id])


def test_staged_data_does_not_wait_for_ever(images: Images, clock: FakeClock) -> None:
    image = images.create(MEMBER, NewImage(disk_format="raw", container_format="bare"))
    images.transfer.begin_staging(MEMBER, image.id).complete()
    clock.advance(47 * 3600)
    images.transfer.expire()
    assert images.show(MEMBER, image.id).status == Status.UPLOADING
    clock.advance(2 * 3600)
    images.transfer.expire()
    assert images.show(MEMBER, image.id).status == Status.QUEUED
    assert files_of(images) == []


def test_a_silent_client_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nephele.image.api.stream.SILENCE", 0.01)

    async def gather() -> None:
        first = [{"type": "http.request", "body": b"x", "more_body": True}]

        async def receive() -> Any:
            return first.pop() if first else await asyncio.sleep(20)

        scope = {"type": "http", "method": "PUT", "path": "/", "query_string": b"", "headers": [], "asgi": {}}
        async for _piece in chunks(falcon.asgi.Request(scope, receive), 512):
            pass

    with pytest.raises(ConnectionAbortedError):
        asyncio.run(gather())


def test_another_servers_upload_is_left_alone(images: Images, tmp_path: Path) -> None:
    image = images.create(MEMBER, NewImage(disk_format="raw", container_format="bare"))
    arrival = images.transfer.begin(MEMBER, image.id)
    other = Images(images.store, images.clock, images.ids, tmp_path / "images", Policy(RULES), server="other")
    other.start()
    arrival.writer.store(b"x")
    arrival.complete()
    assert other.show(MEMBER, image.id).status == Status.ACTIVE
    other.close()


@pytest.mark.parametrize("move", [False, True])
def test_data_from_a_file_of_this_machine(images: Images, tmp_path: Path, move: bool) -> None:
    source = tmp_path / "disk"
    source.write_bytes(samples.QCOW2)
    new = NewImage(name="a", disk_format="qcow2", container_format="bare")
    image = images.create_with_data(MEMBER, new, source, move=move)
    assert image.virtual_size == 16 << 20
    assert image.checksum == hashlib.md5(samples.QCOW2).hexdigest()
    assert images.open_data(image).read_bytes() == samples.QCOW2
    assert source.exists() is not move
    source.write_bytes(samples.with_backing_file())
    with pytest.raises(Refused) as refused:
        images.create_with_data(MEMBER, new, source)
    assert refused.value.error is UNSAFE


def test_the_first_image_of_a_cloud(images: Images, tmp_path: Path) -> None:
    seeded = images.seed("nephele-guest", "a" * 32)
    assert images.seed("nephele-guest", "a" * 32) == seeded
    image = images.show(CALLERS["other"], seeded)
    assert (image.status, image.visibility, image.virtual_size) == ("active", "public", 16 << 20)
    source = tmp_path / "guest.qcow2"
    source.write_bytes(qcow2.empty(1 << 30))
    guest: Image = images.show(MEMBER, images.seed("guest", "a" * 32, source))
    assert guest.virtual_size == 1 << 30


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_the_placeholder_is_a_good_qcow2(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(qcow2.EMPTY)
    subprocess.run(["qemu-img", "check", "-q", str(tmp_path / "empty")], check=True, timeout=30)


def test_compute_agents_ask_over_the_bus(images: Images, bus: LocalBus) -> None:
    images.serve(bus, CALLERS.__getitem__)
    new = NewImage(name="a", disk_format="qcow2", container_format="bare", min_disk=1, properties={"k": "v"})
    image = images.create_with_data(MEMBER, new, [samples.QCOW2])
    answer = bus.call(ASK_IMAGE, AskImage(token="member", request_id="req-1", image_id=image.id))
    assert answer.checksum == image.checksum
    assert answer.properties == {"k": "v"}
    assert Path(answer.path).read_bytes() == samples.QCOW2
    with pytest.raises(Refused) as refused:
        bus.call(ASK_IMAGE, AskImage(token="other", request_id="req-1", image_id=image.id))
    assert refused.value.status == 404
    images.deactivate(MEMBER, image.id)
    with pytest.raises(Refused, match="not active"):
        bus.call(ASK_IMAGE, AskImage(token="member", request_id="req-1", image_id=image.id))
