"""What is asked of a host about a guest while it runs, beside whatever is being done to it."""

from msgspec import Struct

from nephele.compute.messages import Command, Done
from nephele.compute.virt.driver import ConsoleKind, Diagnostics
from nephele.kernel.bus import Method


class FindConsole(Command, frozen=True, kw_only=True):
    """Asks where the guest's console is served."""

    kind: ConsoleKind


class ConsolePlace(Done, frozen=True, kw_only=True):
    """The path of a socket on the host."""

    path: str


class Diagnose(Command, frozen=True, kw_only=True):
    """Asks what the hypervisor counts of the guest."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What it counts."""

    diagnostics: Diagnostics


FIND_CONSOLE = Method("compute_agent.find_console", FindConsole, ConsolePlace)
DIAGNOSE = Method("compute_agent.diagnose", Diagnose, Diagnosis)
