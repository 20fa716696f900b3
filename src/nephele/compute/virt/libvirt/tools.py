"""Run the programs that handle disks, within limits.

A damaged or hostile image can make `qemu-img` eat memory and processor time without end; so every run has
limits of its own, and its format is always named, never guessed from what the image says of itself.
"""

import subprocess
from pathlib import Path

from nephele.compute.virt.errors import DISK_TOOL_FAILED

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 30
WAIT_SECONDS = 120


def run_tool(*words: str, on: Path, cpu_seconds: int = CPU_SECONDS, wait_seconds: float = WAIT_SECONDS) -> str:
    """Run a program on the file `on` and give what it printed; raises DISK_TOOL_FAILED with what it said."""
    limits = ["prlimit", f"--as={MEMORY_BYTES}", f"--cpu={cpu_seconds}", "--core=0", "--"]
    try:
        done = subprocess.run(
            [*limits, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=wait_seconds,
            check=False,
        )
    except FileNotFoundError:
        raise DISK_TOOL_FAILED(tool=words[0], path=on, reason="prlimit (util-linux) is not installed") from None
    except subprocess.TimeoutExpired:
        raise DISK_TOOL_FAILED(tool=words[0], path=on, reason=f"no end within {wait_seconds:g} s") from None
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"it ended with {done.returncode}"
        raise DISK_TOOL_FAILED(tool=words[0], path=on, reason=said[-500:])
    return done.stdout
