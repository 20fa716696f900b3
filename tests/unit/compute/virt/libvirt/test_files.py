"""A guest's files: folder, disks, config drive.  Needs no libvirt."""

import io
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from nephele.compute.virt.driver import BlankDisk, Disk, DiskFormat, ImageDisk
from nephele.compute.virt.errors import (
    CONFIG_DRIVE_FAILED,
    DISK_TOO_SMALL,
    DISK_TOOL_FAILED,
    SPEC_UNSUPPORTED,
)
from nephele.compute.virt.libvirt import tools
from nephele.compute.virt.libvirt.config_drive import write_config_drive
from nephele.compute.virt.libvirt.console import read_end
from nephele.compute.virt.libvirt.disks import make_disk, resize_disk, virtual_size
from nephele.compute.virt.libvirt.layout import LONGEST, InstanceDir, Layout
from nephele.kernel.errors import Refused

SERVER = "11111111-2222-4333-8444-555555555555"
needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


@pytest.fixture
def where(tmp_path: Path) -> InstanceDir:
    where = InstanceDir(tmp_path / "instance", tmp_path / "instance")
    where.make()
    return where


def overlay(base: Path, form: DiskFormat = DiskFormat.RAW, size_gb: int = 0) -> Disk:
    return Disk(device_name="/dev/vda", source=ImageDisk(base=str(base), base_format=form, size_gb=size_gb))


@pytest.mark.parametrize("server_id", ["", "..", "../../etc", "a/b"])
def test_only_a_uuid_names_a_folder(server_id: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        Layout.make(tmp_path).guest(server_id)
    assert refusal.value.error is SPEC_UNSUPPORTED


def test_sockets_get_a_folder_with_a_shorter_path_where_they_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    short = Layout(Path("/instances"), Path("/instances"))
    assert short.guest(SERVER).serial_socket == Path("/instances", SERVER, "serial.sock")
    deep = Layout.make(tmp_path / ("d" * LONGEST))
    guest = deep.guest(SERVER)
    guest.make()
    assert guest.console_log.parent == tmp_path / ("d" * LONGEST) / SERVER
    assert guest.serial_socket.parent.parent == deep.sockets != deep.instances
    assert Layout.make(tmp_path / ("d" * LONGEST)) == deep
    assert deep.guests() == {SERVER}
    other = deep.guest(SERVER.replace("1", "2"))
    other.make()
    guest.remove()
    assert deep.sockets.exists()
    other.remove()
    assert deep.guests() == set()
    assert not deep.sockets.exists()


def test_a_folder_that_qemu_can_not_pass_is_found() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # whose parents are open to all, unlike pytest's
        outer, inner = Path(name), Path(name, "inner")
        outer.chmod(0o711)
        layout = Layout.make(inner)
        stranger = os.getuid() + 1000
        assert layout.closed_to(stranger) is None
        outer.chmod(0o700)
        assert layout.closed_to(stranger) == outer
        assert layout.closed_to(0) is None
        assert layout.closed_to(-1) is None


def test_a_socket_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    deep = Layout.make(tmp_path / ("d" * LONGEST))
    deep.sockets.symlink_to(deep.instances)
    with pytest.raises(Refused) as refusal:
        deep.guest(SERVER).make()
    assert refusal.value.error is SPEC_UNSUPPORTED


@needs_qemu_img
def test_an_overlay_is_made_once_and_leaves_its_base_alone(where: InstanceDir, tmp_path: Path) -> None:
    base = tmp_path / "base.raw"
    base.write_bytes(b"x" * (1 << 20))
    disk = overlay(base, size_gb=1)
    (where.path / "vda.qcow2.part").write_bytes(b"half made")
    make_disk(disk, where)
    path = where.disk(disk)
    assert path is not None
    assert virtual_size(path, DiskFormat.QCOW2) == 1 << 30
    told = json.loads(
        subprocess.check_output(["qemu-img", "info", "-f", "qcow2", "--output=json", str(path)], timeout=10)
    )
    assert (told["backing-filename"], told["backing-filename-format"]) == (str(base), "raw")
    made = path.stat().st_mtime_ns
    make_disk(disk, where)
    assert path.stat().st_mtime_ns == made
    assert base.read_bytes() == b"x" * (1 << 20)
    assert [file.name for file in where.path.iterdir()] == ["vda.qcow2"]


@needs_qemu_img
def test_an_overlay_over_qcow2_is_as_large_as_its_base_and_grows(where: InstanceDir, tmp_path: Path) -> None:
    base = tmp_path / "base.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), "3M"], check=True, timeout=10)
    disk = overlay(base, DiskFormat.QCOW2)
    make_disk(disk, where)
    path = where.disk(disk)
    assert path is not None
    assert virtual_size(path, DiskFormat.QCOW2) == 3 << 20
    resize_disk(path, DiskFormat.QCOW2, 5 << 20)
    resize_disk(path, DiskFormat.QCOW2, 4 << 20)
    assert virtual_size(path, DiskFormat.QCOW2) == 5 << 20


def test_a_disk_smaller_than_its_image_is_refused(where: InstanceDir, tmp_path: Path) -> None:
    base = tmp_path / "base.raw"
    with base.open("wb") as file:
        file.truncate((1 << 30) + 512)
    with pytest.raises(Refused) as refusal:
        make_disk(overlay(base, size_gb=1), where)
    assert refusal.value.error is DISK_TOO_SMALL


def test_a_base_that_is_not_what_it_is_called_is_refused(where: InstanceDir, tmp_path: Path) -> None:
    base = tmp_path / "base.qcow2"
    base.write_bytes(bytes(1 << 20))
    with pytest.raises(Refused) as refusal:
        make_disk(overlay(base, DiskFormat.QCOW2), where)
    assert refusal.value.error is DISK_TOOL_FAILED


@pytest.mark.parametrize(("kind", "offset", "mark"), [("ephemeral", 0x438, b"\x53\xef"), ("swap", 4086, b"SWAPSPACE2")])
def test_blank_disks_are_formatted(where: InstanceDir, kind: str, offset: int, mark: bytes) -> None:
    disk = Disk(device_name="/dev/vdb", source=BlankDisk(size_mb=16, kind=kind))
    make_disk(disk, where)
    content = (where.path / "vdb.raw").read_bytes()
    assert len(content) == 16 << 20
    assert content[offset : offset + len(mark)] == mark


def test_tools_run_within_limits(tmp_path: Path) -> None:
    hungry = "x = bytearray(2 << 30)"
    with pytest.raises(Refused, match="MemoryError") as refusal:
        tools.run_tool("python3", "-c", hungry, on=tmp_path)
    assert refusal.value.error is DISK_TOOL_FAILED
    with pytest.raises(Refused, match="ended with"):
        tools.run_tool("python3", "-c", "while True: pass", on=tmp_path, cpu_seconds=1)
    with pytest.raises(Refused, match="no end within"):
        tools.run_tool("sleep", "5", on=tmp_path, wait_seconds=0.1)
    with pytest.raises(Refused, match="no-such-program"):
        tools.run_tool("no-such-program", on=tmp_path)


def test_the_config_drive_holds_what_was_given(tmp_path: Path) -> None:
    pycdlib = pytest.importorskip("pycdlib", reason="CONFIG DRIVES ARE NOT TESTED: pycdlib is not installed")
    files = {
        "openstack/latest/meta_data.json": b'{"uuid": "1"}',
        "openstack/latest/user_data": b"#!/bin/sh\n" * 7000,
        "openstack/2020-10-14/meta_data.json": b"{}",
        "openstack/content/0000": b"",
        "ec2/latest/meta-data.json": b"{}",
        "top": b"1",
    }
    path = tmp_path / "config.iso"
    for _ in range(2):
        write_config_drive(files, path)
    assert path.stat().st_mode & 0o777 == 0o600
    drive = pycdlib.PyCdlib()
    drive.open(str(path))
    assert drive.pvd.volume_identifier.decode().strip() == "config-2"
    for name, content in files.items():
        for face in ("rr_path", "joliet_path"):
            read = io.BytesIO()
            drive.get_file_from_iso_fp(read, **{face: f"/{name}"})
            assert read.getvalue() == content, (name, face)
    drive.close()


def test_a_name_that_no_drive_holds_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pycdlib", reason="CONFIG DRIVES ARE NOT TESTED: pycdlib is not installed")
    with pytest.raises(Refused) as refusal:
        write_config_drive({"x" * 300: b""}, tmp_path / "config.iso")
    assert refusal.value.error is CONFIG_DRIVE_FAILED


def test_the_console_s_end_spans_a_moved_log(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    assert read_end(log, 10) == b""
    log.write_bytes(b"abc")
    assert read_end(log, 2) == b"bc"
    (tmp_path / "console.log.0").write_bytes(b"0123456789")
    assert read_end(log, 5) == b"89abc"


def test_files_of_one_folder_with_names_of_one_length_stay_apart_on_a_config_drive(tmp_path: Path) -> None:
    from pycdlib import PyCdlib

    names = ("openstack/latest/network_data.json", "openstack/latest/vendor_data2.json")
    write_config_drive({name: name.encode() * 9 for name in names}, tmp_path / "drive")
    drive = PyCdlib()
    drive.open(str(tmp_path / "drive"))
    children = [child for child in drive.list_children(rr_path="/openstack/latest") if child.is_file()]
    assert len({child.file_identifier() for child in children}) == len(names)
    for name in names:
        content = io.BytesIO()
        drive.get_file_from_iso_fp(content, rr_path=f"/{name}")
        assert content.getvalue() == name.encode() * 9
    drive.close()
