"""A real guest on libvirt in a network that the agent made: DHCP, metadata, ssh by floating IP, a group that closes."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.guests.netlab import Server, group, ident, network, port, until

from nephele.compute.virt.driver import Disk, DiskFormat, GuestSpec, ImageDisk, Nic
from nephele.guest import image_path
from nephele.guest.build import build
from nephele.kernel.clock import SystemClock
from nephele.lab import LabHost, start_host
from nephele.network.agent.agent import NetworkAgent
from nephele.network.agent.clean import clean
from nephele.network.agent.settings import AgentSettings, ProviderLink
from nephele.network.wiring import (
    ASK_METADATA,
    FixedIp,
    FloatingIp,
    HostWiring,
    MetadataAnswer,
    MetadataAsk,
    RouterGateway,
    RouterInterface,
    WiredRouter,
    WiredRule,
)

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

SERVER_ID, FLOATING = "12121212-3434-4565-8787-909090909090", "172.24.9.60"
SSH_IN = WiredRule(direction="ingress", ethertype="IPv4", protocol="tcp", port_min=22, port_max=22)
OPEN, CLOSED = group(1, SSH_IN), group(1)
PORT = port(1, 1, "10.0.0.11", OPEN.id)
ROUTER = WiredRouter(
    id=ident(0x77),
    admin_state_up=True,
    interfaces=(
        RouterInterface(
            port_id=ident(0xC1), network_id=ident(1), mac="fa:16:3e:0c:00:01", ips=(FixedIp(ident(1), "10.0.0.1"),)
        ),
    ),
    gateway=RouterGateway(
        port_id=ident(0xC9), network_id=ident(9), mac="fa:16:3e:0c:00:09", ips=(FixedIp(ident(9), "172.24.9.50"),)
    ),
    floating_ips=(FloatingIp(id="f", floating_ip=FLOATING, fixed_ip="10.0.0.11"),),
)
WIRING = HostWiring(
    host="",
    revision=1,
    networks=(
        network(1, "10.0.0.0/24", [PORT]),
        network(9, "172.24.9.0/24", [], kind="flat", physical_network="public", dhcp=None, mtu=1500),
    ),
    ports=(PORT,),
    groups=(OPEN,),
    routers=(ROUTER,),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="nephele-g-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def host(folder: Path) -> Iterator[LabHost]:
    if not all(map(shutil.which, ("libvirtd", "qemu-img", "qemu-system-x86_64"))):
        pytest.skip("NO REAL GUEST IS TESTED: libvirtd and QEMU are not installed")
    with start_host(f"net-{os.getpid()}", folder / "host") as host:
        yield host


def guest_spec(image: Path) -> GuestSpec:
    source = ImageDisk(base=str(image), base_format=DiskFormat.QCOW2, size_gb=1)
    nic = Nic(port_id=PORT.id, mac=PORT.mac, bridge=WIRING.networks[0].bridge, tap=PORT.tap, mtu=PORT.mtu)
    return GuestSpec(
        server_id=SERVER_ID, name="web", domain_name="instance-00000001", project_id="p", user_id="u",
        flavor_name="m1.nano", vcpus=1, memory_mb=128, nics=(nic,),
        disks=(Disk(device_name="/dev/vda", source=source, boot_index=0),),
    )  # fmt: skip


def test_a_real_guest(host: LabHost, folder: Path) -> None:
    from nephele.compute.virt.libvirt import open_driver

    image = image_path() if image_path().exists() else build(image_path())
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    metadata = {"uuid": SERVER_ID, "hostname": "web-1", "public_keys": {"k": (folder / "key.pub").read_text()}}

    def answer(ask: MetadataAsk) -> MetadataAnswer:
        if ask.guest_ip == "10.0.0.11" and ask.path == "/openstack/latest/meta_data.json":
            return MetadataAnswer(status=200, content_type="application/json", body=json.dumps(metadata).encode())
        return MetadataAnswer(status=404)

    def ssh(command: str) -> str:
        words = ["ssh", "-i", str(folder / "key"), "-oBatchMode=yes", "-oStrictHostKeyChecking=no", "-oLogLevel=ERROR"]
        words += ["-oUserKnownHostsFile=/dev/null", "-oConnectTimeout=2", f"cirros@{FLOATING}", command]
        try:
            done = subprocess.run(host.command(*words), capture_output=True, text=True, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip()

    settings = AgentSettings(
        host_netns=host.netns, providers={"public": ProviderLink()}, run_folder=folder / "run", look_every=1.0
    )
    server = Server(host.netns, msgspec.structs.replace(WIRING, host=host.netns))
    server.bus.serve(ASK_METADATA, answer)
    agent = NetworkAgent(host.netns, server.bus, settings, SystemClock())
    driver = open_driver(host.uri, folder / "instances", "qemu")
    try:
        agent.start()
        agent.wire([PORT.id])
        driver.spawn(guest_spec(image))
        assert until(lambda: ssh("hostname") == "web-1", 90), driver.console_output(SERVER_ID, 4000).decode()
        assert "10.0.0.11/24" in ssh("ip -4 addr show dev eth0")
        assert "169.254.169.254 via 10.0.0.2" in ssh("ip route")
        assert ssh("cat /sys/class/net/eth0/mtu") == "1450"
        subprocess.run(host.command("ip", "link", "del", WIRING.networks[0].bridge), check=True)
        assert until(lambda: ssh("hostname") == "web-1", 10)
        server.change(groups=(CLOSED,))
        assert until(lambda: ssh("hostname") == "", 10)
        server.change(groups=(OPEN,))
        assert until(lambda: ssh("hostname") == "web-1", 10)
    finally:
        driver.destroy(SERVER_ID)
        driver.close()
        agent.close()
        assert clean(settings) == {}
        server.bus.close()
