"""Attachments over HTTP, from microversion 3.27 on."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import rows
from nephele.volume.api.actions import connection_info
from nephele.volume.api.bodies import check_uuid
from nephele.volume.api.links import moment
from nephele.volume.api.listing import Listed, read_listing
from nephele.volume.errors import ATTACHMENT_NOT_FOUND
from nephele.volume.model import Attachment
from nephele.volume.service import Volumes
from nephele.volume.tables import attachments
from nephele.web.call import Call

_c = attachments.c
_COLUMNS: dict[str, sa.Column[Any]] = {
    "volume_id": _c.volume_id,
    "status": _c.status,
    "attach_status": _c.status,
    "instance_id": _c.server_id,
    "instance_uuid": _c.server_id,
    "id": _c.id,
    "created_at": _c.created_at,
    "project_id": _c.project_id,
}
LISTED = Listed(
    table=attachments,
    user_filters={"volume_id": (3, 0), "status": (3, 0), "instance_id": (3, 0), "attach_status": (3, 0)},
    admin_filters=frozenset(_COLUMNS),
    columns=_COLUMNS,
    sorts=frozenset({"id", "created_at", "volume_id", "status"}),
    missing=ATTACHMENT_NOT_FOUND,
    marker_fact="attachment_id",
)


def _summary(attachment: Attachment) -> dict[str, object]:
    return {
        "id": attachment.id,
        "status": attachment.status,
        "instance": attachment.server_id,
        "volume_id": attachment.volume_id,
    }


def _detail(attachment: Attachment) -> dict[str, object]:
    connection: dict[str, object] = {}
    if attachment.connection is not None:
        info = connection_info(attachment.connection)
        data = info["data"] if isinstance(info["data"], dict) else {}
        connection = {
            **data,
            "driver_volume_type": info["driver_volume_type"],
            "access_mode": attachment.mode,
            "attachment_id": attachment.id,
        }
    return {
        **_summary(attachment),
        "attached_at": moment(attachment.attached_at) or "",
        "detached_at": "",
        "attach_mode": attachment.mode,
        "connection_info": connection,
    }


def _find(service: Volumes, call: Call, rule: str) -> Attachment:
    attachment = service.attachments.show(call.context, call.path["attachment_id"])
    call.enforce(rule, {"project_id": attachment.project_id})
    return attachment


def show(service: Volumes, call: Call) -> object:
    """One attachment."""
    return {"attachment": _detail(service.attachments.show(call.context, call.path["attachment_id"]))}


def index(service: Volumes, call: Call) -> object:
    """All of them, in short."""
    return {"attachments": [_summary(attachment) for attachment in _list(service, call)]}


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return {"attachments": [_detail(attachment) for attachment in _list(service, call)]}


def _list(service: Volumes, call: Call) -> list[Attachment]:
    asked = read_listing(call, LISTED)
    with service.parts.store.read() as db:
        return rows.list_attachments(db, asked.narrow(db))


def create(service: Volumes, call: Call) -> object:
    """Reserve a volume for a server, and connect it where the host is known already."""
    asked = call.body.attachment
    check_uuid("volume_uuid", asked.volume_uuid)
    check_uuid("instance_uuid", asked.instance_uuid)
    volume = service.show(call.context, asked.volume_uuid)
    call.enforce("volume:attachment_create", {"project_id": volume.project_id})
    if volume.multiattach and volume.bootable and volume.status == "in-use":
        call.enforce("volume:multiattach_bootable_volume", {"project_id": volume.project_id})
    mode = getattr(asked, "mode", None) or ""
    with service.parts.store.write():
        made = service.attachments.reserve(call.context, volume.id, asked.instance_uuid, mode)
        if asked.connector:
            made = service.attachments.connect(call.context, made.id, asked.connector)
    return {"attachment": _detail(made)}


def update(service: Volumes, call: Call) -> object:
    """Connect a reserved volume to a host."""
    attachment = _find(service, call, "volume:attachment_update")
    connector = call.body.attachment.connector
    if not connector:
        raise BAD_REQUEST(reason="Connector doesn't have required information: host")
    return {"attachment": _detail(service.attachments.connect(call.context, attachment.id, connector))}


def delete(service: Volumes, call: Call) -> object:
    """Give a volume back; what is left of its attachments is the answer."""
    attachment = _find(service, call, "volume:attachment_delete")
    service.attachments.check_free(attachment)
    service.attachments.remove(call.context, attachment.id)
    with service.parts.store.read() as db:
        left = rows.attachments_of(db, [attachment.volume_id]).get(attachment.volume_id, [])
    return {"attachments": [_summary(other) for other in left]}


def complete(service: Volumes, call: Call) -> None:
    """`os-complete`."""
    attachment = _find(service, call, "volume:attachment_complete")
    service.attachments.complete(call.context, attachment.id)
