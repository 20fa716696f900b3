"""`python -m nephele.network.agent clean [--netns NS]`: remove all that the agent made in a host."""

import argparse
import sys
from pathlib import Path

from nephele.network.agent.clean import clean
from nephele.network.agent.settings import AgentSettings


def main() -> int:
    """Run the command; 1 where something could not be removed."""
    parser = argparse.ArgumentParser(prog="python -m nephele.network.agent", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("clean", help="remove all that the agent made in a host")
    command.add_argument("--netns", default="", help="the network namespace that is the host; none: this one")
    command.add_argument("--run-folder", type=Path, default=AgentSettings().run_folder)
    given = parser.parse_args()
    left = clean(AgentSettings(host_netns=given.netns, run_folder=given.run_folder))
    for what, reason in left.items():
        sys.stderr.write(f"{what or 'host'}: {reason}\n")
    return 1 if left else 0


sys.exit(main())
