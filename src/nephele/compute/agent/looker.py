"""Answers what is asked about a running guest; nothing here changes one, so nothing waits for what does."""

from concurrent.futures import Executor

from nephele.compute.agent.host import Host
from nephele.compute.messages import looking


class Looker:
    """Finds consoles and reads counters."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def serve(self, pool: Executor) -> None:
        """Answer at this host."""
        bus, name = self.host.bus, self.host.name
        bus.serve(looking.FIND_CONSOLE, self.find_console, at=name, pool=pool)
        bus.serve(looking.DIAGNOSE, self.diagnose, at=name, pool=pool)

    def find_console(self, ask: looking.FindConsole) -> looking.ConsolePlace:
        """Where a console is served."""
        return looking.ConsolePlace(path=self.host.driver.console_socket(ask.server_id, ask.kind))

    def diagnose(self, ask: looking.Diagnose) -> looking.Diagnosis:
        """What the hypervisor counts."""
        return looking.Diagnosis(diagnostics=self.host.driver.diagnostics(ask.server_id))
