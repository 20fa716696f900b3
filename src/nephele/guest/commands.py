"""Runs one program to its end."""

import os
import subprocess
from pathlib import Path

from nephele.guest.errors import COMMAND_FAILED, MISSING_PROGRAM

# mke2fs, debugfs and syslinux live in sbin, which only root has on its path.
_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def run(*words: str | Path, folder: Path | None = None, given: str = "") -> str:
    """What the program printed; a program that is missing or fails is a refusal with its own words."""
    command = [str(word) for word in words]
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, cwd=folder, input=given, env=environment, capture_output=True, text=True)
    except FileNotFoundError as missing:
        raise MISSING_PROGRAM(program=command[0]) from missing
    if done.returncode != 0:
        raise COMMAND_FAILED(command=" ".join(command), output=(done.stderr or done.stdout).strip()[-500:])
    return done.stdout
