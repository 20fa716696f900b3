"""Network namespaces: enter one with the calling thread, make, list and remove them.

Sockets, `/proc/sys/net` and child processes belong to the namespace that their thread was in when they were made.
Only threads of the agent's own enter a namespace.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUN = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _set(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "setns")


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Be in namespace `name` with this thread until the block ends; empty: stay where it is."""
    if not name:
        yield
        return
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(RUN / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _set(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _set(own)
    finally:
        os.close(own)


def names() -> set[str]:
    """All named namespaces."""
    try:
        return {path.name for path in RUN.iterdir()}
    except FileNotFoundError:
        return set()


def create(name: str) -> None:
    """Make a namespace with its loopback up."""
    _ip("netns", "add", name)


def remove(name: str) -> None:
    """End our DHCP servers in it and remove it."""
    for pid in dnsmasqs(name):
        end(pid)
    _ip("netns", "delete", name)


def inode(name: str) -> int:
    """What tells namespaces apart, whatever they are called; 0 where there is none of that name."""
    try:
        return (RUN / name if name else Path("/proc/self/ns/net")).stat().st_ino
    except FileNotFoundError:
        return 0


def inode_of(pid: int) -> int:
    """The network namespace that a process is in; 0 where there is no such process, or none of ours."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0


def dnsmasqs(name: str) -> list[int]:
    """The dnsmasq processes in a namespace."""
    wanted = inode(name)
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if wanted and words(pid)[:1] == ["dnsmasq"] and inode_of(pid) == wanted]


def words(pid: int) -> list[str]:
    """A process's command line; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def end(pid: int) -> None:
    """Kill a process that has nothing to lose; gone before: fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=30)
