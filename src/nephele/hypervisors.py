"""The hypervisor hosts of this process: for each a compute agent and a network agent, on the driver that was chosen."""

import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from nephele.compute.agent.agent import ComputeAgent
from nephele.compute.agent.host import Host, NetworkWiring
from nephele.compute.agent.images import BaseImages
from nephele.compute.messages import HEARTBEAT, Heartbeat
from nephele.compute.virt.driver import Driver
from nephele.config import Settings
from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock
from nephele.kernel.errors import Refused
from nephele.network.messages import AGENTS_ALIVE, REPORT_AGENT, AgentReport, AgentsAlive

log = logging.getLogger(__name__)
BEAT_EVERY = 10.0
"""Seconds between two heartbeats."""
LOOK_EVERY = 3
"""Heartbeats between two times that hosts tell again which guests they have."""
SWEEP_EVERY = 600.0
"""Seconds between two looks at what may go from the cache of base images."""
MOST_THREADS = 64


class HostNetwork(NetworkWiring, Protocol):
    """The network agent of one host."""

    def start(self) -> None:
        """Begin to converge."""
        ...

    def close(self) -> None:
        """Stop; what is wired stays."""
        ...


Download = Callable[[str, str], Iterator[bytes]]
Upload = Callable[[str, str, Iterator[bytes]], None]


class Hypervisors:
    """All hosts that this process is the agent of.

    Args:
        settings: which driver, and how many hosts.
        bus: the way to the control plane.
        clock: time.
        download: fetches an image's data where its file cannot be reached.
        upload: gives an image its data.
    """

    def __init__(self, settings: Settings, bus: Bus, clock: Clock, download: Download, upload: Upload) -> None:
        self.settings, self.bus, self.clock = settings, bus, clock
        self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="agent")
        self._stopping = threading.Event()
        self._beats = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._drivers: dict[str, Driver] = {}
        self._networks: dict[str, HostNetwork] = {}
        self._agents: list[ComputeAgent] = []
        self._cache: BaseImages | None = None
        """The base images of one host: those of one process share a directory."""
        self._swept_at = 0.0
        self._download, self._upload = download, upload

    def start(self) -> None:
        """Open the drivers, report the hosts, take commands."""
        for host, driver in self._open_drivers():
            self._drivers[host] = driver
            self._networks[host] = wiring = self._open_network(host)
            kind = "sim" if self.settings.driver == "sim" else "linux"
            wiring.start()
            address = "" if kind == "sim" else self.settings.tunnel_address
            self.bus.call(REPORT_AGENT, AgentReport(host=host, kind=kind, address=address))
            cache = self.settings.state_dir / "instances" / "_base"
            base = BaseImages(cache, host, self._download, self._upload)
            self._cache = base
            agent = ComputeAgent(Host(host, driver, wiring, base, self.bus, self.clock))
            agent.start(self._pool)
            self._agents.append(agent)
        self._beats.start()

    def _open_drivers(self) -> Iterator[tuple[str, Driver]]:
        settings = self.settings
        if settings.driver == "sim":
            from nephele.compute.virt.sim import SimWorld, chance_of

            world, size = SimWorld(settings.state_dir / "sim.db", clock=self.clock), settings.sim_host
            for number in range(1, settings.hosts + 1):
                name = f"sim-{number:03d}"
                cpus, memory, disk = size.vcpus, size.memory_mb, size.disk_gb
                refuse = chance_of(size.faults) if size.faults else None
                yield (
                    name,
                    world.host(name, vcpus=cpus, memory_mb=memory, disk_gb=disk, delays=size.delays, fault=refuse),
                )
        else:
            from nephele.compute.virt.libvirt import open_driver

            instances = (settings.state_dir / "instances").absolute()
            driver = open_driver(settings.libvirt_uri, instances, settings.virt_type, clock=self.clock)
            yield self.host_name, driver

    @property
    def host_name(self) -> str:
        """What the one real host is called."""
        return self.settings.host or platform.node()

    def _open_network(self, host: str) -> HostNetwork:
        if self.settings.driver == "sim":
            from nephele.network.agent.sim import SimNetworkAgent

            return SimNetworkAgent(host, self.bus)
        from nephele.network.agent.agent import NetworkAgent
        from nephele.network.agent.settings import AgentSettings, ProviderLink

        links = {
            name: ProviderLink(interface=link.interface, bridge=link.bridge, host_address=link.host_address)
            for name, link in self.settings.provider_networks.items()
        }
        settings = AgentSettings(
            host_netns=self.settings.host_netns,
            tunnel_address=self.settings.tunnel_address,
            providers=links,
        )
        return NetworkAgent(host, self.bus, settings, self.clock)

    def _beat(self) -> None:
        heartbeat, alive = Heartbeat(tuple(self._drivers)), AgentsAlive(tuple(self._networks))
        beats = 0
        while not self._stopping.wait(BEAT_EVERY):
            beats += 1
            try:
                self.bus.cast(HEARTBEAT, heartbeat)
                self.bus.cast(AGENTS_ALIVE, alive)
                if beats % LOOK_EVERY == 0:
                    for agent in self._agents:
                        self._pool.submit(self._look_around, agent)
            except Exception:
                log.exception("the heartbeat failed; it goes on")
            if time.monotonic() - self._swept_at > SWEEP_EVERY and self._cache is not None:
                self._swept_at = time.monotonic()
                self._pool.submit(self._sweep, self._cache)

    @staticmethod
    def _look_around(agent: ComputeAgent) -> None:
        try:
            agent.look_around()
        except Refused as refused:
            log.warning("host %s could not tell its guests: %s", agent.host.name, refused.message)

    def _sweep(self, cache: BaseImages) -> None:
        try:
            cache.sweep(self.settings.image_cache)
        except OSError:
            log.exception("the cache of base images was not swept; all of it stays")

    def stop(self) -> None:
        """Take no more commands; guests and networks stay as they are."""
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for wiring in self._networks.values():
            wiring.close()
        for driver in self._drivers.values():
            driver.close()
