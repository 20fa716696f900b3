"""Guests that boot from another disk.

Upstream's two ways, which the rescue image's properties choose between.  Without `hw_rescue_device` and
`hw_rescue_bus` the guest is the image's own kind of machine, with the rescue disk first and its root disk second, and
no other.  With one of them it keeps its hardware and all its disks where they are, and the rescue disk comes last.
"""

import msgspec

from nephele.compute import messages as m
from nephele.compute.agent.guests import with_password
from nephele.compute.agent.host import Host
from nephele.compute.devices import next_name
from nephele.compute.messages import rescue as r
from nephele.compute.virt.driver import RESCUE_DISK, Disk, GuestSpec, ImageDisk
from nephele.image.messages import ASK_IMAGE, AskImage
from nephele.kernel.trace import Recorder

STABLE = ("hw_rescue_device", "hw_rescue_bus")
"""The properties that ask for a rescue with all disks in their places."""


class Rescuer:
    """Rescues guests and lets them go on."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def fetch(self, order: r.FetchImage) -> m.Prepared:
        """Bring the image to this host."""
        trace = Recorder(self.host.name)
        with trace.span("nova-compute", "asks Glance for the image") as span:
            ask = AskImage(token=order.token, request_id=order.request_id, image_id=order.image_id)
            image = self.host.bus.call(ASK_IMAGE, ask)
            base = self.host.images.fetch(image, order.token, span, lambda: self.host.check(order.server_id))
            span.detail |= {"image": image.id, "name": image.name}
        return m.Prepared(base=base, spans=trace.take())

    def rescue(self, order: r.Rescue) -> m.Done:
        """Boot the guest from the rescue disk."""
        assert order.base is not None
        self.host.wire(order)
        own = self.host.spec(msgspec.structs.replace(order, base=None))
        spec = with_password(rescue_spec(own, order.base, order.properties), order.admin_pass)
        self.host.driver.rescue(spec, order.timeout)
        return self.host.done(order)

    def unrescue(self, order: r.Unrescue) -> m.Done:
        """Give the guest its own disks back."""
        self.host.wire(order)
        self.host.driver.unrescue(self.host.spec(order), run=order.run)
        return self.host.done(order)


def rescue_spec(own: GuestSpec, base: m.BaseImage, properties: dict[str, str]) -> GuestSpec:
    """The guest `own`, booted from a disk over `base`, the image that has these properties."""
    source = ImageDisk(base=base.path, base_format=base.format, size_gb=0)
    if any(name in properties for name in STABLE):
        device = properties.get("hw_rescue_device", "disk")
        bus = properties.get("hw_rescue_bus") or _bus(device, properties)
        name = next_name([disk.device_name for disk in own.disks], bus)
        rescue = Disk(device_name=name, source=source, bus=bus, device_type=device, boot_index=0, file=RESCUE_DISK)
        return msgspec.structs.replace(own, disks=(*map(_boots_later, own.disks), rescue))
    bus = _bus("disk", properties)
    root = min((disk for disk in own.disks if disk.boot_index is not None), key=lambda disk: disk.boot_index or 0)
    first = next_name([], bus)
    second = msgspec.structs.replace(
        root, device_name=next_name([first], bus), bus=bus, boot_index=None, file=root.device_name.removeprefix("/dev/")
    )
    rescue = Disk(device_name=first, source=source, bus=bus, boot_index=0, file=RESCUE_DISK)
    return msgspec.structs.replace(own, disks=(rescue, second), image_properties=properties)


def _boots_later(disk: Disk) -> Disk:
    if disk.boot_index is None:
        return disk
    return msgspec.structs.replace(disk, boot_index=disk.boot_index + 1)


def _bus(device: str, properties: dict[str, str]) -> str:
    """The bus of a device of that type, where the image does not name one."""
    usual = {"cdrom": "sata" if "q35" in properties.get("hw_machine_type", "") else "ide", "floppy": "fdc"}
    return properties.get(f"hw_{device}_bus") or usual.get(device, "virtio")
