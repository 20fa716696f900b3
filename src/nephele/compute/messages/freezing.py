"""What stops a guest without ending it: its processors, or all of it with its memory on disk."""

from nephele.compute.messages import Command, Done, Spawn
from nephele.kernel.bus import Method


class Pause(Command, frozen=True, kw_only=True):
    """Freeze the guest's processors."""


class Unpause(Command, frozen=True, kw_only=True):
    """Let a paused guest run on."""


class Suspend(Command, frozen=True, kw_only=True):
    """Write the guest's memory to disk and turn it off."""


class Resume(Spawn, frozen=True, kw_only=True):
    """Let a suspended guest run on from its memory on disk."""


PAUSE = Method("compute_agent.pause", Pause, Done)
UNPAUSE = Method("compute_agent.unpause", Unpause, Done)
SUSPEND = Method("compute_agent.suspend", Suspend, Done)
RESUME = Method("compute_agent.resume", Resume, Done)
