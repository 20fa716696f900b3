"""A guest's power, and what it says on its console."""

from nephele.compute import messages as m
from nephele.compute.agent.host import Host

SOFT_REBOOT_TIMEOUT = 60
"""Seconds that a guest has to restart by itself before it is restarted by force."""


class PowerSwitch:
    """Starts, stops and removes guests."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def start(self, order: m.Start) -> m.Done:
        """Wire the ports anew and start the guest."""
        self.host.wire(order)
        self.host.driver.start(self.host.spec(order))
        return self.host.done(order)

    def reboot(self, order: m.Reboot) -> m.Done:
        """Restart the guest."""
        self.host.wire(order)
        self.host.driver.reboot(self.host.spec(order), hard=order.hard, timeout=SOFT_REBOOT_TIMEOUT)
        return self.host.done(order)

    def stop(self, order: m.Stop) -> m.Done:
        """Shut the guest down."""
        self.host.driver.stop(order.server_id, order.timeout)
        return self.host.done(order)

    def destroy(self, order: m.Destroy) -> m.Done:
        """Remove the guest and all its local traces."""
        self.host.driver.destroy(order.server_id, keep=order.keep)
        self.host.forget(order.server_id)
        return m.Done()

    def read_console(self, order: m.ReadConsole) -> m.ConsoleOutput:
        """The end of the guest's console."""
        output = self.host.driver.console_output(order.server_id, 1 << 17)
        if order.lines:
            output = b"\n".join(output.rstrip(b"\n").split(b"\n")[-order.lines :]) + b"\n"
        return m.ConsoleOutput(output=output)
