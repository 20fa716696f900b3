"""Members of shared images."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from nephele.image.api import views
from nephele.image.model import MemberStatus
from nephele.image.service import Images
from nephele.web.call import Call


class NewMember(Struct, frozen=True):
    """The body of a new membership."""

    member: Annotated[str, Meta(min_length=1, max_length=255)]


class Decision(Struct, frozen=True):
    """The body of a member's answer."""

    status: MemberStatus


def index(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/images/{image_id}/members."""
    found = images.members.list(call.context, call.path["image_id"])
    return {"members": [views.member(each) for each in found], "schema": "/v2/schemas/members"}


def add(images: Images, call: Call) -> dict[str, Any]:
    """POST /v2/images/{image_id}/members."""
    return views.member(images.members.add(call.context, call.path["image_id"], call.body.member))


def show(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/images/{image_id}/members/{member_id}."""
    return views.member(images.members.show(call.context, call.path["image_id"], call.path["member_id"]))


def decide(images: Images, call: Call) -> dict[str, Any]:
    """PUT /v2/images/{image_id}/members/{member_id}."""
    where = (call.path["image_id"], call.path["member_id"])
    return views.member(images.members.decide(call.context, *where, call.body.status))


def remove(images: Images, call: Call) -> None:
    """DELETE /v2/images/{image_id}/members/{member_id}."""
    images.members.remove(call.context, call.path["image_id"], call.path["member_id"])
