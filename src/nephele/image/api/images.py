"""Images: create, show, list, change, delete, tag, (de)activate."""

import re
from typing import Annotated, Any

import msgspec

from nephele.image import patch
from nephele.image.api import views
from nephele.image.api.filters import read_listing
from nephele.image.errors import BAD_PATCH_TYPE, READ_ONLY
from nephele.image.model import IMPORT_METHODS, Image, NewImage
from nephele.image.service import Images
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call
from nephele.web.routing import Reply

_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PATCH_TYPES = {
    "application/openstack-images-v2.0-json-patch": True,
    "application/openstack-images-v2.1-json-patch": False,
}
"""Media types of PATCH, with whether they are the old dialect."""
_Tag = Annotated[str, msgspec.Meta(max_length=255)]


def create(images: Images, call: Call) -> Reply:
    """POST /v2/images."""
    image = images.create(call.context, read_new(call.body))
    headers = {
        "Location": f"/v2/images/{image.id}",
        "OpenStack-image-import-methods": ",".join(IMPORT_METHODS),
        "OpenStack-image-store-ids": ",".join(images.files.stores),
    }
    return Reply(views.image(image), 201, headers)


def read_new(body: Any) -> NewImage:
    """What a body says of a new image.  Raises READ_ONLY, RESERVED or BAD_REQUEST."""
    if not isinstance(body, dict):
        raise BAD_REQUEST(reason="The body must be a JSON object.")
    for name in patch.READ_ONLY_NAMES - {"id"}:
        if name in body:
            raise READ_ONLY(name=name)
    image_id = body.get("id", "")
    if "id" in body and not (isinstance(image_id, str) and _UUID.fullmatch(image_id)):
        raise BAD_REQUEST(reason=f"Provided object does not match schema 'image': id {image_id!r} is not a UUID")
    told = patch.check_attributes({key: value for key, value in body.items() if key in patch.SETTABLE})
    properties = patch.check_properties(
        {key: value for key, value in body.items() if key not in patch.SETTABLE and key != "id"}
    )
    given = {key: value for key in patch.SETTABLE if (value := getattr(told, key)) is not msgspec.UNSET}
    if "owner" in given:
        given["owner"] = given["owner"] or ""
    return NewImage(id=image_id, properties=properties, **{**given, "tags": tuple(given.get("tags", ()))})


def show(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/images/{image_id}."""
    return views.image(images.show(call.context, call.path["image_id"]))


def index(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/images."""
    asked = read_listing(call.query)
    found = images.list(call.context, asked)
    body: dict[str, Any] = {
        "images": [views.image(each) for each in found],
        "first": views.href("/v2/images", call.query.pairs),
        "schema": "/v2/schemas/images",
    }
    if found and len(found) == asked.page.limit:
        body["next"] = views.href("/v2/images", call.query.pairs, found[-1].id)
    return body


def update(images: Images, call: Call) -> dict[str, Any]:
    """PATCH /v2/images/{image_id}."""
    media_type = call.header("Content-Type").partition(";")[0].strip()
    if media_type not in _PATCH_TYPES:
        raise BAD_PATCH_TYPE(allowed=", ".join(sorted(_PATCH_TYPES)))
    changes = patch.parse(call.body, old_dialect=_PATCH_TYPES[media_type])
    image: Image = images.update(call.context, call.path["image_id"], changes)
    return views.image(image)


def delete(images: Images, call: Call) -> None:
    """DELETE /v2/images/{image_id}."""
    images.delete(call.context, call.path["image_id"])


def deactivate(images: Images, call: Call) -> None:
    """POST /v2/images/{image_id}/actions/deactivate."""
    images.deactivate(call.context, call.path["image_id"])


def reactivate(images: Images, call: Call) -> None:
    """POST /v2/images/{image_id}/actions/reactivate."""
    images.reactivate(call.context, call.path["image_id"])


def add_tag(images: Images, call: Call) -> None:
    """PUT /v2/images/{image_id}/tags/{tag}."""
    try:
        tag = msgspec.convert(call.path["tag"], _Tag)
    except msgspec.ValidationError as error:
        raise BAD_REQUEST(reason=f"Provided object does not match schema 'image': tag: {error}") from None
    images.add_tag(call.context, call.path["image_id"], tag)


def remove_tag(images: Images, call: Call) -> None:
    """DELETE /v2/images/{image_id}/tags/{tag}."""
    images.remove_tag(call.context, call.path["image_id"], call.path["tag"])
