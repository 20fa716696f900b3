"""The libvirt driver: each method looks first, then touches, and can be asked again after any interruption."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from nephele.compute.virt.driver import (
    RESCUE_DISK,
    ConsoleKind,
    Diagnostics,
    Disk,
    DiskFormat,
    Guest,
    GuestSpec,
    HostInventory,
    Nic,
    PowerChange,
    PowerState,
    Sent,
)
from nephele.compute.virt.errors import (
    CONSOLE_UNAVAILABLE,
    GUEST_NOT_FOUND,
    GUEST_NOT_RUNNING,
    LIVE_UNSUPPORTED,
    NOT_SET_ASIDE,
    NOTHING_SENT,
    SPEC_UNSUPPORTED,
)
from nephele.compute.virt.libvirt.config_drive import write_config_drive
from nephele.compute.virt.libvirt.connection import Connection, Domain, forget_definition
from nephele.compute.virt.libvirt.console import read_end
from nephele.compute.virt.libvirt.diagnostics import diagnose
from nephele.compute.virt.libvirt.disks import check_disk, check_disks, copy_disks, make_disks
from nephele.compute.virt.libvirt.domain import domain_xml
from nephele.compute.virt.libvirt.happenings import Happenings
from nephele.compute.virt.libvirt.host import Capabilities, take_inventory
from nephele.compute.virt.libvirt.hotplug import Hotplug
from nephele.compute.virt.libvirt.kvm_probe import kvm_is_fast
from nephele.compute.virt.libvirt.layout import InstanceDir, Layout
from nephele.compute.virt.libvirt.power import Power
from nephele.compute.virt.libvirt.snapshots import Snapshots
from nephele.kernel.clock import Clock
from nephele.kernel.errors import Refused

log = logging.getLogger(__name__)


class LibvirtDriver:
    """One hypervisor host; see `open_driver` for the arguments."""

    def __init__(
        self, uri: str, instances_dir: Path, virt_type: str, *, clock: Clock, probe_cache: Path, spare_ports: int
    ) -> None:
        if virt_type not in ("auto", "kvm", "qemu"):
            raise SPEC_UNSUPPORTED(what=f"virt_type {virt_type!r}: it has auto, kvm and qemu")
        self._layout = Layout.make(instances_dir)
        self._spare_ports = spare_ports
        self._happenings = Happenings(clock)
        self._connection = _connected(uri, self._happenings)
        self._power = Power(self._connection, self._happenings)
        self._hotplug = Hotplug(self._connection, self._happenings)
        self._snapshots = Snapshots(self._connection, self._happenings)
        with self._connection.asking("tell what it can"):
            opened = self._connection.get()
            self._capabilities = Capabilities(opened.getCapabilities())
            version = opened.getVersion()
        if closed := self._layout.closed_to(self._capabilities.qemu_owner):
            log.warning("%s is closed to QEMU, which runs as user %d", closed, self._capabilities.qemu_owner)
        self.virt_type = virt_type
        if virt_type == "auto":
            self.virt_type = "kvm" if kvm_is_fast(self._capabilities.emulator, version, probe_cache) else "qemu"

    def inventory(self) -> HostInventory:
        with self._connection.asking("tell what the host has"):
            opened = self._connection.get()
            return take_inventory(opened, self._capabilities, self.virt_type, self._layout.instances)

    def guests(self) -> list[Guest]:
        found = []
        for domain in self._connection.domains():
            server_id = domain.UUIDString()
            state = self.power_state(server_id)
            if state is not PowerState.NOSTATE:  # it may have gone since
                found.append(Guest(server_id=server_id, domain_name=domain.name(), power_state=state))
        rest = self._layout.guests() - {guest.server_id for guest in found}
        found += [_files_of(each) for each in sorted(rest)]
        return found + [_files_of(each, set_aside=True) for each in sorted(self._layout.asides())]

    def power_state(self, server_id: str) -> PowerState:
        domain = self._connection.find(server_id)
        if domain is None:
            return PowerState.NOSTATE
        try:
            return self._power.state(domain)
        except Refused as refusal:
            if refusal.error is GUEST_NOT_FOUND:
                return PowerState.NOSTATE
            raise

    def spawn(self, spec: GuestSpec) -> None:
        state = self.power_state(spec.server_id)
        if state is PowerState.RUNNING:
            return
        if state is PowerState.PAUSED:
            self.unpause(spec.server_id)
            return
        where = self._where(spec.server_id)
        xml = self._definition(spec, where)
        check_disks(spec, where, made=False)
        where.make(self._capabilities.qemu_owner)
        make_disks(spec, where)
        self._start(spec, where, xml)

    def destroy(self, server_id: str, *, keep: tuple[str, ...] = (), keep_aside: bool = False) -> None:
        self._forget(server_id)
        where = self._where(server_id)
        kept = frozenset[Path]().union(*(where.disks(name) for name in keep))
        if kept:
            where.clear(kept)
        else:
            where.remove()
        if not keep_aside:
            self._layout.aside(server_id).remove()

    def _forget(self, server_id: str) -> None:
        """Turn the guest off and drop its definition."""
        domain = self._connection.find(server_id)
        if domain is not None:
            self._power.pull_plug(domain)
            with self._connection.asking("forget the guest", server_id):
                forget_definition(domain)
            self._happenings.wait_forgotten(server_id, timeout=1)

    def start(self, spec: GuestSpec) -> None:
        if self._known_state(spec.server_id) not in (PowerState.RUNNING, PowerState.PAUSED):
            where = self._where(spec.server_id)
            xml = self._definition(spec, where)
            check_disks(spec, where, made=True)
            self._start(spec, where, xml)

    def stop(self, server_id: str, timeout: int) -> None:
        domain = self._connection.domain(server_id)
        running = self._power.state(domain) is PowerState.RUNNING
        if not (timeout > 0 and running and self._power.ask_to_shut_down(domain, timeout)):
            self._power.pull_plug(domain)

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout: int) -> None:
        state = self._known_state(spec.server_id)
        where = self._where(spec.server_id)
        xml = self._definition(spec, where)
        check_disks(spec, where, made=True)
        domain = self._connection.find(spec.server_id)
        if domain is not None:
            soft = not hard and state is PowerState.RUNNING
            if not (soft and self._power.ask_to_shut_down(domain, timeout)):
                self._power.pull_plug(domain)
        self._start(spec, where, xml)

    def pause(self, server_id: str) -> None:
        self._power.pause(self._connection.domain(server_id))

    def unpause(self, server_id: str) -> None:
        self._power.unpause(self._connection.domain(server_id))

    def suspend(self, server_id: str) -> None:
        self._power.suspend(self._connection.domain(server_id))

    def resume(self, spec: GuestSpec) -> None:
        domain = self._connection.find(spec.server_id)
        if domain is None or not self._power.resume(domain):
            self.start(spec)

    def rescue(self, spec: GuestSpec, timeout: int) -> None:
        state = self._known_state(spec.server_id)
        where = self._where(spec.server_id)
        xml = self._definition(spec, where)
        for disk in spec.disks:
            check_disk(spec.server_id, disk, where, made=disk.file != RESCUE_DISK)
        domain = self._connection.find(spec.server_id)
        if domain is not None and state in (PowerState.RUNNING, PowerState.PAUSED):
            if self._is_rescued(domain, where):
                return
            self.stop(spec.server_id, timeout)
        where.rescue_disk.unlink(missing_ok=True)  # whatever an interrupted attempt left
        make_disks(spec, where)
        self._start(spec, where, xml)

    def unrescue(self, spec: GuestSpec, *, run: bool) -> None:
        state = self._known_state(spec.server_id)
        where = self._where(spec.server_id)
        xml = self._definition(spec, where)
        check_disks(spec, where, made=True)
        domain = self._connection.find(spec.server_id)
        runs = state in (PowerState.RUNNING, PowerState.PAUSED)
        if domain is not None and runs and self._is_rescued(domain, where):
            self._power.pull_plug(domain)
            runs = False
        if run and not runs:
            self._start(spec, where, xml)
        elif not runs:
            self._power.define(spec.server_id, spec.domain_name, xml)
        where.rescue_disk.unlink(missing_ok=True)

    def set_password(self, server_id: str, user: str, password: str) -> None:
        self._power.set_password(self._connection.domain(server_id), user, password)

    def inject_nmi(self, server_id: str) -> None:
        self._power.inject_nmi(self._connection.domain(server_id))

    def attach_disk(self, server_id: str, disk: Disk) -> None:
        self._hotplug.attach_disk(self._connection.domain(server_id), disk, self._where(server_id))

    def detach_disk(self, server_id: str, disk: Disk, timeout: int) -> None:
        self._hotplug.detach_disk(self._connection.domain(server_id), disk, self._where(server_id), timeout)

    def extend_disk(self, server_id: str, disk: Disk, size_gb: int) -> None:
        self._hotplug.extend_disk(self._connection.domain(server_id), disk, size_gb)

    def attach_nic(self, server_id: str, nic: Nic) -> None:
        self._hotplug.attach_nic(self._connection.domain(server_id), nic)

    def detach_nic(self, server_id: str, nic: Nic, timeout: int) -> None:
        self._hotplug.detach_nic(self._connection.domain(server_id), nic, timeout)

    def freeze(self, server_id: str) -> bool:
        return self._snapshots.freeze(self._connection.domain(server_id))

    def thaw(self, server_id: str) -> None:
        domain = self._connection.find(server_id)
        if domain is not None:
            self._snapshots.thaw(domain)

    def take_snapshot(
        self, server_id: str, name: str, device_name: str, *, must_freeze: bool, check: Callable[[], None]
    ) -> DiskFormat:
        where = self._where(server_id)
        return self._snapshots.take(server_id, where, name, device_name, must_freeze=must_freeze, check=check)

    def read_snapshot(self, server_id: str, name: str) -> Iterator[bytes]:
        return self._snapshots.read(server_id, self._where(server_id), name)

    def drop_snapshot(self, server_id: str, name: str) -> None:
        self._snapshots.drop(server_id, self._where(server_id), name)

    def set_aside(self, server_id: str, timeout: int) -> None:
        where, aside = self._where(server_id), self._layout.aside(server_id)
        if self._connection.find(server_id) is not None:
            self.stop(server_id, timeout)
            self._forget(server_id)
        if not (where.path.exists() or aside.path.exists()):
            raise GUEST_NOT_FOUND(server_id=server_id)
        where.rename(aside)

    def arrive(self, spec: GuestSpec, origin: str, *, run: bool, check: Callable[[], None]) -> None:
        if self.power_state(spec.server_id) in (PowerState.RUNNING, PowerState.PAUSED):
            return
        where, aside = self._where(spec.server_id), self._layout.aside(spec.server_id)
        xml = self._definition(spec, where)
        if origin and not aside.path.exists():
            raise NOT_SET_ASIDE(server_id=spec.server_id, host=origin)
        check_disks(spec, where, made=False)
        where.make(self._capabilities.qemu_owner)
        if origin:
            copy_disks(spec, aside, where, check)
        make_disks(spec, where)
        self._start(spec, where, xml, run=run)

    def bring_back(self, spec: GuestSpec, *, run: bool) -> None:
        where, aside = self._where(spec.server_id), self._layout.aside(spec.server_id)
        if aside.path.exists():
            self.destroy(spec.server_id, keep_aside=True)
            aside.rename(where)
        state = self._known_state(spec.server_id)
        if state not in (PowerState.RUNNING, PowerState.PAUSED):
            xml = self._definition(spec, where)
            check_disks(spec, where, made=True)
            where.make(self._capabilities.qemu_owner)
            self._start(spec, where, xml, run=run)

    def drop_aside(self, server_id: str) -> None:
        self._layout.aside(server_id).remove()

    def receive(self, spec: GuestSpec) -> None:
        raise LIVE_UNSUPPORTED()

    def send(self, server_id: str, host: str) -> None:
        raise LIVE_UNSUPPORTED()

    def sent(self, server_id: str) -> Sent | None:
        return None

    def stop_sending(self, server_id: str) -> None:
        raise NOTHING_SENT(server_id=server_id)

    def finish_sending(self, server_id: str) -> None:
        raise NOTHING_SENT(server_id=server_id)

    def console_output(self, server_id: str, max_bytes: int) -> bytes:
        self._connection.domain(server_id)
        return read_end(self._where(server_id).console_log, max_bytes) if max_bytes > 0 else b""

    def console_socket(self, server_id: str, kind: ConsoleKind) -> str:
        state, where = self._power.state(self._connection.domain(server_id)), self._where(server_id)
        if state not in (PowerState.RUNNING, PowerState.PAUSED):
            raise GUEST_NOT_RUNNING(server_id=server_id, power_state=state.name.lower())
        path = where.serial_socket if kind is ConsoleKind.SERIAL else where.vnc_socket
        if not path.exists():
            raise CONSOLE_UNAVAILABLE(server_id=server_id, kind=kind)
        return str(path)

    def diagnostics(self, server_id: str) -> Diagnostics:
        domain = self._connection.domain(server_id)
        with self._connection.asking("count", server_id):
            return diagnose(domain)

    def on_power_change(self, listener: Callable[[PowerChange], None]) -> None:
        self._happenings.listen(listener)

    def close(self) -> None:
        self._connection.close()
        self._happenings.close()

    def _is_rescued(self, domain: Domain, where: InstanceDir) -> bool:
        """Whether the guest runs from its rescue disk."""
        with self._connection.asking("tell the guest's disks", domain.UUIDString()):
            return str(where.rescue_disk) in domain.XMLDesc(0)

    def _where(self, server_id: str) -> InstanceDir:
        return self._layout.guest(server_id)

    def _known_state(self, server_id: str) -> PowerState:
        """The state of a guest that is defined, or whose disks are there to define it anew."""
        state = self.power_state(server_id)
        if state is PowerState.NOSTATE and not self._where(server_id).path.exists():
            raise GUEST_NOT_FOUND(server_id=server_id)
        return state

    def _definition(self, spec: GuestSpec, where: InstanceDir) -> str:
        return domain_xml(spec, where, self.virt_type, spare_ports=self._spare_ports)

    def _start(self, spec: GuestSpec, where: InstanceDir, xml: str, *, run: bool = True) -> None:
        if spec.config_drive is not None:
            write_config_drive(spec.config_drive, where.config_drive)
        if run:
            self._power.define_and_start(spec.server_id, spec.domain_name, xml)
        else:
            self._power.define(spec.server_id, spec.domain_name, xml)


def _files_of(server_id: str, *, set_aside: bool = False) -> Guest:
    return Guest(server_id=server_id, domain_name="", power_state=PowerState.NOSTATE, set_aside=set_aside)


def _connected(uri: str, happenings: Happenings) -> Connection:
    try:
        return Connection(uri, happenings)
    except Refused:
        happenings.close()
        raise
