"""libvirtd: connected when needed, connected again when it was restarted, listened to all the time.

Guests live without libvirtd.  When it goes, calls are refused with HYPERVISOR_DOWN; a thread of ours
tries until it is back, and what changed meanwhile is told as if it had just happened.
"""

import functools
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libvirt

from nephele.compute.virt.driver import PowerState
from nephele.compute.virt.errors import (
    DOMAIN_NAME_TAKEN,
    GUEST_NOT_FOUND,
    HYPERVISOR_DOWN,
    HYPERVISOR_REFUSED,
)
from nephele.compute.virt.libvirt.domain import NAMESPACE
from nephele.compute.virt.libvirt.happenings import Happenings
from nephele.compute.virt.libvirt.states import power_state_after, power_state_of

log = logging.getLogger(__name__)

Domain = Any
"""`libvirt.virDomain`; libvirt-python has no types."""

KEEPALIVE_SECONDS, KEEPALIVE_COUNT = 5, 5
"""A libvirtd that hangs is taken for gone after 30 s."""
LIFECYCLE = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
OTHER_EVENTS = (
    libvirt.VIR_DOMAIN_EVENT_ID_REBOOT,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
    libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
    libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
)


class Connection:
    """A connection to one libvirtd.

    Args:
        uri: such as `qemu:///system`.
        happenings: where events go.
        patience: how many seconds a call waits for a libvirtd that is being restarted.
    """

    def __init__(self, uri: str, happenings: Happenings, *, patience: float = 5.0) -> None:
        start_event_loop()
        self.uri = uri
        self._happenings = happenings
        self._patience = patience
        self._lock = threading.Lock()
        self._open: Any = None
        self._lost = threading.Event()
        self._closed = threading.Event()
        with self._lock, self.asking("connect"):
            self._connect()
        self._keeper = threading.Thread(target=self._keep, name="libvirt-keep", daemon=True)
        self._keeper.start()

    def get(self) -> Any:
        """The live `libvirt.virConnect`; raises HYPERVISOR_DOWN."""
        deadline = time.monotonic() + self._patience
        with self._lock:
            while self._open is None or not self._open.isAlive():
                try:
                    self._connect()
                except libvirt.libvirtError as error:
                    if time.monotonic() > deadline or self._closed.is_set():
                        raise HYPERVISOR_DOWN(uri=self.uri, reason=error) from None
                    time.sleep(0.1)
            return self._open

    def domain(self, server_id: str) -> Domain:
        """The guest's domain; raises GUEST_NOT_FOUND."""
        found = self.find(server_id)
        if found is None:
            raise GUEST_NOT_FOUND(server_id=server_id)
        return found

    def find(self, server_id: str) -> Domain | None:
        """The guest's domain, if it is defined and ours."""
        with self.asking("look the guest up", server_id):
            try:
                domain = self.get().lookupByUUIDString(server_id)
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return None
                raise
            return domain if is_ours(domain) else None

    def domains(self) -> list[Domain]:
        """All guests that are ours."""
        with self.asking("list its guests"):
            return [domain for domain in self.get().listAllDomains() if is_ours(domain)]

    @contextmanager
    def asking(self, action: str, server_id: str = "", domain_name: str = "") -> Iterator[None]:
        """Turn libvirt's errors into refusals: `action` says what was asked."""
        try:
            yield
        except libvirt.libvirtError as error:
            code = error.get_error_code()
            if code == libvirt.VIR_ERR_NO_DOMAIN:
                raise GUEST_NOT_FOUND(server_id=server_id) from None
            if error.get_error_domain() == libvirt.VIR_FROM_RPC or self._open is None or not self._open.isAlive():
                raise HYPERVISOR_DOWN(uri=self.uri, reason=error) from None
            if code == libvirt.VIR_ERR_OPERATION_FAILED and "already exists with uuid" in str(error):
                raise DOMAIN_NAME_TAKEN(domain_name=domain_name) from None
            raise HYPERVISOR_REFUSED(action=action, reason=error) from error

    def close(self) -> None:
        """Let go of libvirtd."""
        self._closed.set()
        self._lost.set()
        self._keeper.join(timeout=5)
        with self._lock:
            if self._open is not None and self._open.isAlive():
                self._open.unregisterCloseCallback()
                self._open.close()
            self._open = None

    def _connect(self) -> None:
        """Connect and listen; the caller holds the lock."""
        opened = libvirt.open(self.uri)
        opened.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
        opened.domainEventRegisterAny(None, LIFECYCLE, self._on_lifecycle, None)
        for event in OTHER_EVENTS:
            opened.domainEventRegisterAny(None, event, self._on_other, None)
        opened.registerCloseCallback(self._on_close, None)
        again, self._open = self._open is not None, opened
        for domain in opened.listAllDomains():
            if is_ours(domain):
                state = power_state_of(domain)
                self._happenings.adopt(domain.UUIDString(), state)
                self._happenings.note(domain.UUIDString(), state)
        if again:
            log.info("libvirtd at %s is back", self.uri)

    def _keep(self) -> None:
        """Connect again whenever libvirtd went away, so that its events are heard."""
        while not self._closed.is_set():
            self._lost.wait()
            self._lost.clear()
            while not self._closed.is_set():
                with self._lock:
                    try:
                        if self._open.isAlive():
                            break
                        self._connect()
                    except libvirt.libvirtError as error:
                        log.debug("libvirtd at %s is away: %s", self.uri, error)
                self._closed.wait(0.5)

    def _on_lifecycle(self, _: Any, domain: Domain, event: int, detail: int, __: Any) -> None:
        state = power_state_after(event, detail)
        if event == libvirt.VIR_DOMAIN_EVENT_UNDEFINED:
            self._happenings.forget(domain.UUIDString())
        elif state is PowerState.NOSTATE:
            self._happenings.happened(domain.UUIDString())
        else:
            self._happenings.note(domain.UUIDString(), state)

    def _on_other(self, _: Any, domain: Domain, *__: Any) -> None:
        self._happenings.happened(domain.UUIDString())

    def _on_close(self, _: Any, reason: int, __: Any) -> None:
        if not self._closed.is_set():
            log.warning("libvirtd at %s went away (reason %d)", self.uri, reason)
            self._lost.set()


def is_ours(domain: Domain) -> bool:
    """Whether the guest carries our mark."""
    try:
        domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_NO_DOMAIN):
            return False
        raise
    return True


def forget_definition(domain: Domain) -> None:
    """Undefine the guest with all that libvirt keeps of it; libvirt's errors pass through."""
    kept = (
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    )
    try:
        domain.undefineFlags(kept)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise


@functools.cache
def start_event_loop() -> None:
    """Run libvirt's own event loop, one for the process; it waits in poll(2) and costs nothing meanwhile."""
    libvirt.registerErrorHandler(lambda _, __: None, None)  # errors are raised; printing them too helps nobody
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_run_events, name="libvirt-events", daemon=True).start()


def _run_events() -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError:
            log.exception("libvirt's event loop")
            time.sleep(1)
