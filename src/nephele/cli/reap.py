"""`nephele reap`: removes what `nephele doctor` finds, after showing it."""

import argparse
import json

from nephele.cli.client import Client, cloud_arguments
from nephele.cli.doctor import draw


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which cloud, and whether to ask first."""
    parser.add_argument("--yes", action="store_true", help="do not ask")
    cloud_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Show, ask, remove, and show what is left."""
    client = Client(options, admin=True)
    findings = client.get("/nephele/v1/doctor")["findings"]
    if not any(finding["reaps"] for finding in findings):
        print(json.dumps({"removed": []}) if options.json else draw(findings))
        return 1 if findings else 0
    if not options.yes:
        print(draw(findings))
        if input("remove them? [y/N] ").strip().lower() != "y":
            return 1
    removed = client.post("/nephele/v1/reap", {})["removed"]
    print(json.dumps({"removed": removed}, indent=2) if options.json else f"removed {len(removed)}")
    return 1 if client.get("/nephele/v1/doctor")["findings"] else 0
