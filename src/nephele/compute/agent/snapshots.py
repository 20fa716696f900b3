"""Copies of guests' disks: taken on the host, sent to Glance as images."""

from collections.abc import Iterator

from nephele.compute.agent.host import Host
from nephele.compute.messages import Done
from nephele.compute.messages import snapshots as m
from nephele.kernel.trace import Recorder


class SnapshotTaker:
    """Takes copies and uploads them."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def take(self, order: m.TakeSnapshot) -> m.SnapshotTaken:
        """Copy a disk."""
        trace = Recorder(self.host.name)
        with trace.span("hypervisor", "copies the guest's disk") as span:
            disk_format = self.host.driver.take_snapshot(
                order.server_id,
                order.image_id,
                order.device_name,
                must_freeze=order.must_freeze,
                check=lambda: self.host.check(order.server_id),
            )
            span.detail |= {"device": order.device_name, "format": disk_format}
        power = self.host.driver.power_state(order.server_id)
        return m.SnapshotTaken(disk_format=disk_format, power_state=power, spans=trace.take())

    def upload(self, order: m.UploadSnapshot) -> Done:
        """Send a copy to Glance."""
        trace = Recorder(self.host.name)
        with trace.span("nova-compute", "sends the image's data to Glance") as span:
            chunks = self.host.driver.read_snapshot(order.server_id, order.image_id)
            span.detail["image"] = order.image_id
            self.host.images.upload(order.image_id, order.token, self._checked(order.server_id, chunks))
        return self.host.done(order, trace)

    def drop(self, order: m.DropSnapshot) -> Done:
        """Forget a copy."""
        self.host.driver.drop_snapshot(order.server_id, order.image_id)
        return self.host.done(order)

    def quiesce(self, order: m.Quiesce) -> m.Quiesced:
        """Freeze the guest's file systems, or thaw them."""
        frozen = False
        if order.freeze:
            frozen = self.host.driver.freeze(order.server_id)
        else:
            self.host.driver.thaw(order.server_id)
        return m.Quiesced(frozen=frozen, power_state=self.host.driver.power_state(order.server_id))

    def _checked(self, server_id: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.host.check(server_id)
            yield chunk
