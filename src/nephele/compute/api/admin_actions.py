"""Actions of administrators, and what is left of some that were."""

from typing import TYPE_CHECKING, Literal, NoReturn

from msgspec import Struct

from nephele.compute.errors import REMOVED
from nephele.compute.model import Vm
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute


class ResetState(Struct, frozen=True, forbid_unknown_fields=True):
    """Which state."""

    state: Literal["active", "error"]


def reset_state(compute: "Compute", call: Call) -> None:
    """Say which state a server is in."""
    compute.resetting.reset(call.context, call.path["server_id"], Vm(call.body.state))


def inject_network_info(compute: "Compute", call: Call) -> None:
    """Accepted where the server is not locked: guests here learn of their networks by DHCP and metadata only."""
    compute.servers.check_lock(call.context, compute.servers.show(call.context, call.path["server_id"]))


def reset_network(_compute: "Compute", _call: Call) -> NoReturn:
    """Gone for good."""
    raise REMOVED()


def trigger_crash_dump(compute: "Compute", call: Call) -> None:
    """Interrupt a guest so that it dumps its memory."""
    compute.servers.command(call.context, call.path["server_id"], "crash_dump", spoken="trigger_crash_dump")


def restore(compute: "Compute", call: Call) -> None:
    """Bring a softly deleted server back."""
    compute.reclaiming.restore(call.context, call.path["server_id"])


def force_delete(compute: "Compute", call: Call) -> None:
    """Delete at once, whatever the settings say."""
    compute.servers.delete(call.context, call.path["server_id"])
