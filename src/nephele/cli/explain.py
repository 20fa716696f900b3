"""`nephele explain SERVER`, or `--flavor F --image I`: hosts and checks, and why no host fits."""

import argparse
import json
from typing import Any

from nephele.cli.client import Client, cloud_arguments
from nephele.cli.trace import server_id


def arguments(parser: argparse.ArgumentParser) -> None:
    """A server that is there, or one that is only thought of."""
    parser.add_argument("server", nargs="?", help="name or id")
    parser.add_argument("--flavor", help="name or id: explain a launch that is only thought of")
    parser.add_argument("--image", help="name or id of its image")
    parser.add_argument("--availability-zone", default="", help="where it should be")
    cloud_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table; nothing is changed."""
    client = Client(options)
    if options.server:
        answer = client.get(f"/nephele/v1/servers/{server_id(client, options.server)}/explain")
    elif options.flavor:
        answer = client.post("/nephele/v1/explain", _request(client, options))
    else:
        print("nephele explain: name a server, or --flavor and --image")
        return 2
    print(json.dumps(answer, indent=2) if options.json else draw(answer))
    return 0


def _request(client: Client, options: argparse.Namespace) -> dict[str, str]:
    body = {
        "flavor": client.find("/compute/v2.1/flavors", "flavors", options.flavor),
        "availability_zone": options.availability_zone,
    }
    if options.image:
        body["image"] = client.find("/image/v2/images", "images", options.image)
    return body


def draw(answer: dict[str, Any]) -> str:
    """Hosts and checks: those that fit with their weights, best first."""
    lines = [answer["summary"]]
    if answer.get("fault"):
        lines.append(f"fault: {answer['fault']}")
    if answer.get("host"):
        lines.append(f"it is on {answer['host']}")
    lines += [f"port {port['id']}: {port['reason']}" for port in answer.get("ports", ()) if port["reason"]]
    decision = answer["decision"]
    for host in decision["best"]:
        weights = ", ".join(f"{name} {value:.2f}" for name, value in host["weights"].items())
        lines.append(f"  fits     {host['host']:<24} weight {host['weight']:.2f}  ({weights})")
    for host in decision["refused"]:
        lines.append(f"  refused  {host['host']}")
        for verdict in host["verdicts"]:
            refusal = verdict["refusal"]
            said = "passed" if refusal is None else f"{refusal['reason']}{_figures(refusal)}"
            lines.append(f"             {verdict['check']:<34} {said}")
    return "\n".join(lines)


def _figures(refusal: dict[str, Any]) -> str:
    if refusal.get("need") is None:
        return f": {refusal['detail']}" if refusal.get("detail") else ""
    return f": need {refusal['need']} {refusal['unit']}, has {refusal['have']} {refusal['unit']}"
