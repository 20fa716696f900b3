"""The compute agent: carries out on its host what the conductor commands.

It touches no database.  What it needs to know it asks over the bus with the token that came with the
command: the conductor for the server (steps 9 to 11 of a launch), Glance for the image (12, 13),
Neutron for the ports (14, 15) and Cinder for the volumes (16); then the hypervisor builds the guest (17).
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar, cast

from nephele.compute import messages as m
from nephele.compute.agent.freezing import Freezer
from nephele.compute.agent.host import Host
from nephele.compute.agent.insides import Insides
from nephele.compute.agent.launcher import Launcher
from nephele.compute.agent.looker import Looker
from nephele.compute.agent.mover import Mover
from nephele.compute.agent.plugger import Plugger
from nephele.compute.agent.power import PowerSwitch
from nephele.compute.agent.rescuer import Rescuer
from nephele.compute.agent.snapshots import SnapshotTaker
from nephele.compute.errors import TOO_LATE
from nephele.compute.messages import freezing as f
from nephele.compute.messages import insides as i
from nephele.compute.messages import moving as mv
from nephele.compute.messages import plugging
from nephele.compute.messages import rescue as r
from nephele.compute.messages.snapshots import DROP_SNAPSHOT, QUIESCE, TAKE_SNAPSHOT, UPLOAD_SNAPSHOT
from nephele.compute.virt.driver import Guest, PowerChange
from nephele.kernel.bus import Method
from nephele.kernel.errors import Refused
from nephele.kernel.locks import KeyedLocks

Order = TypeVar("Order", bound=m.Command)
Answer = TypeVar("Answer", bound=m.Done)
AGAIN_AFTER, AGAIN_AT_LAST = 0.5, 10.0
"""Seconds until a power state is told again, at first and at most."""
log = logging.getLogger(__name__)


class Answered:
    """What the last commands were answered: one that comes again is not carried out again."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._answers: OrderedDict[tuple[str, str], m.Done] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, method: str, id: str) -> m.Done | None:
        """The answer to a command; None where it was not carried out yet, or long ago."""
        return self._answers.get((method, id))

    def keep(self, method: str, id: str, answer: Answer) -> Answer:
        """Remember an answer, and give it; those to commands without an id are not kept."""
        if id:
            with self._lock:
                self._answers[method, id] = answer
                if len(self._answers) > self._most:
                    self._answers.popitem(last=False)
        return answer


class ComputeAgent:
    """nova-compute on one host.

    Args:
        host: its parts.
        address: the host's own address, shown as `host_ip`.
    """

    def __init__(self, host: Host, address: str = "127.0.0.1") -> None:
        self.host, self.address = host, address
        self.driver, self.bus = host.driver, host.bus
        self._locks = KeyedLocks()
        self._done = Answered()
        self._running: dict[str, str] = {}
        """The request on whose behalf a command runs, by server."""

    def start(self, pool: Executor) -> None:
        """Say what the host has and runs, then take commands; `pool` runs them."""
        self.driver.on_power_change(lambda change: self._note_power(change, pool))
        self.report()
        launcher, switch, plugger = Launcher(self.host), PowerSwitch(self.host), Plugger(self.host)
        self._serve(m.PREPARE, launcher.prepare, pool)
        self._serve(m.PLUG, launcher.plug, pool)
        self._serve(m.CONNECT, launcher.connect, pool)
        self._serve(m.SPAWN, launcher.spawn, pool)
        self._serve(m.START, switch.start, pool)
        self._serve(m.REBOOT, switch.reboot, pool)
        self._serve(m.STOP, switch.stop, pool)
        self._serve(m.SETTLE, lambda _: m.Done(), pool)
        self._serve(m.DESTROY, switch.destroy, pool)
        self._serve(m.READ_CONSOLE, switch.read_console, pool)
        freezer = Freezer(self.host)
        self._serve(f.PAUSE, freezer.pause, pool)
        self._serve(f.UNPAUSE, freezer.unpause, pool)
        self._serve(f.SUSPEND, freezer.suspend, pool)
        self._serve(f.RESUME, freezer.resume, pool)
        insides = Insides(self.host)
        self._serve(i.SET_PASSWORD, insides.set_password, pool)
        self._serve(i.INJECT_NMI, insides.inject_nmi, pool)
        rescuer = Rescuer(self.host)
        self._serve(r.FETCH_IMAGE, rescuer.fetch, pool)
        self._serve(r.RESCUE, rescuer.rescue, pool)
        self._serve(r.UNRESCUE, rescuer.unrescue, pool)
        taker = SnapshotTaker(self.host)
        self._serve(TAKE_SNAPSHOT, taker.take, pool)
        self._serve(UPLOAD_SNAPSHOT, taker.upload, pool)
        self._serve(DROP_SNAPSHOT, taker.drop, pool)
        self._serve(QUIESCE, taker.quiesce, pool)
        self.bus.serve(m.INTERRUPT, self.interrupt, at=self.host.name, pool=pool)
        self._serve(plugging.ATTACH_VOLUME, plugger.attach_volume, pool)
        self._serve(plugging.DETACH_VOLUME, plugger.detach_volume, pool)
        self._serve(plugging.EXTEND_VOLUME, plugger.extend_volume, pool)
        self._serve(plugging.ATTACH_INTERFACE, plugger.attach_interface, pool)
        self._serve(plugging.DETACH_INTERFACE, plugger.detach_interface, pool)
        Looker(self.host).serve(pool)
        self.bus.serve(m.CACHE_IMAGES, launcher.cache_images, at=self.host.name, pool=pool)
        self._serve_moves(Mover(self.host), pool)
        self.bus.serve(m.LIST_GUESTS, self.list_guests, at=self.host.name, pool=pool)
        self.bus.serve(m.REMOVE_GUEST, self.remove_guest, at=self.host.name, pool=pool)

    def _serve_moves(self, mover: Mover, pool: Executor) -> None:
        self._serve(mv.SET_ASIDE, mover.set_aside, pool)
        self._serve(mv.ARRIVE, mover.arrive, pool)
        self._serve(mv.BRING_BACK, mover.bring_back, pool)
        self._serve(mv.DROP_ASIDE, mover.drop_aside, pool)
        self._serve(mv.LEAVE, mover.leave, pool)
        self._serve(mv.RECEIVE, mover.receive, pool)
        self._serve(mv.SEND, mover.send, pool)
        here = self.host.name
        self.bus.serve(mv.ASK_PROGRESS, mover.progress, at=here, pool=pool)
        self.bus.serve(mv.STOP_SENDING, mover.stop_sending, at=here, pool=pool)
        self.bus.serve(mv.FINISH_SENDING, mover.finish_sending, at=here, pool=pool)
        self.bus.serve(mv.REMOVE_ASIDE, self.remove_aside, at=here, pool=pool)
        self.bus.serve(mv.REPORT_AGAIN, lambda _ask: self.report(), at=here, pool=pool)

    def report(self) -> None:
        """Tell the conductor what this host has and which guests it runs; remove those that should not be here."""
        report = m.HostReport(
            host=self.host.name,
            hostname=self.host.name,
            host_ip=self.address,
            inventory=self.driver.inventory(),
            guests=tuple(self.driver.guests()),
        )
        self._remove(self.bus.call(m.REPORT_HOST, report).remove, report.guests)
        self.bus.call(mv.REPORT_REMOVED, mv.Removed(self.host.name))

    def look_around(self) -> None:
        """Tell again which guests there are, for what the conductor did not hear or could not say at its time."""
        guests = tuple(self.driver.guests())
        report = m.GuestsReport(host=self.host.name, guests=guests)
        self._remove(self.bus.call(m.REPORT_GUESTS, report).remove, guests)

    def _remove(self, server_ids: Iterable[str], guests: Iterable[Guest]) -> None:
        """Remove guests of servers that are gone or elsewhere; one that came back meanwhile stays."""
        found = {guest.server_id: guest for guest in guests}
        for server_id in server_ids:
            with self._locks.holding(server_id):
                ask = m.GuestsReport(host=self.host.name, guests=(found[server_id],))
                if server_id in self.bus.call(m.REPORT_GUESTS, ask).remove:
                    log.warning("guest of server %s is not placed on %s: it is removed", server_id, self.host.name)
                    self.driver.destroy(server_id)

    def interrupt(self, ask: m.Interrupt) -> None:
        """Have the command that runs on a server give up; where none runs, there is nothing to do.

        This is the one call of the driver that does not wait for the one before it: a guest that takes its time
        to shut down loses its power here.
        """
        if self._running.get(ask.server_id, ask.by) != ask.by:
            self.host.interrupted.add(ask.server_id)
            if ask.power and not self._stop_sending(ask.server_id):
                try:
                    self.driver.stop(ask.server_id, 0)
                except Refused as refused:
                    log.info("nothing to interrupt in the guest of %s: %s", ask.server_id, refused.message)

    def _stop_sending(self, server_id: str) -> bool:
        """Call back a guest that is on its way to another host; false where none is."""
        try:
            self.driver.stop_sending(server_id)
        except Refused:
            return False
        return True

    def list_guests(self, _ask: m.ListGuests) -> m.Guests:
        """The guests that the hypervisor knows."""
        return m.Guests(tuple(self.driver.guests()))

    def remove_guest(self, ask: m.RemoveGuest) -> None:
        """Remove a guest that no server owns."""
        with self._locks.holding(ask.server_id):
            self.driver.destroy(ask.server_id)

    def remove_aside(self, ask: mv.Aside) -> None:
        """Remove what is set aside of a guest that nobody wants back."""
        with self._locks.holding(ask.server_id):
            self.driver.drop_aside(ask.server_id)

    def _note_power(self, change: PowerChange, pool: Executor) -> None:
        pool.submit(self._report_power, change.server_id, pool, AGAIN_AFTER)

    def _report_power(self, server_id: str, pool: Executor, pause: float) -> None:
        """Tell how a guest is now, once no command works on it: what an event said may be over already.

        It is told again while more is being done to the server, which may have looked at the guest before that.
        """
        try:
            with self._locks.holding(server_id):
                power = self.driver.power_state(server_id)
                report = m.PowerReport(host=self.host.name, server_id=server_id, power_state=power)
                again = self.bus.call(m.REPORT_POWER, report).again
        except Refused as refused:
            log.warning("the power state of %s could not be told: %s", server_id, refused.message)
            again = True
        if again:
            later = threading.Timer(pause, self._submit, (pool, server_id, min(pause * 2, AGAIN_AT_LAST)))
            later.daemon = True
            later.start()

    def _submit(self, pool: Executor, server_id: str, pause: float) -> None:
        with suppress(RuntimeError):  # the agent stops
            pool.submit(self._report_power, server_id, pool, pause)

    def _serve(self, method: Method[Order, Answer], handler: Callable[[Order], Answer], pool: Executor) -> None:
        """Serve commands; those for one server never run at the same time: a repeated one waits for the first."""

        def run(order: Order) -> Answer:
            with self._locks.holding(order.server_id):
                done = self._done.get(method.name, order.id)
                if done is not None:
                    return cast("Answer", done)
                if self.host.clock.now() > order.expires_at:
                    raise TOO_LATE(command=method.name, server_id=order.server_id)
                self._running[order.server_id] = order.request_id
                try:
                    return self._done.keep(method.name, order.id, handler(order))
                finally:
                    del self._running[order.server_id]
                    self.host.interrupted.discard(order.server_id)

        self.bus.serve(method, run, at=self.host.name, pool=pool)
