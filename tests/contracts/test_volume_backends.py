"""What every volume backend keeps to; each kind of storage is one more parameter."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.volume.backends.certificates import make_certificates
from nephele.volume.backends.file import FileBackend
from nephele.volume.backends.nbd import NbdBackend
from nephele.volume.backends.protocol import Backend, ImageFile
from nephele.volume.backends.qcow2 import virtual_size
from nephele.volume.messages import FileConnection, NbdConnection
from nephele.volume.model import Layout

GB = 1 << 30
BACKENDS: dict[str, Callable[[Path], Backend]] = {
    "file": lambda path: FileBackend(path / "volumes"),
    "nbd": lambda path: NbdBackend(path / "volumes", port=free_port()),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    if request.param == "nbd" and shutil.which("qemu-storage-daemon") is None:
        pytest.skip("qemu-storage-daemon is not installed: the nbd backend was NOT tested")
    made = BACKENDS[request.param](tmp_path)
    yield made
    if isinstance(made, NbdBackend):
        made.stop()


@pytest.fixture
def image(tmp_path: Path) -> ImageFile:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(300_000))
    return ImageFile(Ids().uuid(), path, "raw")


def start(backend: Backend, disk: str, layout: Layout, size: int = 300_000) -> bytes:
    """The first bytes of a disk."""
    found, length = [], 0
    for piece in backend.export(disk, layout, "raw"):
        found.append(piece)
        length += len(piece)
        if length >= size:
            break
    return b"".join(found)[:size]


def written(backend: Backend, disk: str, layout: Layout, data: bytes) -> None:
    """Write into a raw disk as a guest would."""
    connection = backend.connection(disk, layout)
    if isinstance(backend, NbdBackend):
        assert isinstance(connection, NbdConnection)
        block = backend.root.parent / "block"
        block.write_bytes(data.ljust(512, b"\0"))
        asked = nbd(backend, connection, "-c", f"write -s {block} 0 512")
        assert asked.returncode == 0, asked.stderr
        backend.disconnect(disk)
        return
    assert isinstance(connection, FileConnection)
    assert connection.format == "raw"
    with Path(connection.path).open("r+b") as file:
        file.write(data)


def nbd(backend: NbdBackend, connection: NbdConnection, *words: str) -> "subprocess.CompletedProcess[str]":
    """`qemu-io` on an export, as a host that has the certificates."""
    where = f"driver=nbd,host={connection.host},port={connection.port},export={connection.export}"
    secret: tuple[str, ...] = ()
    if connection.tls:
        where += ",tls-creds=tls"
        secret = ("--object", f"tls-creds-x509,id=tls,dir={backend.certificates},endpoint=client,verify-peer=on")
    asked = ["qemu-io", *secret, "--image-opts", where, *words]
    return subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)


def total(backend: Backend, disk: str, layout: Layout) -> int:
    return sum(len(piece) for piece in backend.export(disk, layout, "raw"))


def test_a_blank_disk_reads_as_zeros(backend: Backend) -> None:
    for _twice in range(2):
        layout = backend.create_blank("volume-a", 1)
    assert start(backend, "volume-a", layout) == bytes(300_000)
    assert total(backend, "volume-a", layout) == GB
    assert backend.disks() == {"volume-a"}


def test_a_disk_from_an_image_outlives_it(backend: Backend, image: ImageFile) -> None:
    content = image.path.read_bytes()
    for _twice in range(2):
        layout = backend.create_from_image("volume-a", 1, image)
    image.path.unlink()
    assert start(backend, "volume-a", layout) == content
    assert total(backend, "volume-a", layout) == GB


def test_an_image_that_is_too_large_is_refused(backend: Backend, image: ImageFile) -> None:
    os.truncate(image.path, GB + 1)
    with pytest.raises(Refused, match="do not fit"):
        backend.create_from_image("volume-a", 1, image)
    assert backend.disks() == set()


def test_a_copy_is_on_its_own(backend: Backend) -> None:
    layout = backend.create_blank("volume-a", 1)
    written(backend, "volume-a", layout, b"first")
    for _twice in range(2):
        copied = backend.copy("volume-a", layout, "snapshot-b", 2)
    written(backend, "volume-a", layout, b"later")
    assert start(backend, "snapshot-b", copied, 5) == b"first"
    assert total(backend, "snapshot-b", copied) == 2 * GB
    backend.delete("volume-a")
    assert start(backend, "snapshot-b", copied, 5) == b"first"


def test_a_copy_of_nothing_is_refused(backend: Backend) -> None:
    with pytest.raises(Refused, match="missing"):
        backend.copy("volume-x", Layout("raw"), "volume-y", 1)
    assert backend.disks() == set()


def test_growing_adds_zeros(backend: Backend, image: ImageFile) -> None:
    content = image.path.read_bytes()
    plain, based = backend.create_blank("volume-a", 1), backend.create_from_image("volume-b", 1, image)
    for disk, layout in (("volume-a", plain), ("volume-b", based)):
        for _twice in range(2):
            backend.extend(disk, layout, 2)
        assert total(backend, disk, layout) == 2 * GB
    assert start(backend, "volume-b", based) == content


def test_a_disk_of_blocks(backend: Backend) -> None:
    content = [(0, b"first"), (5 << 20, b"far")]
    for _twice in range(2):
        layout = backend.create_from_blocks("volume-a", 1, iter(content))
    assert start(backend, "volume-a", layout, 5) == b"first"
    assert start(backend, "volume-a", layout, (5 << 20) + 3)[-4:] == b"\0far"
    assert total(backend, "volume-a", layout) == GB


def test_disks_are_given_up_and_taken_in(backend: Backend, image: ImageFile) -> None:
    content = image.path.read_bytes()
    plain, based = backend.create_blank("volume-a", 1), backend.create_from_image("volume-b", 1, image)
    written(backend, "volume-a", plain, b"mine")
    for disk, layout, expected in (("volume-a", plain, b"mine"), ("volume-b", based, content)):
        for _twice in range(2):
            backend.release(disk, layout, f"{disk}-out")
        assert [(found.name, found.size) for found in backend.manageable()] == [(f"{disk}-out", GB)]
        for _twice in range(2):
            taken = backend.adopt(f"{disk}-out", f"{disk}-in")
        assert start(backend, f"{disk}-in", taken, len(expected)) == expected
        assert backend.manageable() == []
    assert backend.disks() == {"volume-a-in", "volume-b-in"}
    for name in ("nothing", "../volume-a-in", ".x"):
        with pytest.raises(Refused, match="no such disk"):
            backend.adopt(name, "volume-c")


def test_deleting_what_is_not_there_is_no_fault(backend: Backend) -> None:
    backend.create_blank("volume-a", 1)
    for _twice in range(2):
        backend.delete("volume-a")
    assert backend.disks() == set()


def test_bases_go_when_nobody_needs_them(backend: Backend, image: ImageFile) -> None:
    content = image.path.read_bytes()
    layout = backend.create_from_image("volume-a", 1, image)
    image.path.unlink()
    if not layout.base:
        pytest.skip("this backend shares no bases")
    assert layout.base == backend.base_of(image)
    backend.release_base(layout.base, lambda: True)
    assert start(backend, "volume-a", layout) == content
    backend.delete("volume-a")
    for _twice in range(2):
        backend.release_base(layout.base, lambda: False)
    with pytest.raises(Refused):
        backend.create_from_image("volume-c", 1, image)


def test_room_is_told(backend: Backend) -> None:
    room = backend.capacity()
    assert 0 < room.free_gb <= room.total_gb


@contextmanager
def running_qemu(socket_path: Path, disk: Path) -> Iterator[Callable[..., Any]]:
    """A QEMU that holds the disk open as node `disk`; asks it by QMP."""
    words = ["--chardev", f"socket,id=qmp,path={socket_path},server=on,wait=off", "--monitor", "chardev=qmp"]
    words += ["--blockdev", f"file,node-name=file,filename={disk}", "--blockdev", "qcow2,node-name=disk,file=file"]
    process = subprocess.Popen(["qemu-storage-daemon", *words])
    try:
        deadline = time.monotonic() + 10
        while not socket_path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(socket_path))
            talk = line.makefile("rw")
            talk.readline()

            def ask(command: str, **arguments: Any) -> Any:
                talk.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
                talk.flush()
                answer = json.loads(talk.readline())
                while "event" in answer:
                    answer = json.loads(talk.readline())
                return answer.get("return", answer)

            ask("qmp_capabilities")
            yield ask
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img, the judge of our qcow2 files, is not installed")
class TestAgainstQemu:
    """QEMU reads what we write, and we read what QEMU writes."""

    def make(self, tmp_path: Path, *words: str) -> tuple[ImageFile, bytes]:
        raw, made = tmp_path / "raw", tmp_path / "made"
        content = os.urandom(200_000) + bytes(500_000) + b"text " * 50_000
        raw.write_bytes(content.ljust(1 << 20, b"\0"))
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *words, raw, made], check=True)
        return ImageFile(Ids().uuid(), made, "qcow2"), content

    @pytest.mark.parametrize("words", [(), ("-c",), ("-o", "compat=0.10"), ("-o", "cluster_size=4096")])
    def test_overlays(self, tmp_path: Path, words: tuple[str, ...]) -> None:
        backend = FileBackend(tmp_path / "volumes")
        image, content = self.make(tmp_path, *words)
        layout = backend.create_from_image("volume-a", 1, image)
        backend.extend("volume-a", layout, 2)
        disk = backend.root / "volume-a"
        subprocess.run(["qemu-img", "check", "-f", "qcow2", disk], check=True, capture_output=True)
        seen = tmp_path / "seen"
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", disk, seen], check=True)
        assert seen.stat().st_size == 2 * GB
        with seen.open("rb") as file:
            assert file.read(len(content)) == content
        assert start(backend, "volume-a", layout, len(content)) == content

    def test_what_a_guest_wrote_into_an_overlay(self, tmp_path: Path) -> None:
        backend = FileBackend(tmp_path / "volumes")
        image, content = self.make(tmp_path)
        layout = backend.create_from_image("volume-a", 1, image)
        disk = backend.root / "volume-a"
        script = ["-c", "write -P 0x41 65536 100000", "-c", "write -z 400000 65536", "-c", "write -P 0x42 600M 4096"]
        subprocess.run(["qemu-io", "-f", "qcow2", *script, disk], check=True, capture_output=True)
        expected = bytearray(content)
        expected[65536:165536] = b"A" * 100_000
        expected[400_000:465_536] = bytes(65_536)
        assert start(backend, "volume-a", layout, len(content)) == bytes(expected)
        assert start(backend, "volume-a", layout, (600 << 20) + 4096)[-4096:] == b"B" * 4096
        subprocess.run(["qemu-img", "check", "-f", "qcow2", disk], check=True, capture_output=True)

    def test_an_overlay_grows_under_a_running_qemu(self, tmp_path: Path) -> None:
        """We write the new size into the header, then QEMU is told: the file is whole, and both agree."""
        backend = FileBackend(tmp_path / "volumes")
        image, content = self.make(tmp_path)
        layout = backend.create_from_image("volume-a", 1, image)
        disk = backend.root / "volume-a"
        with running_qemu(tmp_path / "qmp", disk) as ask:
            backend.extend("volume-a", layout, 2)
            assert ask("block_resize", **{"node-name": "disk", "size": 2 * GB}) == {}
        assert virtual_size(disk) == 2 * GB
        subprocess.run(["qemu-img", "check", "-f", "qcow2", disk], check=True, capture_output=True)
        assert start(backend, "volume-a", layout, len(content)) == content

    def test_other_formats_come_and_go(self, tmp_path: Path) -> None:
        backend = FileBackend(tmp_path / "volumes")
        image, content = self.make(tmp_path)
        vmdk = tmp_path / "vmdk"
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "vmdk", image.path, vmdk], check=True)
        layout = backend.create_from_image("volume-a", 1, ImageFile(Ids().uuid(), vmdk, "vmdk"))
        assert start(backend, "volume-a", layout, len(content)) == content
        exported = tmp_path / "exported"
        exported.write_bytes(b"".join(backend.export("volume-a", layout, "qcow2")))
        seen = subprocess.run(["qemu-img", "info", "-f", "qcow2", exported], capture_output=True, text=True, check=True)
        assert "1 GiB" in seen.stdout
        assert "backing" not in seen.stdout


@pytest.mark.skipif(shutil.which("qemu-storage-daemon") is None, reason="qemu-storage-daemon is not installed")
class TestNbd:
    """What only volumes served over the network have."""

    @pytest.fixture
    def served(self, tmp_path: Path) -> Iterator[NbdBackend]:
        made = NbdBackend(tmp_path / "volumes", port=free_port())
        yield made
        made.stop()

    def reach(self, backend: NbdBackend, disk: str, layout: Layout) -> NbdConnection:
        connection = backend.connection(disk, layout)
        assert isinstance(connection, NbdConnection)
        return connection

    def test_what_a_host_writes_outlives_this_process(self, served: NbdBackend, image: ImageFile) -> None:
        content = image.path.read_bytes()
        layout = served.create_from_image("volume-a", 1, image)
        connection = self.reach(served, "volume-a", layout)
        assert nbd(served, connection, "-c", "write -P 0x41 0 512").returncode == 0
        later = NbdBackend(served.root, port=served.port)
        assert self.reach(later, "volume-a", layout) == connection
        assert nbd(later, connection, "-c", "read -P 0x41 0 512", "-c", "write -P 0x42 512 512").returncode == 0
        later.disconnect("volume-a")
        assert start(later, "volume-a", layout, len(content)) == b"A" * 512 + b"B" * 512 + content[1024:]

    def test_nobody_gets_in_without_a_certificate(self, served: NbdBackend, tmp_path: Path) -> None:
        layout = served.create_blank("volume-a", 1)
        connection = self.reach(served, "volume-a", layout)
        plain = msgspec.structs.replace(connection, tls=False)
        assert nbd(served, plain, "-c", "read 0 512").returncode != 0
        stranger = NbdBackend(tmp_path / "stranger", port=served.port)
        make_certificates(stranger.certificates, "127.0.0.1")
        assert nbd(stranger, connection, "-c", "read 0 512").returncode != 0
        assert nbd(served, connection, "-c", "read 0 512").returncode == 0

    def test_names_as_volumes_have_them(self, served: NbdBackend) -> None:
        """QEMU wants a letter first in the name of a node, and ids begin with digits, too."""
        for disk in ("volume-00000000-0000-4000-8000-000000000000", "volume-ffffffff-ffff-4fff-8fff-ffffffffffff"):
            connection = self.reach(served, disk, served.create_blank(disk, 1))
            assert nbd(served, connection, "-c", "read -P 0 0 512").returncode == 0

    def test_a_refusal_does_not_keep_the_line(self, served: NbdBackend) -> None:
        with pytest.raises(Refused, match="No such file"):
            served.connection("volume-x", Layout("raw"))
        connection = self.reach(served, "volume-a", served.create_blank("volume-a", 1))
        assert nbd(served, connection, "-c", "read -P 0 0 512").returncode == 0

    def test_what_is_disconnected_is_not_reached(self, served: NbdBackend) -> None:
        layout = served.create_blank("volume-a", 1)
        connection = self.reach(served, "volume-a", layout)
        for _twice in range(2):
            served.disconnect("volume-a")
        assert nbd(served, connection, "-c", "read 0 512").returncode != 0
        assert self.reach(served, "volume-a", layout) == connection
        assert nbd(served, connection, "-c", "read -P 0 0 512").returncode == 0

    def test_a_daemon_that_died_is_started_again(self, served: NbdBackend) -> None:
        layout = served.create_blank("volume-a", 1)
        self.reach(served, "volume-a", layout)
        served.stop()
        connection = self.reach(served, "volume-a", layout)
        assert nbd(served, connection, "-c", "read -P 0 0 512").returncode == 0

    def test_a_port_that_is_taken_is_named(self, served: NbdBackend, tmp_path: Path) -> None:
        self.reach(served, "volume-a", served.create_blank("volume-a", 1))
        other = NbdBackend(tmp_path / "other", port=served.port)
        with pytest.raises(Refused, match="Address already in use"):
            other.connection("volume-b", other.create_blank("volume-b", 1))
