"""The hypervisor of one simulated host."""

import hashlib
import os
import socket
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from nephele.compute.virt.driver import (
    RESCUE_DISK,
    ConsoleKind,
    CpuCounts,
    Diagnostics,
    Disk,
    DiskCounts,
    DiskFormat,
    FileDisk,
    Guest,
    GuestSpec,
    HostInventory,
    ImageDisk,
    Nic,
    NicCounts,
    PowerChange,
    PowerState,
    Sent,
)
from nephele.compute.virt.errors import (
    BASE_MISSING,
    DETACH_REFUSED,
    DEVICE_IN_USE,
    DISK_MISSING,
    DOMAIN_NAME_TAKEN,
    GUEST_NOT_FOUND,
    GUEST_NOT_RUNNING,
    NOT_FROZEN,
    SNAPSHOT_MISSING,
)
from nephele.compute.virt.sim.consoles import SimConsoles, echo, show_screen
from nephele.compute.virt.sim.moves import Moves
from nephele.compute.virt.sim.text import disk_bytes, disk_line, nic_line, snapshot_text
from nephele.kernel import qcow2
from nephele.kernel.clock import Clock, iso

Fault = Callable[[str, str], None]
"""Called with a method's name and the server's id before the method works; may raise."""

COPY = "copy of "
MEMORY = "memory"
"""What a suspended guest keeps."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(GuestSpec).decode


class World(Protocol):
    """Where the guests are."""

    clock: Clock
    consoles: SimConsoles

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement, atomically, and give its rows."""
        ...


class SimDriver:
    """As the protocol says; its guests are in the world that all its hosts share."""

    virt_type = "sim"

    def __init__(
        self,
        world: World,
        host: str,
        inventory: HostInventory,
        delays: Mapping[str, float],
        fault: Fault | None,
        sleep: Callable[[float], None],
    ) -> None:
        self.host = host
        self.delays = delays
        self.fault = fault
        self._world = world
        self._inventory = inventory
        self._sleep = sleep
        self._listeners: list[Callable[[PowerChange], None]] = []
        self._moves = Moves(world, host, sleep)

    def inventory(self) -> HostInventory:
        return self._inventory

    def guests(self) -> list[Guest]:
        self._enter("guests")
        rows = self._world.query("SELECT server_id, domain_name, power_state FROM guests WHERE host = ?", self.host)
        found = [Guest(server_id=i, domain_name=name, power_state=PowerState(state)) for i, name, state in rows]
        return found + self._moves.set_aside()

    def power_state(self, server_id: str) -> PowerState:
        self._enter("power_state", server_id)
        return self._state(server_id)

    def spawn(self, spec: GuestSpec) -> None:
        self._enter("spawn", spec.server_id)
        state = self._state(spec.server_id)
        if state is PowerState.NOSTATE:
            _check_disks(spec)
            self._insert(spec, PowerState.RUNNING, "", "started")
            self._tell(spec.server_id, PowerState.RUNNING)
        elif state is not PowerState.RUNNING:
            self._move(spec.server_id, PowerState.RUNNING, "started")

    def destroy(self, server_id: str, *, keep: tuple[str, ...] = (), keep_aside: bool = False) -> None:
        """As the protocol says; what a simulated disk held is known only by its name, so `keep` keeps nothing."""
        self._enter("destroy", server_id)
        self._moves.forget(server_id, keep_aside=keep_aside)
        gone = self._world.query(
            "DELETE FROM guests WHERE host = ? AND server_id = ? RETURNING power_state", self.host, server_id
        )
        if gone and gone[0][0] in (PowerState.RUNNING, PowerState.PAUSED):
            self._tell(server_id, PowerState.SHUTDOWN)

    def start(self, spec: GuestSpec) -> None:
        self._enter("start", spec.server_id)
        if self._known(spec.server_id) in (PowerState.RUNNING, PowerState.PAUSED):
            return
        _check_disks(spec)
        self._forget(spec.server_id, RESCUE_DISK)
        self._keep(spec)
        self._move(spec.server_id, PowerState.RUNNING, "started")

    def stop(self, server_id: str, timeout: int) -> None:
        self._enter("stop", server_id)
        state = self._known(server_id)
        soft = timeout > 0 and state is PowerState.RUNNING and self._shuts_down(server_id, timeout)
        if self._state(server_id) in (PowerState.RUNNING, PowerState.PAUSED):
            self._move(server_id, PowerState.SHUTDOWN, "shut down by its system" if soft else "plug pulled")

    def _shuts_down(self, server_id: str, timeout: float) -> bool:
        """Wait as long as the guest's system needs to shut down; whether it did so in time, on power."""
        left = needs = self.delays.get("shutdown", 0)
        while left > 0 and needs - left < timeout and self._state(server_id) is PowerState.RUNNING:
            self._sleep(min(left, 0.02))
            left -= 0.02
        return left <= 0

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout: int) -> None:
        self._enter("reboot", spec.server_id)
        state = self._known(spec.server_id)
        _check_disks(spec)
        hard = hard or state is not PowerState.RUNNING or not self._shuts_down(spec.server_id, timeout)
        if hard:
            self._forget(spec.server_id, RESCUE_DISK)
            self._keep(spec)
        self._move(spec.server_id, PowerState.RUNNING, "reset and started" if hard else "restarted by its system")

    def pause(self, server_id: str) -> None:
        self._enter("pause", server_id)
        if self._running(server_id) is PowerState.RUNNING:
            self._move(server_id, PowerState.PAUSED, "paused")

    def unpause(self, server_id: str) -> None:
        self._enter("unpause", server_id)
        if self._running(server_id) is PowerState.PAUSED:
            self._move(server_id, PowerState.RUNNING, "unpaused")

    def suspend(self, server_id: str) -> None:
        self._enter("suspend", server_id)
        if self._known(server_id) is PowerState.SHUTDOWN and self._kept(server_id, MEMORY) is not None:
            return
        self._running(server_id)
        self._keep_also(server_id, MEMORY, b"all of it")
        self._move(server_id, PowerState.SHUTDOWN, "memory written to disk")

    def resume(self, spec: GuestSpec) -> None:
        self._enter("resume", spec.server_id)
        if self._known(spec.server_id) in (PowerState.RUNNING, PowerState.PAUSED):
            return
        _check_disks(spec)
        there = self._kept(spec.server_id, MEMORY) is not None
        self._move(spec.server_id, PowerState.RUNNING, "memory read from disk" if there else "started")

    def rescue(self, spec: GuestSpec, timeout: int) -> None:
        self._enter("rescue", spec.server_id)
        self._known(spec.server_id)
        _check_disks(spec)
        if self._kept(spec.server_id, RESCUE_DISK) is None:
            self._keep_also(spec.server_id, RESCUE_DISK, b"an overlay")
            self._keep(spec)
            name = next(disk.device_name for disk in spec.disks if disk.file == RESCUE_DISK)
            self._move(spec.server_id, PowerState.RUNNING, f"started from rescue disk {name}")

    def unrescue(self, spec: GuestSpec, *, run: bool) -> None:
        self._enter("unrescue", spec.server_id)
        state = self._known(spec.server_id)
        rescued = self._kept(spec.server_id, RESCUE_DISK) is not None
        if rescued:
            self._keep(spec)
        if run and (rescued or state is not PowerState.RUNNING):
            self._move(spec.server_id, PowerState.RUNNING, "started")
        elif rescued:
            self._move(spec.server_id, PowerState.SHUTDOWN, "plug pulled")
        self._forget(spec.server_id, RESCUE_DISK)

    def set_password(self, server_id: str, user: str, password: str) -> None:
        self._enter("set_password", server_id)
        self._only_running(server_id)
        salt = os.urandom(16)
        sealed = salt + hashlib.scrypt(password.encode(), salt=salt, n=1 << 8, r=8, p=1)
        self._keep_also(server_id, f"password of {user}", sealed)
        self._say(server_id, f"agent: password of {user} set")

    def inject_nmi(self, server_id: str) -> None:
        self._enter("inject_nmi", server_id)
        self._running(server_id)
        self._say(server_id, "non-maskable interrupt received")

    def attach_disk(self, server_id: str, disk: Disk) -> None:
        self._enter("attach_disk", server_id)
        spec = self.spec(server_id)
        same = [d for d in spec.disks if d.device_name == disk.device_name]
        if same and (same[0].volume_id, same[0].source) != (disk.volume_id, disk.source):
            raise DEVICE_IN_USE(device=disk.device_name, server_id=server_id)
        if not same:
            _check_disk(server_id, disk)
            self._keep(msgspec.structs.replace(spec, disks=(*spec.disks, disk)), f"attached {disk_line(disk)}")

    def detach_disk(self, server_id: str, disk: Disk, timeout: int) -> None:
        self._enter("detach_disk", server_id)
        spec = self.spec(server_id)
        left = tuple(d for d in spec.disks if (d.device_name, d.volume_id) != (disk.device_name, disk.volume_id))
        if left != spec.disks:
            self._check_lets_go(server_id, disk.device_name, timeout)
            self._keep(msgspec.structs.replace(spec, disks=left), f"detached {disk.device_name}")

    def extend_disk(self, server_id: str, disk: Disk, size_gb: int) -> None:
        self._enter("extend_disk", server_id)
        spec = self.spec(server_id)
        if all((d.device_name, d.volume_id) != (disk.device_name, disk.volume_id) for d in spec.disks):
            raise DISK_MISSING(path=disk.device_name, server_id=server_id)
        if self._state(server_id) in (PowerState.RUNNING, PowerState.PAUSED):
            self._keep(spec, f"{disk.device_name} has {size_gb} GB now")

    def attach_nic(self, server_id: str, nic: Nic) -> None:
        self._enter("attach_nic", server_id)
        spec = self.spec(server_id)
        if all(n.mac != nic.mac for n in spec.nics):
            self._keep(msgspec.structs.replace(spec, nics=(*spec.nics, nic)), f"attached {nic_line(nic)}")

    def detach_nic(self, server_id: str, nic: Nic, timeout: int) -> None:
        self._enter("detach_nic", server_id)
        spec = self.spec(server_id)
        left = tuple(n for n in spec.nics if n.mac != nic.mac)
        if left != spec.nics:
            self._check_lets_go(server_id, nic.mac, timeout)
            self._keep(msgspec.structs.replace(spec, nics=left), f"detached {nic.mac}")

    def freeze(self, server_id: str) -> bool:
        self._enter("freeze", server_id)
        if self._known(server_id) is not PowerState.RUNNING:
            return False
        self._say(server_id, "file systems frozen")
        return True

    def thaw(self, server_id: str) -> None:
        self._enter("thaw", server_id)
        if self._state(server_id) is PowerState.RUNNING:
            self._say(server_id, "file systems thawed")

    def take_snapshot(
        self, server_id: str, name: str, device_name: str, *, must_freeze: bool, check: Callable[[], None]
    ) -> DiskFormat:
        """As the protocol says: the copy says of which guest it is, and has the size of its disk."""
        self._enter("take_snapshot", server_id)
        spec = self.spec(server_id)
        disk = next((d for d in spec.disks if d.device_name == device_name and not d.volume_id), None)
        if disk is None:
            raise DISK_MISSING(path=device_name, server_id=server_id)
        if must_freeze and self._state(server_id) is PowerState.PAUSED:
            raise NOT_FROZEN(server_id=server_id)
        check()
        copy = qcow2.holding(snapshot_text(spec, disk, self._now()), disk_bytes(disk))
        self._keep_also(server_id, COPY + name, zlib.compress(copy, 1))
        self._say(server_id, f"{device_name} copied")
        return DiskFormat.QCOW2

    def read_snapshot(self, server_id: str, name: str) -> Iterator[bytes]:
        self._enter("read_snapshot", server_id)
        copy = self._kept(server_id, COPY + name)
        if copy is None:
            raise SNAPSHOT_MISSING(server_id=server_id, name=name)
        return iter((zlib.decompress(copy),))

    def drop_snapshot(self, server_id: str, name: str) -> None:
        self._enter("drop_snapshot", server_id)
        self._forget(server_id, COPY + name)

    def set_aside(self, server_id: str, timeout: int) -> None:
        self._enter("set_aside", server_id)
        if self._state(server_id) is PowerState.NOSTATE:
            if self._moves.aside_console(server_id) is None:
                raise GUEST_NOT_FOUND(server_id=server_id)
            return
        self.stop(server_id, timeout)
        self._moves.put_aside(server_id, f"{self._now()} set aside\n")

    def arrive(self, spec: GuestSpec, origin: str, *, run: bool, check: Callable[[], None]) -> None:
        self._enter("arrive", spec.server_id)
        if self._state(spec.server_id) is PowerState.NOSTATE:
            _check_disks(spec)
            check()
            console = self._moves.check_arrival(spec, origin) if origin else ""
            self._insert(spec, PowerState.SHUTDOWN, console)
        if run:
            self.start(spec)

    def bring_back(self, spec: GuestSpec, *, run: bool) -> None:
        self._enter("bring_back", spec.server_id)
        console = self._moves.aside_console(spec.server_id)
        if console is not None:
            self.destroy(spec.server_id, keep_aside=True)
            self._insert(spec, PowerState.SHUTDOWN, console)
            self.drop_aside(spec.server_id)
        self._known(spec.server_id)
        if run:
            self.start(spec)

    def drop_aside(self, server_id: str) -> None:
        self._enter("drop_aside", server_id)
        self._moves.drop_aside(server_id)

    def receive(self, spec: GuestSpec) -> None:
        self._enter("receive", spec.server_id)
        _check_disks(spec)
        self._moves.expect(spec.server_id, _stored(spec))

    def send(self, server_id: str, host: str) -> None:
        self._enter("send", server_id)
        if self._state(server_id) is PowerState.NOSTATE and self._moves.is_on(host, server_id):
            return
        self._running(server_id)
        memory_mb = self.spec(server_id).memory_mb
        self._moves.send(server_id, host, memory_mb, f"{self._now()} moved from {self.host} to {host}\n")

    def sent(self, server_id: str) -> Sent | None:
        return self._moves.sent(server_id)

    def stop_sending(self, server_id: str) -> None:
        self._moves.stop_sending(server_id)

    def finish_sending(self, server_id: str) -> None:
        self._moves.finish_sending(server_id)

    def console_output(self, server_id: str, max_bytes: int) -> bytes:
        self._enter("console_output", server_id)
        text: str = self._column("console", server_id)
        return text.encode()[-max_bytes:] if max_bytes > 0 else b""

    def console_socket(self, server_id: str, kind: ConsoleKind) -> str:
        self._enter("console_socket", server_id)
        self._running(server_id)
        if kind is ConsoleKind.SERIAL:
            return self._world.consoles.path(self.host, server_id, kind, lambda line: self._type(line, server_id))
        name = self.spec(server_id).domain_name
        return self._world.consoles.path(
            self.host, server_id, kind, lambda line: show_screen(line, f"{name}, simulated")
        )

    def _type(self, line: socket.socket, server_id: str) -> None:
        echo(line, self._column("console", server_id), lambda typed: self._say(server_id, f"typed: {typed}"))

    def diagnostics(self, server_id: str) -> Diagnostics:
        self._enter("diagnostics", server_id)
        spec = self.spec(server_id)
        return Diagnostics(
            cpus=tuple(CpuCounts(id=number) for number in range(spec.vcpus)),
            disks=tuple(DiskCounts(name=disk.device_name.removeprefix("/dev/")) for disk in spec.disks),
            nics=tuple(NicCounts(tap=nic.tap, mac=nic.mac) for nic in spec.nics),
            memory_max_kib=spec.memory_mb * 1024,
        )

    def on_power_change(self, listener: Callable[[PowerChange], None]) -> None:
        """As the protocol says; `listener` is called in the thread whose call changed the guest."""
        self._listeners.append(listener)

    def close(self) -> None:
        self._listeners.clear()
        self._world.consoles.close()

    def spec(self, server_id: str) -> GuestSpec:
        """How the guest is defined now, without the contents of its config drive; raises GUEST_NOT_FOUND."""
        return _decode(self._column("spec", server_id))

    def act(self, server_id: str, state: PowerState, what: str) -> None:
        """Let the guest do something by itself, such as shutting down; `what` shows in its console."""
        self._known(server_id)
        self._move(server_id, state, what)

    def _check_lets_go(self, server_id: str, device: str, timeout: int) -> None:
        """A guest whose processors are frozen can't let go of anything: it is not waited for."""
        if self._state(server_id) is PowerState.PAUSED:
            raise DETACH_REFUSED(server_id=server_id, device=device, timeout=timeout)

    def _enter(self, method: str, server_id: str = "") -> None:
        if self.fault is not None:
            self.fault(method, server_id)
        if delay := self.delays.get(method):
            self._sleep(delay)

    def _column(self, column: str, server_id: str) -> Any:
        sql = f"SELECT {column} FROM guests WHERE host = ? AND server_id = ?"  # noqa: S608 - a name of ours
        rows = self._world.query(sql, self.host, server_id)
        if not rows:
            raise GUEST_NOT_FOUND(server_id=server_id)
        return rows[0][0]

    def _state(self, server_id: str) -> PowerState:
        rows = self._world.query(
            "SELECT power_state FROM guests WHERE host = ? AND server_id = ?", self.host, server_id
        )
        return PowerState(rows[0][0]) if rows else PowerState.NOSTATE

    def _known(self, server_id: str) -> PowerState:
        state = self._state(server_id)
        if state is PowerState.NOSTATE:
            raise GUEST_NOT_FOUND(server_id=server_id)
        return state

    def _running(self, server_id: str) -> PowerState:
        state = self._known(server_id)
        if state not in (PowerState.RUNNING, PowerState.PAUSED):
            raise GUEST_NOT_RUNNING(server_id=server_id, power_state=state.name.lower())
        return state

    def _insert(self, spec: GuestSpec, state: PowerState, console: str, what: str = "") -> None:
        """A guest of its own, whose console goes on where its disks were before."""
        console += self._described(spec) + (f"{self._now()} {what}\n" if what else "")
        try:
            self._world.query(
                "INSERT INTO guests VALUES (?, ?, ?, ?, ?, ?)",
                *(self.host, spec.server_id, spec.domain_name, state, _stored(spec), console),
            )
        except sqlite3.IntegrityError:
            raise DOMAIN_NAME_TAKEN(domain_name=spec.domain_name) from None

    def _move(self, server_id: str, state: PowerState, what: str) -> None:
        self._world.query(
            "UPDATE guests SET power_state = ?, console = console || ? WHERE host = ? AND server_id = ?",
            *(state, f"{self._now()} {what}\n", self.host, server_id),
        )
        self._tell(server_id, state)

    def _only_running(self, server_id: str) -> None:
        state = self._known(server_id)
        if state is not PowerState.RUNNING:
            raise GUEST_NOT_RUNNING(server_id=server_id, power_state=state.name.lower())

    def _say(self, server_id: str, what: str) -> None:
        self._world.query(
            "UPDATE guests SET console = console || ? WHERE host = ? AND server_id = ?",
            *(f"{self._now()} {what}\n", self.host, server_id),
        )

    def _keep(self, spec: GuestSpec, what: str = "") -> None:
        self._world.query(
            "UPDATE guests SET spec = ?, console = console || ? WHERE host = ? AND server_id = ?",
            *(_stored(spec), f"{self._now()} {what}\n" if what else "", self.host, spec.server_id),
        )

    def _kept(self, server_id: str, name: str) -> bytes | None:
        sql = "SELECT value FROM kept WHERE host = ? AND server_id = ? AND name = ?"
        rows = self._world.query(sql, self.host, server_id, name)
        return rows[0][0] if rows else None

    def _keep_also(self, server_id: str, name: str, value: bytes) -> None:
        self._world.query("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", self.host, server_id, name, value)

    def _forget(self, server_id: str, name: str) -> None:
        sql = "DELETE FROM kept WHERE host = ? AND server_id = ? AND name = ?"
        self._world.query(sql, self.host, server_id, name)

    def _tell(self, server_id: str, state: PowerState) -> None:
        if self._listeners:
            change = PowerChange(server_id=server_id, power_state=state, at=self._world.clock.now())
            for listener in self._listeners:
                listener(change)

    def _now(self) -> str:
        return iso(self._world.clock.now())

    def _described(self, spec: GuestSpec) -> str:
        now = self._now()
        return "".join(
            f"{now} {line}\n"
            for line in (
                f"simulated guest {spec.domain_name} on {self.host}: {spec.vcpus} vcpus, {spec.memory_mb} MB memory",
                *(disk_line(disk) for disk in spec.disks),
                *(nic_line(nic) for nic in spec.nics),
                *((f"config drive with {len(spec.config_drive)} files",) if spec.config_drive is not None else ()),
            )
        )


def _stored(spec: GuestSpec) -> bytes:
    """A spec as it is stored: without the config drive, which may be large and is given anew at each start."""
    return _encode(spec if spec.config_drive is None else msgspec.structs.replace(spec, config_drive={}))


def _check_disks(spec: GuestSpec) -> None:
    for disk in spec.disks:
        _check_disk(spec.server_id, disk)


def _check_disk(server_id: str, disk: Disk) -> None:
    """Refuse what a real hypervisor could not open."""
    source = disk.source
    if isinstance(source, ImageDisk):
        if not Path(source.base).exists():
            raise BASE_MISSING(path=source.base)
    elif isinstance(source, FileDisk) and not Path(source.path).exists():
        raise DISK_MISSING(path=source.path, server_id=server_id)
