"""Accepting a rebuild: from which image, and whether server and image suit each other."""

import base64
import binascii

from msgspec import UNSET, Struct, UnsetType, structs

from nephele.compute import errors as e
from nephele.compute.key_pairs import KeyPairs
from nephele.compute.launching import GB, check_size, remembered
from nephele.compute.model import BlockDevice, ImageInfo, KeyPair, Server
from nephele.compute.operations.rebuild import REBUILD, Built, Rebuild
from nephele.compute.rows import devices_of
from nephele.compute.servers import Servers
from nephele.image.model import Image, Status
from nephele.image.service import Images
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.store import Store
from nephele.volume.service import Volumes


class Wanted(Struct, frozen=True, kw_only=True):
    """What a rebuild asks for; UNSET is as it is.

    `reimages` says whether a root disk that is a volume may be made anew (2.93).
    """

    image_id: str
    reimages: bool
    preserve_ephemeral: bool = False
    name: str | UnsetType = UNSET
    hostname: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    key_name: str | UnsetType | None = UNSET
    user_data: str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    access_ip_v4: str | UnsetType = UNSET
    access_ip_v6: str | UnsetType = UNSET
    disk_config: str | UnsetType = UNSET
    admin_pass: str = ""
    """For the config drive, where the server has one."""


SAME_NAME = (
    "name",
    "hostname",
    "description",
    "user_data",
    "metadata",
    "access_ip_v4",
    "access_ip_v6",
    "disk_config",
)
"""Fields that a rebuild writes as they were asked for."""


class Rebuilding:
    """nova-api's part of a rebuild.

    Args:
        store: the database.
        servers: what is rebuilt.
        images: what from.
        volumes: root disks that are volumes.
        key_pairs: the users' keys.
    """

    def __init__(self, store: Store, servers: Servers, images: Images, volumes: Volumes, key_pairs: KeyPairs) -> None:
        self.store, self.servers = store, servers
        self.images, self.volumes, self.key_pairs = images, volumes, key_pairs

    def rebuild(self, caller: Context, server_id: str, wanted: Wanted) -> Server:
        """Begin to build a server anew; answers it as it will be.

        Raises WRONG_STATE, BAD_REBUILD_IMAGE, IMAGE_NOT_ACTIVE, IMAGE_UNACCEPTABLE, FLAVOR_RAM_TOO_SMALL,
        FLAVOR_DISK_TOO_SMALL, VOLUME_TOO_SMALL, BAD_KEY, BAD_USER_DATA, TOO_MANY_ITEMS.
        """
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, REBUILD.kind)
            if server.launched_at is None:
                raise e.WRONG_STATE(
                    command="rebuild", server_id=server.id, attribute="launched_at", value="None: it never ran"
                )
            devices = devices_of(db, server.id)
            image = self._image(caller, wanted.image_id)
            key = self._key(caller, wanted)
            self._check_words(server, wanted)
            reimage, was = self._root(caller, server, devices, image, wanted)
            kept = remembered(image, "" if server.image_id == "" else image.id)
            before = Built.of(server)
            _changed(before, wanted, kept, key).write(db, server.id)
            stays = tuple(
                device.device_name for device in devices if wanted.preserve_ephemeral and _is_ephemeral(device)
            )
            data = Rebuild(image_id=image.id, before=before, changes_image=was != image.id, reimage=reimage, keep=stays)
            data.admin_pass = wanted.admin_pass if server.config_drive else ""
            data.passes = (
                *(() if reimage else ("detach", "volume")),
                *(("stop",) if server.vm_state != "stopped" else ()),
            )
            self.servers.accept(caller, server, REBUILD.kind, data)
            return self.servers.show(caller, server.id)

    def _image(self, caller: Context, image_id: str) -> Image:
        try:
            image = self.images.show(caller, image_id)
        except Refused:
            raise e.BAD_REBUILD_IMAGE() from None
        if image.status != Status.ACTIVE:
            raise e.IMAGE_NOT_ACTIVE(image_id=image_id, status=image.status)
        return image

    def _key(self, caller: Context, wanted: Wanted) -> KeyPair | None:
        if not wanted.key_name:
            return None
        key = self.key_pairs.find(caller.user_id, wanted.key_name)
        if key is None:
            raise e.BAD_KEY(user_id=caller.user_id, name=wanted.key_name)
        return key

    def _check_words(self, server: Server, wanted: Wanted) -> None:
        if wanted.user_data:
            try:
                base64.b64decode(wanted.user_data, validate=True)
            except (binascii.Error, ValueError):
                raise e.BAD_USER_DATA() from None
        if wanted.metadata:
            self.servers.check_metadata(server.project_id, wanted.metadata)

    def _root(
        self, caller: Context, server: Server, devices: list[BlockDevice], image: Image, wanted: Wanted
    ) -> tuple[str, str]:
        """The volume to be made anew, if any, and the image that the root disk was made of."""
        root = next((device for device in devices if device.boot_index == 0), None)
        if root is None or root.destination != "volume":
            if image.properties.get("block_device_mapping"):
                raise e.IMAGE_UNACCEPTABLE(image_id=image.id, reason="it has no data, only volumes.")
            check_size(image, server.flavor, local_root=True)
            return "", server.image_id
        self._check_volumes(caller, devices)
        volume = self.volumes.show(caller, root.volume_id)
        was = volume.image_metadata.get("image_id", "")
        if was != image.id and not wanted.reimages:
            reason = "Unable to rebuild with a different image for a volume-backed server."
            raise e.IMAGE_UNACCEPTABLE(image_id=image.id, reason=reason)
        check_size(image, server.flavor, local_root=False)
        need = max(image.virtual_size or image.size or 0, image.min_disk * GB)
        if need > volume.size_gb * GB:
            raise e.VOLUME_TOO_SMALL(have=volume.size_gb * GB, need=need)
        return (volume.id if wanted.reimages else ""), was

    def _check_volumes(self, caller: Context, devices: list[BlockDevice]) -> None:
        for device in devices:
            if device.volume_id:
                status = self.volumes.show(caller, device.volume_id).status
                if status != "in-use":
                    raise e.BAD_BLOCK_DEVICE(reason=f"volume {device.volume_id} must be 'in-use': it is '{status}'")


def _changed(before: Built, wanted: Wanted, image: ImageInfo, key: KeyPair | None) -> Built:
    """The server as it is to be."""
    values = {name: getattr(wanted, name) for name in SAME_NAME if getattr(wanted, name) is not UNSET}
    if wanted.key_name is not UNSET:
        values |= {
            "key_name": key.name if key else None,
            "key_data": key.public_key if key else None,
            "key_type": key.type if key else "ssh",
        }
    return structs.replace(before, image_id=image.id, image=image, progress=0, **values)


def _is_ephemeral(device: BlockDevice) -> bool:
    return device.source == "blank" and device.destination == "local" and device.guest_format != "swap"
