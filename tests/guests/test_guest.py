"""The tiny guest does what its package's docstring promises."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guests.machine import Machine, machine
from tests.guests.wire import GUEST_IP, INSTANCE, wire, write_drive, write_ec2, write_openstack

from nephele.compute.virt.libvirt.config_drive import write_config_drive
from nephele.guest.build import build

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

USER_DATA = "#!/bin/sh\necho ran as $(id -un) > /run/proof\n"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of the guest as it is here: the one that this machine keeps may be of an earlier version."""
    return build(tmp_path_factory.mktemp("image") / "guest.qcow2")


@pytest.fixture
def key(tmp_path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", tmp_path / "key"], check=True)
    return (tmp_path / "key.pub").read_text().strip()


@pytest.fixture
def guest(tmp_path: Path, image: Path, key: str) -> Iterator[Machine]:
    """A guest that found the metadata service."""
    write_openstack(tmp_path / "metadata", key, "tiny-one", USER_DATA)
    with wire(tmp_path, tmp_path / "metadata") as space, machine(space, tmp_path, image) as running:
        running.wait_for("nephele-guest: ready")
        yield running


def test_a_guest_becomes_the_instance_that_the_metadata_service_describes(guest: Machine) -> None:
    told = guest.wait_for("metadata from")
    assert f"metadata-service: instance {INSTANCE}, hostname tiny-one, ssh keys 1" in told
    assert guest.ssh("hostname; id -un").split() == ["tiny-one", "cirros"]
    assert guest.ssh("cat /run/proof", user="root") == "ran as root\n"
    assert GUEST_IP in guest.ssh("ip -4 addr show dev eth0")
    assert guest.ssh("cat /sys/class/net/eth0/mtu").strip() == "1450"
    routes = guest.ssh("ip route").splitlines()
    assert any(line.startswith("10.77.0.0/16 via 10.9.0.9") for line in routes)
    assert any(line.startswith("default via 10.9.0.1") for line in routes)
    assert "nameserver 10.9.0.1" in guest.ssh("cat /etc/resolv.conf")
    assert INSTANCE in guest.ssh("wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json")
    assert INSTANCE in guest.ssh("curl -s http://169.254.169.254/openstack/latest/meta_data.json")
    assert "vda1" in guest.ssh("lsblk --noheadings --output NAME")
    assert " fd09::" in guest.ssh("ip -6 addr show dev eth0 scope global")
    assert int(guest.ssh("df -m / | tail -n 1").split()[1]) > 200


def test_the_agent_sets_a_password_that_the_console_takes_and_freezes_disks(guest: Machine) -> None:
    secret = "bmV3LXNlY3JldA=="  # new-secret
    guest.agent("guest-set-user-password", username="cirros", password=secret, crypted=False)
    guest.type("\n")
    guest.type("cirros\n")
    guest.wait_for("Password:")
    guest.type("new-secret\n")
    guest.type("echo logged-in-as-$(id -un)\n")
    guest.wait_for("logged-in-as-cirros", 20)
    assert guest.agent("guest-fsfreeze-freeze") == 1
    assert guest.agent("guest-fsfreeze-thaw") == 1


def test_its_user_pings_and_becomes_root(guest: Machine) -> None:
    assert "1 packets received" in guest.ssh("ping -c 1 10.9.0.1")
    assert guest.ssh("sudo id -u").strip() == "0"
    assert guest.ssh("sudo -n sh -c 'echo $(id -u) two   words'").strip() == "0 two words"
    assert guest.ssh("id -u").strip() == "1000"


def test_disks_and_interfaces_that_are_plugged_in_are_seen(guest: Machine, tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", tmp_path / "volume", "64M"], check=True)
    guest.qmp("blockdev-add", driver="file", **{"node-name": "v"}, filename=str(tmp_path / "volume"))
    guest.qmp("device_add", driver="virtio-blk-pci", drive="v", id="v0", serial="a-volume")
    assert "64 MB" in guest.wait_for("plugged in", 15)
    assert guest.ssh("cat /sys/class/block/vdb/serial") == "a-volume"
    guest.qmp("netdev_add", type="hubport", id="net1", hubid=1)
    guest.qmp("device_add", driver="virtio-net-pci", netdev="net1", id="n1", mac="fa:16:3e:00:00:06")
    guest.wait_for("interface eth1 plugged in", 15)
    guest.qmp("device_del", id="v0")
    guest.wait_for("disk vdb unplugged", 15)


def test_the_power_button_shuts_a_guest_down(guest: Machine) -> None:
    guest.qmp("system_powerdown")
    guest.wait_for("power button", 15)
    assert guest.process.wait(20) == 0


def test_the_power_button_is_heeded_before_any_metadata_is_found(tmp_path: Path, image: Path) -> None:
    with wire(tmp_path, None) as space, machine(space, tmp_path, image) as guest:
        guest.wait_for("nephele-guest: root")
        for _ in range(60):  # a press that comes before the guest listens is lost
            guest.qmp("system_powerdown")
            try:
                assert guest.process.wait(0.5) == 0
                break
            except subprocess.TimeoutExpired:
                continue
        assert guest.process.poll() == 0
        assert "ssh listens" not in (tmp_path / "serial.log").read_text()


def test_a_config_drive_wins_and_needs_no_network_service(tmp_path: Path, image: Path, key: str) -> None:
    write_openstack(tmp_path / "drive", key, "from-drive", USER_DATA)
    write_drive(tmp_path / "drive", tmp_path / "drive.img")
    extra = ("-drive", f"file={tmp_path}/drive.img,if=virtio,format=raw,readonly=on")
    with wire(tmp_path, None) as space, machine(space, tmp_path, image, *extra) as guest:
        assert "hostname from-drive, ssh keys 1" in guest.wait_for("metadata from config-drive")
        guest.wait_for("nephele-guest: ready")
        assert guest.ssh("hostname").strip() == "from-drive"
        drive = guest.ssh("/sbin/blkid -L config-2 -o device").strip()
        assert INSTANCE in guest.ssh(f"sudo mount {drive} /mnt && cat /mnt/openstack/latest/meta_data.json")
        assert guest.ssh("cat /run/proof", user="root") == "ran as root\n"


def test_a_config_drive_is_found_on_an_ide_cdrom(tmp_path: Path, image: Path, key: str) -> None:
    write_openstack(tmp_path / "drive", key, "from-cdrom")
    content = {
        str(path.relative_to(tmp_path / "drive")): path.read_bytes() for path in tmp_path.glob("drive/**/*.json")
    }
    write_config_drive(content, tmp_path / "drive.iso")
    extra = ("-drive", f"file={tmp_path}/drive.iso,if=ide,media=cdrom,format=raw,readonly=on")
    with wire(tmp_path, None) as space, machine(space, tmp_path, image, *extra) as guest:
        assert "hostname from-cdrom" in guest.wait_for("metadata from config-drive")
        assert INSTANCE in guest.wait_for("config drive: instance")


def test_the_ec2_form_is_enough(tmp_path: Path, image: Path, key: str) -> None:
    write_ec2(tmp_path / "metadata", key, "from-ec2")
    with wire(tmp_path, tmp_path / "metadata") as space, machine(space, tmp_path, image) as guest:
        assert "instance i-0000002a, hostname from-ec2, ssh keys 1" in guest.wait_for("metadata-service-ec2")
        guest.wait_for("ssh listens")
        assert guest.ssh("hostname").strip() == "from-ec2"


def test_a_guest_boots_again_after_its_plug_was_pulled(tmp_path: Path, image: Path, key: str) -> None:
    write_openstack(tmp_path / "metadata", key, "twice", USER_DATA)
    with wire(tmp_path, tmp_path / "metadata") as space:
        with machine(space, tmp_path, image) as guest:
            guest.wait_for("user data ran, exit 0")
            guest.process.kill()
            guest.process.wait()
        (tmp_path / "serial.log").write_text("")
        with machine(space, tmp_path, image) as guest:
            guest.wait_for("nephele-guest: ready")
            assert guest.ssh("hostname").strip() == "twice"


def test_ssh_answers_soon_after_power_on(tmp_path: Path, image: Path, key: str) -> None:
    write_openstack(tmp_path / "metadata", key, "fast")
    with wire(tmp_path, tmp_path / "metadata") as space, machine(space, tmp_path, image) as guest:
        guest.wait_for("ssh listens")
        assert guest.ssh("hostname").strip() == "fast"
        assert time.monotonic() - guest.started < 30  # 4 s on an idle machine
