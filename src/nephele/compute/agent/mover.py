"""Guests that change their host or their size."""

from functools import partial

from nephele.compute.agent.host import Host
from nephele.compute.messages import Done, Spawn
from nephele.compute.messages import moving as mv
from nephele.volume.messages import COMPLETE_ATTACHMENT, CompleteAttachment


class Mover:
    """Sets guests aside, takes them over, sends and receives them."""

    def __init__(self, host: Host) -> None:
        self.host, self.driver = host, host.driver

    def set_aside(self, order: mv.SetAside) -> Done:
        """Stop the guest and keep its disks aside."""
        self.driver.set_aside(order.server_id, order.timeout)
        return self.host.done(order)

    def arrive(self, order: mv.Arrive) -> Done:
        """Build the guest of the disks that it had, or anew."""
        self.host.wire(order)
        check = partial(self.host.check, order.server_id)
        self.driver.arrive(self.host.spec(order), order.origin, run=order.run, check=check)
        self._complete_attachments(order)
        return self.host.done(order)

    def bring_back(self, order: mv.BringBack) -> Done:
        """Let the guest be what it was before it was set aside."""
        self.host.wire(order)
        self.driver.bring_back(self.host.spec(order), run=order.run)
        return self.host.done(order)

    def drop_aside(self, order: mv.DropAside) -> Done:
        """Remove what is set aside."""
        self.driver.drop_aside(order.server_id)
        return self.host.done(order)

    def leave(self, order: mv.Leave) -> Done:
        """Remove the guest that is not wanted here."""
        self.driver.destroy(order.server_id, keep_aside=True)
        return Done()

    def receive(self, order: mv.Receive) -> Done:
        """Be ready."""
        self.driver.receive(self.host.spec(order))
        return Done()

    def send(self, order: mv.Send) -> Done:
        """Move the running guest away."""
        self.driver.send(order.server_id, order.to)
        return Done()

    def progress(self, ask: mv.Sending) -> mv.Progress:
        """How far `send` is at this moment."""
        return mv.Progress(self.driver.sent(ask.server_id))

    def stop_sending(self, ask: mv.Sending) -> None:
        """Give up what `send` does at this moment."""
        self.driver.stop_sending(ask.server_id)

    def finish_sending(self, ask: mv.Sending) -> None:
        """Bring what `send` does at this moment to its end."""
        self.driver.finish_sending(ask.server_id)

    def _complete_attachments(self, order: Spawn) -> None:
        """The guest has its volumes: they are in use."""
        for volume in order.volumes:
            done = CompleteAttachment(
                token=order.token, request_id=order.request_id, attachment_id=volume.device.attachment_id
            )
            self.host.bus.call(COMPLETE_ATTACHMENT, done)
