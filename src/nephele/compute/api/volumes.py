"""`/os-volumes` and `/os-snapshots`: Cinder's in Nova's words, for clients older than 2.36."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from nephele.compute.api.server_bodies import Bool, truth
from nephele.kernel.clock import iso_micros
from nephele.kernel.errors import BAD_REQUEST, NOT_FOUND, Error, Refused
from nephele.volume.model import Attachment, Snapshot, Volume
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

OVER_QUOTA = Error("compute.volume_quota", 403, "{reason}")
Size = Annotated[int, Meta(ge=1, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,8}$")]


class VolumeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`volume` of a new one."""

    size: Size
    volume_type: str | None = None
    metadata: dict[str, str] = {}
    snapshot_id: str | None = None
    availability_zone: str | None = None
    display_name: str | None = None
    display_description: str | None = None


class SnapshotBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`snapshot` of a new one."""

    volume_id: str
    force: Bool = False
    display_name: str | None = None
    display_description: str | None = None


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """The project's volumes; `/detail` says no more of them.  With a slash at the end, it is a volume without an id."""
    if call.request.scope["path"].endswith("/"):
        raise NOT_FOUND()
    found = _part(call, compute.volumes.of_project(call.context))
    attached = compute.volumes.attachments_of_volumes([volume.id for volume in found])
    return {"volumes": [_volume(volume, attached.get(volume.id, [])) for volume in found]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One volume."""
    return _shown(compute, compute.volumes.show(call.context, call.path["volume_id"]))


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """A new volume."""
    asked: VolumeBody = call.body.volume
    try:
        volume_id = compute.volumes.create_for_boot(
            call.context,
            size_gb=int(asked.size),
            name=asked.display_name or "",
            description=asked.display_description,
            volume_type=asked.volume_type,
            availability_zone=asked.availability_zone,
            snapshot_id=asked.snapshot_id,
            metadata=asked.metadata,
        )
        return _shown(compute, compute.volumes.show(call.context, volume_id))
    except Refused as refused:
        raise _as_nova_says(refused) from None


def delete(compute: "Compute", call: Call) -> None:
    """Delete a volume."""
    compute.volumes.delete(call.context, call.path["volume_id"])


def snapshots(compute: "Compute", call: Call) -> dict[str, Any]:
    """The project's snapshots of volumes."""
    found = _part(call, compute.volumes.snapshots_of_project(call.context))
    return {"snapshots": [_snapshot(snapshot) for snapshot in found]}


def show_snapshot(compute: "Compute", call: Call) -> dict[str, Any]:
    """One snapshot."""
    return {"snapshot": _snapshot(compute.volumes.snapshots.show(call.context, call.path["snapshot_id"]))}


def create_snapshot(compute: "Compute", call: Call) -> dict[str, Any]:
    """A new snapshot."""
    asked: SnapshotBody = call.body.snapshot
    volume = compute.volumes.show(call.context, asked.volume_id)
    try:
        made = compute.volumes.snapshots.create(
            call.context, volume, asked.display_name, asked.display_description, {}, in_use=truth(asked.force)
        )
    except Refused as refused:
        raise _as_nova_says(refused) from None
    return {"snapshot": _snapshot(made)}


def delete_snapshot(compute: "Compute", call: Call) -> None:
    """Delete a snapshot."""
    compute.volumes.snapshots.delete(call.context, call.path["snapshot_id"])


def _as_nova_says(refused: Refused) -> Refused:
    """A quota is a 403 in Nova, and whatever else is wrong with a request a 400."""
    if refused.status == 413:
        return OVER_QUOTA(reason=refused.message)
    return refused if refused.status in (403, 404) else BAD_REQUEST(reason=refused.message)


def _part(call: Call, found: list[Any]) -> list[Any]:
    limit, offset = call.query.whole("limit", len(found)), call.query.whole("offset", 0)
    return found[offset : offset + limit]


def _shown(compute: "Compute", volume: Volume) -> dict[str, Any]:
    attached = compute.volumes.attachments_of_volumes([volume.id])
    return {"volume": _volume(volume, attached.get(volume.id, []))}


def _volume(volume: Volume, attachments: list[Attachment]) -> dict[str, Any]:
    """Nova knows one attachment of a volume, and an empty one where there is none."""
    shown: dict[str, Any] = {}
    held = next((one for one in attachments if one.server_id and one.attached_at), None)
    if held is not None:
        shown = {"id": volume.id, "volumeId": volume.id, "serverId": held.server_id}
        shown |= {"device": held.device} if held.device else {}
    return {
        "id": volume.id,
        "status": volume.status,
        "size": volume.size_gb,
        "availabilityZone": volume.availability_zone,
        "createdAt": iso_micros(volume.created_at),
        "attachments": [shown],
        "displayName": volume.name,
        "displayDescription": volume.description,
        "volumeType": volume.type_name,
        "snapshotId": volume.snapshot_id,
        "metadata": volume.metadata,
    }


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "volumeId": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size_gb,
        "createdAt": iso_micros(snapshot.created_at),
        "displayName": snapshot.name,
        "displayDescription": snapshot.description,
    }
