"""Hosts in namespaces: they start, are found again whatever happened to their libvirtd, and leave nothing behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nephele.kernel.errors import Refused
from nephele.lab import LabHost, find_host, hosts, namespaces, records, start_host
from nephele.lab.errors import BAD_DIRECTORY, BAD_NAME, HOST_NOT_FOUND, NAME_TAKEN
from nephele.lab.processes import end, process

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

GUEST = """
<domain type='qemu'><name>g</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices/></domain>
"""


@pytest.fixture
def name() -> str:
    return f"lab-{os.getpid()}"


@pytest.fixture
def host(name: str, tmp_path: Path) -> Iterator[LabHost]:
    with start_host(name, tmp_path / "host") as host:
        yield host


def virsh(host: LabHost, *words: str) -> str:
    return subprocess.run(
        ["virsh", "-q", "-c", host.uri, *words], check=True, capture_output=True, text=True, timeout=30
    ).stdout


def start_guest(host: LabHost, folder: Path) -> int:
    definition = folder / "guest.xml"
    definition.write_text(GUEST)
    virsh(host, "create", str(definition))
    return int((host.directory / "run/libvirt/qemu/g.pid").read_text())


def kill_libvirtd(host: LabHost) -> None:
    record = records.read(host.name)
    assert record is not None
    os.kill(record.libvirtd.pid, signal.SIGKILL)
    assert end([record.libvirtd]) == []


def assert_gone(host: LabHost) -> None:
    assert not namespaces.exists(host.netns)
    assert namespaces.below(host.netns) == []
    assert records.read(host.name) is None
    assert not host.directory.exists()
    assert str(host.directory) not in Path("/proc/mounts").read_text()


def test_a_host_has_its_own_name_network_and_libvirt(host: LabHost) -> None:
    inside = subprocess.run(
        host.inner_command("sh", "-c", "hostname; ls /sys/class/net; virsh -q list --all; virsh uri"),
        check=True,
        capture_output=True,
        text=True,
    )
    assert inside.stdout.split() == [host.name, "lo", "qemu:///system"]
    assert virsh(host, "hostname").strip() == host.name
    assert host.name in [record.name for record in hosts()]


def test_stop_ends_guests_and_removes_links_namespaces_and_files(host: LabHost, tmp_path: Path) -> None:
    guest = start_guest(host, tmp_path)
    router = f"{host.netns}.router"
    subprocess.run(["ip", "netns", "add", router], check=True)
    subprocess.run(["ip", "-n", host.netns, "link", "add", "br0", "type", "bridge"], check=True)
    host.stop()
    assert process(guest) is None
    assert_gone(host)
    host.stop()


def test_starting_again_takes_over_the_running_host(host: LabHost) -> None:
    before = records.read(host.name)
    assert start_host(host.name, host.directory) == host
    assert records.read(host.name) == before


def test_a_new_libvirtd_takes_over_the_guests_of_a_killed_one(host: LabHost, tmp_path: Path) -> None:
    guest = start_guest(host, tmp_path)
    kill_libvirtd(host)
    start_host(host.name, host.directory)
    assert virsh(host, "domstate", "g").strip() == "running"
    assert process(guest) is not None


def test_what_a_dead_host_of_another_folder_left_ends_first(host: LabHost, tmp_path: Path) -> None:
    guest = start_guest(host, tmp_path)
    kill_libvirtd(host)
    with start_host(host.name, tmp_path / "second") as second:
        assert process(guest) is None
        assert virsh(second, "list", "--all").strip() == ""
    assert_gone(second)


def test_remains_without_a_libvirtd_can_be_stopped(host: LabHost, tmp_path: Path) -> None:
    guest = start_guest(host, tmp_path)
    kill_libvirtd(host)
    find_host(host.name).stop()
    assert process(guest) is None
    assert_gone(host)


def test_a_name_in_use_from_another_folder_is_refused(host: LabHost, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        start_host(host.name, tmp_path / "second")
    assert refusal.value.error is NAME_TAKEN
    assert virsh(host, "hostname").strip() == host.name
    assert not (tmp_path / "second").exists()


def test_a_start_that_fails_leaves_nothing(name: str, tmp_path: Path) -> None:
    directory = tmp_path / "host"
    (directory / "etc").mkdir(parents=True)
    (directory / "etc" / "libvirtd.conf").write_text("no_such_setting = \n")
    with pytest.raises(Refused, match=r"libvirtd\.conf"):
        start_host(name, directory)
    assert_gone(LabHost(name, directory))


@pytest.mark.parametrize("bad", ["", "a/b", "-a", "a b", "a" * 41])
def test_a_bad_name_is_refused(bad: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        start_host(bad, tmp_path)
    assert refusal.value.error is BAD_NAME


@pytest.mark.parametrize("bad", ["/run/somewhere", "/var/lib/libvirt/x", "/tmp/" + "x" * 100])
def test_a_folder_that_cannot_work_is_refused(bad: str, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        start_host(name, Path(bad))
    assert refusal.value.error is BAD_DIRECTORY


def test_an_unknown_host_is_not_found() -> None:
    with pytest.raises(Refused) as refusal:
        find_host("no-such-host")
    assert refusal.value.error is HOST_NOT_FOUND
