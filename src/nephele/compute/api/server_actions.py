"""`POST /servers/{id}/action`, and the record of what was done to a server."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from nephele.compute.actions import Action
from nephele.compute.api.server_views import host_id
from nephele.kernel.clock import iso_micros
from nephele.kernel.trace import Span
from nephele.web.call import Call
from nephele.web.paging import next_href, read_limit

if TYPE_CHECKING:
    from nephele.compute.service import Compute

SEES_EVENTS = "os_compute_api:os-instance-actions:events"
SEES_DETAILS = "os_compute_api:os-instance-actions:events:details"


class Reboot(Struct, frozen=True, forbid_unknown_fields=True):
    """How to restart."""

    type: Literal["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]


class ConsoleLines(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the console."""

    length: Annotated[int, Meta(ge=-1, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^(-?[0-9]{1,9})?$")] | None = (
        None
    )


def start(compute: "Compute", call: Call) -> None:
    """Start a server that is off."""
    compute.servers.command(call.context, call.path["server_id"], "start")


def stop(compute: "Compute", call: Call) -> None:
    """Shut a server down."""
    compute.servers.command(call.context, call.path["server_id"], "stop")


def reboot(compute: "Compute", call: Call) -> None:
    """Restart a server, softly or hard."""
    command = "reboot_hard" if call.body.type.upper() == "HARD" else "reboot"
    compute.servers.command(call.context, call.path["server_id"], command, spoken="reboot")


def pause(compute: "Compute", call: Call) -> None:
    """Freeze a server in its memory."""
    compute.servers.command(call.context, call.path["server_id"], "pause")


def unpause(compute: "Compute", call: Call) -> None:
    """Let a paused server run on."""
    compute.servers.command(call.context, call.path["server_id"], "unpause")


def suspend(compute: "Compute", call: Call) -> None:
    """Bring a server's memory to disk."""
    compute.servers.command(call.context, call.path["server_id"], "suspend")


def resume(compute: "Compute", call: Call) -> None:
    """Let a suspended server run on."""
    compute.servers.command(call.context, call.path["server_id"], "resume")


def console_output(compute: "Compute", call: Call) -> dict[str, str]:
    """What the guest wrote to its console."""
    length = call.body.length
    lines = int(length) if length not in (None, "") else 0
    output = compute.servers.console(call.context, call.path["server_id"], max(lines, 0))
    return {"output": output.decode(errors="replace")}


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """What was done to the server, newest first; of deleted ones too from 2.21 on."""
    limit = read_limit(call.query)
    found = compute.actions.list_for(
        call.context,
        call.path["server_id"],
        of_deleted=call.version >= (2, 21),
        limit=limit,
        marker=call.query.get("marker"),
        since=call.query.get("changes-since"),
        before=call.query.get("changes-before"),
    )
    answer: dict[str, Any] = {"instanceActions": [_brief(action, call) for action in found]}
    if found and "limit" in call.query and len(found) == limit and call.version >= (2, 58):
        path = f"/v2.1/servers/{call.path['server_id']}/os-instance-actions"
        answer["links"] = [{"rel": "next", "href": next_href(call, path, found[-1].request_id)}]
    return answer


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One action with its events."""
    action = compute.actions.show(
        call.context, call.path["server_id"], call.path["request_id"], of_deleted=call.version >= (2, 21)
    )
    body = _brief(action, call)
    if call.may(SEES_EVENTS) or call.version >= (2, 51):
        body["events"] = [_event(event, action, call) for event in action.events]
    return {"instanceAction": body}


def _brief(action: Action, call: Call) -> dict[str, Any]:
    body = {
        "action": action.name,
        "instance_uuid": action.server_id,
        "request_id": action.request_id,
        "user_id": action.user_id,
        "project_id": action.project_id,
        "start_time": iso_micros(action.started_at),
        "message": action.message,
    }
    if call.version >= (2, 58):
        body["updated_at"] = iso_micros(action.updated_at)
    return body


def _event(event: Span, action: Action, call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {
        "event": event.event,
        "start_time": iso_micros(event.started_at),
        "finish_time": iso_micros(event.started_at + event.duration_us),
        "result": event.result or None,
    }
    trusted = call.may(SEES_EVENTS)
    if trusted:
        body["traceback"] = str(event.detail.get("error", "")) or None
    if call.version >= (2, 62):
        body["hostId"] = host_id(action.project_id, action.host)
        if trusted:
            body["host"] = action.host
    if call.version >= (2, 84) and call.may(SEES_DETAILS):
        body["details"] = str(event.detail.get("error", "")) or None
    return body
