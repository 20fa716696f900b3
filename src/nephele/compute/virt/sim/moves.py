"""Simulated guests between hosts: set aside, taken over, sent while they run."""

import threading
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from nephele.compute.virt.driver import BlankDisk, Guest, GuestSpec, ImageDisk, PowerState, Sent
from nephele.compute.virt.errors import DISK_SHRINKS, NOT_EXPECTED, NOT_SET_ASIDE, NOTHING_SENT, SEND_STOPPED

MB_PER_SECOND = 8192
"""How fast memory goes from host to host."""
ROUND_MB = 256
"""How much of it goes before it is looked whether somebody wants the move stopped."""
_decode = msgspec.msgpack.Decoder(GuestSpec).decode


class World(Protocol):
    """Where the guests are."""

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement, atomically, and give its rows."""
        ...


class Moves:
    """What one simulated host has set aside, expects and sends."""

    def __init__(self, world: World, host: str, sleep: Callable[[float], None]) -> None:
        self._world, self._host, self._sleep = world, host, sleep
        self._lock = threading.Lock()
        self._sending: dict[str, str] = {}
        self._left: dict[str, Sent] = {}

    # -- set aside ---------------------------------------------------------------------------------------------

    def set_aside(self) -> list[Guest]:
        """Everything that is set aside here."""
        rows = self._world.query("SELECT server_id FROM asides WHERE host = ?", self._host)
        nothing = PowerState.NOSTATE
        return [Guest(server_id=each, domain_name="", power_state=nothing, set_aside=True) for (each,) in rows]

    def put_aside(self, server_id: str, line: str) -> None:
        """The guest that is off becomes what is kept of it."""
        self._world.query(
            "INSERT OR REPLACE INTO asides SELECT host, server_id, domain_name, spec, console || ? FROM guests"
            " WHERE host = ? AND server_id = ?",
            *(line, self._host, server_id),
        )
        self._world.query("DELETE FROM guests WHERE host = ? AND server_id = ?", self._host, server_id)

    def check_aside(self, host: str, server_id: str) -> tuple[GuestSpec, str]:
        """What a host has set aside of a guest, and what its console said; raises NOT_SET_ASIDE."""
        rows = self._world.query("SELECT spec, console FROM asides WHERE host = ? AND server_id = ?", host, server_id)
        if not rows:
            raise NOT_SET_ASIDE(server_id=server_id, host=host)
        return _decode(rows[0][0]), str(rows[0][1])

    def check_arrival(self, spec: GuestSpec, origin: str) -> str:
        """The console so far of a guest whose disks fit into those of `spec`.  Raises NOT_SET_ASIDE, DISK_SHRINKS."""
        before, console = self.check_aside(origin, spec.server_id)
        sizes = {disk.device_name: _size_gb(disk.source) for disk in before.disks}
        for disk in spec.disks:
            if _size_gb(disk.source) < sizes.get(disk.device_name, 0):
                raise DISK_SHRINKS(
                    device=disk.device_name, server_id=spec.server_id, size_gb=round(_size_gb(disk.source))
                )
        return console

    def aside_console(self, server_id: str) -> str | None:
        """What the console of the guest that is set aside here said; None where none is."""
        rows = self._world.query("SELECT console FROM asides WHERE host = ? AND server_id = ?", self._host, server_id)
        return str(rows[0][0]) if rows else None

    def drop_aside(self, server_id: str) -> None:
        """Forget what is set aside."""
        self._world.query("DELETE FROM asides WHERE host = ? AND server_id = ?", self._host, server_id)

    def forget(self, server_id: str, *, keep_aside: bool) -> None:
        """Expect the guest no more, and forget what is set aside of it unless that is to be kept."""
        self._world.query("DELETE FROM expected WHERE host = ? AND server_id = ?", self._host, server_id)
        if not keep_aside:
            self.drop_aside(server_id)

    # -- sent --------------------------------------------------------------------------------------------------

    def expect(self, server_id: str, spec: bytes) -> None:
        """Be ready for a guest."""
        self._world.query("INSERT OR REPLACE INTO expected VALUES (?, ?, ?)", self._host, server_id, spec)

    def is_on(self, host: str, server_id: str) -> bool:
        """Whether a host has the guest."""
        return bool(self._world.query("SELECT 1 FROM guests WHERE host = ? AND server_id = ?", host, server_id))

    def send(self, server_id: str, host: str, memory_mb: int, line: str) -> None:
        """Copy the guest's memory, round by round, and then let it be on the other host."""
        mine = (host, server_id)
        if not self._world.query("SELECT 1 FROM expected WHERE host = ? AND server_id = ?", *mine):
            raise NOT_EXPECTED(server_id=server_id, host=host)
        with self._lock:
            self._sending[server_id] = ""
        try:
            self._copy(server_id, memory_mb)
        finally:
            with self._lock:
                self._sending.pop(server_id)
                self._left.pop(server_id, None)
        self._world.query(
            "UPDATE guests SET host = ?, console = console || ?,"
            " spec = (SELECT spec FROM expected WHERE host = ? AND server_id = ?)"
            " WHERE host = ? AND server_id = ?",
            *(host, line, *mine, self._host, server_id),
        )
        self._world.query("DELETE FROM expected WHERE host = ? AND server_id = ?", *mine)

    def _copy(self, server_id: str, memory_mb: int) -> None:
        left = memory_mb
        while left > 0 and self._sending[server_id] != "finish":
            if self._sending[server_id] == "stop":
                raise SEND_STOPPED(server_id=server_id)
            self._left[server_id] = Sent(memory_total=memory_mb << 20, memory_left=left << 20)
            self._sleep(min(left, ROUND_MB) / MB_PER_SECOND)
            left -= ROUND_MB

    def sent(self, server_id: str) -> Sent | None:
        """How far the copy is."""
        return self._left.get(server_id)

    def stop_sending(self, server_id: str) -> None:
        """Give up.  Raises NOTHING_SENT."""
        self._want(server_id, "stop")

    def finish_sending(self, server_id: str) -> None:
        """Stop the guest for the rest of its memory.  Raises NOTHING_SENT."""
        self._want(server_id, "finish")

    def _want(self, server_id: str, what: str) -> None:
        with self._lock:
            if server_id not in self._sending:
                raise NOTHING_SENT(server_id=server_id)
            self._sending[server_id] = what


def _size_gb(source: object) -> float:
    """The size that a local disk must not fall below; 0 for one that is made anew or is none."""
    if isinstance(source, ImageDisk):
        return source.size_gb
    if isinstance(source, BlankDisk) and source.kind != "swap":
        return source.size_mb / 1024
    return 0
