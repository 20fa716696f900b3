"""`/servers/{id}/metadata`, `/servers/{id}/tags`, and locking."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.compute.api.server_bodies import Metadata, Tag
from nephele.compute.labels import ITEM_NOT_FOUND, MAX_TAGS, TAG_NOT_FOUND
from nephele.kernel.errors import BAD_REQUEST
from nephele.web import bodies
from nephele.web.call import Call
from nephele.web.routing import Reply

if TYPE_CHECKING:
    from nephele.compute.service import Compute

UNLOCK_OVERRIDE = "os_compute_api:os-lock-server:unlock:unlock_override"


class Items(Struct, frozen=True, forbid_unknown_fields=True):
    """Metadata items."""

    metadata: Metadata


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """One metadata item."""

    meta: Annotated[Metadata, Meta(min_length=1, max_length=1)]


class Tags(Struct, frozen=True, forbid_unknown_fields=True):
    """All tags."""

    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS)]


class Lock(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a server is locked."""

    locked_reason: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET


# -- metadata ----------------------------------------------------------------------------------------------------


def metadata(compute: "Compute", call: Call) -> dict[str, Any]:
    """All items."""
    return {"metadata": compute.servers.show(call.context, call.path["server_id"]).metadata}


def merge_metadata(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set some items."""
    return {"metadata": compute.labels.merge_metadata(call.context, call.path["server_id"], call.body.metadata)}


def replace_metadata(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set all items."""
    return {"metadata": compute.labels.replace_metadata(call.context, call.path["server_id"], call.body.metadata)}


def show_item(compute: "Compute", call: Call) -> dict[str, Any]:
    """One item."""
    key, found = call.path["key"], compute.servers.show(call.context, call.path["server_id"]).metadata
    if key not in found:
        raise ITEM_NOT_FOUND()
    return {"meta": {key: found[key]}}


def set_item(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set one item."""
    item: dict[str, str] = call.body.meta
    if list(item) != [call.path["key"]]:
        raise BAD_REQUEST(reason="Request body and URI mismatch")
    compute.labels.merge_metadata(call.context, call.path["server_id"], item)
    return {"meta": item}


def delete_item(compute: "Compute", call: Call) -> None:
    """Remove one item."""
    compute.labels.delete_item(call.context, call.path["server_id"], call.path["key"])


# -- tags --------------------------------------------------------------------------------------------------------


def tags(compute: "Compute", call: Call) -> dict[str, Any]:
    """All tags."""
    return {"tags": compute.servers.show(call.context, call.path["server_id"]).tags}


def replace_tags(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set all tags."""
    return {"tags": compute.labels.replace_tags(call.context, call.path["server_id"], tuple(call.body.tags))}


def delete_tags(compute: "Compute", call: Call) -> None:
    """Remove all tags."""
    compute.labels.replace_tags(call.context, call.path["server_id"], ())


def has_tag(compute: "Compute", call: Call) -> None:
    """Whether it has this tag: 204 or 404."""
    server = compute.servers.show(call.context, call.path["server_id"])
    if call.path["tag"] not in server.tags:
        raise TAG_NOT_FOUND(server_id=server.id, tag=call.path["tag"])


def add_tag(compute: "Compute", call: Call) -> Reply:
    """Add a tag: 201, or 204 where it was there."""
    server_id, tag = call.path["server_id"], call.path["tag"]
    if not 1 <= len(tag) <= 60 or "," in tag:
        raise BAD_REQUEST(reason=f"Tag '{tag}' is invalid. A tag has 1 to 60 characters, none of them ',' or '/'.")
    if not compute.labels.add_tag(call.context, server_id, tag):
        return Reply(status=204)
    return Reply(status=201, headers={"Location": f"{call.base_url}/v2.1/servers/{server_id}/tags/{tag}"})


def delete_tag(compute: "Compute", call: Call) -> None:
    """Remove a tag."""
    compute.labels.delete_tag(call.context, call.path["server_id"], call.path["tag"])


# -- the lock ----------------------------------------------------------------------------------------------------


def lock(compute: "Compute", call: Call) -> None:
    """Keep all but administrators from commanding it; from 2.73 on with a reason."""
    reason = None
    if call.version >= (2, 73):
        body: Lock | None = bodies.decode(call.body, Lock | None)
        if body is not None and body.locked_reason is not UNSET:
            reason = body.locked_reason
    compute.labels.lock(call.context, call.path["server_id"], reason)


def unlock(compute: "Compute", call: Call) -> None:
    """Let others command it again."""
    compute.labels.unlock(call.context, call.path["server_id"], lambda: call.enforce(UNLOCK_OVERRIDE))
