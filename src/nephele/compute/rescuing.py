"""Accepting a rescue: which image a server is to be booted from, and whether it can be."""

from nephele.compute.errors import BAD_RESCUE_DEVICE, BAD_RESCUE_IMAGE, NOT_RESCUABLE, VOLUME_NOT_IN_USE
from nephele.compute.model import BlockDevice, Server
from nephele.compute.operations.rescue import Rescue
from nephele.compute.rows import devices_of
from nephele.compute.servers import Servers
from nephele.compute.virt.driver import PowerState
from nephele.image.model import Image, Status
from nephele.image.service import Images
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.store import Store
from nephele.volume.service import Volumes

DEVICES = ("disk", "cdrom", "floppy", "lun")
"""What `hw_rescue_device` may be."""


class Rescuing:
    """nova-api's part of a rescue.

    Args:
        store: the database.
        servers: what is rescued.
        images: what from.
        volumes: to see that a server's volumes are its own.
    """

    def __init__(self, store: Store, servers: Servers, images: Images, volumes: Volumes) -> None:
        self.store, self.servers, self.images, self.volumes = store, servers, images, volumes

    def rescue(self, caller: Context, server_id: str, image_id: str, password: str, *, from_volumes: bool) -> None:
        """Begin to boot a server from another image.

        Args:
            caller: who asks.
            server_id: which server.
            image_id: what from; empty: the image that it was made from, or that one's base.
            password: for the guest's config drive, where it has one.
            from_volumes: servers whose root is a volume may be rescued too, with an image made for that.

        Raises BAD_RESCUE_IMAGE, BAD_RESCUE_DEVICE, NOT_RESCUABLE, VOLUME_NOT_IN_USE, and what `Servers.command` does.
        """
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, "rescue")
            image = self._image(caller, image_id or _base_of(server))
            devices = devices_of(db, server.id)
            self._check_volumes(caller, devices)
            _check_root(server, devices, image, from_volumes=from_volumes)
            data = Rescue(
                image_id=image.id,
                properties=dict(image.properties),
                admin_pass=password if server.config_drive else "",
                ran=server.power_state == PowerState.RUNNING,
            )
            self.servers.accept(caller, server, "rescue", data)

    def _image(self, caller: Context, image_id: str) -> Image:
        try:
            image = self.images.show(caller, image_id)
        except Refused:
            raise BAD_RESCUE_IMAGE(image_id=image_id) from None
        if image.status != Status.ACTIVE or image.properties.get("block_device_mapping"):
            raise BAD_RESCUE_IMAGE(image_id=image_id)
        device = image.properties.get("hw_rescue_device", "disk")
        if device not in DEVICES:
            raise BAD_RESCUE_DEVICE(device=device)
        return image

    def _check_volumes(self, caller: Context, devices: list[BlockDevice]) -> None:
        for device in devices:
            if device.volume_id:
                status = self.volumes.show(caller, device.volume_id).status
                if status != "in-use":
                    raise VOLUME_NOT_IN_USE(volume_id=device.volume_id, status=status)


def _base_of(server: Server) -> str:
    """The image that a snapshot was once made from, or else the server's own."""
    return server.image.properties.get("base_image_ref") or server.image_id


def _check_root(server: Server, devices: list[BlockDevice], image: Image, *, from_volumes: bool) -> None:
    from_volume = any(device.boot_index == 0 and device.destination == "volume" for device in devices)
    made_for_it = {"hw_rescue_bus", "hw_rescue_device"} <= image.properties.keys()
    if from_volume and not (from_volumes and made_for_it):
        raise NOT_RESCUABLE(server_id=server.id, reason="Cannot rescue a volume-backed instance")
