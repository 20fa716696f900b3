"""The real network service with its API, and two hosts with agents that it wires; guests are namespaces."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import PROJECT, Http
from tests.guests.netlab import UDHCPC, FakeGuest, must, run
from tests.unit.network.conftest import Client

from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import SystemClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.network.agent.agent import NetworkAgent
from nephele.network.agent.clean import clean
from nephele.network.agent.settings import AgentSettings, ProviderLink
from nephele.network.model import bridge_name, tap_name
from nephele.network.routes import api
from nephele.network.service import Networks
from nephele.network.wiring import ASK_METADATA, FixedIp, MetadataAnswer, WiredPort

SAYS = """\
import socket, sys
with socket.create_server(("", int(sys.argv[1]))) as server:
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        connection.sendall(sys.argv[2].encode())
        connection.close()
"""

EVERYTHING_SAID = UDHCPC + 'env > "$0.$ip"\n'
"""The lease's script, which also writes down all that the server said."""


@contextmanager
def says(space: str, tcp_port: int, text: str) -> Iterator[None]:
    """A service in a namespace that tells each caller the same."""
    command = ["ip", "netns", "exec", space, sys.executable, "-c", SAYS, str(tcp_port), text]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


class Host:
    """A hypervisor host: a namespace with an agent."""

    def __init__(self, name: str, address: str, bus: LocalBus, folder: Path) -> None:
        self.name, self.address, self._bus = name, address, bus
        self.netns = f"nephele-c{os.getpid()}-{name}"
        self.settings = AgentSettings(
            host_netns=self.netns,
            tunnel_address=address,
            providers={"public": ProviderLink()},
            run_folder=folder / "run",
            look_every=1.0,
            meter_every=0.5,
        )
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        must(self.netns, "ip", "link", "set", "lo", "up")
        self.agent = self._new_agent()

    def _new_agent(self) -> NetworkAgent:
        agent = NetworkAgent(self.name, self._bus, self.settings, SystemClock())
        agent.start()
        return agent

    def restart(self) -> None:
        """Another agent in place of the one that runs."""
        self.agent.close()
        self.agent = self._new_agent()

    def remove(self) -> None:
        """Leave nothing."""
        self.agent.close()
        clean(self.settings)
        subprocess.run(["ip", "netns", "del", self.netns], check=False)


class NetworkCloud:
    """The service, its API (`call`), and the hosts `one` and `two`, joined by a cable for their tunnels."""

    def __init__(self, store: Store, folder: Path, stack: ExitStack) -> None:
        self.bus = LocalBus()
        stack.callback(self.bus.close)
        self.networks = Networks(store, self.bus, SystemClock(), Ids())
        self.networks.serve(self.bus, lambda _token: (_ for _ in ()).throw(AssertionError("no tokens here")))
        self.bus.serve(ASK_METADATA, lambda ask: MetadataAnswer(status=200, body=f"you are {ask.guest_ip}".encode()))
        self.call = Client(Http([api(self.networks)], Ids()))
        self.script = folder / "udhcpc.sh"
        self.script.write_text(EVERYTHING_SAID)
        self.script.chmod(0o755)
        self.hosts: dict[str, Host] = {}
        self._guests = 0
        for name, address in (("one", "10.250.0.1"), ("two", "10.250.0.2")):
            host = self.hosts[name] = Host(name, address, self.bus, folder)
            stack.callback(host.remove)
            self.networks.register_agent(name, "linux", address=address)
        one, two = (host.netns for host in self.hosts.values())
        cable = ["link", "add", "under", "type", "veth", "peer", "name", "under", "netns", two]
        subprocess.run(["ip", "-n", one, *cable], check=True)
        for host in self.hosts.values():
            must(host.netns, "ip", "addr", "add", f"{host.address}/24", "dev", "under")
            must(host.netns, "ip", "link", "set", "under", "up")
        self._stack = stack
        self.networks.seed("a" * 32, PROJECT)

    def net(self, cidr: str = "", as_: str = "member", **subnet: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A network with one subnet."""
        network = self.call.make("network", as_)
        version = 6 if ":" in cidr else 4
        return network, self.call.make("subnet", as_, network_id=network["id"], cidr=cidr, ip_version=version, **subnet)

    def guest(self, network_id: str, host: str, project_id: str = PROJECT, **values: Any) -> "Guest":
        """A guest on a host, on a new port."""
        values |= {"network_id": network_id, "project_id": project_id, "binding:host_id": host}
        self._guests += 1
        values |= {"device_owner": "compute:nova", "device_id": f"{self._guests:08x}-0000-4000-8000-000000000000"}
        port = self.call.make("port", "admin", **values)
        self.hosts[host].agent.wire([port["id"]])
        guest = Guest(self, self.hosts[host], port)
        self._stack.callback(guest.remove)
        return guest

    def group(self, *rules: dict[str, Any]) -> str:
        """A security group with these rules for what comes in."""
        group: dict[str, Any] = self.call.make("security_group", name="tested")
        for rule in rules:
            self.rule(group["id"], **rule)
        return str(group["id"])

    def rule(self, group_id: str, **values: Any) -> str:
        """Another rule."""
        values = {"direction": "ingress", "security_group_id": group_id, **values}
        return str(self.call.make("security_group_rule", **values)["id"])


class Guest(FakeGuest):
    """A guest whose port the API knows; `ip` is its first address."""

    def __init__(self, cloud: NetworkCloud, host: Host, port: dict[str, Any]) -> None:
        ips = tuple(FixedIp(ip["subnet_id"], ip["ip_address"]) for ip in port["fixed_ips"])
        wired = WiredPort(
            id=port["id"], network_id=port["network_id"], tap=tap_name(port["id"]), mac=port["mac_address"],
            fixed_ips=ips, mtu=1450,
        )  # fmt: skip
        super().__init__(host.netns, wired, bridge_name(port["network_id"]))
        self.cloud, self.id, self.ip = cloud, port["id"], ips[0].ip_address

    def lease(self) -> str:
        """Ask for a lease; what the server said, as environment variables."""
        assert f"lease of {self.ip} obtained" in self.dhcp(self.cloud.script)
        return self.cloud.script.with_name(f"{self.cloud.script.name}.{self.ip}").read_text()

    def pings_whole(self, address: str, mtu: int = 1450) -> bool:
        """Whether a packet as large as the MTU, which nobody may cut, comes back."""
        words = ("ping", "-c", "1", "-W", "1", "-M", "do", "-s", str(mtu - 28), address)
        return run(self.space, *words).returncode == 0

    def put(self, **values: Any) -> None:
        """Change the port."""
        self.cloud.call("PUT", f"ports/{self.id}", 200, {"port": values}, "admin")


def seconds_until(condition: Callable[[], bool], most: float = 5) -> float:
    """How long it takes until it holds; infinite where it doesn't within `most` seconds."""
    began = time.monotonic()
    while time.monotonic() - began < most:
        if condition():
            return time.monotonic() - began
        time.sleep(0.02)
    return float("inf")
