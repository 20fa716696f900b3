"""`nephele trace SERVER`: the launch of a server, step by step."""

import argparse
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nephele.cli.client import Client, cloud_arguments


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which server."""
    parser.add_argument("server", help="name or id")
    cloud_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the trace."""
    client = Client(options)
    trace = client.get(f"/nephele/v1/servers/{server_id(client, options.server)}/trace")
    print(json.dumps(trace, indent=2) if options.json else draw(trace))
    return 0


def server_id(client: Client, name: str) -> str:
    """The id of a server by its name or id; an id may be that of a deleted server."""
    if len(name) == 36 and name.count("-") == 4:
        return name
    return client.find(f"/compute/v2.1/servers?name={quote('^' + re.escape(name))}", "servers", name)


def draw(trace: dict[str, Any]) -> str:
    """The trace as aligned lines: step, part, start, duration, what happened, the states after it."""
    lines = [f"server {trace['server']}   request {trace['request_id']}   {trace['state']}", ""]
    if not trace["steps"]:
        return "\n".join([*lines, "nothing was recorded yet"])
    begin = next((step for step in trace["steps"] if step["step"] == 2), trace["steps"][0])["started_at"]
    lines.append(f"{'#':>2}  {'part':<15} {'at ms':>9} {'took ms':>9}  what happened")
    for step in trace["steps"]:
        mark = " " if step["result"] == "Success" else "!"
        at = (_time(step["started_at"]) - _time(begin)).total_seconds() * 1000
        lines.append(
            f"{step['step']:>2}{mark} {step['part']:<15} {at:>9.1f} {step['duration_ms']:>9.1f}"
            f"  {step['title']}{_detail(step['detail'])}"
        )
    lines += ["", "states  " + " → ".join(map(_state, trace["states"]))]
    lines += [f"undone  {step['title']} ({step['result']})" for step in trace["undone"]]
    return "\n".join(lines)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _detail(detail: dict[str, Any]) -> str:
    words = [f"{name} {_word(value)}" for name, value in detail.items() if value not in ("", [], None)]
    return f"  ({', '.join(words)})" if words else ""


def _word(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _state(shown: dict[str, str | None]) -> str:
    return f"{shown['vm_state']}/{shown['task_state'] or 'none'}/{(shown['power_state'] or '').lower()}"
