"""Start, stop and freeze a guest.

off ──start──▶ running ──pause──▶ paused
running ──suspend──▶ off, with its memory on disk ──resume──▶ running
running ──ask──▶ off      the guest's system shuts down: by its agent where one answers, else by the power button
running, paused ──plug──▶ off
"""

import time
from collections.abc import Callable
from typing import Any

import libvirt

from nephele.compute.virt.driver import PowerState
from nephele.compute.virt.errors import AGENT_SILENT, GUEST_NOT_RUNNING, HYPERVISOR_REFUSED, PASSWORD_REFUSED
from nephele.compute.virt.libvirt.connection import Connection, Domain
from nephele.compute.virt.libvirt.happenings import Happenings
from nephele.compute.virt.libvirt.states import is_starting, power_state_of

ASK_AGAIN_SECONDS = 1.0
"""A power button that is pressed before the guest listens is lost, so it is pressed again."""
STARTING_SECONDS = 60.0
AGENT_SECONDS = 10
"""How long a guest's agent may take over one answer."""
_NO_AGENT = (
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
    libvirt.VIR_ERR_AGENT_UNSYNCED,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
)


class Power:
    """The power switch of the guests on one hypervisor."""

    def __init__(self, connection: Connection, happenings: Happenings) -> None:
        self._connection = connection
        self._happenings = happenings

    def state(self, domain: Domain) -> PowerState:
        """The guest's state, after a start that is under way has ended."""
        server_id = domain.UUIDString()
        deadline = time.monotonic() + STARTING_SECONDS
        with self._connection.asking("tell the guest's state", server_id):
            while True:
                mark = self._happenings.mark(server_id)
                if not is_starting(domain):
                    return power_state_of(domain)
                if time.monotonic() > deadline:
                    raise HYPERVISOR_REFUSED(action="start the guest", reason=f"no end in {STARTING_SECONDS:g} s")
                self._happenings.wait(server_id, mark, 1.0)

    def define(self, server_id: str, domain_name: str, xml: str) -> None:
        """Define the guest anew, for its next start."""
        with self._connection.asking("define the guest", server_id, domain_name):
            define(self._connection.get(), xml)

    def define_and_start(self, server_id: str, domain_name: str, xml: str) -> None:
        """Define the guest, anew if it was, and start it."""
        self._happenings.adopt(server_id)
        with self._connection.asking("define the guest", server_id, domain_name):
            domain = define(self._connection.get(), xml)
            if domain.hasManagedSaveImage():
                domain.managedSaveRemove()
        with self._connection.asking("start the guest", server_id):
            start(domain)

    def ask_to_shut_down(self, domain: Domain, timeout: float) -> bool:
        """Ask the guest's system to shut down, again and again; whether it is off within `timeout` seconds."""
        server_id = domain.UUIDString()
        deadline = time.monotonic() + timeout
        ask_at = time.monotonic()
        with self._connection.asking("shut the guest down", server_id):
            while True:
                mark = self._happenings.mark(server_id)
                now = time.monotonic()
                if not domain.isActive():
                    return True
                if now >= deadline:
                    return False
                if now >= ask_at:
                    _press_power_button(domain)
                    ask_at = time.monotonic() + ASK_AGAIN_SECONDS
                self._happenings.wait(server_id, mark, min(deadline, ask_at) - time.monotonic())

    def pull_plug(self, domain: Domain) -> None:
        """Turn the guest off at once."""
        with self._connection.asking("turn the guest off", domain.UUIDString()):
            if domain.isActive():
                _unless_done(domain.destroy, lambda: not domain.isActive())

    def pause(self, domain: Domain) -> None:
        """Freeze the guest; raises GUEST_NOT_RUNNING."""
        if self._running(domain) is PowerState.RUNNING:
            with self._connection.asking("pause the guest", domain.UUIDString()):
                domain.suspend()

    def unpause(self, domain: Domain) -> None:
        """Let the guest run on; raises GUEST_NOT_RUNNING."""
        if self._running(domain) is PowerState.PAUSED:
            with self._connection.asking("unpause the guest", domain.UUIDString()):
                domain.resume()

    def suspend(self, domain: Domain) -> None:
        """Write the guest's memory to disk and turn it off; raises GUEST_NOT_RUNNING."""
        with self._connection.asking("suspend the guest", domain.UUIDString()):
            if domain.isActive() or not domain.hasManagedSaveImage():
                self._running(domain)
                saved = libvirt.VIR_DOMAIN_SAVE_RUNNING
                _unless_done(lambda: domain.managedSave(saved), lambda: bool(domain.hasManagedSaveImage()))

    def resume(self, domain: Domain) -> bool:
        """Let a suspended guest run on from its memory; False where it has none."""
        with self._connection.asking("resume the guest", domain.UUIDString()):
            if self.state(domain) is not PowerState.RUNNING:
                if not domain.hasManagedSaveImage():
                    return False
                start(domain)
        return True

    def set_password(self, domain: Domain, user: str, password: str) -> None:
        """Have the guest's agent set a password; see the protocol for what it raises."""
        server_id = domain.UUIDString()
        state = self.state(domain)
        if state is not PowerState.RUNNING:
            raise GUEST_NOT_RUNNING(server_id=server_id, power_state=state.name.lower())
        with self._connection.asking("set a password", server_id):
            try:
                domain.agentSetResponseTimeout(AGENT_SECONDS)
                domain.setUserPassword(user, password)
            except libvirt.libvirtError as error:
                if error.get_error_code() in _NO_AGENT:
                    raise AGENT_SILENT(server_id=server_id) from None
                if error.get_error_domain() == libvirt.VIR_FROM_QEMU:
                    raise PASSWORD_REFUSED(server_id=server_id, reason=error.get_error_message()) from None
                raise

    def inject_nmi(self, domain: Domain) -> None:
        """Press the NMI button; raises GUEST_NOT_RUNNING."""
        self._running(domain)
        with self._connection.asking("interrupt the guest", domain.UUIDString()):
            domain.injectNMI()

    def _running(self, domain: Domain) -> PowerState:
        state = self.state(domain)
        if state not in (PowerState.RUNNING, PowerState.PAUSED):
            raise GUEST_NOT_RUNNING(server_id=domain.UUIDString(), power_state=state.name.lower())
        return state


def define(connection: Any, xml: str) -> Domain:
    """Define a guest, anew if it was; libvirt's errors pass through."""
    return connection.defineXML(xml)


def start(domain: Domain) -> None:
    """Start a guest that is defined; libvirt's errors pass through."""
    _unless_done(domain.create, lambda: bool(domain.isActive()))


def _press_power_button(domain: Domain) -> None:
    """Ask the guest's agent, or where none answers press the ACPI power button."""
    for way in (libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT, libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN):
        try:
            domain.shutdownFlags(way)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
                return  # it has just gone off
            if way == libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN:
                raise
        else:
            return


def _unless_done(act: Callable[[], object], is_done: Callable[[], bool]) -> None:
    """Do it; an error where it turns out to be done already is none."""
    try:
        act()
    except libvirt.libvirtError:
        if not is_done():
            raise
