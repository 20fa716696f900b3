"""Network namespaces by name, through the `ip` program."""

import subprocess
from pathlib import Path

from nephele.lab.processes import Process, process

RUN = Path("/run/netns")


def exists(name: str) -> bool:
    """Whether there is a network namespace of that name."""
    return (RUN / name).exists()


def create(name: str) -> None:
    """Make the namespace with its loopback up; one that is there stays as it is."""
    if not exists(name):
        _ip("netns", "add", name)
    _ip("-n", name, "link", "set", "lo", "up")


def members(name: str) -> list[Process]:
    """All processes that are in the namespace."""
    pids = _ip("netns", "pids", name).split() if exists(name) else []
    return [one for one in map(process, map(int, pids)) if one is not None]


def delete(name: str) -> None:
    """Remove the namespace, and with it every link, bridge and tap in it."""
    if exists(name):
        _ip("netns", "delete", name)


def below(name: str) -> list[str]:
    """Namespaces that belong to namespace `name`: routers and DHCP servers, named `NAME.<anything>`."""
    return sorted(path.name for path in RUN.glob(f"{name}.*"))


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30).stdout
