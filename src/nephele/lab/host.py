"""A hypervisor host in namespaces: started, found again, stopped.

none ──start──▶ running ──stop──▶ none
running, libvirtd killed ──start──▶ running      a new libvirtd takes over the guests that run
running, namespace kept by another folder's dead host ──start──▶ the remains end first
"""

import os
import re
import shutil
import subprocess
import time
from importlib.resources import as_file, files
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from nephele.lab import capabilities, namespaces, records
from nephele.lab.errors import (
    BAD_DIRECTORY,
    BAD_NAME,
    DIED,
    HOST_NOT_FOUND,
    MISSING_PROGRAM,
    NAME_TAKEN,
    NEEDS_ROOT,
    SILENT,
    SURVIVORS,
)
from nephele.lab.processes import end, is_alive, process, spread
from nephele.lab.records import Record
from nephele.lab.settings import FOLDERS, log, socket, write_settings
from nephele.network.agent.settings import AgentSettings

PREFIX = "nephele-"
START_SECONDS = 60.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.IGNORECASE)
_LONGEST_SOCKET = 107


class LabHost(Struct, frozen=True):
    """A running host.  As a context manager it stops at the end of the block."""

    name: str
    directory: Path

    @property
    def netns(self) -> str:
        """Its network namespace; those of its routers and DHCP servers are named `<netns>.…`."""
        return PREFIX + self.name

    @property
    def socket(self) -> Path:
        """Its libvirtd's socket, as seen from outside of the host."""
        return socket(self.directory)

    @property
    def uri(self) -> str:
        """What a libvirt client connects to, from anywhere on this machine."""
        return f"qemu+unix:///system?socket={self.socket}"

    def command(self, *words: str) -> list[str]:
        """The command that runs `words` in the host's network, with this machine's files."""
        return ["ip", "netns", "exec", self.netns, *words]

    def inner_command(self, *words: str) -> list[str]:
        """The command that runs `words` as if logged in to the host: its network, name, /run and libvirt."""
        record = records.read(self.name)
        if record is None or not record.runs:
            raise HOST_NOT_FOUND(name=self.name)
        return ["nsenter", f"--target={record.libvirtd.pid}", "--net", "--uts", "--mount", f"--wd={Path.cwd()}", *words]

    def stop(self) -> None:
        """End everything that runs in the host and remove its namespaces and files.  Stopped before: nothing to do."""
        _end_all(self.name)
        for folder in [*(self.directory / name for name in FOLDERS), AgentSettings().run_folder / self.netns]:
            shutil.rmtree(folder, ignore_errors=True)
        if self.directory.exists() and not any(self.directory.iterdir()):
            self.directory.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start_host(name: str, directory: Path) -> LabHost:
    """Start the host, or take over the one that runs under this name from this directory.

    Answers once its libvirtd does: 0.3 s, and eight more the first time on a machine.
    """
    host = LabHost(name, directory.absolute())
    _check(host)
    record = records.read(name)
    if record is not None and record.runs:
        if record.directory != host.directory:
            raise NAME_TAKEN(name=name, directory=record.directory)
        _wait_for_answer(host, record)
        return host
    if record is not None and record.directory != host.directory:
        _end_all(name)
    try:
        _wait_for_answer(host, _launch(host))
    except BaseException:
        host.stop()
        raise
    capabilities.keep(host.directory)
    return host


def find_host(name: str) -> LabHost:
    """The host of that name, running or with remains to clean up."""
    record = records.read(name)
    if record is None:
        raise HOST_NOT_FOUND(name=name)
    return LabHost(name, record.directory)


def hosts() -> list[Record]:
    """All hosts of this machine, by name."""
    return records.read_all()


def _check(host: LabHost) -> None:
    if os.geteuid() != 0:
        raise NEEDS_ROOT(user=os.geteuid())
    if not _NAME.fullmatch(host.name):
        raise BAD_NAME(name=host.name)
    for hidden in FOLDERS.values():
        if host.directory.is_relative_to(hidden):
            raise BAD_DIRECTORY(directory=host.directory, reason=f"inside the host, {hidden} is its own")
    if len(str(host.socket)) > _LONGEST_SOCKET:
        raise BAD_DIRECTORY(
            directory=host.directory, reason=f"a socket's path has {_LONGEST_SOCKET} characters at most"
        )
    for program in ("ip", "unshare", "mount", "nsenter", "taskset", "libvirtd", "virsh", "qemu-img"):
        if shutil.which(program) is None:
            raise MISSING_PROGRAM(program=program)


def _launch(host: LabHost) -> Record:
    """Start the namespaces and libvirtd; what runs in a namespace of this name already is taken over."""
    write_settings(host.directory)
    capabilities.lend(host.directory)
    namespaces.create(host.netns)
    with (
        as_file(files("nephele.lab") / "enter.sh") as script,
        (host.directory / "log" / "start.log").open("wb") as output,
    ):
        cpu = str(min(os.sched_getaffinity(0)))
        words = ("unshare", "--mount", "--uts", "sh", str(script), str(host.directory), host.name, cpu)
        child = subprocess.Popen(
            host.command(*words), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    libvirtd = process(child.pid)  # ip, unshare, sh and taskset each become the next: the pid ends as libvirtd's
    if libvirtd is None:
        raise DIED(name=host.name, log=_log_end(host))
    record = Record(host.name, host.directory, libvirtd)
    records.write(record)
    return record


def _wait_for_answer(host: LabHost, record: Record) -> None:
    deadline = time.monotonic() + START_SECONDS
    while (rest := deadline - time.monotonic()) > 0:
        if not is_alive(record.libvirtd):
            raise DIED(name=host.name, log=_log_end(host))
        if host.socket.exists() and _answers(host, rest):
            spread(record.libvirtd, os.sched_getaffinity(0))
            return
        time.sleep(0.02)
    raise SILENT(name=host.name, seconds=START_SECONDS, log=_log_end(host))


def _answers(host: LabHost, seconds: float) -> bool:
    """Whether libvirtd tells its version: it does once it knows its QEMU."""
    try:
        asked = subprocess.run(["virsh", "-c", host.uri, "version"], capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def _end_all(name: str) -> None:
    """End what runs in the host's namespaces, remove them, and then the note that they exist."""
    netns = PREFIX + name
    record = records.read(name)
    spaces = [*namespaces.below(netns), netns]
    running = [one for space in spaces for one in namespaces.members(space)]
    if record is not None:
        running.append(record.libvirtd)
    left = end(set(running))
    _reap(record)
    if left:
        raise SURVIVORS(name=name, pids=", ".join(str(one.pid) for one in left))
    for space in spaces:
        namespaces.delete(space)
    records.forget(name)


def _reap(record: Record | None) -> None:
    """Take back the ended libvirtd where it was our own child."""
    if record is None:
        return
    try:
        os.waitpid(record.libvirtd.pid, os.WNOHANG)
    except ChildProcessError:
        return  # another process started it


def _log_end(host: LabHost) -> str:
    """The last lines of what libvirtd and its start wrote."""
    lines = [
        line
        for path in (host.directory / "log" / "start.log", log(host.directory))
        if path.exists()
        for line in path.read_text(errors="replace").splitlines()
    ]
    return "; ".join(lines[-5:]) or "it wrote nothing"
