"""The compute agent: carries out on its host what the conductor commands.

It touches no database.  What it needs to know it asks over the bus with the token that came with the
command: the conductor for the server (steps 9 to 11 of a launch), Glance for the image (12, 13),
Neutron for the ports (14, 15) and Cinder for the volumes (16); then the hypervisor builds the guest (17).
"""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol, TypeVar

from nephele.compute import messages as m
from nephele.compute.agent.guests import guest_spec
from nephele.compute.agent.images import BaseImages
from nephele.compute.virt.driver import Driver, GuestSpec, PowerChange
from nephele.image.messages import ASK_IMAGE, AskImage
from nephele.kernel.bus import Bus, Method
from nephele.kernel.clock import Clock
from nephele.kernel.errors import Refused
from nephele.kernel.locks import KeyedLocks
from nephele.kernel.trace import Recorder
from nephele.network.messages import ALLOCATE_PORTS, AllocatePorts
from nephele.volume.messages import COMPLETE_ATTACHMENT, CONNECT_VOLUME, CompleteAttachment, ConnectVolume

Order = TypeVar("Order", bound=m.Command)
Answer = TypeVar("Answer", bound=m.Done)
log = logging.getLogger(__name__)
SOFT_REBOOT_TIMEOUT = 60
"""Seconds that a guest has to restart by itself before it is restarted by force."""


class NetworkWiring(Protocol):
    """What the compute agent asks of the network agent on its host."""

    def wire(self, port_ids: tuple[str, ...], timeout: float) -> None:
        """Return once these ports are wired; raise Refused with the reason why one can't be."""
        ...


class ComputeAgent:
    """nova-compute on one host.

    Args:
        host: the host's name, and its queue's.
        driver: its hypervisor.
        wiring: the network agent on the same host.
        images: its cache of base images.
        bus: where commands come from and questions go.
        clock: time.
        address: the host's own address, shown as `host_ip`.
    """

    def __init__(
        self,
        host: str,
        driver: Driver,
        wiring: NetworkWiring,
        images: BaseImages,
        bus: Bus,
        clock: Clock,
        address: str = "127.0.0.1",
    ) -> None:
        self.host, self.driver, self.wiring, self.images = host, driver, wiring, images
        self.bus, self.clock, self.address = bus, clock, address
        self._locks = KeyedLocks()
        self._virt_type = ""

    def start(self, pool: Executor) -> None:
        """Say what the host has and runs, then take commands; `pool` runs them."""
        self.driver.on_power_change(lambda change: self._note_power(change, pool))
        self.report()
        self._serve(m.PREPARE, self.prepare, pool)
        self._serve(m.PLUG, self.plug, pool)
        self._serve(m.CONNECT, self.connect, pool)
        self._serve(m.SPAWN, self.spawn, pool)
        self._serve(m.START, self.start_guest, pool)
        self._serve(m.REBOOT, self.reboot, pool)
        self._serve(m.STOP, self.stop, pool)
        self._serve(m.DESTROY, self.destroy, pool)
        self._serve(m.READ_CONSOLE, self.read_console, pool)
        self.bus.serve(m.LIST_GUESTS, self.list_guests, at=self.host, pool=pool)
        self.bus.serve(m.REMOVE_GUEST, self.remove_guest, at=self.host, pool=pool)

    def report(self) -> None:
        """Tell the conductor what this host has and which guests it runs; remove those that should not be here."""
        inventory = self.driver.inventory()
        self._virt_type = inventory.virt_type
        report = m.HostReport(
            host=self.host,
            hostname=self.host,
            host_ip=self.address,
            inventory=inventory,
            guests=tuple(self.driver.guests()),
        )
        for server_id in self.bus.call(m.REPORT_HOST, report).remove:
            log.warning("guest of server %s is not placed on %s: it is removed", server_id, self.host)
            self.driver.destroy(server_id)

    # -- the steps of a launch ---------------------------------------------------------------------------------

    def prepare(self, order: m.Prepare) -> m.Prepared:
        """Steps 8 to 13: take the request, learn what to build, bring its image."""
        trace = self._trace(order)
        server = self._ask_server(order, trace)
        if not server.image_id or all(device.destination == "volume" for device in server.devices):
            return m.Prepared(spans=trace.take())
        with trace.span("nova-compute", "asks Glance for the image", 12) as span:
            ask = AskImage(token=order.token, request_id=order.request_id, image_id=server.image_id)
            image = self.bus.call(ASK_IMAGE, ask)
            trace.spans.extend(image.spans)
            base = self.images.fetch(image, order.token, span)
            span.detail |= {"image": image.id, "name": image.name}
        return m.Prepared(base=base, spans=trace.take())

    def plug(self, order: m.Plug) -> m.Plugged:
        """Steps 14 and 15: have the ports allocated, and wire them."""
        trace = Recorder(self.host)
        server = self._server(order)
        with trace.span("nova-compute", "asks Neutron for the network", 14) as span:
            ask = AllocatePorts(
                token=order.token,
                request_id=order.request_id,
                server_id=order.server_id,
                host=self.host,
                availability_zone=server.availability_zone,
                hostname=server.hostname,
                nics=server.nics,
                security_groups=server.security_groups,
            )
            answer = self.bus.call(ALLOCATE_PORTS, ask)
            trace.spans.extend(answer.spans)
            port_ids = tuple(port.port_id for port in answer.ports)
            self.wiring.wire(port_ids, 60)
            span.detail |= {"ports": list(port_ids)}
        return m.Plugged(ports=answer.ports, spans=trace.take())

    def connect(self, order: m.Connect) -> m.Connected:
        """Step 16: have the volumes connected to this host."""
        trace = Recorder(self.host)
        server = self._server(order)
        volumes = []
        with trace.span("nova-compute", "attaches the volumes", 16) as span:
            for device in server.devices:
                if device.destination == "volume":
                    ask = ConnectVolume(
                        token=order.token,
                        request_id=order.request_id,
                        attachment_id=device.attachment_id,
                        server_id=order.server_id,
                        host=self.host,
                        device_name=device.device_name,
                    )
                    answer = self.bus.call(CONNECT_VOLUME, ask)
                    trace.spans.extend(answer.spans)
                    volumes.append(m.ConnectedDevice(device=device, connection=answer.connection))
            span.detail |= {"volumes": [volume.device.volume_id for volume in volumes]}
        return m.Connected(volumes=tuple(volumes), spans=trace.take())

    def spawn(self, order: m.Spawn) -> m.Done:
        """Step 17: build the guest and start it."""
        trace = Recorder(self.host)
        with trace.span("hypervisor", "builds the guest and starts it", 17) as span:
            spec = self._spec(order)
            self.driver.spawn(spec)
            self._complete_attachments(order)
            span.detail |= {"domain": spec.domain_name, "hypervisor": self._virt_type}
        return self._done(order, trace)

    def _complete_attachments(self, order: m.Spawn) -> None:
        """The guest has its volumes: they are in use."""
        for volume in order.volumes:
            done = CompleteAttachment(
                token=order.token, request_id=order.request_id, attachment_id=volume.device.attachment_id
            )
            self.bus.call(COMPLETE_ATTACHMENT, done)

    # -- the rest of a guest's life ----------------------------------------------------------------------------

    def start_guest(self, order: m.Start) -> m.Done:
        """Wire the ports anew and start the guest."""
        self.wiring.wire(tuple(port.port_id for port in order.ports), 60)
        self.driver.start(self._spec(order))
        return self._done(order)

    def reboot(self, order: m.Reboot) -> m.Done:
        """Restart the guest."""
        self.wiring.wire(tuple(port.port_id for port in order.ports), 60)
        self.driver.reboot(self._spec(order), hard=order.hard, timeout=SOFT_REBOOT_TIMEOUT)
        return self._done(order)

    def stop(self, order: m.Stop) -> m.Done:
        """Shut the guest down."""
        self.driver.stop(order.server_id, order.timeout)
        return self._done(order)

    def destroy(self, order: m.Destroy) -> m.Done:
        """Remove the guest and all its local traces."""
        self.driver.destroy(order.server_id)
        return m.Done()

    def read_console(self, order: m.ReadConsole) -> m.ConsoleOutput:
        """The end of the guest's console."""
        output = self.driver.console_output(order.server_id, 1 << 17)
        if order.lines:
            output = b"\n".join(output.rstrip(b"\n").split(b"\n")[-order.lines :]) + b"\n"
        return m.ConsoleOutput(output=output)

    def list_guests(self, _ask: m.ListGuests) -> m.Guests:
        """The guests that the hypervisor knows."""
        return m.Guests(tuple(self.driver.guests()))

    def remove_guest(self, ask: m.RemoveGuest) -> None:
        """Remove a guest that no server owns."""
        with self._locks.holding(ask.server_id):
            self.driver.destroy(ask.server_id)

    # -- within ------------------------------------------------------------------------------------------------

    def _trace(self, order: m.Command) -> Recorder:
        """A recorder that begins with step 8: the command was on its way, and is taken."""
        trace = Recorder(self.host)
        with trace.span("message queue", "hands the request to nova-compute", 8) as span:
            span.started_at = order.sent_at
            span.detail["host"] = self.host
        trace.spans[-1].duration_us = max(0, self.clock.now() - order.sent_at)
        return trace

    def _ask_server(self, order: m.Command, trace: Recorder) -> m.ServerForHost:
        with trace.span("nova-compute", "asks the conductor for the instance", 9) as span:
            server = self._server(order)
            span.detail["server"] = server.id
        trace.spans.extend(server.spans)
        with trace.span("nova-compute", "has the instance from the conductor", 11) as span:
            flavor = server.flavor
            span.detail |= {"flavor": flavor.name, "vcpus": flavor.vcpus, "ram": flavor.ram, "disk": flavor.disk}
        return server

    def _server(self, order: m.Command) -> m.ServerForHost:
        ask = m.AskServer(token=order.token, request_id=order.request_id, host=self.host, server_id=order.server_id)
        return self.bus.call(m.ASK_SERVER, ask)

    def _spec(self, order: m.Spawn) -> GuestSpec:
        return guest_spec(self._server(order), order.base, order.ports, order.volumes)

    def _done(self, order: m.Command, trace: Recorder | None = None) -> m.Done:
        return m.Done(power_state=self.driver.power_state(order.server_id), spans=trace.take() if trace else ())

    def _note_power(self, change: PowerChange, pool: Executor) -> None:
        pool.submit(self._report_power, change.server_id)

    def _report_power(self, server_id: str) -> None:
        """Tell how a guest is now, once no command works on it: what an event said may be over already."""
        try:
            with self._locks.holding(server_id):
                power = self.driver.power_state(server_id)
                self.bus.call(m.REPORT_POWER, m.PowerReport(host=self.host, server_id=server_id, power_state=power))
        except Refused as refused:
            log.warning("the power state of %s could not be told: %s", server_id, refused.message)

    def _serve(self, method: Method[Order, Answer], handler: Callable[[Order], Answer], pool: Executor) -> None:
        """Serve commands; those for one server never run at the same time: a repeated one waits for the first."""

        def run(order: Order) -> Answer:
            with self._locks.holding(order.server_id):
                return handler(order)

        self.bus.serve(method, run, at=self.host, pool=pool)
