"""The table of routes: what each service answers, one line an operation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nephele.kernel.policy import Policy
from nephele.web.faults import FaultFormat
from nephele.web.microversions import Version, Versions

PUBLIC = "public"
"""The rule of routes that need no token."""
ANYONE = ""
"""The rule of routes that any verified token may use."""

NEVER = (9999, 0)
"""Later than any microversion."""
Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    `handler(service, call)` answers with the body (a dict, a Struct, bytes or None) or a `Reply`.
    Handlers are plain functions, run where the request came in; those marked `waits` run in a
    thread because they hash passwords or the like, and coroutines stream.

    Args:
        method: HTTP method.
        path: below the service's prefix, with `{fields}`.
        handler: what answers.
        rule: the policy rule asked for before the handler runs, with the caller's own project as target.
        body: type of the JSON body, checked before the handler runs; `bytes`: unread; None: there is none.
        action: for `…/action` routes: the key of the body that names the action.
        status: HTTP status of the plain answer.
        since: the first microversion that has this route.
        until: the last microversion that has it.
        waits: runs in a thread.
        authenticates: it is a sign-in: recorded whatever comes of it.
        query: the query parameters that it has, in one string.
        strict: the first microversion in which any other is refused; None: as the service has it.
    """

    method: str
    path: str
    handler: Handler
    rule: str = ANYONE
    body: Any = None
    action: str = ""
    status: int = 200
    since: Version = (0, 0)
    until: Version = (9, 999)
    waits: bool = False
    authenticates: bool = False
    query: str = ""
    strict: Version | None = None


@dataclass(frozen=True)
class Api:
    """One service's HTTP face.

    Args:
        name: service type as in the microversion header: `compute`.
        prefix: where it is mounted: `/compute`.
        service: what its handlers get as first argument.
        routes: its table.
        faults: the form of its error bodies.
        policy: its rules.
        versions: its microversions, if it has any.
        max_body: bytes accepted in a JSON body.
        project_prefix: paths below this may be followed by a project id, which is checked and dropped:
            `/v2.1` makes `/v2.1/{project_id}/servers` another name of `/v2.1/servers`.
        exact_paths: a path with a slash too many at its end is not there.
        strict: the first microversion in which query parameters that a route doesn't have are refused.
        hides_methods: a method that a path does not have is answered with 404 instead of 405, as Nova's router does.
    """

    name: str
    prefix: str
    service: object
    routes: list[Route]
    faults: FaultFormat
    policy: Policy
    versions: Versions | None = None
    max_body: int = 114_688
    project_prefix: str = ""
    exact_paths: bool = False
    hides_methods: bool = False
    strict: Version = NEVER


@dataclass(slots=True)
class Reply:
    """An answer with a status or headers of its own."""

    body: Any = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = ""
