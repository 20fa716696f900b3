"""Two real guests on two networks of a real cloud: what reaches them, what doesn't, and what a guest may not do."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.guests.netcloud import seconds_until
from tests.guests.netlab import until
from tests.guests.test_launch_real import start
from tests.running import RunningCloud, stop_cloud

from nephele.guest import image_path
from nephele.lab import LabHost, start_host

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(not image_path().exists(), reason="`nephele guest build` makes the guest"),
]


class TwoGuests:
    """`red` on `private` and `blue` on a network beside, both with floating IPs; SSH and pings are let in."""

    def __init__(self, cloud: RunningCloud, host: LabHost, folder: Path) -> None:
        self.host, self.folder = host, folder
        self.demo: Any = connect(cloud, "nephele")
        network = self.demo.network
        self.group = network.create_security_group(name="reachable")
        network.create_security_group_rule(security_group_id=self.group.id, direction="ingress", protocol="icmp")
        self.ssh_rule = self.allow_ssh()
        network.create_security_group_rule(
            security_group_id=self.group.id, direction="ingress", ethertype="IPv6", protocol="ipv6-icmp"
        )
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        self.demo.compute.create_keypair(name="key", public_key=(folder / "key.pub").read_text().strip())
        self.private = network.find_network("private")
        beside = network.create_network(name="beside")
        subnet = network.create_subnet(network_id=beside.id, cidr="10.30.0.0/24", ip_version=4)
        self.router = next(network.routers())
        network.add_interface_to_router(self.router, subnet=subnet.id)
        servers = {name: self.boot(name, one.id) for name, one in (("red", self.private), ("blue", beside))}
        self.ip, self.floating, self.port = {}, {}, {}
        for name, server in servers.items():
            server = self.demo.compute.wait_for_server(server, interval=1, wait=120)
            (port,) = network.ports(device_id=server.id)
            public = network.find_network("public")
            floating = network.create_ip(floating_network_id=public.id, port_id=port.id)
            self.port[name], self.ip[name] = port, port.fixed_ips[0]["ip_address"]
            self.floating[name] = floating.floating_ip_address
        for name in servers:
            assert until(lambda name=name: self.ssh(name, "hostname") == name, 120), name  # type: ignore[misc]

    def allow_ssh(self) -> Any:
        """Let SSH in."""
        return self.demo.network.create_security_group_rule(
            security_group_id=self.group.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22
        )

    def boot(self, name: str, network_id: str) -> Any:
        """Launch a server."""
        return self.demo.compute.create_server(
            name=name,
            flavor_id=self.demo.compute.find_flavor("m1.micro").id,
            image_id=self.demo.image.find_image("nephele-guest").id,
            networks=[{"uuid": network_id}],
            key_name="key",
            security_groups=[{"name": "reachable"}],
        )

    def ssh(self, name: str, command: str, timeout: float = 20) -> str:
        """What a command in a guest prints; empty where the guest can't be reached."""
        words = ["ssh", "-i", str(self.folder / "key"), "-oBatchMode=yes", "-oStrictHostKeyChecking=no"]
        words += ["-oLogLevel=ERROR", "-oUserKnownHostsFile=/dev/null", f"-oConnectTimeout={min(timeout, 5):g}"]
        words += [f"cirros@{self.floating[name]}", command]
        try:
            done = subprocess.run(
                self.host.command(*words), capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip()

    def pings(self, name: str, address: str, *more: str) -> bool:
        """Whether a guest gets an answer from an address."""
        return "1 packets received" in self.ssh(name, " ".join(("ping -c 1 -W 1", *more, address)))


def test_two_real_guests(tmp_path: Path) -> None:
    with start_host(f"nets-{os.getpid()}", tmp_path / "host") as host:
        clouds = [start(tmp_path / "state", host)]
        try:
            two = TwoGuests(clouds[0], host, tmp_path)
            check_paths(two)
            check_spoofing(two)
            check_group(two)
            check_ipv6(two)
            check_restart(two, clouds, tmp_path / "state")
        finally:
            stop_cloud(clouds[-1])


def check_paths(two: TwoGuests) -> None:
    """Through the router in whole packets; metadata by the DHCP service and by the router."""
    red, blue = two.ip["red"], two.ip["blue"]
    assert two.pings("red", blue, "-s 1422")
    assert two.pings("blue", red, "-s 1422")
    assert two.ssh("red", "cat /sys/class/net/eth0/mtu") == "1450"
    router = two.ssh("red", "ip route show default").split()[2]
    for route in ("", f"sudo ip route replace 169.254.169.254 via {router}; "):
        assert '"red"' in two.ssh("red", route + "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json")


def check_spoofing(two: TwoGuests) -> None:
    """Another address, and another MAC, are not heard; the address is once it is allowed."""
    other = two.ip["red"].rsplit(".", 1)[0] + ".222"
    gateway = two.ssh("red", "ip route show default").split()[2]
    two.ssh("red", f"sudo ip addr add {other}/24 dev eth0")
    assert not two.pings("red", gateway, f"-I {other}")
    two.demo.network.update_port(two.port["red"], allowed_address_pairs=[{"ip_address": other}])
    assert seconds_until(lambda: two.pings("red", gateway, f"-I {other}")) < 3
    two.demo.network.update_port(two.port["red"], allowed_address_pairs=[])
    change = "sudo ip link set eth0 down; sudo ip link set eth0 address {}; sudo ip link set eth0 up"
    false, true = change.format("fa:16:3e:66:66:66"), change.format(two.port["red"].mac_address)
    ways = f"sudo ip route replace default via {gateway}"
    tried = f"{false}; {ways}; ping -c 2 -W 1 {gateway} >/tmp/tried; {true}; {ways}"
    two.ssh("red", f"(sleep 1; {tried}) >/dev/null 2>&1 &")
    assert until(lambda: "0 packets received" in two.ssh("red", "cat /tmp/tried", 5), 30)


def check_group(two: TwoGuests) -> None:
    """A closed port is closed, and an opened one open, about as soon as the API has answered."""
    assert two.ssh("blue", "echo open") == "open"
    two.demo.network.delete_security_group_rule(two.ssh_rule)
    assert seconds_until(lambda: two.ssh("blue", "echo open", 2) == "", 10) < 5  # a refusal takes 2 s to see
    two.ssh_rule = two.allow_ssh()
    assert seconds_until(lambda: two.ssh("blue", "echo open") == "open", 10) < 5


def check_ipv6(two: TwoGuests) -> None:
    """A new subnet's address comes by advertisement to a guest that runs."""
    subnet = two.demo.network.create_subnet(
        network_id=two.private.id, cidr="fd66::/64", ip_version=6, ipv6_ra_mode="slaac", ipv6_address_mode="slaac"
    )
    two.demo.network.add_interface_to_router(two.router, subnet=subnet.id)
    assert until(lambda: "fd66::f816:3eff" in two.ssh("red", "ip -6 addr show dev eth0"), 30)
    assert until(lambda: "1 packets received" in two.ssh("red", "ping -6 -c 1 -W 1 fd66::1"), 10)


def check_restart(two: TwoGuests, clouds: list[RunningCloud], state: Path) -> None:
    """The whole control plane goes and comes back: an SSH session goes on, and no ping is lost."""
    ping = two.host.command("busybox", "ping", "-i", "0.01", "-c", "1000", "-W", "10", two.floating["blue"])
    with subprocess.Popen(ping, stdout=subprocess.PIPE, text=True) as process:
        session = "for i in $(seq 10); do echo $i; sleep 1; done"
        words = ["ssh", "-i", str(two.folder / "key"), "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]
        command = two.host.command(*words, "-oLogLevel=ERROR", f"cirros@{two.floating['red']}", session)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ssh:
            stop_cloud(clouds[-1])
            clouds.append(start(state, two.host))
            counted, _ = ssh.communicate(timeout=40)
        out, _ = process.communicate(timeout=40)
    assert counted.split() == [str(number) for number in range(1, 11)]
    came = {int(found) for found in re.findall(r"seq=(\d+)", out)}
    assert sorted(set(range(1000)) - came) == []
