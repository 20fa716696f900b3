"""`rescue` and `unrescue`."""

import secrets
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from nephele.compute.api.server_bodies import Uuid
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute


class Rescue(Struct, frozen=True, forbid_unknown_fields=True):
    """What to boot from."""

    adminPass: str | UnsetType = UNSET  # noqa: N815
    rescue_image_ref: Uuid | UnsetType = UNSET


def rescue(compute: "Compute", call: Call) -> dict[str, str]:
    """Boot a server from another image; those whose root is a volume from 2.87 on."""
    asked: Rescue = call.body or Rescue()
    password = asked.adminPass or secrets.token_urlsafe(9)
    compute.rescuing.rescue(
        call.context,
        call.path["server_id"],
        asked.rescue_image_ref or "",
        password,
        from_volumes=call.version >= (2, 87),
    )
    return {"adminPass": password}


def unrescue(compute: "Compute", call: Call) -> None:
    """Boot a rescued server from its own disks again."""
    compute.servers.command(call.context, call.path["server_id"], "unrescue")
