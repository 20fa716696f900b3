"""Copies of a guest's disks as they are at one moment: by QEMU of a guest that runs, by qemu-img of one that is off.

A copy is made under a passing name and named when it is whole, so that one that an interruption cut off is made anew.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt

from nephele.compute.virt.driver import DiskFormat
from nephele.compute.virt.errors import DISK_MISSING, GUEST_NOT_FOUND, HYPERVISOR_REFUSED, NOT_FROZEN, SNAPSHOT_MISSING
from nephele.compute.virt.libvirt.connection import Connection, Domain
from nephele.compute.virt.libvirt.disks import virtual_size
from nephele.compute.virt.libvirt.happenings import Happenings
from nephele.compute.virt.libvirt.layout import InstanceDir
from nephele.compute.virt.libvirt.tools import run_tool
from nephele.compute.virt.libvirt.xml import add, element, parse, text_of

AGENT_SECONDS = 10
"""How long a guest's agent has to answer."""
LOOK_EVERY = 0.2
COPY_SECONDS = 3600
COPY_BYTES = 8 << 30
"""Addresses that qemu-img has for a copy: each of its up to 64 threads reserves far more than it uses."""
CPU_SECONDS = 1800
_CHUNK = 1 << 20


class Snapshots:
    """The copies on one hypervisor."""

    def __init__(self, connection: Connection, happenings: Happenings) -> None:
        self._connection = connection
        self._happenings = happenings

    def freeze(self, domain: Domain) -> bool:
        """Ask the guest's agent to hold all writes; whether it does."""
        with self._connection.asking("look after the guest", domain.UUIDString()):
            if not domain.isActive():
                return False
            try:
                domain.agentSetResponseTimeout(AGENT_SECONDS)
                domain.fsFreeze()
            except libvirt.libvirtError:
                self.thaw(domain)
                return False
        return True

    def thaw(self, domain: Domain) -> None:
        """Let the guest write on."""
        with self._connection.asking("look after the guest", domain.UUIDString()):
            if domain.isActive():
                try:
                    domain.fsThaw()
                except libvirt.libvirtError as error:
                    if error.get_error_domain() == libvirt.VIR_FROM_RPC:
                        raise

    def take(
        self,
        server_id: str,
        where: InstanceDir,
        name: str,
        device_name: str,
        *,
        must_freeze: bool,
        check: Callable[[], None],
    ) -> DiskFormat:
        """Copy a disk, from QEMU where the guest runs, from the file where it is off."""
        whole = where.snapshot(name)
        if whole.exists():
            return DiskFormat.QCOW2
        if not where.path.exists():
            raise GUEST_NOT_FOUND(server_id=server_id)
        disk = where.path / f"{device_name.removeprefix('/dev/')}.{DiskFormat.QCOW2}"
        if not disk.exists():
            raise DISK_MISSING(path=disk, server_id=server_id)
        self.drop(server_id, where, name)
        part = _part(whole)
        if not self._copy_live(server_id, disk, part, must_freeze=must_freeze, check=check):
            self._copy_cold(disk, part, check)
        part.rename(whole)
        return DiskFormat.QCOW2

    def read(self, server_id: str, where: InstanceDir, name: str) -> Iterator[bytes]:
        """The bytes of a copy."""
        whole = where.snapshot(name)
        if not whole.exists():
            raise SNAPSHOT_MISSING(server_id=server_id, name=name)
        return _chunks(whole)

    def drop(self, server_id: str, where: InstanceDir, name: str) -> None:
        """Remove a copy; where one is half made, end that and let the guest write on."""
        whole = where.snapshot(name)
        part = _part(whole)
        domain = self._connection.find(server_id) if part.exists() else None
        if domain is not None:
            self._abort(domain)
            self.thaw(domain)
        part.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)

    def _copy_live(
        self, server_id: str, disk: Path, part: Path, *, must_freeze: bool, check: Callable[[], None]
    ) -> bool:
        """Have QEMU copy the disk; false where the guest is off, or went off meanwhile."""
        domain = self._connection.find(server_id)
        if domain is None or not self._is_active(domain):
            return False
        size = virtual_size(disk, DiskFormat.QCOW2)
        run_tool("qemu-img", "create", "-q", "-f", "qcow2", str(part), str(size), on=part)
        frozen = self.freeze(domain)
        try:
            if must_freeze and not frozen:
                part.unlink()
                raise NOT_FROZEN(server_id=server_id)
            with self._connection.asking("copy the guest's disk", server_id):
                target = _target(domain, disk)
                domain.backupBegin(_backup_xml(target, part), None, libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
        finally:
            if frozen:
                self.thaw(domain)
        return self._wait(domain, server_id, check)

    def _wait(self, domain: Domain, server_id: str, check: Callable[[], None]) -> bool:
        """Wait for the copy; whether it became whole: false where the guest went off meanwhile."""
        try:
            while True:
                mark = self._happenings.mark(server_id)
                check()
                with self._connection.asking("copy the guest's disk", server_id):
                    if not domain.isActive():
                        return False
                    if domain.jobStats().get("type", libvirt.VIR_DOMAIN_JOB_NONE) == libvirt.VIR_DOMAIN_JOB_NONE:
                        break
                self._happenings.wait(server_id, mark, LOOK_EVERY)
        except BaseException:
            self._abort(domain)
            raise
        with self._connection.asking("copy the guest's disk", server_id):
            done = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
            if done.get("type") == libvirt.VIR_DOMAIN_JOB_COMPLETED:
                return True
            if not domain.isActive():
                return False
        raise HYPERVISOR_REFUSED(action="copy the guest's disk", reason=done.get("errmsg", "the copy did not end well"))

    def _is_active(self, domain: Domain) -> bool:
        with self._connection.asking("look after the guest", domain.UUIDString()):
            return bool(domain.isActive())

    def _abort(self, domain: Domain) -> None:
        """End a copy that is being made; there may be none."""
        with self._connection.asking("look after the guest", domain.UUIDString()):
            stats = domain.jobStats() if domain.isActive() else {}
            if stats.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP:
                try:
                    domain.abortJob()
                except libvirt.libvirtError as error:
                    if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:  # it has just ended
                        raise

    @staticmethod
    def _copy_cold(disk: Path, part: Path, check: Callable[[], None]) -> None:
        check()
        part.unlink(missing_ok=True)
        words = ("qemu-img", "convert", "-q", "-f", "qcow2", "-O", "qcow2", str(disk), str(part))
        limits = {"memory_bytes": COPY_BYTES, "cpu_seconds": CPU_SECONDS}
        run_tool(*words, on=disk, **limits, wait_seconds=COPY_SECONDS, check=check)


def _part(whole: Path) -> Path:
    return whole.with_name(whole.name + ".part")


def _target(domain: Domain, disk: Path) -> str:
    """What libvirt calls the disk with that file: `vda`."""
    for each in parse(domain.XMLDesc()).iterfind("./devices/disk"):
        source, target = each.find("source"), each.find("target")
        if source is not None and target is not None and source.get("file") == str(disk):
            return str(target.get("dev"))
    raise DISK_MISSING(path=disk, server_id=domain.UUIDString())


def _backup_xml(target: str, part: Path) -> str:
    """A whole copy of one disk, pushed into a file (formatbackup)."""
    root = element("domainbackup", mode="push")
    disk = add(add(root, "disks"), "disk", name=target, backup="yes", type="file")
    add(disk, "target", file=str(part))
    add(disk, "driver", type="qcow2")
    return text_of(root)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
