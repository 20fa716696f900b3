"""The loop: ask what the host's network should be, make it so, say what was done.

One thread of the agent's own does all the work.  It wakes when somebody waits in `wire()`, when the server says that
something changed, and every few seconds to look whether the kernel still is as it was left.  What arrives
while it works is met by one more run.  While the server can't be asked, the last answer stays in force.
"""

import logging
import threading
from collections.abc import Collection
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from importlib import import_module

from msgspec import Struct

from nephele.kernel.bus import Bus
from nephele.kernel.clock import SECOND, Clock, Instant
from nephele.kernel.errors import Refused
from nephele.network.agent.converge import HOST, Kernel
from nephele.network.agent.dhcp import DhcpServers
from nephele.network.agent.dnsmasq import DhcpService
from nephele.network.agent.errors import AGENT_STOPPED, PORT_NOT_HERE, PORT_NOT_WIRED, WIRING_TIMED_OUT
from nephele.network.agent.ground import run_folder
from nephele.network.agent.metadata import MetadataDoors
from nephele.network.agent.meters import Meters
from nephele.network.agent.plan import Plan, plan
from nephele.network.agent.settings import AgentSettings
from nephele.network.wiring import (
    ASK_WIRING,
    METERED,
    WIRING_APPLIED,
    WIRING_CHANGED,
    AskWiring,
    HostWiring,
    WiringApplied,
)

log = logging.getLogger(__name__)


class _Request(Struct, eq=False):
    port_ids: tuple[str, ...]
    done: Future[None]


class NetworkAgent:
    """Keeps one host's network as the server wants it."""

    def __init__(self, host: str, bus: Bus, settings: AgentSettings, clock: Clock) -> None:
        self.host = host
        self._bus = bus
        self._settings = settings
        self._clock = clock
        self._kernel = Kernel(settings.host_netns)
        self._dhcp = DhcpServers(settings.host_netns, run_folder(settings))
        self._doors = MetadataDoors(host, bus)
        self._kernel.before_removal = self._doors.shut
        self._wake = threading.Condition()
        self._requests: list[_Request] = []
        self._changed = True
        self._stopping = False
        self._wanted: HostWiring | None = None
        self._planned: tuple[HostWiring, Plan] | None = None
        self._asked_at: Instant = 0
        self._looked_at: Instant = 0
        self._metered_at: Instant = 0
        self._meters = Meters(host)
        self._served: dict[str, DhcpService] = {}
        self._reported: WiringApplied | None = None
        self._thread = threading.Thread(target=self._run, name=f"network-{host}", daemon=True)

    def start(self) -> None:
        """Begin to converge."""
        self._bus.serve(WIRING_CHANGED, self._note_change, at=self.host)
        self._thread.start()

    def wire(self, port_ids: Collection[str], timeout: float = 30) -> None:
        """Return when these ports' bridge, filter rules and DHCP entries are in place.

        Raises PORT_NOT_HERE, PORT_NOT_WIRED with the reason, WIRING_TIMED_OUT after `timeout` seconds, or what asking
        for the wanted state raises.
        """
        request = _Request(tuple(port_ids), Future())
        with self._wake:
            if self._stopping:
                raise AGENT_STOPPED(host=self.host)
            self._requests.append(request)
            self._wake.notify()
        try:
            request.done.result(timeout)
        except FutureTimeoutError:
            raise WIRING_TIMED_OUT(host=self.host, timeout=timeout) from None

    def close(self) -> None:
        """Stop; what is wired stays."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(60)
        self._doors.close()

    def _note_change(self, _message: AskWiring) -> None:
        with self._wake:
            self._changed = True
            self._wake.notify()

    def _run(self) -> None:
        import_module("pyroute2")  # 0.2 s that the first port needn't wait for
        while True:
            with self._wake:
                if not (self._requests or self._changed or self._stopping):
                    self._wake.wait(self._settings.look_every)
                requests, self._requests = self._requests, []
                changed, self._changed = self._changed, False
                stopping = self._stopping
            if stopping:
                for request in requests:
                    request.done.set_exception(AGENT_STOPPED(host=self.host))
                return
            self._serve(requests, changed)

    def _serve(self, requests: list[_Request], changed: bool) -> None:
        """One run, and its outcome to everyone who waits for it."""
        try:
            stale = self._clock.now() - self._asked_at > self._settings.ask_every * SECOND
            if changed or requests or stale:
                self._ask(required=bool(requests))
            full = (
                not (changed or requests) or self._clock.now() - self._looked_at >= self._settings.look_every * SECOND
            )
            applied = self._apply(full=full) if self._wanted is not None else None
        except Exception as error:
            if not isinstance(error, Refused):
                log.exception("the network of %s could not be brought to its wanted state", self.host)
            for request in requests:
                request.done.set_exception(_as_refusal(error, request, self.host))
            return
        for request in requests:
            _answer(request, applied, self.host)

    def _ask(self, *, required: bool) -> None:
        """Ask for the wanted state; the last one stays where the server doesn't answer and nobody waits for it."""
        try:
            self._wanted = self._bus.call(ASK_WIRING, AskWiring(self.host), timeout=self._settings.ask_timeout)
        except Refused as refused:
            if required:
                raise
            log.warning("the wanted network of %s is not known: %s", self.host, refused.message)
        self._asked_at = self._clock.now()

    def _apply(self, *, full: bool) -> WiringApplied:
        """Make the host as wanted and report, where there's news."""
        assert self._wanted is not None
        wiring = self._wanted
        if self._planned is None or self._planned[0] != wiring:
            self._planned = (wiring, plan(wiring, self._settings))
        wanted = self._planned[1]
        if full:
            self._looked_at = self._clock.now()
        failures = dict(wanted.failed)
        for owner, reason in self._kernel.converge(wanted, full=full).items():
            failures.setdefault(owner, reason)
        for owner, reason in self._serve_dhcp(wanted, full=full).items():
            failures.setdefault(owner, reason)
        for owner, reason in self._doors.ensure(wanted.doors).items():
            log.warning("no metadata through %s: %s", owner, reason)
        self._report_meters(wanted)
        applied = _outcome(wiring, failures)
        if applied != self._reported:
            self._bus.cast(WIRING_APPLIED, applied)
            self._reported = applied
        return applied

    def _report_meters(self, wanted: Plan) -> None:
        """Say what routers have counted, now and then; what can't be read now is read the next time."""
        metered = [space for space in wanted.spaces if space.rules and any(one.counters for one in space.rules.tables)]
        if not metered or self._clock.now() - self._metered_at < self._settings.meter_every * SECOND:
            return
        self._metered_at = self._clock.now()
        try:
            report = self._meters.read(metered)
        except (Refused, OSError) as error:
            log.warning("what routers counted can't be read: %s", error)
            return
        if report.counted:
            self._bus.cast(METERED, report)

    def _serve_dhcp(self, wanted: Plan, *, full: bool) -> dict[str, str]:
        """Have the DHCP servers run as wanted; those that did and didn't change are looked at only if `full`."""
        failures = {}
        ids = {service.id for service in wanted.dhcp}
        self._served = {one: service for one, service in self._served.items() if one in ids}
        for service in wanted.dhcp:
            if not full and self._served.get(service.id) == service:
                continue
            self._served.pop(service.id, None)
            try:
                self._dhcp.ensure(service)
                self._served[service.id] = service
            except Refused as refused:
                failures[service.id] = refused.message
            except OSError as error:
                failures[service.id] = f"DHCP: {error}"
        self._dhcp.forget(ids)
        return failures


def _as_refusal(error: Exception, request: _Request, host: str) -> Refused:
    if isinstance(error, Refused):
        return error
    return PORT_NOT_WIRED(port_id=", ".join(request.port_ids), host=host, reason=repr(error))


def _answer(request: _Request, applied: WiringApplied | None, host: str) -> None:
    wired = set(applied.wired) if applied else set()
    for port_id in request.port_ids:
        if applied is not None and port_id in applied.failed:
            request.done.set_exception(PORT_NOT_WIRED(port_id=port_id, host=host, reason=applied.failed[port_id]))
            return
        if port_id not in wired:
            request.done.set_exception(PORT_NOT_HERE(port_id=port_id, host=host))
            return
    request.done.set_result(None)


def _outcome(wiring: HostWiring, failures: dict[str, str]) -> WiringApplied:
    """Which ports are wired: guests', DHCP servers' and routers'."""
    owners = {port.id: {HOST, port.network_id, port.id} for port in wiring.ports}
    for network in wiring.networks:
        if network.dhcp is not None:
            owners[network.dhcp.port_id] = {HOST, network.id}
    for router in wiring.routers:
        if router.admin_state_up:
            legs = (*router.interfaces, *((router.gateway,) if router.gateway else ()))
            owners |= {leg.port_id: {HOST, leg.network_id, router.id} for leg in legs}
    failed = {
        port_id: "; ".join(sorted(failures[one] for one in those & failures.keys()))
        for port_id, those in owners.items()
        if those & failures.keys()
    }
    wired = tuple(sorted(owners.keys() - failed.keys()))
    return WiringApplied(host=wiring.host, revision=wiring.revision, wired=wired, failed=failed)
