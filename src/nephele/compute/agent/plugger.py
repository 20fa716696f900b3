"""Devices that come and go while a guest lives."""

from collections.abc import Callable

from nephele.compute.agent.guests import nic, volume_disk
from nephele.compute.agent.host import Host
from nephele.compute.messages import ConnectedDevice, Done
from nephele.compute.messages import plugging as p
from nephele.compute.virt.driver import Disk
from nephele.compute.virt.errors import DETACH_REFUSED
from nephele.kernel.errors import Refused
from nephele.kernel.trace import Recorder

PATIENCE = 5
"""Seconds for which a guest is waited for at a stretch."""


class Plugger:
    """Plugs volumes and interfaces."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def attach_volume(self, order: p.AttachVolume) -> Done:
        """Plug a volume in."""
        trace = Recorder(self.host.name)
        with trace.span("hypervisor", "plugs the volume in") as span:
            span.detail |= {"volume": order.volume.device.volume_id, "device": order.volume.device.device_name}
            self.host.driver.attach_disk(order.server_id, _disk(order.volume))
        return self.host.done(order, trace)

    def detach_volume(self, order: p.DetachVolume) -> Done:
        """Unplug a volume."""
        trace, driver = Recorder(self.host.name), self.host.driver
        with trace.span("hypervisor", "unplugs the volume") as span:
            span.detail |= {"volume": order.volume.device.volume_id, "device": order.volume.device.device_name}
            disk = _disk(order.volume)
            self._let_go(order, disk.device_name, lambda wait: driver.detach_disk(order.server_id, disk, wait))
        return self.host.done(order, trace)

    def extend_volume(self, order: p.ExtendVolume) -> Done:
        """Let the guest see that a volume has grown."""
        self.host.driver.extend_disk(order.server_id, _disk(order.volume), order.size_gb)
        return self.host.done(order)

    def attach_interface(self, order: p.AttachInterface) -> Done:
        """Wire a port and plug it in."""
        trace = Recorder(self.host.name)
        with trace.span("hypervisor", "plugs the interface in") as span:
            span.detail |= {"port": order.port.port_id, "mac": order.port.mac}
            self.host.wiring.wire((order.port.port_id,), 60)
            self.host.driver.attach_nic(order.server_id, nic(order.port, self._properties(order)))
        return self.host.done(order, trace)

    def detach_interface(self, order: p.DetachInterface) -> Done:
        """Unplug a port."""
        trace, driver = Recorder(self.host.name), self.host.driver
        with trace.span("hypervisor", "unplugs the interface") as span:
            span.detail |= {"port": order.port.port_id, "mac": order.port.mac}
            card = nic(order.port, {})
            self._let_go(order, card.mac, lambda wait: driver.detach_nic(order.server_id, card, wait))
        return self.host.done(order, trace)

    def _let_go(self, order: p.DetachVolume | p.DetachInterface, device: str, detach: Callable[[int], None]) -> None:
        """Ask the guest to let go until its time is over, or somebody has the command interrupted."""
        for waited in range(0, order.timeout, PATIENCE):
            self.host.check(order.server_id)
            try:
                detach(min(PATIENCE, order.timeout - waited))
            except Refused as refused:
                if refused.error is not DETACH_REFUSED:
                    raise
            else:
                return
        raise DETACH_REFUSED(server_id=order.server_id, device=device, timeout=order.timeout)

    def _properties(self, order: p.AttachInterface) -> dict[str, str]:
        return self.host.server(order).image_properties


def _disk(volume: ConnectedDevice) -> Disk:
    return volume_disk(volume.device, volume.connection)
