"""What other services say happened to a server's devices, one event at a time."""

import logging
from enum import StrEnum
from typing import NamedTuple

from nephele.compute import rows
from nephele.compute.interfaces import Interfaces
from nephele.compute.model import Server
from nephele.compute.plugging import Plugging
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused

log = logging.getLogger(__name__)


class EventName(StrEnum):
    """What can have happened; the versions that brought each are in the routes."""

    NETWORK_CHANGED = "network-changed"
    PLUGGED = "network-vif-plugged"
    UNPLUGGED = "network-vif-unplugged"
    PORT_DELETED = "network-vif-deleted"
    VOLUME_EXTENDED = "volume-extended"
    POWER_UPDATE = "power-update"
    ACCELERATOR_BOUND = "accelerator-request-bound"
    VOLUME_REIMAGED = "volume-reimaged"


NEEDS_TAG = frozenset({EventName.VOLUME_EXTENDED, EventName.POWER_UPDATE, EventName.ACCELERATOR_BOUND})


class Heard(NamedTuple):
    """What becomes of an event."""

    status: str
    code: int


TAKEN, UNKNOWN, UNTAGGED, HOMELESS = (
    Heard("completed", 200),
    Heard("failed", 404),
    Heard("failed", 400),
    Heard("failed", 422),
)


class ExternalEvents:
    """Takes events.

    Those that have nothing to change here are taken all the same: nothing is cached of networks, wiring is looked
    at rather than waited for, power states come from the hypervisor.
    """

    def __init__(self, plugging: Plugging, interfaces: Interfaces) -> None:
        self.plugging, self.interfaces, self.store = plugging, interfaces, plugging.store

    def hear(self, caller: Context, server_id: str, name: EventName, tag: str) -> Heard:
        """Do what an event asks for; what becomes of it."""
        try:
            with self.store.read() as db:
                server = rows.server_row(db, server_id)
        except Refused:
            return UNKNOWN
        if server.deleted_at is not None:
            return UNKNOWN
        if name in NEEDS_TAG and not tag:
            return UNTAGGED
        if not server.host:
            return HOMELESS
        if name is EventName.VOLUME_EXTENDED:
            self._extend(caller, server, tag)
        elif name is EventName.PORT_DELETED:
            self._detach(caller, server, tag)
        return TAKEN

    def _extend(self, caller: Context, server: Server, volume_id: str) -> None:
        with self.store.read() as db:
            found = [device for device in rows.devices_of(db, server.id) if device.volume_id == volume_id]
        for device in found:
            self.plugging.tell_extended(caller, server, device)

    def _detach(self, caller: Context, server: Server, port_id: str) -> None:
        try:
            self.interfaces.detach(caller, server.id, port_id)
        except Refused as refused:
            log.info("port %s, which is gone, stays in server %s for now: %s", port_id, server.id, refused.message)
