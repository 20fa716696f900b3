"""From the API to the packet: what users ask of networks, on two hosts with namespaces as guests."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import OTHER_PROJECT, PROJECT
from tests.guests.frames import open_wire
from tests.guests.netcloud import Guest, NetworkCloud, says, seconds_until
from tests.guests.netlab import ask, must, repeater, repeats, run, until, who_asks

from nephele.kernel.store import Store
from nephele.network.agent import netns
from nephele.network.metering import counts_of
from nephele.network.service import SERVICE

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

PING = {"protocol": "icmp"}
WEB = {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}


@pytest.fixture(scope="module")
def cloud(empty_databases: Callable[[], Path]) -> Iterator[NetworkCloud]:
    folder = Path(tempfile.mkdtemp(prefix="nephele-netcloud-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        shutil.copy(empty_databases(), folder / "test.db")
        store = Store(f"sqlite:///{folder}/test.db")
        stack.callback(store.close)
        yield NetworkCloud(store, folder, stack)


@pytest.fixture(scope="module")
def pair(cloud: NetworkCloud) -> tuple[Guest, Guest, str]:
    """Two guests of one network on different hosts, and the second one's group, which lets pings in."""
    network, _subnet = cloud.net("10.1.0.0/24")
    group = cloud.group(PING)
    here, there = (cloud.guest(network["id"], host, security_groups=[group]) for host in ("one", "two"))
    here.lease()
    there.lease()
    return here, there, group


def connect(guest: Guest, address: str, tcp_port: int, seconds: float = 0.1) -> socket.socket | None:
    """A connection; None where the first packet of several tries finds no way in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with netns.entered(guest.space):
            try:
                return socket.create_connection((address, tcp_port), 0.1)
            except TimeoutError:
                continue
    return None


def reached(guest: Guest, address: str, tcp_port: int = 80) -> bool:
    """Whether a connection can be made at once."""
    connection = connect(guest, address, tcp_port)
    if connection:
        connection.close()
    return connection is not None


def test_guests_on_two_hosts_meet_with_whole_packets(pair: tuple[Guest, Guest, str]) -> None:
    here, there, _ = pair
    assert here.pings(there.ip)
    assert here.pings_whole(there.ip)
    assert there.pings_whole(here.ip)
    assert not here.pings_whole(there.ip, 1451)


def test_hosts_know_where_each_mac_is(cloud: NetworkCloud, pair: tuple[Guest, Guest, str]) -> None:
    """From the control plane, before any packet: no learning, no multicast."""
    here, there, _ = pair
    device = "nvx" + here.port.network_id[:11]
    entries = must(here.host, "bridge", "fdb", "show", "dev", device)
    assert f"{there.port.mac} dst 10.250.0.2" in entries
    assert here.port.mac not in entries
    assert "learning on" not in must(here.host, "ip", "-d", "link", "show", device)


def test_overlapping_addresses_of_two_projects_do_not_meet(cloud: NetworkCloud) -> None:
    guests = {}
    for project, as_ in ((None, "member"), (OTHER_PROJECT, "other")):
        network, _subnet = cloud.net("10.5.0.0/24", as_)
        more = {"project_id": project} if project else {}
        guests[as_] = [
            cloud.guest(
                network["id"], host, port_security_enabled=False, fixed_ips=[{"ip_address": f"10.5.0.{last}"}], **more
            )
            for last, host in ((11, "one"), (12, "two"))
        ]
        for guest in guests[as_]:
            guest.set_address(f"{guest.ip}/24")
    with says(guests["member"][1].space, 80, "mine"), says(guests["other"][1].space, 80, "theirs"):
        for name, answer in (("member", "mine"), ("other", "theirs")):
            assert ask(guests[name][0].space, "10.5.0.12", 80) == answer


def test_a_rule_holds_within_a_second_of_the_call(cloud: NetworkCloud, pair: tuple[Guest, Guest, str]) -> None:
    here, there, group = pair
    with says(there.space, 80, "web"), repeater(there.space, 81):
        assert not reached(here, there.ip)
        rule = cloud.rule(group, **WEB)
        assert seconds_until(lambda: reached(here, there.ip)) < 1
        other = cloud.rule(group, protocol="tcp", port_range_min=81, port_range_max=81)
        connection = connect(here, there.ip, 81, 1)
        assert connection
        with connection:
            assert repeats(connection)
            cloud.call("DELETE", f"security-group-rules/{rule}", 204)
            assert seconds_until(lambda: not reached(here, there.ip)) < 1
            assert repeats(connection)
            cloud.call("DELETE", f"security-group-rules/{other}", 204)
            assert seconds_until(lambda: not repeats(connection)) < 2


def test_a_remote_group_follows_who_is_in_it(cloud: NetworkCloud, pair: tuple[Guest, Guest, str]) -> None:
    here, there, group = pair
    friends = cloud.group()
    rule = cloud.rule(group, **WEB, remote_group_id=friends)
    with says(there.space, 80, "web"):
        assert not reached(here, there.ip)
        here.put(security_groups=[group, friends])
        assert seconds_until(lambda: reached(here, there.ip)) < 1
        here.put(security_groups=[group])
        assert seconds_until(lambda: not reached(here, there.ip)) < 1
        here.put(security_groups=[group, friends])
        assert seconds_until(lambda: reached(here, there.ip)) < 1
    cloud.call("DELETE", f"security-group-rules/{rule}", 204)
    here.put(security_groups=[group])


def test_a_remote_address_group_follows_its_addresses(cloud: NetworkCloud, pair: tuple[Guest, Guest, str]) -> None:
    here, there, group = pair
    office = cloud.call("POST", "address-groups", 201, {"address_group": {"name": "office", "addresses": []}})
    path = f"address-groups/{office['address_group']['id']}"
    rule = cloud.rule(group, **WEB, remote_address_group_id=office["address_group"]["id"])
    addresses = {"addresses": [f"{here.ip}/32"]}
    with says(there.space, 80, "web"):
        assert not reached(here, there.ip)
        cloud.call("PUT", f"{path}/add_addresses", 200, addresses)
        assert seconds_until(lambda: reached(here, there.ip)) < 1
        cloud.call("PUT", f"{path}/remove_addresses", 200, addresses)
        assert seconds_until(lambda: not reached(here, there.ip)) < 1
    cloud.call("DELETE", f"security-group-rules/{rule}", 204)
    cloud.call("DELETE", path, 204)


def test_pairs_open_what_they_say(cloud: NetworkCloud, pair: tuple[Guest, Guest, str]) -> None:
    here, there, _ = pair
    here("ip", "addr", "add", "10.1.0.200/24", "dev", "eth0")
    there("ip", "route", "replace", "10.1.0.200/32", "dev", "eth0")
    words = ("busybox", "ping", "-c", "1", "-W", "1", "-I", "10.1.0.200", there.ip)
    assert run(here.space, *words).returncode
    here.put(allowed_address_pairs=[{"ip_address": "10.1.0.200"}])
    assert seconds_until(lambda: run(here.space, *words).returncode == 0) < 2
    here.put(allowed_address_pairs=[{"ip_address": "10.1.0.201"}])
    assert seconds_until(lambda: run(here.space, *words).returncode != 0) < 2
    here.put(allowed_address_pairs=[])
    here("ip", "addr", "del", "10.1.0.200/24", "dev", "eth0")


def test_dhcp_says_all_that_was_asked_for(cloud: NetworkCloud) -> None:
    routes = [{"destination": "10.88.0.0/16", "nexthop": "10.6.0.9"}]
    network, subnet = cloud.net("10.6.0.0/24", dns_nameservers=["10.6.0.53", "10.6.0.54"], host_routes=routes)
    options = [{"opt_name": "42", "opt_value": "10.6.0.123"}, {"opt_name": "bootfile-name", "opt_value": "boot.me"}]
    guest = cloud.guest(network["id"], "two", extra_dhcp_opts=options, dns_name="tester")
    said = guest.lease()
    assert "10.88.0.0/16 10.6.0.9" in said
    assert "169.254.169.254/32" in said
    assert "dns=10.6.0.53 10.6.0.54" in said
    assert "mtu=1450" in said
    assert "ntpsrv=10.6.0.123" in said
    assert "boot_file=boot.me" in said
    assert "domain=openstacklocal" in said
    cloud.call("PUT", f"subnets/{subnet['id']}", 200, {"subnet": {"dns_nameservers": ["10.6.0.55"]}})
    assert seconds_until(lambda: "dns=10.6.0.55\n" in guest.lease()) < 3
    got = run(guest.space, "busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/")
    assert got.stdout == f"you are {guest.ip}"


class Routed:
    """A router of the demo project with two networks behind it, and a guest on each."""

    def __init__(self, cloud: NetworkCloud) -> None:
        self.call = cloud.call
        public = cloud.call("GET", "networks?name=public", 200)["networks"][0]
        self.public = public["id"]
        self.router = cloud.call.make("router")
        self.path = f"routers/{self.router['id']}"
        self.guests = []
        group = cloud.group(PING, {"protocol": "tcp"})
        for number, host in ((7, "one"), (8, "two")):
            network, subnet = cloud.net(f"10.{number}.0.0/24")
            self.call("PUT", f"{self.path}/add_router_interface", 200, {"subnet_id": subnet["id"]})
            guest = cloud.guest(network["id"], host, security_groups=[group])
            guest.lease()
            self.guests.append(guest)
        found = cloud.call("GET", f"{self.path}/l3-agents", 200, as_="admin")["agents"]
        self.host = cloud.hosts[found[0]["host"]]
        self.gateway(network_id=self.public)

    def outside(self) -> str:
        """The address of the router's host in the provider network."""

        def held() -> list[str]:
            lines = must(self.host.netns, "ip", "-4", "-br", "addr").splitlines()
            return [line.split()[2].split("/")[0] for line in lines if line.startswith("nph")]

        assert until(lambda: bool(held()))
        return held()[0]

    def gateway(self, **wish: Any) -> str:
        """Give the router this way out; its address there."""
        info = self.call("PUT", self.path, 200, {"router": {"external_gateway_info": wish}}, "admin")["router"]
        return str(info["external_gateway_info"]["external_fixed_ips"][0]["ip_address"])


@pytest.fixture(scope="module")
def routed(cloud: NetworkCloud) -> Routed:
    return Routed(cloud)


def test_networks_meet_through_the_router_and_leave_under_its_address(cloud: NetworkCloud, routed: Routed) -> None:
    red, blue = routed.guests
    assert until(lambda: red.pings(blue.ip))
    assert red.pings_whole(blue.ip)
    out = routed.outside()
    own = routed.gateway(network_id=routed.public)
    with who_asks(routed.host.netns, 8080):
        assert until(lambda: ask(red.space, out, 8080) == own)
        assert ask(blue.space, out, 8080) == own
        routed.gateway(network_id=routed.public, enable_snat=False)
        assert until(lambda: ask(red.space, out, 8080) == "")
        routed.gateway(network_id=routed.public, enable_snat=True)
        assert until(lambda: ask(red.space, out, 8080) == own)
    red("ip", "route", "replace", "169.254.169.254", "via", "10.7.0.1")
    got = run(red.space, "busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/")
    assert got.stdout == f"you are {red.ip}"


def test_a_floating_ip_outlives_agents(cloud: NetworkCloud, routed: Routed) -> None:
    """No connection is cut and no packet lost when both agents are replaced, twice."""
    _red, blue = routed.guests
    floating = cloud.call.make("floatingip", floating_network_id=routed.public, port_id=blue.id)
    address, host = floating["floating_ip_address"], routed.host.netns
    assert until(lambda: run(host, "busybox", "ping", "-c", "1", "-W", "1", address).returncode == 0)
    with repeater(blue.space, 90):
        with netns.entered(host):
            connection = socket.create_connection((address, 90), 2)
        ping = ["ip", "netns", "exec", host, "busybox", "ping", "-i", "0.01", "-c", "300", "-W", "1", address]
        with connection, subprocess.Popen(ping, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(2):
                for one in cloud.hosts.values():
                    one.restart()
                    one.agent.wire([guest.id for guest in routed.guests if guest.host == one.netns])
                assert repeats(connection)
            out, _ = process.communicate(timeout=30)
        assert "300 packets transmitted, 300 packets received" in out
    cloud.call("DELETE", f"floatingips/{floating['id']}", 204)
    assert until(lambda: run(host, "busybox", "ping", "-c", "1", "-W", "1", address).returncode != 0)


def test_what_others_destroy_of_a_router_comes_back(cloud: NetworkCloud, routed: Routed) -> None:
    red, blue = routed.guests
    floating = cloud.call.make("floatingip", floating_network_id=routed.public, port_id=blue.id)
    address, host = floating["floating_ip_address"], routed.host.netns
    space = f"{host}.router-{routed.router['id']}"

    def works() -> bool:
        outer = run(host, "busybox", "ping", "-c", "1", "-W", "1", address)
        return outer.returncode == 0 and red.pings(blue.ip)

    assert until(works)
    leg = next(name for name in must(space, "ls", "/sys/class/net").split() if name.startswith("in-"))
    for where, words in (
        (space, "nft flush ruleset"),
        (space, "ip route del default"),
        (space, f"ip link del {leg}"),
        (space, "sysctl -qw net.ipv4.ip_forward=0"),
        (space, f"ip addr del {address}/32 dev {_gateway_link(space)}"),
        (host, f"ip netns del {space}"),
    ):
        must(where, *words.split())
        assert until(works, 10), words
    cloud.call("DELETE", f"floatingips/{floating['id']}", 204)


def _gateway_link(space: str) -> str:
    return next(name for name in must(space, "ls", "/sys/class/net").split() if name.startswith("gw-"))


def test_a_forwarded_port_leads_to_one_port_of_a_guest(cloud: NetworkCloud, routed: Routed) -> None:
    red, _ = routed.guests
    floating = cloud.call.make("floatingip", floating_network_id=routed.public)
    address, host = floating["floating_ip_address"], routed.host.netns
    path = f"floatingips/{floating['id']}/port_forwardings"
    wish = {"internal_port_id": red.id, "internal_ip_address": red.ip, "protocol": "tcp"}
    forwarding = cloud.call(
        "POST", path, 201, {"port_forwarding": wish | {"internal_port": 80, "external_port": 8022}}
    )["port_forwarding"]
    with says(red.space, 80, "red"), says(red.space, 81, "redder"):
        assert until(lambda: ask(host, address, 8022) == "red")
        assert ask(host, address, 80) == ""
        changed = {"port_forwarding": {"internal_port": 81}}
        cloud.call("PUT", f"{path}/{forwarding['id']}", 200, changed)
        assert until(lambda: ask(host, address, 8022) == "redder")
        cloud.call("DELETE", f"{path}/{forwarding['id']}", 204)
        assert until(lambda: ask(host, address, 8022) == "")
    cloud.call("DELETE", f"floatingips/{floating['id']}", 204)


def test_what_passes_a_router_is_counted(cloud: NetworkCloud, routed: Routed) -> None:
    red, _ = routed.guests
    out = routed.outside()
    values = {"name": "red", "project_id": PROJECT}
    label = cloud.call("POST", "metering/metering-labels", 201, {"metering_label": values}, "admin")["metering_label"]
    for direction in ("ingress", "egress"):
        wish = {"metering_label_id": label["id"], "remote_ip_prefix": f"{red.ip}/32", "direction": direction}
        cloud.call("POST", "metering/metering-label-rules", 201, {"metering_label_rule": wish}, "admin")
    space = f"{routed.host.netns}.router-{routed.router['id']}"
    assert until(lambda: "counter meter_" in run(space, "nft", "list", "counters").stdout)

    def counted() -> tuple[int, int]:
        with cloud.networks.core.reading(SERVICE) as work:
            return counts_of(work, [label["id"]])[label["id"]]

    assert until(lambda: red.pings(out))
    assert until(lambda: counted() > (0, 0))
    routed.host.restart()  # which begins to count anew
    routed.host.agent.wire([])
    before = counted()
    assert red.pings(out, 5)
    assert until(lambda: counted() == (before[0] + 10, before[1] + 10 * 84))
    cloud.call("DELETE", f"metering/metering-labels/{label['id']}", 204, as_="admin")
    assert until(lambda: "counter meter_" not in run(space, "nft", "list", "counters").stdout)


def test_a_router_moves_with_all_that_passes_it(cloud: NetworkCloud, routed: Routed) -> None:
    red, blue = routed.guests
    routed.gateway(network_id=routed.public)
    assert until(lambda: red.pings(blue.ip))
    agents = cloud.call("GET", "agents?agent_type=L3 agent", 200, as_="admin")["agents"]
    here = next(agent for agent in agents if agent["host"] == routed.host.name)
    there = next(agent for agent in agents if agent["host"] != routed.host.name)
    cloud.call("DELETE", f"agents/{here['id']}/l3-routers/{routed.router['id']}", 204, as_="admin")
    assert until(lambda: not red.pings(blue.ip))
    cloud.call("POST", f"agents/{there['id']}/l3-routers", 201, {"router_id": routed.router["id"]}, "admin")
    assert until(lambda: red.pings(blue.ip))
    assert until(lambda: blue.pings(red.ip))
    routed.host = cloud.hosts[there["host"]]


def test_ipv6_of_every_kind(cloud: NetworkCloud) -> None:
    router = cloud.call.make("router")
    group = cloud.group({"ethertype": "IPv6"})
    guests = []
    for number, mode in ((1, "slaac"), (2, "dhcpv6-stateless")):
        modes = {"ipv6_ra_mode": mode, "ipv6_address_mode": mode}
        network, subnet = cloud.net(f"fd77:{number}::/64", dns_nameservers=["fd77::53"], **modes)
        path = f"routers/{router['id']}/add_router_interface"
        cloud.call("PUT", path, 200, {"subnet_id": subnet["id"]})
        guests.append(cloud.guest(network["id"], ("one", "two")[number - 1], security_groups=[group]))
    slaac, stateless = guests
    beside = cloud.guest(slaac.port.network_id, "two", security_groups=[group])
    for guest in guests:
        assert until(lambda guest=guest: guest.ip in guest("ip", "-6", "addr", "show", "dev", "eth0"), 20)  # type: ignore[misc]
    assert until(lambda: run(slaac.space, "ping", "-6", "-c", "1", "-W", "1", stateless.ip).returncode == 0, 20)
    assert run(stateless.space, "ping", "-6", "-c", "1", "-W", "1", slaac.ip).returncode == 0
    assert "fd77::53" in information(stateless)
    assert until(lambda: beside.ip in beside("ip", "-6", "addr", "show", "dev", "eth0"), 20)
    with open_wire(beside.space) as wire:
        assert run(slaac.space, "ping", "-6", "-c", "3", "-i", "0.2", "-W", "1", beside.ip).returncode == 0
        wire.settimeout(0.2)
        heard = []
        with suppress(TimeoutError):
            while True:
                heard.append(wire.recv(200))
    solicited = [
        frame for frame in heard if frame[12:14] == b"\x86\xdd" and frame[54] == 135 and frame[6:12] == mac(slaac)
    ]
    assert not solicited  # the question who has the address was answered on its own host


def mac(guest: Guest) -> bytes:
    return bytes.fromhex(guest.port.mac.replace(":", ""))


def information(guest: Guest) -> str:
    """The name servers that DHCPv6 tells a guest which made its address itself (RFC 8415, 18.2.6)."""
    message = bytes([11, 1, 2, 3]) + bytes.fromhex("0001000a00030001" + guest.port.mac.replace(":", ""))
    message += bytes.fromhex("000600020017")
    with netns.entered(guest.space):
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        index = socket.if_nametoindex("eth0")
    with udp:
        udp.bind(("::", 546, 0, index))
        udp.settimeout(1)
        for _ in range(5):
            udp.sendto(message, ("ff02::1:2", 547, 0, index))
            try:
                answer = udp.recv(2048)
            except TimeoutError:
                continue
            at = answer.find(bytes.fromhex("00170010"))
            return socket.inet_ntop(socket.AF_INET6, answer[at + 4 : at + 20]) if at > 0 else ""
    return ""


FLOOD = """\
import socket, sys, time
address, seconds = sys.argv[1], float(sys.argv[2])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        udp.sendto(bytes(1000), (address, 9))
        time.sleep(0.0005)
"""


def flood(sender: Guest, receiver: Guest, seconds: float = 1) -> tuple[int, int]:
    """Let one guest send 1,000 bytes 1,000 times a second or more: how many packets arrive, and the TOS of the last."""
    with netns.entered(receiver.space):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with udp:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        udp.bind(("", 9))
        run(sender.space, sys.executable, "-c", FLOOD, receiver.ip, str(seconds))
        udp.settimeout(0.2)
        count, tos = 0, 0
        while True:
            try:
                _, notes, _, _ = udp.recvmsg(2000, 100)
            except TimeoutError:
                return count, tos
            count, tos = count + 1, notes[0][2][0]


def test_qos_limits_and_marks(cloud: NetworkCloud) -> None:
    network, _ = cloud.net("10.9.0.0/24")
    here, there = (cloud.guest(network["id"], host, port_security_enabled=False) for host in ("one", "two"))
    for guest in (here, there):
        guest.set_address(f"{guest.ip}/24")
    assert here.pings(there.ip)
    unlimited, tos = flood(here, there)
    assert unlimited > 500
    assert tos == 0
    policy = cloud.call("POST", "qos/policies", 201, {"policy": {"name": "slow"}}, "admin")["policy"]

    def rules(**wanted: dict[str, Any]) -> None:
        shown = cloud.call("GET", f"qos/policies/{policy['id']}", 200, as_="admin")["policy"]
        for rule in shown["rules"]:
            cloud.call("DELETE", f"qos/alias_{rule['type']}_rules/{rule['id']}", 204, as_="admin")
        for kind, rule in wanted.items():
            body = {f"{kind}_rule": rule}
            cloud.call("POST", f"qos/policies/{policy['id']}/{kind}_rules", 201, body, "admin")
        for host in cloud.hosts.values():
            host.agent.wire([guest.id for guest in (here, there) if guest.host == host.netns])

    here.put(qos_policy_id=policy["id"])
    rules(bandwidth_limit={"max_kbps": 800}, dscp_marking={"dscp_mark": 26})
    flood(here, there)  # uses up the burst of 128 kB
    count, tos = flood(here, there)
    assert 80 < count < 300  # 100 kB a second, and the burst that came back meanwhile
    assert tos == 26 << 2
    rules(bandwidth_limit={"max_kbps": 800, "direction": "ingress"})
    flood(there, here)
    assert 80 < flood(there, here)[0] < 300
    must(here.host, "tc", "qdisc", "del", "dev", here.port.tap, "root")
    assert flood(there, here)[0] > 500
    assert until(lambda: "tbf" in run(here.host, "tc", "qdisc", "show", "dev", here.port.tap).stdout)
    rules(packet_rate_limit={"max_kpps": 0, "direction": "ingress"})
    assert until(lambda: "tbf" not in run(here.host, "tc", "qdisc", "show", "dev", here.port.tap).stdout)
    assert flood(there, here)[0] > 500
    here.put(qos_policy_id=None)
    cloud.call("DELETE", f"qos/policies/{policy['id']}", 204, as_="admin")


def test_a_trunks_subport_works_or_says_why_not(cloud: NetworkCloud) -> None:
    """Where the kernel has VLANs a tagged packet reaches the subport's network; else the port and trunk tell."""
    outer, _ = cloud.net("10.11.0.0/24")
    inner, _ = cloud.net("10.12.0.0/24")
    group = cloud.group(PING)
    other = cloud.guest(inner["id"], "one", security_groups=[group])
    other.lease()
    parent = cloud.call.make("port", network_id=outer["id"])
    carried = cloud.call.make("port", network_id=inner["id"], security_groups=[group])
    subport = {"port_id": carried["id"], "segmentation_type": "vlan", "segmentation_id": 101}
    trunk = cloud.call.make("trunk", port_id=parent["id"], sub_ports=[subport])
    bound = {"binding:host_id": "one", "device_id": "t", "device_owner": "compute:nova"}
    parent = cloud.call("PUT", f"ports/{parent['id']}", 200, {"port": bound}, "admin")["port"]
    cloud.hosts["one"].agent.wire([parent["id"]])
    guest = Guest(cloud, cloud.hosts["one"], parent)
    try:
        guest.lease()
        tagged = ["link", "add", "link", "eth0", "name", "eth0.101", "type", "vlan", "id", "101"]
        if run(guest.space, "ip", *tagged).returncode == 0:
            guest("ip", "link", "set", "eth0.101", "up", "address", carried["mac_address"])
            guest("ip", "addr", "add", f"{carried['fixed_ips'][0]['ip_address']}/24", "dev", "eth0.101")
            assert until(lambda: guest.pings(other.ip))
        else:
            path = f"ports/{carried['id']}"

            def reason() -> str:
                shown = cloud.call("GET", path, 200, as_="admin")["port"]
                return str(shown["binding:vif_details"].get("reason"))

            assert until(lambda: "this kernel has no VLANs" in reason())
            assert cloud.call("GET", f"trunks/{trunk['id']}", 200)["trunk"]["status"] == "DEGRADED"
            assert cloud.call("GET", path, 200)["port"]["status"] == "DOWN"
    finally:
        guest.remove()
