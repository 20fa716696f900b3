"""`/os-assisted-volume-snapshots`: what Cinder asks where a volume's snapshot is the hypervisor's work.

Our own Cinder takes snapshots of attached volumes itself, and our hypervisors make no others.  So what is asked from
outside is checked and accepted as upstream does, and then fails as it does on a hypervisor without this: the
snapshot, where Cinder knows it, is in error.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Text = Annotated[str, Meta(min_length=1)]


class CreateInfo(Struct, frozen=True, forbid_unknown_fields=True):
    """How the snapshot is to be made."""

    snapshot_id: Text
    type: Literal["qcow2"]
    new_file: Text
    id: Text | None = None


class NewSnapshot(Struct, frozen=True, forbid_unknown_fields=True):
    """`snapshot` of a request."""

    volume_id: Text
    create_info: CreateInfo


class DeleteInfo(Struct, frozen=True):
    """What `delete_info` must say."""

    volume_id: Text


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """Have the hypervisor snapshot a volume that it uses."""
    wanted: NewSnapshot = call.body.snapshot
    compute.plugging.assist_snapshot(call.context, wanted.volume_id, wanted.create_info.snapshot_id)
    return {"snapshot": {"id": wanted.create_info.id, "volumeId": wanted.volume_id}}


def delete(compute: "Compute", call: Call) -> None:
    """Have the hypervisor remove a snapshot that it made."""
    try:
        asked = msgspec.json.decode(call.query.get("delete_info"), type=DeleteInfo)
    except msgspec.MsgspecError as error:
        raise BAD_REQUEST(reason=f"delete_info: {error}") from None
    compute.plugging.assist_snapshot(call.context, asked.volume_id, call.path["snapshot_id"])
