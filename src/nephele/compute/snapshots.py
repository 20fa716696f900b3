"""Images of servers: snapshots and backups, accepted."""

from collections.abc import Sequence

from nephele.compute.errors import NO_BACKUP_OF_VOLUMES, SNAPSHOT_QUOTA, TOO_MANY_ITEMS
from nephele.compute.model import BlockDevice, Server
from nephele.compute.operations.snapshot import BACKUP, SNAPSHOT, Snapshot
from nephele.compute.quotas import UNLIMITED, ComputeQuotas
from nephele.compute.rows import devices_of
from nephele.compute.servers import Servers
from nephele.image.model import NewImage, Visibility
from nephele.image.service import Images
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.volume.service import Volumes

NOT_INHERITED = frozenset(
    {
        "cache_in_nova",
        "bittorrent",
        "cinder_encryption_key_id",
        "cinder_encryption_key_deletion_policy",
        "img_signature",
        "img_signature_hash_method",
        "img_signature_key_type",
        "img_signature_certificate_uuid",
        "mappings",
        "block_device_mapping",
        "img_mappings",
        "img_block_device_mapping",
        "bdm_v2",
        "root_device_name",
    }
)
"""Properties of the image that a server was made of which an image of the server does not have."""


class Snapshots:
    """Makes images of servers.

    Args:
        store: the database.
        ids: names volume snapshots.
        servers: takes the commands.
        images: Glance.
        volumes: Cinder.
        quotas: how many properties old clients may give an image.
    """

    def __init__(
        self, store: Store, ids: Ids, servers: Servers, images: Images, volumes: Volumes, quotas: ComputeQuotas
    ) -> None:
        self.store, self.ids, self.servers = store, ids, servers
        self.images, self.volumes, self.quotas = images, volumes, quotas

    def snapshot(self, caller: Context, server_id: str, name: str, metadata: dict[str, str]) -> str:
        """Make an image of the server's root disk, or of all its volumes; answers the image's id.

        Raises WRONG_STATE, SNAPSHOT_QUOTA, and what Glance refuses.
        """
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, SNAPSHOT.kind, spoken="createImage")
            devices = devices_of(db, server.id)
            volume_backed = is_volume_backed(devices)
            new = image_of(server, caller, name, "" if volume_backed else "snapshot", metadata)
            data = Snapshot(image_id=self.create_image(caller, server, new), volume_backed=volume_backed)
            if volume_backed:
                data.snapshots = self._planned(caller, devices)
            self.servers.accept(caller, server, SNAPSHOT.kind, data)
        return data.image_id

    def backup(
        self, caller: Context, server_id: str, name: str, backup_type: str, rotation: int, metadata: dict[str, str]
    ) -> str:
        """Make an image of the server's root disk and delete the oldest of its kind above `rotation`.

        Raises WRONG_STATE, NO_BACKUP_OF_VOLUMES, and what Glance refuses.
        """
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, BACKUP.kind, spoken="createBackup")
            if is_volume_backed(devices_of(db, server.id)):
                raise NO_BACKUP_OF_VOLUMES()
            new = image_of(server, caller, name, "backup", {**metadata, "backup_type": backup_type})
            image_id = self.create_image(caller, server, new)
            data = Snapshot(image_id=image_id, backup_type=backup_type, rotation=rotation)
            self.servers.accept(caller, server, BACKUP.kind, data)
        return image_id

    def is_volume_backed(self, caller: Context, server_id: str) -> bool:
        """Whether the server's root disk is a volume.  Raises SERVER_NOT_FOUND."""
        with self.store.read() as db:
            return is_volume_backed(devices_of(db, self.servers.show(caller, server_id).id))

    def check_properties(self, caller: Context, metadata: dict[str, str]) -> None:
        """The limit that old clients' images have.  Raises TOO_MANY_ITEMS."""
        limit = self.quotas.limits(caller.project_id)["metadata_items"]
        if limit != UNLIMITED and len(metadata) > limit:
            raise TOO_MANY_ITEMS(what="image metadata items", limit=limit)

    def create_image(self, caller: Context, server: Server, new: NewImage) -> str:
        """The queued image; where it belongs to another project than the server, that one is a member."""
        image = self.images.create(caller, new)
        if caller.project_id != server.project_id:
            self.images.members.add(caller, image.id, server.project_id)
        return image.id

    def _planned(self, caller: Context, devices: Sequence[BlockDevice]) -> dict[str, str]:
        """An id for the snapshot of each volume."""
        volumes = {device.id: device.volume_id for device in devices if device.volume_id}
        try:
            self.volumes.check_snapshots(caller, list(volumes.values()))
        except Refused as refused:
            if refused.status == 413:
                raise SNAPSHOT_QUOTA(reason=refused.message) from None
            raise
        return {device_id: self.ids.uuid() for device_id in volumes}


def is_volume_backed(devices: Sequence[BlockDevice]) -> bool:
    """Whether the server's root disk is a volume."""
    return any(device.boot_index == 0 and device.destination == "volume" for device in devices)


def image_of(server: Server, caller: Context, name: str, image_type: str, metadata: dict[str, str]) -> NewImage:
    """How an image of a server is described: what its own image said, and whose it is."""
    inherited = {
        key: value
        for key, value in server.image.properties.items()
        if key not in NOT_INHERITED and not key.startswith("os_glance")
    }
    properties = {**inherited, **_origin(server, caller), "base_image_ref": server.image_id}
    if image_type:
        properties |= {"instance_uuid": server.id, "user_id": caller.user_id, "image_type": image_type}
    properties |= metadata
    own = caller.project_id == server.project_id
    if not own:
        properties["instance_owner"] = server.project_id
    return NewImage(
        name=name,
        visibility=Visibility.PRIVATE if own else Visibility.SHARED,
        min_disk=max(server.image.min_disk, server.flavor.disk),
        min_ram=server.image.min_ram,
        properties=properties,
    )


def _origin(server: Server, caller: Context) -> dict[str, str]:
    """Whose server it is, in words, where the caller is that user."""
    if (caller.user_id, caller.project_id) != (server.user_id, server.project_id):
        return {}
    return {
        "owner_user_name": caller.user_name,
        "owner_project_name": caller.project_name,
        "boot_roles": ",".join(sorted(caller.roles)),
    }
