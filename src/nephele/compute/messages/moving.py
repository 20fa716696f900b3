"""How guests are set aside, taken over and sent from host to host."""

from msgspec import Struct

from nephele.compute.messages import Command, Done, Spawn
from nephele.compute.virt.driver import Sent
from nephele.kernel.bus import Method


class SetAside(Command, frozen=True, kw_only=True):
    """Stop the guest, within `timeout` seconds in its own way, and keep its disks aside."""

    timeout: int


class Arrive(Spawn, frozen=True, kw_only=True):
    """Make the guest of what host `origin` has set aside (empty: anew), and start it if it is to `run`."""

    origin: str
    run: bool


class BringBack(Spawn, frozen=True, kw_only=True):
    """Put what is set aside back in its place, and start it if it is to `run`."""

    run: bool


class DropAside(Command, frozen=True, kw_only=True):
    """Remove what is set aside."""


class Leave(Command, frozen=True, kw_only=True):
    """Remove the guest from this host, but for what is set aside; expect it no more."""


class Receive(Spawn, frozen=True, kw_only=True):
    """Be ready for the guest, which runs on another host."""


class Send(Command, frozen=True, kw_only=True):
    """Move the guest as it runs to host `to`."""

    to: str


class Sending(Struct, frozen=True):
    """The move of a guest that is under way."""

    server_id: str


class Progress(Struct, frozen=True):
    """How far it is; None: nothing moves."""

    sent: Sent | None = None


class ReportAgain(Struct, frozen=True):
    """Asks a host to report, and to remove what it should not have."""


class Aside(Struct, frozen=True):
    """What a host has set aside of a guest."""

    server_id: str


class Removed(Struct, frozen=True):
    """A host has carried out the orders that it got when it reported: what was to go is gone."""

    host: str


SET_ASIDE = Method("compute_agent.set_aside", SetAside, Done)
ARRIVE = Method("compute_agent.arrive", Arrive, Done)
BRING_BACK = Method("compute_agent.bring_back", BringBack, Done)
DROP_ASIDE = Method("compute_agent.drop_aside", DropAside, Done)
LEAVE = Method("compute_agent.leave", Leave, Done)
RECEIVE = Method("compute_agent.receive", Receive, Done)
SEND = Method("compute_agent.send", Send, Done)
ASK_PROGRESS = Method("compute_agent.ask_progress", Sending, Progress)
STOP_SENDING = Method("compute_agent.stop_sending", Sending, type(None))
FINISH_SENDING = Method("compute_agent.finish_sending", Sending, type(None))
REPORT_AGAIN = Method("compute_agent.report_again", ReportAgain, type(None))
REMOVE_ASIDE = Method("compute_agent.remove_aside", Aside, type(None))

REPORT_REMOVED = Method("conductor.report_removed", Removed, type(None))
