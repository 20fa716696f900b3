"""What is done inside a guest, or to its processor: a password, an interrupt."""

from nephele.compute.messages import Command, Done
from nephele.kernel.bus import Method


class SetPassword(Command, frozen=True, kw_only=True):
    """Set the password of the guest's administrator."""

    password: str


class InjectNmi(Command, frozen=True, kw_only=True):
    """Interrupt the guest so that its system dumps its memory, where it is set up to do that."""


SET_PASSWORD = Method("compute_agent.set_password", SetPassword, Done)
INJECT_NMI = Method("compute_agent.inject_nmi", InjectNmi, Done)
