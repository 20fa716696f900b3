"""The network agent's simulated peer: a host whose kernel is a set of port ids.

It serves simulated guests by the thousand, so it asks for nothing and computes nothing: what is bound to its host and
was to be wired counts as wired, and is reported as such.
"""

import threading
from collections.abc import Collection

from nephele.kernel.bus import Bus
from nephele.network.wiring import WIRING_APPLIED, WIRING_CHANGED, AskWiring, WiringApplied


class SimNetworkAgent:
    """Says of each port of its host that it is wired."""

    def __init__(self, host: str, bus: Bus) -> None:
        self.host = host
        self._bus = bus
        self._lock = threading.Lock()
        self.wired: set[str] = set()
        self.changes = 0
        """How often the server said that something changed."""

    def start(self) -> None:
        self._bus.serve(WIRING_CHANGED, self._note_change, at=self.host)

    def wire(self, port_ids: Collection[str], timeout: float = 30) -> None:
        with self._lock:
            self.wired.update(port_ids)
        self._bus.cast(WIRING_APPLIED, WiringApplied(host=self.host, revision=0, wired=tuple(port_ids)))

    def close(self) -> None:
        """Nothing to let go of."""

    def _note_change(self, _message: AskWiring) -> None:
        self.changes += 1
