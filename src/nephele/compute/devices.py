"""The disks of a new server: what was asked for, checked and given names."""

import re
import string
from collections.abc import Collection

import msgspec
from msgspec import Struct

from nephele.compute.errors import BAD_BLOCK_DEVICE, BAD_DEVICE, CANNOT_RESIZE_DISK, DEVICE_TAKEN, IMAGE_MISSING
from nephele.compute.model import BlockDevice, FlavorInfo, ImageInfo
from nephele.compute.requests import NewDevice, NewServer
from nephele.kernel.clock import Instant
from nephele.kernel.ids import Ids

_PREFIX = {
    "virtio": "vd",
    "scsi": "sd",
    "sata": "sd",
    "usb": "sd",
    "ide": "hd",
    "fdc": "fd",
    "xen": "xvd",
    "lxc": "lxc",
}
_NAME = re.compile(r"^/dev/x?[a-z]?d?([a-z]+)[0-9]*$")
SOURCES = frozenset({"image", "volume", "snapshot", "blank"})


class ImageDevice(Struct, frozen=True):
    """One device of an image that was made of a server's volumes (its property `block_device_mapping`)."""

    source_type: str = "blank"
    destination_type: str = "volume"
    snapshot_id: str | None = None
    volume_id: str | None = None
    image_id: str | None = None
    device_name: str | None = None
    boot_index: int | None = None
    disk_bus: str | None = None
    device_type: str | None = None
    volume_size: int | None = None
    guest_format: str | None = None
    delete_on_termination: bool = False

    def asked(self) -> NewDevice:
        """The device as a launch asks for one."""
        return NewDevice(
            source=self.source_type,
            destination=self.destination_type,
            uuid=self.snapshot_id or self.volume_id or self.image_id or "",
            boot_index=self.boot_index,
            size_gb=self.volume_size,
            guest_format=self.guest_format or "",
            disk_bus=self.disk_bus or "",
            device_type=self.device_type or "disk",
            device_name=self.device_name or "",
            delete_on_termination=self.delete_on_termination,
        )


def of_image(properties: dict[str, str]) -> list[NewDevice]:
    """The devices that an image asks for itself.  Raises BAD_BLOCK_DEVICE."""
    said = properties.get("block_device_mapping")
    if not said:
        return []
    try:
        return [device.asked() for device in msgspec.json.decode(said, type=list[ImageDevice])]
    except msgspec.DecodeError as error:
        raise BAD_BLOCK_DEVICE(reason=f"the image's block_device_mapping can't be read: {error}") from None


def with_those_of_image(request: NewServer, properties: dict[str, str]) -> NewServer:
    """The request with its image's devices; one that it names itself under the same device name wins.

    Where the image brings what is to be booted from, the image has no data to boot from.
    """
    own = of_image(properties)
    if not own:
        return request
    named = {device.device_name for device in request.devices if device.device_name}
    own = [device for device in own if device.device_name not in named]
    asked = list(request.devices)
    image_id = request.image_id
    if any(device.boot_index == 0 for device in own):
        image_id = ""
        asked = [device for device in asked if (device.source, device.boot_index) != ("image", 0)]
    return msgspec.structs.replace(request, image_id=image_id, devices=(*own, *asked))


def plan(request: NewServer, flavor: FlavorInfo, image: ImageInfo) -> list[NewDevice]:
    """The devices of the server in order, the flavor's own disks included.

    Raises IMAGE_MISSING where nothing could be booted from, BAD_BLOCK_DEVICE where the request makes no sense.
    """
    asked = list(request.devices)
    for device in asked:
        _check(device)
    if request.image_id and not any(device.boot_index == 0 for device in asked):
        root = NewDevice(
            source="image", destination="local", uuid=request.image_id, boot_index=0, delete_on_termination=True
        )
        asked.insert(0, root)
    _check_boot_order(request, asked)
    asked.sort(key=lambda device: (device.boot_index is None, device.boot_index or 0))
    if not any(device.source == "blank" and device.destination == "local" for device in asked):
        asked += _own_disks(flavor)
    _check_local(asked, flavor)
    return [_with_bus(device, image) for device in asked]


def _check(device: NewDevice) -> None:
    if device.source not in SOURCES:
        raise BAD_BLOCK_DEVICE(reason=f"source_type {device.source!r} is not one of {', '.join(sorted(SOURCES))}.")
    if device.destination not in ("local", "volume"):
        raise BAD_BLOCK_DEVICE(reason="destination_type must be local or volume.")
    if device.source != "blank" and not device.uuid:
        raise BAD_BLOCK_DEVICE(reason=f"a device with source_type {device.source} needs a uuid.")
    if (device.source, device.destination) in (("volume", "local"), ("snapshot", "local")):
        raise BAD_BLOCK_DEVICE(reason=f"a {device.source} can't become a local disk.")
    if device.source in ("image", "blank") and device.destination == "volume" and not device.size_gb:
        raise BAD_BLOCK_DEVICE(reason=f"a volume made from {device.source} needs a volume_size.")
    if device.source == "image" and device.destination == "local" and device.boot_index != 0:
        raise BAD_BLOCK_DEVICE(reason="Mapping image to local is not supported.")


def _check_boot_order(request: NewServer, asked: list[NewDevice]) -> None:
    indexes = sorted(device.boot_index for device in asked if device.boot_index is not None and device.boot_index >= 0)
    if not indexes or indexes[0] != 0:
        raise (
            IMAGE_MISSING()
            if not asked
            else BAD_BLOCK_DEVICE(
                reason="Boot sequence for the instance and image/block device mapping combination is not valid."
            )
        )
    if indexes != list(range(len(indexes))):
        raise BAD_BLOCK_DEVICE(
            reason="Boot sequence for the instance and image/block device mapping combination is not valid."
        )
    root = next(device for device in asked if device.boot_index == 0)
    if root.source == "image" and request.image_id and root.uuid != request.image_id:
        raise BAD_BLOCK_DEVICE(
            reason="Boot sequence for the instance and image/block device mapping combination is not valid."
        )


def _own_disks(flavor: FlavorInfo) -> list[NewDevice]:
    """The flavor's ephemeral disk and swap."""
    own = []
    if flavor.ephemeral:
        own.append(NewDevice(source="blank", destination="local", size_gb=flavor.ephemeral, delete_on_termination=True))
    if flavor.swap:
        own.append(NewDevice(source="blank", destination="local", guest_format="swap", delete_on_termination=True))
    return own


def _check_local(asked: list[NewDevice], flavor: FlavorInfo) -> None:
    blanks = [device for device in asked if device.source == "blank" and device.destination == "local"]
    ephemeral = sum(device.size_gb or 0 for device in blanks if device.guest_format != "swap")
    if ephemeral > flavor.ephemeral:
        raise BAD_BLOCK_DEVICE(
            reason=f"Ephemeral disks requested are larger than the instance type allows: {ephemeral} GB"
            f" of {flavor.ephemeral} GB."
        )
    swaps = [device for device in blanks if device.guest_format == "swap"]
    if len(swaps) > 1 or (swaps and not flavor.swap):
        raise BAD_BLOCK_DEVICE(reason="Swap drive requested is larger than instance type allows.")


def _with_bus(device: NewDevice, image: ImageInfo) -> NewDevice:
    kind = "hw_cdrom_bus" if device.device_type == "cdrom" else "hw_disk_bus"
    bus = device.disk_bus or image.properties.get(kind) or ("ide" if device.device_type == "cdrom" else "virtio")
    return msgspec.structs.replace(device, disk_bus=bus)


def name_devices(devices: list[NewDevice]) -> list[str]:
    """`/dev/vda` and so on: each bus counts for itself."""
    used: dict[str, int] = {}
    names = []
    for device in devices:
        prefix = _PREFIX.get(device.disk_bus, "vd")
        names.append(f"/dev/{prefix}{letters(used.get(prefix, 0))}")
        used[prefix] = used.get(prefix, 0) + 1
    return names


def root_name(devices: list[NewDevice]) -> str:
    """The name of the disk that is booted from."""
    return next(name for device, name in zip(devices, name_devices(devices), strict=True) if device.boot_index == 0)


def letters(number: int) -> str:
    """0 is a, 25 z, 26 aa."""
    alphabet = string.ascii_lowercase
    return (letters(number // 26 - 1) if number >= 26 else "") + alphabet[number % 26]


def wanted_name(wanted: str, taken: Collection[str], bus: str) -> str:
    """The name that a user wants, on the bus that the device gets: its letters count.

    Raises BAD_DEVICE for what is no device's name, DEVICE_TAKEN.
    """
    found = _NAME.match(wanted)
    if found is None:
        raise BAD_DEVICE(path=wanted)
    name = f"/dev/{_PREFIX.get(bus, 'vd')}{found[1]}"
    if name in taken:
        raise DEVICE_TAKEN(path=wanted)
    return name


def next_name(taken: Collection[str], bus: str = "virtio") -> str:
    """The first free device name of a bus."""
    prefix = _PREFIX.get(bus, "vd")
    number = 0
    while f"/dev/{prefix}{letters(number)}" in taken:
        number += 1
    return f"/dev/{prefix}{letters(number)}"


def rows(server_id: str, devices: list[NewDevice], flavor: FlavorInfo, ids: Ids, now: Instant) -> list[BlockDevice]:
    """The devices as rows of the server."""
    return [
        BlockDevice(
            id=ids.uuid(),
            server_id=server_id,
            device_name=name,
            source=device.source,
            destination=device.destination,
            boot_index=device.boot_index if device.boot_index is not None and device.boot_index >= 0 else None,
            image_id=device.uuid if device.source == "image" else "",
            snapshot_id=device.uuid if device.source == "snapshot" else "",
            volume_id=device.uuid if device.source == "volume" else "",
            attachment_id="",
            volume_type=device.volume_type,
            size_gb=_size(device, flavor),
            guest_format=device.guest_format,
            disk_bus=device.disk_bus,
            device_type=device.device_type,
            delete_on_termination=device.delete_on_termination,
            tag=device.tag,
            created_at=now,
        )
        for device, name in zip(devices, name_devices(devices), strict=True)
    ]


def _size(device: NewDevice, flavor: FlavorInfo) -> int:
    if device.source == "image" and device.destination == "local":
        return flavor.disk
    return device.size_gb or 0


def resized(
    devices: list[BlockDevice], flavor: FlavorInfo, ids: Ids, now: Instant, *, server_id: str
) -> tuple[BlockDevice, ...]:
    """The local disks that a server has with another flavor: root, ephemeral disk and swap as that one has them.

    Raises CANNOT_RESIZE_DISK where one would have to shrink: what is on it may need the room.
    """
    kept = []
    for device in devices:
        if device.destination == "local" and device.guest_format != "swap":
            size = flavor.disk if device.source == "image" else device.size_gb
            if size < device.size_gb:
                raise CANNOT_RESIZE_DISK(reason="Resize to a smaller disk is not allowed.")
            kept.append(msgspec.structs.replace(device, size_gb=size))
    blanks = [device for device in kept if device.source == "blank"]
    more = flavor.ephemeral - sum(device.size_gb for device in blanks)
    if more < 0:
        raise CANNOT_RESIZE_DISK(reason="Resize to a smaller ephemeral disk is not allowed.")
    if more and blanks:
        last = blanks[-1]
        kept[kept.index(last)] = msgspec.structs.replace(last, size_gb=last.size_gb + more)
    swaps = [device for device in devices if device.destination == "local" and device.guest_format == "swap"]
    kept += swaps if flavor.swap else []
    wanted = _own_disks(
        msgspec.structs.replace(flavor, ephemeral=0 if blanks else more, swap=0 if swaps else flavor.swap)
    )
    taken = [device.device_name for device in devices]
    for new in rows(server_id, wanted, flavor, ids, now):
        named = msgspec.structs.replace(new, device_name=next_name(taken), disk_bus=new.disk_bus or "virtio")
        taken.append(named.device_name)
        kept.append(named)
    return tuple(kept)
