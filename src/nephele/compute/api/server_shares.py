"""`/servers/{id}/shares`: no host here can mount shares into guests, and no server has any."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.compute.api.server_bodies import Uuid
from nephele.kernel.errors import Error
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

SHARE_NOT_FOUND = Error("server.share_not_found", 404, "Share {share_id} is not attached to instance {server_id}.")
NO_SHARES = Error(
    "server.no_shares",
    403,
    "Instance {server_id} can get no share: this cloud has no shared file systems service, and its hosts no virtiofs.",
)


class NewShare(Struct, frozen=True, forbid_unknown_fields=True):
    """`share` of an attachment."""

    share_id: Uuid
    tag: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-]*$")] | UnsetType = UNSET


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """Its shares: there are none."""
    compute.servers.show(call.context, call.path["server_id"])
    return {"shares": []}


def show(compute: "Compute", call: Call) -> None:
    """One of its shares."""
    server = compute.servers.show(call.context, call.path["server_id"])
    raise SHARE_NOT_FOUND(share_id=call.path["share_id"], server_id=server.id)


def create(compute: "Compute", call: Call) -> None:
    """Attach a share."""
    raise NO_SHARES(server_id=compute.servers.show(call.context, call.path["server_id"]).id)


delete = show
"""Detach one of its shares."""
