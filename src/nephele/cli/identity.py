"""`nephele identity keys` and `nephele identity rotate-keys`: the keys that tokens are signed with."""

import argparse
import json
from typing import Any

from nephele.cli.client import Client, cloud_arguments

_KEYS = "/nephele/v1/identity/keys"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do."""
    commands = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, purpose in (
        ("keys", "which key signs, and until when older ones verify"),
        ("rotate-keys", "sign with a new key from now on; tokens that are out stay good until they expire"),
    ):
        cloud_arguments(commands.add_parser(name, help=purpose))


def run(options: argparse.Namespace) -> int:
    """Print the keys as they are afterwards."""
    client = Client(options, admin=True)
    answer = client.post(_KEYS, {}) if options.what == "rotate-keys" else client.get(_KEYS)
    print(json.dumps(answer, indent=2) if options.json else draw(answer))
    return 0


def draw(answer: dict[str, Any]) -> str:
    """One key a line, the newest first."""
    return "\n".join(
        f"{key['id']}  made {key['created_at']}  "
        + ("signs" if key["signs"] else f"verifies until {key['verifies_until']}")
        for key in answer["keys"]
    )
