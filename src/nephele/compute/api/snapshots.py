"""Images of servers: `createImage` and `createBackup`."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from nephele.compute.api.server_bodies import Metadata, Name
from nephele.web.call import Call
from nephele.web.routing import Reply

if TYPE_CHECKING:
    from nephele.compute.service import Compute

VOLUME_BACKED = "os_compute_api:servers:create_image:allow_volume_backed"
NotNegative = Annotated[int, Meta(ge=0, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^[0-9]{1,9}$")]


class CreateImage(Struct, frozen=True, forbid_unknown_fields=True):
    """What the image is called, and what is said of it."""

    name: Name
    metadata: Metadata = {}


class CreateBackup(Struct, frozen=True, forbid_unknown_fields=True):
    """As of an image; of each kind, `rotation` are kept."""

    name: Name
    backup_type: str
    rotation: NotNegative
    metadata: Metadata = {}


def create_image(compute: "Compute", call: Call) -> Reply:
    """Make an image of a server."""
    server_id = call.path["server_id"]
    if call.version < (2, 39):
        compute.snapshots.check_properties(call.context, call.body.metadata)
    if compute.snapshots.is_volume_backed(call.context, server_id):
        call.enforce(VOLUME_BACKED)
    return _reply(call, compute.snapshots.snapshot(call.context, server_id, call.body.name, call.body.metadata))


def create_backup(compute: "Compute", call: Call) -> Reply:
    """Make an image of a server, and delete the oldest of its kind."""
    asked: CreateBackup = call.body
    if call.version < (2, 39):
        compute.snapshots.check_properties(call.context, asked.metadata)
    rotation = int(asked.rotation)
    image_id = compute.snapshots.backup(
        call.context, call.path["server_id"], asked.name, asked.backup_type, rotation, asked.metadata
    )
    return _reply(call, image_id, located=rotation > 0)


def _reply(call: Call, image_id: str, *, located: bool = True) -> Reply:
    """The image's id in the body from 2.45 on, before that in the Location."""
    if call.version >= (2, 45):
        return Reply({"image_id": image_id}, 202)
    return Reply(None, 202, {"Location": f"{call.base_url}/images/{image_id}"} if located else {})
