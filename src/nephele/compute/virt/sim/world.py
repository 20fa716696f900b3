"""Where simulated guests live: one SQLite file for all simulated hosts of a process."""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nephele.compute.virt.driver import HostInventory
from nephele.compute.virt.sim.consoles import SimConsoles
from nephele.compute.virt.sim.driver import Fault, SimDriver
from nephele.kernel.clock import Clock, SystemClock

TRAITS = (
    "COMPUTE_DEVICE_TAGGING",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG",
    "COMPUTE_NET_VIF_MODEL_E1000",
    "COMPUTE_NET_VIF_MODEL_VIRTIO",
    "COMPUTE_NODE",
    "COMPUTE_RESCUE_BFV",
    "COMPUTE_STORAGE_BUS_IDE",
    "COMPUTE_STORAGE_BUS_SCSI",
    "COMPUTE_STORAGE_BUS_VIRTIO",
    "COMPUTE_VOLUME_ATTACH_WITH_TAG",
    "HW_CPU_X86_SSE2",
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS guests (
    host TEXT NOT NULL,
    server_id TEXT NOT NULL,
    domain_name TEXT NOT NULL,
    power_state INTEGER NOT NULL,
    spec BLOB NOT NULL,
    console TEXT NOT NULL,
    PRIMARY KEY (host, server_id),
    UNIQUE (host, domain_name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
    host TEXT NOT NULL,
    server_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (host, server_id, name)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS nothing_kept AFTER DELETE ON guests BEGIN
    DELETE FROM kept WHERE host = OLD.host AND server_id = OLD.server_id;
END;
CREATE TRIGGER IF NOT EXISTS memory_read AFTER UPDATE OF power_state ON guests WHEN NEW.power_state = 1 BEGIN
    DELETE FROM kept WHERE host = NEW.host AND server_id = NEW.server_id AND name = 'memory';
END;
CREATE TABLE IF NOT EXISTS asides (
    host TEXT NOT NULL,
    server_id TEXT NOT NULL,
    domain_name TEXT NOT NULL,
    spec BLOB NOT NULL,
    console TEXT NOT NULL,
    PRIMARY KEY (host, server_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS expected (
    host TEXT NOT NULL,
    server_id TEXT NOT NULL,
    spec BLOB NOT NULL,
    PRIMARY KEY (host, server_id)
) WITHOUT ROWID
"""
"""`kept` is what a guest has besides: the memory of one that is suspended, copies of its disk, …"""


class SimWorld:
    """The file that all simulated hosts of a process keep their guests in."""

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.consoles = SimConsoles()
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=64)
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {_SCHEMA}")

    def host(
        self,
        name: str,
        *,
        vcpus: int = 8,
        memory_mb: int = 32768,
        disk_gb: int = 500,
        delays: Mapping[str, float] | None = None,
        fault: Fault | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> SimDriver:
        """The hypervisor of the simulated host `name`; `delays` are seconds by method name."""
        inventory = HostInventory(
            hypervisor_type="sim",
            hypervisor_version=1000,
            vcpus=vcpus,
            memory_mb=memory_mb,
            disk_gb=disk_gb,
            cpu_arch="x86_64",
            cpu_model="sim64",
            cpu_vendor="Nephele",
            cpu_features=("sse2",),
            traits=TRAITS,
            supported=(("x86_64", "sim", "hvm"), ("x86_64", "qemu", "hvm")),
            virt_type="sim",
        )
        return SimDriver(self, name, inventory, delays or {}, fault, sleep)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement, atomically, and give its rows."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        """Let go of the file; the guests stay in it."""
        self.consoles.close()
        with self._lock:
            self._db.close()
