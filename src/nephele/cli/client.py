"""Asks a cloud, found as the `openstack` command finds it: OS_CLOUD and clouds.yaml, or a state directory."""

import argparse
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from nephele.kernel.errors import Error

NO_CLOUD = Error(
    "cli.no_cloud",
    404,
    "There is no cloud {name!r} in {places}.",
    "Set OS_CLOUD and OS_CLIENT_CONFIG_FILE, or --state-dir.",
)
CLOUD_REFUSED = Error("cli.refused", 400, "{message}")
CLOUD_AWAY = Error("cli.away", 503, "The cloud at {url} does not answer: {reason}.", "Is `nephele up` running?")


def cloud_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cloud is asked, and in which form the answer is printed."""
    parser.add_argument("--os-cloud", help="the entry of clouds.yaml (default: OS_CLOUD)")
    parser.add_argument("--state-dir", type=Path, help="the state directory of a cloud on this machine")
    parser.add_argument("--json", action="store_true", help="print JSON")


class Client:
    """A signed-in user of one cloud.

    Args:
        options: the arguments of `cloud_arguments`.
        admin: ask as administrator: where no entry is named by `--os-cloud`, as NAME-admin if there is that one.
    """

    def __init__(self, options: argparse.Namespace, *, admin: bool = False) -> None:
        entry = _find_entry(options, admin=admin)
        self._auth = entry["auth"]
        auth_url = str(self._auth["auth_url"]).rstrip("/")
        self.identity = auth_url if auth_url.endswith("/v3") else auth_url + "/v3"
        self.base = self.identity.rsplit("/identity", 1)[0]
        self.token = ""
        self._sign_in()

    def _sign_in(self) -> None:
        auth = self._auth
        user = {"name": auth["username"], "password": auth["password"], "domain": _domain(auth, "user")}
        project = {"name": auth["project_name"], "domain": _domain(auth, "project")}
        body = {
            "auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
        }
        _, headers = self._send("POST", f"{self.identity}/auth/tokens", body)
        self.token = headers["X-Subject-Token"]

    def get(self, path: str) -> Any:
        """GET below the cloud's address, such as `/nephele/v1/doctor`."""
        return self._send("GET", self.base + path, None)[0]

    def post(self, path: str, body: Any) -> Any:
        """POST below the cloud's address."""
        return self._send("POST", self.base + path, body)[0]

    def find(self, path: str, kind: str, name: str) -> str:
        """The id of a resource by its id or name, from a listing.  Raises CLOUD_REFUSED."""
        found = [thing["id"] for thing in self.get(path)[kind] if name in (thing["id"], thing["name"])]
        if len(found) != 1:
            raise CLOUD_REFUSED(message=f"{len(found)} of {kind} are called {name!r}")
        return str(found[0])

    def _send(self, method: str, url: str, body: Any) -> tuple[Any, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Auth-Token": self.token}
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the user's own URL
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null"), answer.headers
        except urllib.error.HTTPError as error:
            raise CLOUD_REFUSED(message=_message(error)) from None
        except OSError as error:
            raise CLOUD_AWAY(url=url, reason=getattr(error, "reason", error)) from None


def _message(error: urllib.error.HTTPError) -> str:
    try:
        fault = json.loads(error.read())
        return str(next(iter(fault.values()))["message"])
    except (ValueError, KeyError, TypeError, StopIteration):
        return f"{error.code} {error.reason}"


def _domain(auth: dict[str, Any], kind: str) -> dict[str, str]:
    if f"{kind}_domain_id" in auth:
        return {"id": auth[f"{kind}_domain_id"]}
    return {"name": auth.get(f"{kind}_domain_name", "Default")}


def _find_entry(options: argparse.Namespace, *, admin: bool) -> dict[str, Any]:
    name = options.os_cloud or ("" if options.state_dir else os.environ.get("OS_CLOUD")) or "nephele"
    names = [f"{name}-admin", name] if admin and not options.os_cloud else [name]
    places = _places(options)
    for place in places:
        if place.exists():
            clouds = (yaml.safe_load(place.read_text()) or {}).get("clouds", {})
            for one in names:
                if one in clouds:
                    found: dict[str, Any] = clouds[one]
                    return found
    raise NO_CLOUD(name=name, places=", ".join(map(str, places)))


def _places(options: argparse.Namespace) -> list[Path]:
    """The files that clouds are looked up in, first to last."""
    if options.state_dir:
        return [options.state_dir / "clouds.yaml"]
    given = os.environ.get("OS_CLIENT_CONFIG_FILE")
    folders = [Path(), Path.home() / ".config/openstack", Path("/etc/openstack")]
    return [Path(given)] if given else [folder / "clouds.yaml" for folder in folders]
