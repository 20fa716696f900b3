"""`/images`: Glance's images in Nova's words, for clients older than 2.36 (metadata: 2.39)."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from nephele.compute.api.server_bodies import Metadata
from nephele.compute.api.server_views import links
from nephele.compute.labels import ITEM_NOT_FOUND
from nephele.image.model import Change, Image, Status
from nephele.kernel.clock import Instant, iso, parse_iso
from nephele.kernel.errors import BAD_REQUEST, Error, Refused
from nephele.web.call import Call
from nephele.web.paging import next_href, read_limit

if TYPE_CHECKING:
    from nephele.compute.service import Compute

IMAGE_NOT_FOUND = Error("compute.image_not_found", 404, "Image not found.")
STATUS = {
    Status.ACTIVE: "ACTIVE",
    Status.QUEUED: "SAVING",
    Status.SAVING: "SAVING",
    Status.UPLOADING: "SAVING",
    Status.IMPORTING: "SAVING",
    Status.KILLED: "ERROR",
    Status.PENDING_DELETE: "DELETED",
    Status.DELETED: "DELETED",
}
PROGRESS = {Status.ACTIVE: 100, Status.SAVING: 50, Status.QUEUED: 25}
PAGE = 1000


class Items(Struct, frozen=True, forbid_unknown_fields=True):
    """Metadata items."""

    metadata: Metadata


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """One metadata item."""

    meta: Annotated[Metadata, Meta(min_length=1, max_length=1)]


def _image(compute: "Compute", call: Call) -> Image:
    try:
        return compute.images.show(call.context, call.path["image_id"])
    except Refused as refused:
        raise (IMAGE_NOT_FOUND() if refused.status == 404 else refused) from None


# -- images ------------------------------------------------------------------------------------------------------


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """The images that the caller sees, in brief."""
    return _listing(compute, call, "/v2.1/images", detailed=False)


def detail(compute: "Compute", call: Call) -> dict[str, Any]:
    """The same in full."""
    return _listing(compute, call, "/v2.1/images/detail", detailed=True)


def _listing(compute: "Compute", call: Call, path: str, *, detailed: bool) -> dict[str, Any]:
    text = call.query.get("limit")
    limit = read_limit(call.query, PAGE)
    found = compute.images.newest(
        call.context,
        limit,
        call.query.get("marker"),
        columns=_columns(call),
        properties=_properties(call),
        since=_since(call.query.get("changes-since")),
    )
    answer: dict[str, Any] = {"images": [_view(call, image) if detailed else _brief(call, image) for image in found]}
    if text and found and len(found) == limit:
        answer["images_links"] = [{"rel": "next", "href": next_href(call, path, found[-1].id)}]
    return answer


def _columns(call: Call) -> dict[str, str | int]:
    """What is asked of an image's own attributes."""
    asked: dict[str, str | int] = {}
    if name := call.query.get("name"):
        asked["name"] = name
    if status := call.query.get("status"):
        asked["status"] = status.lower()
    for word, column in (("minRam", "min_ram"), ("minDisk", "min_disk")):
        if call.query.get(word):
            asked[column] = call.query.whole(word, 0)
    return asked


def _properties(call: Call) -> dict[str, str]:
    """What is asked of its properties; a server is named by its id or its URL."""
    asked = {key.removeprefix("property-"): value for key, value in call.query.pairs if key.startswith("property-")}
    if server := call.query.get("server"):
        asked["instance_uuid"] = server.rsplit("/", 1)[-1]
    if kind := call.query.get("type"):
        asked["image_type"] = kind
    return asked


def _since(text: str) -> Instant:
    try:
        return parse_iso(text.replace(" ", "+")) if text else 0
    except ValueError:
        raise BAD_REQUEST(reason=f"Invalid filter: changes-since {text!r} is no ISO 8601 time.") from None


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One image."""
    return {"image": _view(call, _image(compute, call))}


def delete(compute: "Compute", call: Call) -> None:
    """Delete an image."""
    image = _image(compute, call)
    compute.images.delete(call.context, image.id)


def _brief(call: Call, image: Image) -> dict[str, Any]:
    links = [
        {"rel": "self", "href": f"{call.base_url}/v2.1/images/{image.id}"},
        {"rel": "bookmark", "href": f"{call.base_url}/images/{image.id}"},
    ]
    return {"id": image.id, "name": image.name, "links": links}


def _view(call: Call, image: Image) -> dict[str, Any]:
    server_id = image.properties.get("instance_uuid", "")
    return {
        **_brief(call, image),
        "status": STATUS.get(image.status, "UNKNOWN"),
        "progress": PROGRESS.get(image.status, 0),
        "created": iso(image.created_at),
        "updated": iso(image.updated_at),
        "minDisk": image.min_disk,
        "minRam": image.min_ram,
        "metadata": image.properties,
        "OS-EXT-IMG-SIZE:size": image.size,
        **({"server": {"id": server_id, "links": links(call, server_id)}} if server_id else {}),
    }


# -- metadata ----------------------------------------------------------------------------------------------------


def metadata(compute: "Compute", call: Call) -> dict[str, Any]:
    """An image's properties."""
    return {"metadata": _image(compute, call).properties}


def merge_metadata(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set some."""
    image = _image(compute, call)
    return {"metadata": _change(compute, call, image, call.body.metadata, [])}


def replace_metadata(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set all."""
    image, wanted = _image(compute, call), call.body.metadata
    return {"metadata": _change(compute, call, image, wanted, [key for key in image.properties if key not in wanted])}


def show_item(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of them."""
    key, found = call.path["key"], _image(compute, call).properties
    if key not in found:
        raise ITEM_NOT_FOUND()
    return {"meta": {key: found[key]}}


def set_item(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set one."""
    item: dict[str, str] = call.body.meta
    if list(item) != [call.path["key"]]:
        raise BAD_REQUEST(reason="Request body and URI mismatch")
    _change(compute, call, _image(compute, call), item, [])
    return {"meta": item}


def delete_item(compute: "Compute", call: Call) -> None:
    """Remove one."""
    image = _image(compute, call)
    if call.path["key"] not in image.properties:
        raise ITEM_NOT_FOUND()
    _change(compute, call, image, {}, [call.path["key"]])


def _change(compute: "Compute", call: Call, image: Image, wanted: dict[str, str], gone: list[str]) -> dict[str, str]:
    changes = [
        Change("replace" if key in image.properties else "add", key, value)
        for key, value in wanted.items()
        if image.properties.get(key) != value
    ]
    changes += [Change("remove", key, None) for key in gone]
    return compute.images.update(call.context, image.id, changes).properties
