"""`nephele guest build [--output FILE] [--force]`."""

import argparse
from pathlib import Path

from nephele.guest import image_path


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    commands = parser.add_subparsers(dest="guest_command", required=True)
    build = commands.add_parser("build", help="make the tiny guest's disk image from Debian packages")
    build.add_argument("--output", type=Path, default=image_path(), metavar="FILE", help="default: %(default)s")
    build.add_argument("--force", action="store_true", help="build again, from packages downloaded anew")


def run(options: argparse.Namespace) -> int:
    """Do what was asked; the answer is the exit code."""
    from nephele.guest.build import build

    if options.output.exists() and not options.force:
        print(f"{options.output} is there already; --force builds it again")
        return 0
    build(options.output, fresh=options.force)
    return 0
