"""`python -m nephele.lab start|stop|list|exec`: hosts from a shell."""

import argparse
import os
import sys
from pathlib import Path

from nephele.kernel.errors import Refused
from nephele.kernel.paths import cache_folder
from nephele.lab.host import find_host, hosts, start_host


def main(words: list[str] | None = None) -> int:
    """Do what was asked; the answer is the exit code."""
    asked = _parser().parse_args(words)
    try:
        if asked.command == "list":
            _list()
        elif asked.command == "start":
            host = start_host(asked.name, asked.directory or cache_folder() / "lab" / asked.name)
            print(f"{host.name} runs: namespace {host.netns}, libvirt {host.uri}")
        elif asked.command == "stop":
            for name in asked.names:
                find_host(name).stop()
        else:
            _become(asked.name, asked.words)
    except Refused as refusal:
        print(refusal.message, refusal.error.next_step, sep="\n", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nephele.lab", description="Hypervisor hosts on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start a host, or take over the one that runs")
    start.add_argument("name")
    start.add_argument("--directory", type=Path, help="where its files go (default: ~/.cache/nephele/lab/NAME)")
    stop = commands.add_parser("stop", help="end hosts and all that runs in them, and remove their files")
    stop.add_argument("names", nargs="+", metavar="name")
    commands.add_parser("list", help="the hosts of this machine")
    inside = commands.add_parser("exec", help="run a command inside a host")
    inside.add_argument("name")
    inside.add_argument("words", nargs="+", metavar="command")
    return parser


def _list() -> None:
    for record in hosts():
        state = f"libvirtd {record.libvirtd.pid}" if record.runs else "libvirtd is dead"
        print(f"{record.name:<20} {state:<20} {record.directory}")


def _become(name: str, words: list[str]) -> None:
    command = find_host(name).inner_command(*words)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
