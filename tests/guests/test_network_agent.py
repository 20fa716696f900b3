"""The network agent on a real kernel: hosts and guests are network namespaces, so no hypervisor is needed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from tests.guests.netlab import PING_IN, Lab, group, ident, lab, network, port, run, until

from nephele.kernel.errors import Refused
from nephele.network.agent import netns
from nephele.network.wiring import ASK_WIRING, WIRING_CHANGED, AskWiring, HostWiring, WiredRule

pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]

OPEN, CLOSED = group(1, PING_IN), group(2)
WEB = port(1, 1, "10.0.0.11", OPEN.id)
SHUT = port(2, 1, "10.0.0.12", CLOSED.id)


@pytest.fixture
def one() -> Iterator[Lab]:
    """A host with one network and two ports, of which the first answers pings."""
    wiring = HostWiring(
        host="",
        revision=1,
        networks=(network(1, "10.0.0.0/24", [WEB, SHUT]),),
        ports=(WEB, SHUT),
        groups=(OPEN, CLOSED),
    )
    with lab("one", wiring) as found:
        yield found


def test_a_lease_an_answer_and_a_refusal(one: Lab) -> None:
    web, shut = one.guest(WEB), one.guest(SHUT)
    assert "lease of 10.0.0.11 obtained from 10.0.0.2" in web.dhcp(one.script)
    assert "lease of 10.0.0.12 obtained from 10.0.0.2" in shut.dhcp(one.script)
    assert "mtu 1450" in web("ip", "link", "show", "eth0")
    assert "169.254.169.254 via 10.0.0.2" in web("ip", "route")
    assert shut.pings("10.0.0.11")
    assert not web.pings("10.0.0.12")


def test_metadata_is_asked_for_the_guest(one: Lab) -> None:
    web = one.guest(WEB)
    web.dhcp(one.script)
    got = run(web.space, "busybox", "wget", "-q", "-O", "-", "http://169.254.169.254/latest/meta-data")
    assert got.stdout == "/latest/meta-data for 10.0.0.11"
    assert one.server.asked[0].network_id == WEB.network_id


def test_what_others_destroy_comes_back(one: Lab) -> None:
    """Within 10 s, as promised; the agent of these tests looks every second."""
    web, shut = one.guest(WEB), one.guest(SHUT)
    web.set_address("10.0.0.11/24")
    shut.set_address("10.0.0.12/24")
    assert shut.pings("10.0.0.11")
    space = f"{one.host}.dhcp-{WEB.network_id}"
    for words in (
        ("ip", "link", "del", web.bridge),
        ("nft", "delete", "table", "bridge", "nephele"),
        ("nft", "flush", "ruleset"),
        ("ip", "link", "set", web.bridge, "down"),
        ("ip", "link", "set", WEB.tap, "nomaster"),
        ("ip", "link", "del", "ndh" + WEB.network_id[:11]),
        ("ip", "netns", "del", space),
        ("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0"),
    ):
        assert run(one.host, *words).returncode == 0, words
        assert until(lambda: shut.pings("10.0.0.11") and not web.pings("10.0.0.12"), 10), words
        assert until(lambda: "lease of 10.0.0.11" in web.dhcp(one.script), 10), words


def test_dnsmasq_is_started_again(one: Lab) -> None:
    web = one.guest(WEB)
    pids = netns.dnsmasqs(f"{one.host}.dhcp-{WEB.network_id}")
    assert len(pids) == 1
    os.kill(pids[0], signal.SIGKILL)
    assert until(lambda: netns.dnsmasqs(f"{one.host}.dhcp-{WEB.network_id}") not in (pids, []), 10)
    assert "lease of 10.0.0.11" in web.dhcp(one.script)


def test_a_restart_of_the_agent_loses_no_packet(one: Lab) -> None:
    web, shut = one.guest(WEB), one.guest(SHUT)
    web.set_address("10.0.0.11/24")
    shut.set_address("10.0.0.12/24")
    servers = netns.dnsmasqs(f"{one.host}.dhcp-{WEB.network_id}")
    command = ["ip", "netns", "exec", shut.space, "busybox", "ping", "-i", "0.01", "-c", "200", "10.0.0.11"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ping:
        for _ in range(3):
            one.agent.close()
            one.start_agent().wire([WEB.id, SHUT.id])
        out, _ = ping.communicate(timeout=30)
    assert "200 packets transmitted, 200 packets received" in out
    assert netns.dnsmasqs(f"{one.host}.dhcp-{WEB.network_id}") == servers


def test_an_address_that_changes_hands_is_leased_to_its_new_holder(one: Lab) -> None:
    web = one.guest(WEB)
    assert "lease of 10.0.0.11" in web.dhcp(one.script)
    servers = netns.dnsmasqs(f"{one.host}.dhcp-{WEB.network_id}")
    heir = port(3, 1, "10.0.0.11", OPEN.id)
    one.server.change(networks=(network(1, "10.0.0.0/24", [heir, SHUT]),), ports=(heir, SHUT))
    assert "lease of 10.0.0.11" in one.guest(heir).dhcp(one.script)
    assert netns.dnsmasqs(f"{one.host}.dhcp-{WEB.network_id}") == servers


def test_a_network_that_cannot_be_made_says_why(one: Lab) -> None:
    lost = port(4, 4, "10.0.4.4")
    flat = network(4, "10.0.4.0/24", [lost], kind="flat", physical_network="nowhere", dhcp=None)
    one.server.change(networks=(*one.server.wiring.networks, flat), ports=(WEB, SHUT, lost))
    with pytest.raises(Refused, match="no link to physical network 'nowhere'"):
        one.agent.wire([lost.id])
    one.agent.wire([WEB.id])
    assert until(lambda: lost.id in one.server.applied[-1].failed)
    assert WEB.id in one.server.applied[-1].wired
    with pytest.raises(Refused, match="is not bound to host"):
        one.agent.wire([ident(0xBAD)])


def test_a_group_that_makes_no_sense_fails_its_own_ports(one: Lab) -> None:
    broken = WiredRule(direction="ingress", ethertype="IPv4", remote_cidr="10.0.0.300")
    one.server.change(groups=(OPEN, group(2, broken)))
    one.agent.wire([WEB.id])
    with pytest.raises(Refused, match=r"no IPv4 address: '10\.0\.0\.300'"):
        one.agent.wire([SHUT.id])


def test_rules_that_nft_refuses_fail_the_port_and_leave_the_old_ones(one: Lab) -> None:
    web, shut = one.guest(WEB), one.guest(SHUT)
    web.set_address("10.0.0.11/24")
    shut.set_address("10.0.0.12/24")
    one.server.change(ports=(WEB, SHUT, port(9, 1, "10.0.0.19", tap='tap"')))
    with pytest.raises(Refused, match="nft refused the rules"):
        one.agent.wire([WEB.id])
    assert shut.pings("10.0.0.11")
    assert not web.pings("10.0.0.12")
    one.server.change(ports=(WEB, SHUT))
    one.agent.wire([WEB.id])


def test_what_is_not_wanted_goes_and_what_is_not_ours_stays(one: Lab) -> None:
    one.agent.wire([WEB.id])
    for words in (("ip", "link", "add", "nbridge", "type", "bridge"), ("nft", "add", "table", "inet", "other")):
        assert run(one.host, *words).returncode == 0
    one.server.change(networks=(), ports=(), groups=())
    assert until(lambda: "nbr0" not in run(one.host, "ip", "-br", "link").stdout)
    assert until(lambda: "nephele" not in run(one.host, "nft", "list", "ruleset").stdout)
    assert not [name for name in netns.names() if name.startswith(one.host + ".")]
    assert "nbridge" in run(one.host, "ip", "-br", "link").stdout
    assert "table inet other" in run(one.host, "nft", "list", "ruleset").stdout


def test_without_an_answer_the_last_one_stays_in_force(one: Lab) -> None:
    web, shut = one.guest(WEB), one.guest(SHUT)
    web.set_address("10.0.0.11/24")
    shut.set_address("10.0.0.12/24")
    one.server.bus.withdraw(ASK_WIRING)
    one.server.bus.cast(WIRING_CHANGED, AskWiring(one.host), at=one.host)
    run(one.host, "ip", "link", "del", web.bridge)
    assert until(lambda: shut.pings("10.0.0.11"))
    with pytest.raises(Refused, match="Nobody serves"):
        one.agent.wire([WEB.id])


def test_many_changes_are_met_by_few_runs(one: Lab) -> None:
    one.agent.wire([WEB.id])
    before = len(one.server.applied)
    for _ in range(100):
        one.server.change()
    assert until(lambda: one.server.applied[-1].revision == one.server.wiring.revision)
    assert len(one.server.applied) - before < 50


def test_a_guest_that_misuses_the_metadata_door_gets_little(one: Lab) -> None:
    web = one.guest(WEB)
    web.dhcp(one.script)

    def say(request: bytes) -> bytes:
        with netns.entered(web.space):
            connection = socket.create_connection(("169.254.169.254", 80), 5)
        with connection:
            try:
                connection.sendall(request)
                return connection.recv(4096)
            except ConnectionResetError:
                return b""  # it had sent more than was read

    assert say(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    assert say(b"PUT / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    assert say(b"POST / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")  # it does not say how much comes
    assert say(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert say(b"GET / HTTP/1.1\r\nX: " + b"x" * 20000)[:13] in (b"", b"HTTP/1.1 400 ")
    held = []
    with netns.entered(web.space):
        held = [socket.create_connection(("169.254.169.254", 80), 5) for _ in range(16)]
    time.sleep(0.2)
    with netns.entered(web.space), socket.create_connection(("169.254.169.254", 80), 5) as more:
        assert more.recv(10) == b""  # closed: this guest has enough of them
    for connection in held:
        connection.close()
    assert until(lambda: say(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n"))


def test_the_clean_command_leaves_nothing(one: Lab) -> None:
    one.guest(WEB)
    one.agent.close()
    command = [sys.executable, "-m", "nephele.network.agent", "clean", "--netns", one.host]
    command += ["--run-folder", str(one.settings.run_folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": "src"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "nephele" not in run(one.host, "nft", "list", "ruleset").stdout
    assert run(one.host, "ip", "-o", "link").stdout.count("\n") == 2  # lo and the guest's tap
    assert not [name for name in netns.names() if name.startswith(one.host + ".")]
    assert not list(one.settings.run_folder.iterdir())


def test_a_killed_agent_leaves_a_network_that_the_next_one_takes_over(one: Lab, tmp_path: Path) -> None:
    """The first agent is a process of its own that ends in the middle of its work, at any moment."""
    web, shut = one.guest(WEB), one.guest(SHUT)
    web.set_address("10.0.0.11/24")
    shut.set_address("10.0.0.12/24")
    one.agent.close()
    wiring = tmp_path / "wiring"
    for number, delay in enumerate((0.0, 0.05, 0.1, 0.2, 0.4)):
        networks = (network(1, "10.0.0.0/24", [WEB, SHUT]), network(20 + number, "10.7.0.0/24", []))
        wiring.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(one.server.wiring, networks=networks)))
        command = [sys.executable, "-c", AGENT, one.host, str(one.settings.run_folder), str(wiring)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "src"}) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            process.kill()
        assert shut.pings("10.0.0.11")
        assert not web.pings("10.0.0.12")
    one.start_agent().wire([WEB.id])
    assert "lease of 10.0.0.11" in web.dhcp(one.script)
    assert until(lambda: [name for name in netns.names() if name.startswith(one.host + ".")] == [
        f"{one.host}.dhcp-{WEB.network_id}"
    ])  # fmt: skip


AGENT = """
import sys
from pathlib import Path
import msgspec
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import SystemClock
from nephele.network.agent.agent import NetworkAgent
from nephele.network.agent.settings import AgentSettings
from nephele.network.wiring import ASK_WIRING, HostWiring
host, folder, wiring = sys.argv[1:]
bus = LocalBus()
bus.serve(ASK_WIRING, lambda _: msgspec.msgpack.decode(Path(wiring).read_bytes(), type=HostWiring))
NetworkAgent(host, bus, AgentSettings(host_netns=host, run_folder=Path(folder)), SystemClock()).start()
print("ready", flush=True)

import time
time.sleep(60)
"""


def test_a_network_that_goes_and_comes_back_serves_again(one: Lab) -> None:
    web = one.guest(WEB)
    assert "lease of 10.0.0.11" in web.dhcp(one.script)
    wanted = one.server.wiring
    for _ in range(3):
        one.server.change(networks=(), ports=(), groups=())
        assert until(lambda: not [name for name in netns.names() if name.startswith(one.host + ".dhcp")])
        one.server.change(networks=wanted.networks, ports=wanted.ports, groups=wanted.groups)
        one.agent.wire([WEB.id])
        assert "lease of 10.0.0.11" in web.dhcp(one.script)


@pytest.mark.parametrize(("mode", "user"), [(0o755, "nobody"), (0o700, "root")])
def test_new_leases_are_read_wherever_the_files_are(mode: int, user: str) -> None:
    """A cloud may keep its state in a folder that only root can enter."""
    wiring = HostWiring(
        host="", revision=1, networks=(network(1, "10.0.0.0/24", [WEB]),), ports=(WEB,), groups=(OPEN, CLOSED)
    )
    with lab("shut", wiring) as one:
        one.agent.close()
        one.folder.chmod(mode)
        one.start_agent().wire([WEB.id])
        one.server.change(networks=(network(1, "10.0.0.0/24", [WEB, SHUT]),), ports=(WEB, SHUT))
        shut = one.guest(SHUT)

        assert "lease of 10.0.0.12" in shut.dhcp(one.script)
        pid = netns.dnsmasqs(f"{one.host}.dhcp-{WEB.network_id}")[0]
        assert Path(f"/proc/{pid}").owner() == user


def test_a_full_disk_holds_up_new_leases_only(one: Lab) -> None:
    """What forwards goes on, security included; who can't be served says why; with room again, everything is served."""
    web, shut = one.guest(WEB), one.guest(SHUT)
    web.set_address("10.0.0.11/24")
    shut.set_address("10.0.0.12/24")
    one.agent.close()
    run_folder = one.settings.run_folder / one.host
    with small_disk(run_folder) as fill:
        one.start_agent().wire([WEB.id])
        fill()
        late = port(5, 1, "10.0.0.15", OPEN.id)
        one.server.change(networks=(network(1, "10.0.0.0/24", [WEB, SHUT, late]),), ports=(WEB, SHUT, late))
        with pytest.raises(Refused, match="No space left on device"):
            one.agent.wire([late.id])
        assert shut.pings("10.0.0.11")
        assert not web.pings("10.0.0.12")
        one.server.change(groups=(OPEN, group(2, PING_IN)))
        assert until(lambda: web.pings("10.0.0.12"), 2)
        (run_folder / "ballast").unlink()
        assert until(lambda: late.id in one.server.applied[-1].wired)
        assert "lease of 10.0.0.15" in one.guest(late).dhcp(one.script)


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], None]]:
    """A disk of its own with 64 kB below `folder`; what is given fills it up."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "none", str(folder)], check=True)

    def fill() -> None:
        with (folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))

    try:
        yield fill
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
