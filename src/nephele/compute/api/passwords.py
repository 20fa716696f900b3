"""`changePassword`, and `/servers/{id}/os-server-password`."""

from typing import TYPE_CHECKING

from msgspec import Struct

from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """What it is to be."""

    adminPass: str  # noqa: N815


def change(compute: "Compute", call: Call) -> None:
    """Set it inside the guest; answered when that is done."""
    compute.passwords.change(call.context, call.path["server_id"], call.body.adminPass)


def show(compute: "Compute", call: Call) -> dict[str, str]:
    """What the guest told, or what was set: sealed with the server's key."""
    return {"password": compute.passwords.show(call.context, call.path["server_id"])}


def clear(compute: "Compute", call: Call) -> None:
    """Forget it."""
    compute.passwords.clear(call.context, call.path["server_id"])
