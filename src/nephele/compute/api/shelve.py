"""`shelve`, `shelveOffload` and `unshelve`."""

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from nephele.compute.api.server_bodies import Name
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

TO_HOST = "os_compute_api:os-shelve:unshelve_to_host"


class ToZone(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an offloaded server is to be from now on."""

    availability_zone: Name


class Unshelve(Struct, frozen=True, forbid_unknown_fields=True):
    """As of 2.91: a zone, none in particular, a host."""

    availability_zone: str | UnsetType | None = UNSET
    host: str | UnsetType = UNSET


def shelve(compute: "Compute", call: Call) -> None:
    """Put a server away."""
    compute.shelving.shelve(call.context, call.path["server_id"])


def offload(compute: "Compute", call: Call) -> None:
    """Take a shelved server from its host."""
    compute.shelving.offload(call.context, call.path["server_id"])


def unshelve_plainly(compute: "Compute", call: Call) -> None:
    """Bring a server back; what else the body says was not looked at before 2.77."""
    compute.shelving.unshelve(call.context, call.path["server_id"])


def unshelve_to_zone(compute: "Compute", call: Call) -> None:
    """Bring a server back, in a zone."""
    asked: ToZone | None = call.body
    compute.shelving.unshelve(call.context, call.path["server_id"], asked.availability_zone if asked else UNSET)


def unshelve(compute: "Compute", call: Call) -> None:
    """Bring a server back, in a zone or on a host."""
    asked: Unshelve | None = call.body
    if asked is None:
        compute.shelving.unshelve(call.context, call.path["server_id"])
        return
    if asked.availability_zone == "" or asked.host == "":
        raise BAD_REQUEST(reason="Invalid input for field/attribute unshelve. It must not be empty.")
    if asked.host is not UNSET:
        call.enforce(TO_HOST)
    host = "" if asked.host is UNSET else asked.host
    compute.shelving.unshelve(call.context, call.path["server_id"], asked.availability_zone, host)
