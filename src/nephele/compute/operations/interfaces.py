"""Network interfaces that come to a server and leave it.

A port is the server's from the moment the request is accepted, so that it can be found whatever happens then; it
leaves when the guest has let go of it.
"""

import sqlalchemy as sa

from nephele.compute.conductor import Conductor
from nephele.compute.messages import plugging as p
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.operations.plugging import LET_GO_WITHIN
from nephele.kernel.operations import Failure, Step, Work
from nephele.network.messages import BoundPort


class Interface(ServerData, kw_only=True):
    """One port on its way in or out."""

    port: BoundPort
    gone: bool = False
    """Whether the port was deleted: then nothing brings it back."""


def plug(conductor: Conductor, work: Work[Interface]) -> None:
    """Wire the port and give it to the guest."""
    if work.data.gone:
        return
    answer = conductor.command(p.ATTACH_INTERFACE, p.AttachInterface, work, patience=150, port=work.data.port)
    work.data.power_state = answer.power_state


def unplug(conductor: Conductor, work: Work[Interface]) -> None:
    """Take it from the guest, which may refuse."""
    fields = {"port": work.data.port, "timeout": LET_GO_WITHIN}
    conductor.command(p.DETACH_INTERFACE, p.DetachInterface, work, patience=LET_GO_WITHIN + 60, **fields)


def _release(conductor: Conductor, db: sa.Connection, work: Work[Interface]) -> None:
    conductor.release_port(db, work.subject, work.data.port.port_id)


def _not_attached(conductor: Conductor, db: sa.Connection, work: Work[Interface], _failure: Failure) -> None:
    _release(conductor, db, work)


ATTACH_INTERFACE = server_operation(
    "attach_interface",
    Interface,
    (Step("guest", plug, unplug, event="compute_attach_interface"),),
    on_failed=_not_attached,
)
DETACH_INTERFACE = server_operation(
    "detach_interface",
    Interface,
    (Step("guest", unplug, plug, event="compute_detach_interface"),),
    on_done=_release,
)
