"""Processes by pid and start time, so that a signal never reaches a stranger that was given the same pid."""

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct


class Process(Struct, frozen=True):
    """One process, for as long as it lives; `started` is in clock ticks since the machine's boot."""

    pid: int
    started: int


def process(pid: int) -> Process | None:
    """The process that has `pid` now; None where there is none, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else Process(pid, int(fields[18]))


def is_alive(one: Process) -> bool:
    """Whether `one` still runs, and it is that same process."""
    return process(one.pid) == one


def spread(one: Process, cpus: set[int]) -> None:
    """Let all threads of a process run on these processors."""
    for task in Path(f"/proc/{one.pid}/task").glob("*"):
        try:
            os.sched_setaffinity(int(task.name), cpus)
        except ProcessLookupError:
            continue  # a thread that has just ended


def end(processes: Iterable[Process], grace: float = 3.0) -> list[Process]:
    """Ask the processes to end, and kill those that have not after `grace` seconds.  Answers who is left."""
    with ExitStack() as stack:
        left: dict[int, Process] = {}
        for one in processes:
            handle = _open(one)
            if handle is not None:
                stack.callback(os.close, handle)
                left[handle] = one
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            for handle in left:
                _send(handle, number)
            _wait(left, seconds)
        return list(left.values())


def _open(one: Process) -> int | None:
    try:
        handle = os.pidfd_open(one.pid)
    except ProcessLookupError:
        return None
    if is_alive(one):  # asked after opening: from here on the handle can't come to mean another process
        return handle
    os.close(handle)
    return None


def _send(handle: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return  # it ended by itself; `_wait` sees that


def _wait(left: dict[int, Process], seconds: float) -> None:
    """Take out of `left` what ends within `seconds`."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    for handle in left:
        poll.register(handle, select.POLLIN)
    while left and (rest := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(rest * 1000):
            poll.unregister(handle)
            del left[handle]
