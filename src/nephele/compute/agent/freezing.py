"""Guests that stand still: paused, or suspended to disk."""

from nephele.compute import messages as m
from nephele.compute.agent.host import Host
from nephele.compute.messages import freezing as f


class Freezer:
    """Pauses and suspends guests, and lets them run on."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def pause(self, order: f.Pause) -> m.Done:
        """Freeze the guest."""
        self.host.driver.pause(order.server_id)
        return self.host.done(order)

    def unpause(self, order: f.Unpause) -> m.Done:
        """Let the guest run on."""
        self.host.driver.unpause(order.server_id)
        return self.host.done(order)

    def suspend(self, order: f.Suspend) -> m.Done:
        """Bring the guest to disk."""
        self.host.driver.suspend(order.server_id)
        return self.host.done(order)

    def resume(self, order: f.Resume) -> m.Done:
        """Wire the ports anew and bring the guest back."""
        self.host.wire(order)
        self.host.driver.resume(self.host.spec(order))
        return self.host.done(order)
