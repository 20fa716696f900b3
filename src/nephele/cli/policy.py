"""`nephele policy show` and `nephele policy explain`: which rules hold, and why one decides as it does."""

import argparse
import json
from typing import Any

from nephele.cli.client import CLOUD_REFUSED, Client, cloud_arguments


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to show, or whom to ask for."""
    commands = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    show = commands.add_parser("show", help="the rules that hold, and the files over the defaults")
    show.add_argument("name", nargs="?", default="", help="a part of the rules' names, or a service")
    show.add_argument("--overridden", action="store_true", help="only those that a policy file sets")
    cloud_arguments(show)
    explain = commands.add_parser("explain", help="how a decision comes about")
    explain.add_argument("rule", help="such as os_compute_api:servers:delete")
    explain.add_argument("--user", help="name or id (default: yourself, with the token that you get)")
    explain.add_argument("--user-domain", default="Default", help="the domain of a user's name")
    explain.add_argument("--project", help="what its token is for: name or id of a project")
    explain.add_argument("--project-domain", default="Default", help="the domain of a project's name")
    explain.add_argument("--domain", help="or: name of a domain")
    explain.add_argument("--system", action="store_true", help="or: the whole system")
    explain.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what it is done to, such as project_id=… (default: its own project)",
    )
    cloud_arguments(explain)


def run(options: argparse.Namespace) -> int:
    """Print the rules, or the way to a decision; `explain` exits 0 where it is yes."""
    client = Client(options, admin=True)
    if options.what == "show":
        return _show(client, options)
    answer = client.post("/nephele/v1/policy/explain", _question(client, options))
    print(json.dumps(answer, indent=2) if options.json else draw(answer))
    return 0 if answer["allowed"] else 1


def _show(client: Client, options: argparse.Namespace) -> int:
    answer = client.get("/nephele/v1/policy")
    answer["rules"] = [
        rule
        for rule in answer["rules"]
        if (options.name in rule["rule"] or options.name == rule["service"])
        and (not options.overridden or rule["check"] != rule["default"])
    ]
    print(json.dumps(answer, indent=2) if options.json else draw_rules(answer))
    return 1 if any(file["refused"] for file in answer["files"]) else 0


def draw_rules(answer: dict[str, Any]) -> str:
    """One rule a line; those that a file sets are marked, with their default."""
    lines = []
    for file in answer["files"]:
        if file["refused"]:
            lines.append(f"REFUSED, the last good rules hold: {file['refused']}")
        elif file["exists"]:
            lines.append(f"# {file['service']}: {file['path']} holds")
        if file["unknown"]:
            lines.append(f"# {file['service']}: nothing asks for {', '.join(file['unknown'])}")
    for rule in answer["rules"]:
        lines.append(f'"{rule["rule"]}": "{rule["check"]}"')
        if rule["default"] is not None and rule["check"] != rule["default"]:
            lines.append(f'    # instead of "{rule["default"]}"')
    return "\n".join(lines)


def _question(client: Client, options: argparse.Namespace) -> dict[str, Any]:
    question: dict[str, Any] = {"rule": options.rule}
    if options.target:
        question["target"] = dict(word.partition("=")[::2] for word in options.target)
    if options.user:
        query = f"?name={options.user}&domain_id={_domain(client, options.user_domain)}"
        question["user"] = {"id": _named(client, "users", options.user, query)}
        if options.system:
            question["system"] = True
        elif options.domain:
            question["domain"] = {"id": _domain(client, options.domain)}
        elif options.project:
            query = f"?name={options.project}&domain_id={_domain(client, options.project_domain)}"
            question["project"] = {"id": _named(client, "projects", options.project, query)}
        else:
            raise CLOUD_REFUSED(message="say what the user's token is for: --project, --domain or --system")
    return question


def _domain(client: Client, name: str) -> str:
    return client.find("/identity/v3/domains", "domains", name)


def _named(client: Client, kind: str, name: str, query: str) -> str:
    """The id of what has that name, or the name itself, which may be an id."""
    found = client.get(f"/identity/v3/{kind}{query}")[kind]
    return str(found[0]["id"]) if found else name


def draw(answer: dict[str, Any]) -> str:
    """The decision, then each check with how it came out."""
    said = "may" if answer["allowed"] else "may NOT"
    if "caller" not in answer:
        return f"{said} {answer['rule']}: {answer['reason']}"
    caller = answer["caller"]
    place = "the system" if caller["system"] else caller["project_id"] or caller["domain_id"] or "nothing"
    lines = [
        f"{caller['user_name'] or caller['user_id']} (roles {', '.join(caller['roles']) or 'none'}, token for {place})"
        f" {said} {answer['rule']}"
    ]
    _draw_check(answer["explanation"], 1, lines)
    if not answer["allowed"] and answer["roles_that_pass"]:
        lines.append(f"a role that would do: {', '.join(answer['roles_that_pass'])}")
    return "\n".join(lines)


def _draw_check(told: dict[str, Any], depth: int, lines: list[str]) -> None:
    why = f"  ({told['why']})" if told["why"] else ""
    lines.append(f"{'  ' * depth}{'yes' if told['passed'] else 'no '}  {told['check']}{why}")
    for part in told["parts"]:
        _draw_check(part, depth + 1, lines)
