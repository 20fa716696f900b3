"""`nephele guest build [--output FILE] [--force]`."""

import argparse
import sys
from pathlib import Path

from nephele.guest import image_path
from nephele.kernel.errors import Refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    commands = parser.add_subparsers(dest="guest_command", required=True)
    build = commands.add_parser("build", help="make the tiny guest's disk image from Debian packages")
    build.add_argument("--output", type=Path, default=image_path(), metavar="FILE", help="default: %(default)s")
    build.add_argument("--force", action="store_true", help="build again, from packages downloaded anew")


def execute(asked: argparse.Namespace) -> int:
    """Do what was asked; the answer is the exit code."""
    from nephele.guest.build import build

    if asked.output.exists() and not asked.force:
        print(f"{asked.output} is there already; --force builds it again")
        return 0
    try:
        build(asked.output, fresh=asked.force)
    except Refused as refusal:
        print(refusal.message, refusal.error.next_step, sep="\n", file=sys.stderr)
        return 1
    return 0


def main(words: list[str] | None = None) -> int:
    """The command by itself."""
    parser = argparse.ArgumentParser(prog="nephele guest", description="The tiny guest.")
    add_arguments(parser)
    return execute(parser.parse_args(words))
