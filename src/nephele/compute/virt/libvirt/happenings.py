"""What libvirt told of guests: to wait for, and to hand on.

Events come in libvirt's own thread, which must never wait.  So they are noted here, wake whoever waits for
that guest, and are handed to the listeners by a thread of ours.
"""

import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable

from nephele.compute.virt.driver import PowerChange, PowerState
from nephele.kernel.clock import Clock

log = logging.getLogger(__name__)

Listener = Callable[[PowerChange], None]


class Happenings:
    """The events of one hypervisor."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._something = threading.Condition()
        self._marks: dict[str, int] = defaultdict(int)
        self._states: dict[str, PowerState] = {}
        self._listeners: list[Listener] = []
        self._changes: queue.SimpleQueue[PowerChange | None] = queue.SimpleQueue()
        self._teller = threading.Thread(target=self._tell, name="libvirt-tell", daemon=True)
        self._teller.start()

    def mark(self, server_id: str) -> int:
        """How many events the guest has had: `wait` waits for the next."""
        with self._something:
            return self._marks[server_id]

    def wait(self, server_id: str, mark: int, timeout: float) -> bool:
        """Wait until the guest has had an event since `mark`; false where it had none within `timeout` seconds."""
        with self._something:
            return self._something.wait_for(lambda: self._marks[server_id] != mark, max(timeout, 0))

    def happened(self, server_id: str) -> None:
        """Something happened to the guest that those who wait for it may look at."""
        with self._something:
            self._marks[server_id] += 1
            self._something.notify_all()

    def note(self, server_id: str, state: PowerState) -> None:
        """The guest is in `state`; the listeners are told if it is a guest of ours that was not so before."""
        with self._something:
            before = self._states.get(server_id)
            if before is not None:
                self._states[server_id] = state
        self.happened(server_id)
        if before is not None and before is not state:
            self._changes.put(PowerChange(server_id=server_id, power_state=state, at=self._clock.now()))

    def adopt(self, server_id: str, state: PowerState = PowerState.NOSTATE) -> None:
        """The guest is ours, and in `state` unless it is known already; nobody is told of that."""
        with self._something:
            self._states.setdefault(server_id, state)

    def forget(self, server_id: str) -> None:
        """The guest is gone for good."""
        with self._something:
            self._states.pop(server_id, None)
            self._marks.pop(server_id, None)
            self._something.notify_all()

    def wait_forgotten(self, server_id: str, timeout: float) -> None:
        """Wait until all that the guest still had to say was heard, and forget it in any case.

        A guest that is built anew under the same id would otherwise hear of its own end.
        """
        with self._something:
            self._something.wait_for(lambda: server_id not in self._states, timeout)
        self.forget(server_id)

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every change from now on."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Tell what is still to be told, and no more."""
        self._changes.put(None)
        if threading.current_thread() is not self._teller:
            self._teller.join(timeout=5)

    def _tell(self) -> None:
        while (change := self._changes.get()) is not None:
            for listener in self._listeners:
                try:
                    listener(change)
                except Exception:
                    log.exception("a listener failed on %s", change)
