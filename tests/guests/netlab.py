"""A host in a namespace and guests that are namespaces of their own, for tests of the network agent."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import SystemClock
from nephele.network.agent.agent import NetworkAgent
from nephele.network.agent.clean import clean
from nephele.network.agent.settings import AgentSettings, ProviderLink
from nephele.network.wiring import (
    ASK_METADATA,
    ASK_WIRING,
    WIRING_APPLIED,
    WIRING_CHANGED,
    AskWiring,
    Dhcp,
    DhcpLease,
    FixedIp,
    HostWiring,
    MetadataAnswer,
    MetadataAsk,
    WiredGroup,
    WiredNetwork,
    WiredPort,
    WiredRule,
    WiredSubnet,
    WiringApplied,
)

UDHCPC = """\
#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev $interface
ip addr add $ip/$mask dev $interface
[ -n "$mtu" ] && ip link set $interface mtu $mtu
set -- $staticroutes
while [ $# -ge 2 ]; do ip route replace $1 via $2 dev $interface; shift 2; done
"""

ALLOW_OUT = (WiredRule(direction="egress", ethertype="IPv4"), WiredRule(direction="egress", ethertype="IPv6"))
PING_IN = WiredRule(direction="ingress", ethertype="IPv4", protocol="icmp")


def ident(number: int) -> str:
    """An id that differs in the part that names are made of."""
    return f"{number:08x}-{os.getpid() & 0xFFFF:04x}-4000-8000-000000000000"


def run(space: str, *words: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    """Run a program in a namespace."""
    command = ["ip", "netns", "exec", space, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def must(space: str, *words: str) -> str:
    """Run a program that has to succeed."""
    done = run(space, *words)
    assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr}"
    return done.stdout


WHO_ASKS = """\
import socket, sys
with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
    print("ready", flush=True)
    while True:
        connection, (address, _) = server.accept()
        connection.sendall(address.encode())
        connection.close()
"""


@contextmanager
def who_asks(space: str, tcp_port: int) -> Iterator[None]:
    """A service in a namespace that tells each caller which address it seems to come from."""
    command = ["ip", "netns", "exec", space, sys.executable, "-c", WHO_ASKS, str(tcp_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


REPEATER = """\
import socket, sys
with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
    print("ready", flush=True)
    connection, _ = server.accept()
    while data := connection.recv(100):
        connection.sendall(data)
"""


@contextmanager
def repeater(space: str, tcp_port: int) -> Iterator[None]:
    """A service in a namespace that repeats what its one caller says."""
    command = ["ip", "netns", "exec", space, sys.executable, "-c", REPEATER, str(tcp_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def repeats(connection: socket.socket) -> bool:
    """Whether the other end still answers."""
    connection.settimeout(1)
    try:
        connection.sendall(b"x")
        return connection.recv(1) == b"x"
    except TimeoutError:
        return False


def ask(space: str, address: str, tcp_port: int) -> str:
    """What the service at that address says; empty where it can't be reached within a second."""
    return run(space, "timeout", "1", "busybox", "nc", address, str(tcp_port)).stdout


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


class FakeGuest:
    """A namespace whose eth0 is joined to the host by a veth named as the port's tap."""

    def __init__(self, host: str, port: WiredPort, bridge: str) -> None:
        self.space = f"{host}-vm-{port.tap}"
        self.port, self.host, self.bridge = port, host, bridge
        subprocess.run(["ip", "netns", "add", self.space], check=True)
        subprocess.run(
            ["ip", "-n", host, "link", "add", port.tap, "type", "veth", "peer", "name", "eth0", "netns", self.space],
            check=True,
        )
        self("ip", "link", "set", "eth0", "address", port.mac)
        self("ip", "link", "set", "lo", "up")
        self("ip", "link", "set", "eth0", "up")
        subprocess.run(["ip", "-n", host, "link", "set", port.tap, "up", "master", bridge], check=True)

    def __call__(self, *words: str) -> str:
        return must(self.space, *words)

    def set_address(self, address: str, gateway: str = "") -> None:
        """Configure the guest without DHCP."""
        self("ip", "addr", "add", address, "dev", "eth0")
        if gateway:
            self("ip", "route", "add", "default", "via", gateway)

    def dhcp(self, script: Path) -> str:
        """Ask for a lease once and configure it."""
        done = run(self.space, "busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-t", "3", "-T", "1", "-s", str(script),
                   "-O", "121", "-O", "26", timeout=15)  # fmt: skip
        return done.stdout + done.stderr

    def pings(self, address: str, count: int = 1) -> bool:
        """Whether `address` answers."""
        return run(self.space, "busybox", "ping", "-c", str(count), "-W", "1", address).returncode == 0

    def remove(self) -> None:
        """Leave nothing."""
        subprocess.run(["ip", "-n", self.host, "link", "del", "dev", self.port.tap], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.space], check=False)


class Server:
    """Stands for the network service: says what should be, hears what is."""

    def __init__(self, host: str, wiring: HostWiring) -> None:
        self.bus = LocalBus()
        self.host, self.wiring = host, wiring
        self.applied: list[WiringApplied] = []
        self.asked: list[MetadataAsk] = []
        self.bus.serve(ASK_WIRING, lambda _: self.wiring)
        self.bus.serve(WIRING_APPLIED, self.applied.append)
        self.bus.serve(ASK_METADATA, self._metadata)

    def _metadata(self, ask: MetadataAsk) -> MetadataAnswer:
        self.asked.append(ask)
        return MetadataAnswer(status=200, body=f"{ask.path} for {ask.guest_ip}".encode())

    def change(self, **what: object) -> None:
        """Want something else, and say so."""
        self.wiring = msgspec.structs.replace(self.wiring, revision=self.wiring.revision + 1, **what)
        self.bus.cast(WIRING_CHANGED, AskWiring(self.host), at=self.host)


class Lab:
    """One host with its agent, and its guests."""

    def __init__(self, host: str, settings: AgentSettings, wiring: HostWiring, folder: Path) -> None:
        self.host, self.settings, self.folder = host, settings, folder
        self.server = Server(host, wiring)
        self.guests: list[FakeGuest] = []
        self.script = folder / "udhcpc.sh"
        self.script.write_text(UDHCPC)
        self.script.chmod(0o755)
        self.agent = self.start_agent()

    def start_agent(self) -> NetworkAgent:
        """Another agent for the same host, as after a restart."""
        self.agent = NetworkAgent(self.host, self.server.bus, self.settings, SystemClock())
        self.agent.start()
        return self.agent

    def guest(self, port: WiredPort) -> FakeGuest:
        """Wire the port and start a guest on it."""
        self.agent.wire([port.id], timeout=20)
        bridge = next(one.bridge for one in self.server.wiring.networks if one.id == port.network_id)
        guest = FakeGuest(self.host, port, bridge)
        self.guests.append(guest)
        return guest

    def close(self) -> None:
        """Stop the agent and leave nothing."""
        with ExitStack() as last:
            last.callback(self.server.bus.close)
            last.callback(clean, self.settings)
            for guest in self.guests:
                last.callback(guest.remove)
            self.agent.close()


def network(number: int, cidr: str, ports: list[WiredPort], **more: object) -> WiredNetwork:
    """A network with DHCP for its ports; the server has the address that ends in .2."""
    one, base = ident(number), cidr.rsplit(".", 1)[0]
    subnet = WiredSubnet(id=one, cidr=cidr, ip_version=4, gateway_ip=f"{base}.1")
    dhcp = Dhcp(
        port_id=ident(number + 0xD0000), mac=f"fa:16:3e:0d:00:{number:02x}", ips=(FixedIp(one, f"{base}.2"),),
        leases=tuple(
            DhcpLease(port_id=port.id, mac=port.mac, ips=port.fixed_ips, hostname=f"vm-{index}")
            for index, port in enumerate(ports)
        ),
    )  # fmt: skip
    found = WiredNetwork(id=one, bridge="nbr" + one[:11], kind="local", mtu=1450, subnets=(subnet,), dhcp=dhcp)
    return msgspec.structs.replace(found, **more)


def port(number: int, network_number: int, address: str, *groups: str, **more: object) -> WiredPort:
    """A guest's port."""
    one = ident(number + 0xA0000)
    found = WiredPort(
        id=one, network_id=ident(network_number), tap="tap" + one[:11], mac=f"fa:16:3e:00:00:{number:02x}", mtu=1450,
        fixed_ips=(FixedIp(ident(network_number), address),), security_groups=groups,
    )  # fmt: skip
    return msgspec.structs.replace(found, **more)


def group(number: int, *rules: WiredRule, addresses: tuple[str, ...] = (), stateful: bool = True) -> WiredGroup:
    """A security group that lets everything out."""
    return WiredGroup(id=ident(number + 0x60000), stateful=stateful, rules=(*ALLOW_OUT, *rules), addresses=addresses)


@contextmanager
def lab(name: str, wiring: HostWiring, tunnel_address: str = "") -> Iterator[Lab]:
    """A host namespace with its agent; nothing is left of it at the end."""
    host = f"nephele-t{os.getpid()}-{name}"
    folder = Path(tempfile.mkdtemp(prefix="nephele-netlab-"))
    folder.chmod(0o755)
    subprocess.run(["ip", "netns", "add", host], check=True)
    subprocess.run(["ip", "-n", host, "link", "set", "lo", "up"], check=True)
    settings = AgentSettings(
        host_netns=host,
        tunnel_address=tunnel_address,
        providers={"public": ProviderLink()},
        run_folder=folder / "run",
        look_every=1.0,
    )
    try:
        one = Lab(host, settings, msgspec.structs.replace(wiring, host=host), folder)
        try:
            yield one
        finally:
            one.close()
            left = must(host, "nft", "list", "ruleset") + must(host, "ip", "-br", "link")
            spaces = [path.name for path in Path("/run/netns").iterdir() if path.name.startswith(host + ".")]
    finally:
        subprocess.run(["ip", "netns", "del", host], check=False)
        subprocess.run(["rm", "-rf", str(folder)], check=False)
    assert "nephele" not in left
    assert "nbr0" not in left
    assert not spaces
