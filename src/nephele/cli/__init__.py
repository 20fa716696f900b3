"""The `nephele` command: one table of subcommands, each in a module of its own, imported when it runs."""

import argparse
import importlib
import sys

from nephele import __version__

COMMANDS = {
    "up": "start a cloud in the foreground: every API, the conductor, the scheduler and its hosts",
    "trace": "print how a server was launched, step by step",
    "explain": "print which hosts fit a server, and why the others do not",
    "policy": "print which policy rules hold, and why one lets a user do something or not",
    "identity": "rotate the keys that tokens are signed with",
    "doctor": "print what is left over, stuck or overdue; exits 0 only where nothing is",
    "reap": "remove what doctor finds, after showing it",
    "db": "bring the database of a stopped cloud to this version's schema",
    "guest": "build the tiny guest, a bootable image to try a cloud with",
}
"""What each subcommand is for; its module in this package has `arguments(parser)` and `run(options) -> int`."""


def main(words: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = sys.argv[1:] if words is None else words
    parser = argparse.ArgumentParser(prog="nephele", description="A cloud that speaks the OpenStack API.")
    parser.add_argument("--version", action="version", version=f"nephele {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        sub = commands.add_parser(name, help=purpose, description=purpose)
        if words[:1] == [name]:
            importlib.import_module(f"nephele.cli.{name}").arguments(sub)
    options = parser.parse_args(words)
    from nephele.kernel.errors import Refused

    try:
        return int(importlib.import_module(f"nephele.cli.{options.command}").run(options))
    except Refused as refused:
        print(f"nephele: {refused.message}", file=sys.stderr)
        if refused.error.next_step:
            print(f"         {refused.error.next_step}", file=sys.stderr)
        return 1
