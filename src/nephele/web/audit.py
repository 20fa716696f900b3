"""Who did what, and what was refused: audit events in CADF's form (DMTF DSP0262), as Keystone emits them.

Recorded is every authentication, every refusal (401, 403), and every change that is made in the identity service or by
a caller with a role beyond `member` or a token for a domain or the system.  Bodies, query strings and tokens are never
looked at, so no secret can get in.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nephele.kernel.clock import Clock, iso_micros
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.web.routing import Api, Route

if TYPE_CHECKING:
    import falcon.asgi

Sink = Callable[[bytes], None]
"""Takes one event, as a line of JSON."""

_EVENT = "http://schemas.dmtf.org/cloud/audit/1.0/event"
_READING = ("GET", "HEAD", "OPTIONS")
_PRIVILEGED = frozenset({"admin", "manager", "service"})
_ACTIONS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
_IN_IDENTITY = {"users": "account/user", "OS-TRUST": "trust", "OS-FEDERATION": "federation"}


class AuditFile:
    """A file that events are appended to, opened anew where it was moved away.

    Args:
        path: the file; readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._file = -1
        self._inode = 0

    def __call__(self, line: bytes) -> None:
        with self._writing:
            try:
                inode = self._path.stat().st_ino
            except FileNotFoundError:
                inode = 0
            if self._file < 0 or inode != self._inode:
                self._reopen()
            os.write(self._file, line)

    def _reopen(self) -> None:
        self.close()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._inode = os.fstat(self._file).st_ino

    def close(self) -> None:
        """Give the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Audit:
    """Makes events of requests.

    Args:
        sink: where they go.
        clock: the time.
        ids: their ids.
    """

    def __init__(self, sink: Sink, clock: Clock, ids: Ids) -> None:
        self._sink, self._clock, self._ids = sink, clock, ids

    def record(
        self,
        api: Api,
        route: Route | None,
        request: "falcon.asgi.Request",
        caller: Context,
        status: int,
        refused: Refused | None,
        path: dict[str, str],
    ) -> None:
        """Write an event, if the request is one that is recorded."""
        if not _matters(api, route, request.method, caller, status):
            return
        authenticates = route is not None and route.authenticates
        event = {
            "typeURI": _EVENT,
            "eventType": "activity",
            "id": self._ids.uuid(),
            "eventTime": iso_micros(self._clock.now()) + "+0000",
            "action": "authenticate" if authenticates else _action(api, route, request.method),
            "outcome": "success" if status < 400 else "failure",
            "initiator": _initiator(request, caller),
            "target": _target(api, route, path, caller, authenticates=authenticates),
            "observer": {"typeURI": "service/security" if api.name == "identity" else f"service/{api.name}"},
            "requestPath": request.path,
            "reason": _reason(status, refused),
        }
        self._sink(msgspec.json.encode(event) + b"\n")


def _matters(api: Api, route: Route | None, method: str, caller: Context, status: int) -> bool:
    if status in (401, 403) or (route is not None and route.authenticates):
        return True
    if method in _READING:
        return False
    beyond = caller.roles & _PRIVILEGED or caller.system_scope or caller.domain_id
    return bool(api.name == "identity" or beyond)


def _initiator(request: "falcon.asgi.Request", caller: Context) -> dict[str, Any]:
    found = {
        "typeURI": "service/security/account/user",
        "id": caller.user_id or "unknown",
        "user_id": caller.user_id,
        "username": caller.user_name,
        "domain_id": caller.domain_id,
        "project_id": caller.project_id,
        "request_id": caller.request_id,
        "global_request_id": caller.global_request_id,
        "host": {"address": request.remote_addr, "agent": request.user_agent or ""},
    }
    return {name: value for name, value in found.items() if value}


def _kinds(route: Route | None) -> list[str]:
    """The path's words, without version and fields: `servers`, `action`."""
    words = route.path.split("/")[2:] if route else []
    return [word for word in words if word and not word.startswith("{")]


def _action(api: Api, route: Route | None, method: str) -> str:
    verb = _ACTIONS.get(method, "read")
    if route is not None and route.action:
        return f"update/{route.action}"
    if api.name == "identity" and route is not None:
        kind = (_kinds(route) or ["token"])[-1].removesuffix("s")
        return f"{verb}d.{kind}" if verb != "read" else verb
    return verb


def _target(
    api: Api, route: Route | None, path: dict[str, str], caller: Context, *, authenticates: bool
) -> dict[str, str]:
    ids = list(path.values())
    if authenticates:
        return {"typeURI": "service/security/account/user", "id": caller.user_id or "unknown"}
    kinds = _kinds(route)
    if api.name == "identity" and kinds:
        kind = _IN_IDENTITY.get(kinds[0], kinds[0].removesuffix("s"))
        return {"typeURI": f"data/security/{kind}", "id": ids[0] if ids else "unknown"}
    return {"typeURI": "/".join(["service", api.name, *kinds]), "id": ids[0] if ids else "unknown"}


def _reason(status: int, refused: Refused | None) -> dict[str, str]:
    """The decision; where a policy rule made it, which."""
    found = {"reasonType": "HTTP", "reasonCode": str(status)}
    rule = refused.facts.get("rule") if refused else None
    if rule:
        found |= {"policyType": "oslo.policy", "policyId": str(rule)}
    return found
