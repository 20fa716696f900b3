"""`nephele doctor`: what is left over, stuck or overdue; exits 0 only where nothing is."""

import argparse
import json
from typing import Any

from nephele.cli.client import Client, cloud_arguments


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which cloud."""
    cloud_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the findings."""
    findings = Client(options, admin=True).get("/nephele/v1/doctor")["findings"]
    print(json.dumps({"findings": findings}, indent=2) if options.json else draw(findings))
    return 1 if findings else 0


def draw(findings: list[dict[str, Any]]) -> str:
    """A line for each finding, then what to do."""
    if not findings:
        return "healthy: nothing is left over, stuck or overdue"
    lines = [f"{finding['kind']:<36} {finding['subject']}  {finding['detail']}{_at(finding)}" for finding in findings]
    reaps = sum(finding["reaps"] for finding in findings)
    lines.append(f"{len(findings)} findings, of which `nephele reap` removes {reaps}")
    return "\n".join(lines)


def _at(finding: dict[str, Any]) -> str:
    return f"  (on {finding['host']})" if finding["host"] else ""
