"""Run the programs that handle disks, within limits.

A damaged or hostile image can make `qemu-img` eat memory and processor time without end; so every run has
limits of its own, and its format is always named, never guessed from what the image says of itself.
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from nephele.compute.virt.errors import DISK_TOOL_FAILED

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 30
WAIT_SECONDS = 120


LOOK_EVERY = 0.2
"""Seconds between two questions whether to give up."""


def run_tool(
    *words: str,
    on: Path,
    memory_bytes: int = MEMORY_BYTES,
    cpu_seconds: int = CPU_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
    check: Callable[[], None] | None = None,
) -> str:
    """Run a program on the file `on` and give what it printed; raises DISK_TOOL_FAILED with what it said.

    `check` is called now and then and may raise to give up; the program is ended then.
    """
    limits = ["prlimit", f"--as={memory_bytes}", f"--cpu={cpu_seconds}", "--core=0", "--"]
    try:
        process = subprocess.Popen(
            [*limits, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise DISK_TOOL_FAILED(tool=words[0], path=on, reason="prlimit (util-linux) is not installed") from None
    with process:
        try:
            out, err = _wait(process, wait_seconds, check)
        except subprocess.TimeoutExpired:
            raise DISK_TOOL_FAILED(tool=words[0], path=on, reason=f"no end within {wait_seconds:g} s") from None
        finally:
            process.kill()
    if process.returncode:
        said = err.strip() or out.strip() or f"it ended with {process.returncode}"
        raise DISK_TOOL_FAILED(tool=words[0], path=on, reason=said[-500:])
    return out


def _wait(process: "subprocess.Popen[str]", seconds: float, check: Callable[[], None] | None) -> tuple[str, str]:
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(timeout=left if check is None else min(left, LOOK_EVERY))
        except subprocess.TimeoutExpired:
            if check is None or time.monotonic() >= deadline:
                raise
            check()
