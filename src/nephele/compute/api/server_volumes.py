"""A server's volumes."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.compute.api.server_bodies import Bool, Tag, truth
from nephele.compute.errors import MULTIATTACH_OLD, VOLUME_NOT_ATTACHED, WRONG_STATE
from nephele.compute.model import BlockDevice, Server, Vm
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call
from nephele.web.routing import Reply

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Id = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")]
Device = Annotated[str, Meta(max_length=255, pattern=r"^/dev/x?[a-z]?d?[a-z]+[0-9]*$")]
SHELF = (Vm.SHELVED, Vm.SHELVED_OFFLOADED)


class NewVolume(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`volumeAttachment` of an attachment."""

    volumeId: Id  # noqa: N815
    device: Device | None = None


class TaggedVolume(NewVolume, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same from 2.49 on."""

    tag: Tag = ""


class OwnedVolume(TaggedVolume, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same from 2.79 on."""

    delete_on_termination: Bool = False


class OtherVolume(Struct, frozen=True, forbid_unknown_fields=True):
    """`volumeAttachment` of a swap."""

    volumeId: Id  # noqa: N815


class ChangedVolume(Struct, frozen=True, forbid_unknown_fields=True):
    """`volumeAttachment` of a change from 2.85 on."""

    volumeId: Id  # noqa: N815
    delete_on_termination: Bool | UnsetType = UNSET
    device: str | UnsetType | None = UNSET
    serverId: str | UnsetType = UNSET  # noqa: N815
    tag: str | UnsetType | None = UNSET
    id: str | UnsetType = UNSET


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """Its volumes, a part of them with `limit` and `offset`."""
    found = _volumes(compute, _server(compute, call), call)
    limit, offset = call.query.whole("limit", len(found)), call.query.whole("offset", 0)
    return {"volumeAttachments": [_attachment(device, call) for device in found[offset : offset + limit]]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of its volumes."""
    return {"volumeAttachment": _attachment(_attached(compute, call), call)}


def attach(compute: "Compute", call: Call) -> dict[str, Any] | Reply:
    """Attach a volume; until 2.100 the answer says as which device."""
    asked: NewVolume = call.body.volumeAttachment
    _check_shelf(_server(compute, call), call, "attach_volume")
    if call.version < (2, 60) and compute.volumes.show(call.context, asked.volumeId).multiattach:
        raise MULTIATTACH_OLD()
    owned = truth(asked.delete_on_termination) if isinstance(asked, OwnedVolume) else False
    made = compute.plugging.attach(
        call.context,
        call.path["server_id"],
        asked.volumeId,
        device=asked.device or "",
        tag=asked.tag if isinstance(asked, TaggedVolume) else "",
        delete_on_termination=owned,
    )
    if call.version >= (2, 101):
        return Reply(status=202)
    return {"volumeAttachment": {**_later(made, call), "id": made.volume_id}}


def detach(compute: "Compute", call: Call) -> None:
    """Detach a volume."""
    _check_shelf(_server(compute, call), call, "detach_volume")
    compute.plugging.detach(call.context, call.path["server_id"], call.path["volume_id"])


def swap(compute: "Compute", call: Call) -> None:
    """Until 2.84: put another volume in the place of one."""
    compute.plugging.swap(
        call.context, call.path["server_id"], call.path["volume_id"], call.body.volumeAttachment.volumeId
    )


def change(compute: "Compute", call: Call) -> None:
    """Say whether a volume goes with the server; naming another volume puts that in its place."""
    asked: ChangedVolume = call.body.volumeAttachment
    other = asked.volumeId != call.path["volume_id"]
    call.enforce(f"os_compute_api:os-volumes-attachments:{'swap' if other else 'update'}")
    device = _attached(compute, call)
    as_it_is = {"device": device.device_name, "serverId": device.server_id, "tag": device.tag, "id": device.volume_id}
    for name, value in as_it_is.items():
        given = getattr(asked, name)
        if given is not UNSET and (given or "") != value:
            raise BAD_REQUEST(reason=f"Invalid input for field/attribute {name}: it cannot be changed.")
    if asked.id is not UNSET and call.version >= (2, 89):
        raise BAD_REQUEST(reason="Invalid input for field/attribute id: it is gone from microversion 2.89 on.")
    if asked.delete_on_termination is not UNSET:
        wanted = truth(asked.delete_on_termination)
        compute.servers.mark_volume(call.context, device.server_id, device.volume_id, delete_on_termination=wanted)
    if other:
        swap(compute, call)


def _server(compute: "Compute", call: Call) -> Server:
    return compute.servers.show(call.context, call.path["server_id"])


def _check_shelf(server: Server, call: Call, command: str) -> None:
    """Before 2.20, nothing is attached to servers on the shelf."""
    if server.vm_state in SHELF and call.version < (2, 20):
        raise WRONG_STATE(command=command, server_id=server.id, attribute="vm_state", value=str(server.vm_state))


def _volumes(compute: "Compute", server: Server, call: Call) -> list[BlockDevice]:
    """Its volumes; from 2.89 on those that have an attachment to show."""
    found = compute.servers.volumes([server.id])[server.id]
    return [device for device in found if device.attachment_id or call.version < (2, 89)]


def _attached(compute: "Compute", call: Call) -> BlockDevice:
    server, volume_id = _server(compute, call), call.path["volume_id"]
    for device in _volumes(compute, server, call):
        if device.volume_id == volume_id:
            return device
    raise VOLUME_NOT_ATTACHED(server_id=server.id, volume_id=volume_id)


def _attachment(device: BlockDevice, call: Call) -> dict[str, Any]:
    body = _later(device, call)
    if call.version < (2, 89):
        body["id"] = device.volume_id
    else:
        body |= {"attachment_id": device.attachment_id, "bdm_uuid": device.id}
    return body


def _later(device: BlockDevice, call: Call) -> dict[str, Any]:
    """What is shown in every version, and what came with later ones."""
    body: dict[str, Any] = {"volumeId": device.volume_id, "serverId": device.server_id, "device": device.device_name}
    if call.version >= (2, 70):
        body["tag"] = device.tag or None
    if call.version >= (2, 79):
        body["delete_on_termination"] = device.delete_on_termination
    return body
