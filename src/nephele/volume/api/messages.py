"""Users' messages over HTTP, from microversion 3.3 on."""

from typing import Any

import sqlalchemy as sa

from nephele.volume import rows
from nephele.volume.api.links import links, moment, next_links
from nephele.volume.api.listing import Listed, read_listing
from nephele.volume.errors import MESSAGE_NOT_FOUND
from nephele.volume.model import UserMessage
from nephele.volume.service import Volumes
from nephele.volume.tables import messages
from nephele.web.call import Call

_c = messages.c
_COLUMNS: dict[str, sa.Column[Any]] = {
    "id": _c.id,
    "event_id": _c.event_id,
    "resource_uuid": _c.resource_id,
    "resource_type": _c.resource_type,
    "request_id": _c.request_id,
    "message_level": _c.level,
    "created_at": _c.created_at,
    "guaranteed_until": _c.expires_at,
}
LISTED = Listed(
    table=messages,
    user_filters={
        "resource_uuid": (3, 5),
        "resource_type": (3, 5),
        "event_id": (3, 5),
        "request_id": (3, 5),
        "message_level": (3, 5),
    },
    admin_filters=frozenset(_COLUMNS),
    columns=_COLUMNS,
    sorts=frozenset(_COLUMNS),
    missing=MESSAGE_NOT_FOUND,
    marker_fact="message_id",
)


def _view(call: Call, message: UserMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "event_id": message.event_id,
        "user_message": message.text,
        "message_level": message.level,
        "created_at": moment(message.created_at),
        "guaranteed_until": moment(message.expires_at),
        "request_id": message.request_id,
        "resource_type": message.resource_type,
        "resource_uuid": message.resource_id,
        "links": links(call, "messages", message.id),
    }


def index(service: Volumes, call: Call) -> object:
    """All that concern the caller's project."""
    asked = read_listing(call, LISTED)
    with service.parts.store.read() as db:
        found = rows.every(db, UserMessage, asked.narrow(db)(sa.select(*_c)))
    body: dict[str, object] = {"messages": [_view(call, message) for message in found]}
    following = next_links(call, "messages", [message.id for message in found], asked.page.limit)
    if following:
        body["messages_links"] = following
    return body


def show(service: Volumes, call: Call) -> object:
    """One of them."""
    return {"message": _view(call, service.messages.show(call.context, call.path["message_id"]))}


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    service.messages.delete(call.context, call.path["message_id"])
