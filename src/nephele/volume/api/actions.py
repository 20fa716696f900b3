"""What can be done with a volume: `POST …/volumes/{id}/action`."""

import msgspec

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume.api.bodies import check_uuid, truth
from nephele.volume.api.links import moment
from nephele.volume.api.volumes import find, target
from nephele.volume.attachments import connector_of
from nephele.volume.changes import Reset, UploadWish
from nephele.volume.errors import INVALID_VOLUME
from nephele.volume.life import MIGRATING
from nephele.volume.messages import Connection, FileConnection, NbdConnection
from nephele.volume.service import Volumes
from nephele.web.call import Call


def extend(service: Volumes, call: Call) -> None:
    """`os-extend`."""
    volume = find(service, call)
    attached = call.version >= (3, 42) and volume.status == "in-use"
    call.enforce("volume:extend_attached_volume" if attached else "volume:extend", target(volume))
    service.changes.extend(call.context, volume.id, int(call.body.new_size), attached=attached)


def complete_extension(service: Volumes, call: Call) -> None:
    """`os-extend_volume_completion`."""
    volume = find(service, call, "volume_extension:volume_admin_actions:extend_volume_completion")
    service.changes.complete_extension(call.context, volume.id)


def reset_status(service: Volumes, call: Call) -> None:
    """`os-reset_status`."""
    volume = find(service, call, "volume_extension:volume_admin_actions:reset_status")
    asked = call.body
    if not (asked.status or asked.attach_status or asked.migration_status):
        raise BAD_REQUEST(reason="Name status, attach_status or migration_status.")
    _check_words(asked.status, _STATUSES, "status")
    _check_words(asked.attach_status, _ATTACH_STATUSES, "attach_status")
    _check_words(asked.migration_status, _MIGRATION_STATUSES, "migration_status")
    reset = Reset(*((word or "").lower() for word in (asked.status, asked.attach_status, asked.migration_status)))
    service.changes.reset(call.context, volume.id, reset, service.attachments)


_STATUSES = frozenset(
    [
        "creating",
        "available",
        "deleting",
        "error",
        "error_deleting",
        "error_managing",
        "managing",
        "attaching",
        "in-use",
        "detaching",
        "maintenance",
        "restoring-backup",
        "error_restoring",
        "reserved",
        "awaiting-transfer",
        "backing-up",
        "error_backing-up",
        "error_extending",
        "downloading",
        "uploading",
        "retyping",
        "extending",
    ]
)
_ATTACH_STATUSES = frozenset({"detached", "attached"})
_MIGRATION_STATUSES = frozenset({"migrating", "error", "success", "completing", "none", "starting"})


def _check_words(word: str | None, known: frozenset[str], field: str) -> None:
    if word and word.lower() not in known:
        raise BAD_REQUEST(reason=f"Invalid input for field/attribute {field}. Value: {word}.")


def force_delete(service: Volumes, call: Call) -> None:
    """`os-force_delete`."""
    volume = find(service, call, "volume_extension:volume_admin_actions:force_delete")
    service.delete(call.context, volume.id, force=True)


def set_bootable(service: Volumes, call: Call) -> None:
    """`os-set_bootable`."""
    volume = find(service, call, "volume:update")
    service.changes.set_bootable(call.context, volume.id, truth(call.body.bootable))


def set_readonly(service: Volumes, call: Call) -> None:
    """`os-update_readonly_flag`."""
    volume = find(service, call, "volume:update_readonly_flag")
    service.changes.set_readonly(call.context, volume.id, truth(call.body.readonly))


def retype(service: Volumes, call: Call) -> None:
    """`os-retype`."""
    volume = find(service, call, "volume:retype")
    may_move = call.body.migration_policy == "on-demand"
    service.changes.retype(call.context, volume.id, call.body.new_type, may_move=may_move)


def migrate(service: Volumes, call: Call) -> None:
    """`os-migrate_volume`: to `host@backend#pool`; a cluster (3.16) is no place here."""
    volume, asked = find(service, call, "volume_extension:volume_admin_actions:migrate_volume"), call.body
    cluster = getattr(asked, "cluster", None)
    if (asked.host is None) == (cluster is None):
        raise BAD_REQUEST(reason="Specify either host or cluster, and not both.")
    host = asked.host if cluster is None else service.clusters.member_of(cluster)
    service.moving.migrate(call.context, volume, host, lock=truth(asked.lock_volume), types=service.types)


def complete_migration(service: Volumes, call: Call) -> object:
    """`os-migrate_volume_completion`: for whoever copies volumes himself; here volumes are copied by operations."""
    volume = find(service, call, "volume_extension:volume_admin_actions:migrate_volume_completion")
    check_uuid("new_volume", call.body.new_volume)
    if volume.migration_status != MIGRATING:
        raise INVALID_VOLUME(reason="Source volume not mid-migration.")
    service.show(call.context, call.body.new_volume)
    raise INVALID_VOLUME(reason=f"Destination volume {call.body.new_volume} not mid-migration.")


def revert(service: Volumes, call: Call) -> None:
    """`revert`."""
    volume = find(service, call, "volume:revert_to_snapshot")
    service.snapshots.revert(call.context, volume, call.body.snapshot_id)


def reimage(service: Volumes, call: Call) -> None:
    """`os-reimage`."""
    reserved = truth(call.body.reimage_reserved)
    volume = find(service, call, "volume:reimage_reserved" if reserved else "volume:reimage")
    image_id = check_uuid("image_id", call.body.image_id)
    service.changes.reimage(call.context, volume.id, str(image_id), reserved=reserved)


# -- image metadata ------------------------------------------------------------------------------------------------


def set_image_metadata(service: Volumes, call: Call) -> object:
    """`os-set_image_metadata`."""
    volume = find(service, call, "volume_extension:volume_image_metadata:set")
    return {"metadata": service.changes.set_image_metadata(call.context, volume.id, call.body.metadata)}


def show_image_metadata(service: Volumes, call: Call) -> object:
    """`os-show_image_metadata`."""
    return {"metadata": find(service, call, "volume_extension:volume_image_metadata:show").image_metadata}


def unset_image_metadata(service: Volumes, call: Call) -> None:
    """`os-unset_image_metadata`."""
    volume = find(service, call, "volume_extension:volume_image_metadata:remove")
    service.changes.delete_image_metadata(call.context, volume.id, call.body.key)


def upload(service: Volumes, call: Call) -> object:
    """`os-volume_upload_image`: the image is filled in the background."""
    volume = find(service, call, "volume_extension:volume_actions:upload_image")
    asked = call.body
    visibility = getattr(asked, "visibility", "private")
    if visibility == "public":
        call.enforce("volume_extension:volume_actions:upload_public", target(volume))
    wish = UploadWish(
        asked.image_name,
        asked.disk_format,
        asked.container_format or "bare",
        visibility,
        truth(getattr(asked, "protected", False)),
    )
    changed, image_id = service.changes.upload(call.context, volume.id, wish)
    view: dict[str, object] = {
        "id": changed.id,
        "updated_at": moment(changed.updated_at),
        "status": changed.status,
        "display_description": changed.description,
        "size": changed.size_gb,
        "volume_type": {"id": changed.type_id, "name": changed.type_name},
        "image_id": image_id,
        "container_format": wish.container_format,
        "disk_format": wish.disk_format,
        "image_name": wish.name,
    }
    if call.version >= (3, 1):
        view |= {"visibility": wish.visibility, "protected": wish.protected}
    return {"os-volume_upload_image": view}


# -- the old way to attach -----------------------------------------------------------------------------------------


def reserve(service: Volumes, call: Call) -> None:
    """`os-reserve`."""
    volume = find(service, call, "volume_extension:volume_actions:reserve")
    service.attachments.old_reserve(call.context, volume.id)


def unreserve(service: Volumes, call: Call) -> None:
    """`os-unreserve`."""
    volume = find(service, call, "volume_extension:volume_actions:unreserve")
    service.attachments.old_unreserve(call.context, volume.id)


def begin_detaching(service: Volumes, call: Call) -> None:
    """`os-begin_detaching`."""
    volume = find(service, call, "volume_extension:volume_actions:begin_detaching")
    service.attachments.begin_detach(call.context, volume.id)


def roll_detaching(service: Volumes, call: Call) -> None:
    """`os-roll_detaching`."""
    volume = find(service, call, "volume_extension:volume_actions:roll_detaching")
    service.attachments.roll_detach(call.context, volume.id)


def attach(service: Volumes, call: Call) -> None:
    """`os-attach`."""
    volume, asked = find(service, call, "volume_extension:volume_actions:attach"), call.body
    check_uuid("instance_uuid", asked.instance_uuid)
    if not asked.instance_uuid and not asked.host_name:
        raise BAD_REQUEST(reason="Invalid input for field/attribute os-attach. Name instance_uuid or host_name.")
    service.attachments.old_attach(
        call.context, volume.id, asked.instance_uuid, asked.host_name, asked.mountpoint, asked.mode
    )


def detach(service: Volumes, call: Call) -> None:
    """`os-detach`."""
    volume = find(service, call, "volume_extension:volume_actions:detach")
    attachment_id = call.body.attachment_id if call.body is not None else None
    service.attachments.old_detach(call.context, volume.id, check_uuid("attachment_id", attachment_id))


def force_detach(service: Volumes, call: Call) -> None:
    """`os-force_detach`."""
    volume = find(service, call, "volume_extension:volume_admin_actions:force_detach")
    service.attachments.old_detach(call.context, volume.id, check_uuid("attachment_id", call.body.attachment_id))


def initialize_connection(service: Volumes, call: Call) -> object:
    """`os-initialize_connection`."""
    volume = find(service, call, "volume_extension:volume_actions:initialize_connection")
    connector = call.body.connector
    if isinstance(connector, str):
        connector = connector_of(connector)
    if not connector:
        raise BAD_REQUEST(reason="Connector doesn't have required information: host")
    connection = service.attachments.old_connect(call.context, volume.id)
    return {"connection_info": {**connection_info(connection), "enforce_multipath": False}}


def terminate_connection(service: Volumes, call: Call) -> None:
    """`os-terminate_connection`."""
    volume = find(service, call, "volume_extension:volume_actions:terminate_connection")
    service.attachments.old_unreserve(call.context, volume.id)


def connection_info(connection: Connection) -> dict[str, object]:
    """A connection as Cinder's clients read it: a kind and its data."""
    data: dict[str, object] = msgspec.to_builtins(connection)
    data.pop("type", None)
    if isinstance(connection, FileConnection):
        return {"driver_volume_type": "local", "data": {"device_path": connection.path, "format": connection.format}}
    return {"driver_volume_type": "nbd" if isinstance(connection, NbdConnection) else "rbd", "data": data}
