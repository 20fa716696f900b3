"""What every part of the compute agent works with on its host."""

from typing import Protocol

from nephele.compute import messages as m
from nephele.compute.agent.guests import guest_spec
from nephele.compute.agent.images import BaseImages
from nephele.compute.errors import INTERRUPTED
from nephele.compute.virt.driver import Driver, GuestSpec
from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock
from nephele.kernel.trace import Recorder

MOST_SERVERS = 64
"""What is remembered of, for the next step of an operation."""


class NetworkWiring(Protocol):
    """What the compute agent asks of the network agent on its host."""

    def wire(self, port_ids: tuple[str, ...], timeout: float) -> None:
        """Return once these ports are wired; raise Refused with the reason why one can't be."""
        ...


class Host:
    """A host, as its compute agent sees it.

    Args:
        name: the host's name, and its queue's.
        driver: its hypervisor.
        wiring: the network agent on the same host.
        images: its cache of base images.
        bus: where commands come from and questions go.
        clock: time.
    """

    def __init__(
        self, name: str, driver: Driver, wiring: NetworkWiring, images: BaseImages, bus: Bus, clock: Clock
    ) -> None:
        self.name, self.driver, self.wiring, self.images = name, driver, wiring, images
        self.bus, self.clock = bus, clock
        self.interrupted: set[str] = set()
        """The servers whose running command is to give up."""
        self._servers: dict[str, tuple[str, m.ServerForHost]] = {}

    def check(self, server_id: str) -> None:
        """Raise INTERRUPTED where the command on that server is to give up; long work asks now and then."""
        if server_id in self.interrupted:
            raise INTERRUPTED(server_id=server_id)

    def server(self, order: m.Command) -> m.ServerForHost:
        """What the conductor knows of the server that the order is about."""
        ask = m.AskServer(token=order.token, request_id=order.request_id, host=self.name, server_id=order.server_id)
        server = self.bus.call(m.ASK_SERVER, ask)
        if len(self._servers) >= MOST_SERVERS:
            self._servers.clear()
        self._servers[order.server_id] = order.token, server
        return server

    def server_as_told(self, order: m.Command) -> m.ServerForHost:
        """What the step before learned of the server, where the same run of an operation asked; else it is asked."""
        token, server = self._servers.get(order.server_id, ("", None))
        return server if server is not None and token == order.token else self.server(order)

    def spec(self, order: m.Spawn, server: m.ServerForHost | None = None) -> GuestSpec:
        """The guest that the order wants."""
        return guest_spec(server or self.server(order), order.base, order.ports, order.volumes)

    def forget(self, server_id: str) -> None:
        """The guest is gone."""
        self._servers.pop(server_id, None)

    def wire(self, order: m.Spawn) -> None:
        """Have the order's ports wired."""
        self.wiring.wire(tuple(port.port_id for port in order.ports), 60)

    def done(self, order: m.Command, trace: Recorder | None = None) -> m.Done:
        """The answer to an order that was carried out."""
        return m.Done(power_state=self.driver.power_state(order.server_id), spans=trace.take() if trace else ())
