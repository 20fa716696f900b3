"""`/nephele/v1`: the trace of a launch, and why hosts do or do not fit."""

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from nephele.compute.placing import host_request
from nephele.compute.scheduler.decision import Decision
from nephele.compute.scheduler.messages import SELECT_HOST, FlavorWanted, SelectHost
from nephele.kernel.clock import iso_micros
from nephele.kernel.errors import FORBIDDEN
from nephele.kernel.trace import Span
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute


class ExplainBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A launch that is only thought of: ids of a flavor and perhaps an image, and a zone."""

    flavor: str
    image: str = ""
    availability_zone: str = ""


def trace(compute: "Compute", call: Call) -> dict[str, Any]:
    """The launch of a server, step by step."""
    action, spans = compute.actions.launch(call.context, call.path["server_id"])
    numbered = sorted((span for span in spans if span.step), key=lambda span: (span.step, span.started_at))
    return {
        "server": action.server_id,
        "request_id": action.request_id,
        "state": action.state,
        "deadline": iso_micros(action.deadline),
        "steps": [_step(span) for span in numbered],
        "states": _states(spans),
        "undone": [_step(span) for span in spans if not span.step and span.title.startswith("undo ")],
    }


def _states(spans: list[Span]) -> list[dict[str, str | None]]:
    """The states that the server showed, in order, each once in a row."""
    seen: list[dict[str, str | None]] = []
    for span in spans:
        if span.state:
            shown = {name: span.state[name] or None for name in ("vm_state", "task_state", "power_state")}
            if not seen or seen[-1] != shown:
                seen.append(shown)
    return seen


def _step(span: Span) -> dict[str, Any]:
    return {
        "step": span.step,
        "part": span.part,
        "title": span.title,
        "started_at": iso_micros(span.started_at) + "Z",
        "duration_ms": round(span.duration_us / 1000, 3),
        "host": span.host,
        "result": span.result or "Success",
        "detail": span.detail,
        "vm_state": span.state.get("vm_state"),
        "task_state": span.state.get("task_state") or None,
        "power_state": span.state.get("power_state"),
    }


def operations(compute: "Compute", call: Call) -> dict[str, Any]:
    """What is under way, with the step that it is at and when that must be over; `subject` names one thing."""
    project_id = "" if call.may("nephele:doctor") else call.context.project_id or "none"
    found = compute.engine.under_way(project_id, call.query.get("subject"))
    now = compute.clock.now()
    return {
        "operations": [
            {
                "id": it.id,
                "kind": it.kind,
                "subject": it.subject,
                "project_id": it.project_id,
                "request_id": it.request_id,
                "state": it.state,
                "step": it.step,
                "waits_for": it.after or None,
                "interrupted_by": it.interrupted_by or None,
                "started_at": iso_micros(it.created_at) + "Z",
                "deadline": iso_micros(it.deadline) + "Z",
                "seconds_left": round((it.deadline - now) / 1e6, 1),
            }
            for it in found
        ]
    }


def doctor(compute: "Compute", _call: Call) -> dict[str, Any]:
    """What is left over, stuck or overdue in the whole cloud."""
    return {"findings": [msgspec.to_builtins(finding) for finding in compute.doctor.look()]}


def reap(compute: "Compute", call: Call) -> dict[str, Any]:
    """Remove what doctor finds and can be removed."""
    return {"removed": [msgspec.to_builtins(finding) for finding in compute.doctor.reap(call.context)]}


def explain(compute: "Compute", call: Call) -> dict[str, Any]:
    """Every check of every host for a server as it is: where it could go now, and why it could not."""
    server = compute.servers.show(call.context, call.path["server_id"])
    ask = host_request(server, compute.conductor.devices(server.id), compute.conductor.membership(server))
    fault = server.fault.message if server.fault else None
    ports = [
        {"id": port.id, "network": port.network_name, "status": port.status, "reason": port.failure or None}
        for port in compute.networks.ports_of_servers([server.id])[server.id]
    ]
    return {"server": server.id, "host": server.host or None, "fault": fault, "ports": ports, **_decide(compute, ask)}


def explain_request(compute: "Compute", call: Call) -> dict[str, Any]:
    """The same for a launch that is only thought of; nothing is changed."""
    if not call.context.project_id:
        raise FORBIDDEN(rule="a project-scoped token")
    flavor = compute.flavors.show(call.context, call.body.flavor)
    image = compute.launching.images.show(call.context, call.body.image) if call.body.image else None
    ask = SelectHost(
        server_id="",
        project_id=call.context.project_id,
        user_id=call.context.user_id,
        flavor=FlavorWanted(
            name=flavor.name,
            vcpus=flavor.vcpus,
            memory_mb=flavor.ram,
            root_gb=flavor.disk,
            ephemeral_gb=flavor.ephemeral,
            swap_mb=flavor.swap,
            extra_specs=flavor.extra_specs,
        ),
        image_id=call.body.image,
        image_properties=image.properties if image else {},
        availability_zone=call.body.availability_zone,
    )
    return _decide(compute, ask)


def _decide(compute: "Compute", ask: SelectHost) -> dict[str, Any]:
    dry = msgspec.structs.replace(ask, dry_run=True, explain=True)
    selection = compute.bus.call(SELECT_HOST, dry)
    decision = selection.decision
    assert decision is not None, "a dry run has its decision"
    return {
        "fits": bool(selection.host),
        "summary": _summary(decision),
        "decision": msgspec.to_builtins(decision),
    }


def _summary(decision: Decision) -> str:
    if decision.fitting:
        return f"{decision.fitting} of {decision.hosts} hosts fit"
    return decision.summary()
