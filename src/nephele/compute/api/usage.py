"""`/os-simple-tenant-usage`."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nephele.compute.usage import HOUR, ServerUsage
from nephele.kernel.clock import Instant, parse_iso, to_datetime
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call
from nephele.web.paging import next_href, read_limit

if TYPE_CHECKING:
    from nephele.compute.service import Compute

FORMS = ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
FOUR_WEEKS: Instant = 28 * 24 * HOUR
PAGE = 1000


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """All projects' usage; with `detailed`, by server."""
    path = "/v2.1/os-simple-tenant-usage"
    found, start, end, links = _page(compute, call, "", path)
    by_project: dict[str, list[ServerUsage]] = defaultdict(list)
    for one in found:
        by_project[one.project_id].append(one)
    detailed = call.query.get("detailed") == "1"
    usages = [_sum(project_id, mine, start, end, detailed=detailed) for project_id, mine in by_project.items()]
    return {"tenant_usages": usages, **({"tenant_usages_links": links} if links else {})}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One project's usage, by server; nothing for one that had no servers."""
    project_id = call.path["tenant_id"]
    call.enforce("os_compute_api:os-simple-tenant-usage:show", {"project_id": project_id})
    found, start, end, links = _page(compute, call, project_id, f"/v2.1/os-simple-tenant-usage/{project_id}")
    usage = _sum(project_id, found, start, end, detailed=True) if found else {}
    return {"tenant_usage": usage, **({"tenant_usage_links": links} if links else {})}


def _page(
    compute: "Compute", call: Call, project_id: str, path: str
) -> tuple[list[ServerUsage], Instant, Instant, list[dict[str, str]]]:
    """The servers of this page, the span that they are asked for, and from 2.40 on the link to the next page."""
    now = compute.clock.now()
    start, end = _time(call, "start", now - FOUR_WEEKS), _time(call, "end", now)
    if start >= end:
        raise BAD_REQUEST(reason="Invalid start time. The start time cannot occur after the end time.")
    if call.version < (2, 40):
        return compute.usages.between(start, end, now, project_id=project_id), start, end, []
    limit = read_limit(call.query, PAGE)
    marker = call.query.get("marker")
    found = compute.usages.between(start, end, now, project_id=project_id, marker=marker, limit=limit)
    links = (
        [{"rel": "next", "href": next_href(call, path, found[-1].server_id)}] if len(found) == limit and found else []
    )
    return found, start, end, links


def _time(call: Call, name: str, default: Instant) -> Instant:
    text = call.query.get(name)
    if not text:
        return default
    for form in FORMS:
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp() * 1_000_000)
        except ValueError:
            continue
    try:
        return parse_iso(text.replace(" ", "+"))
    except ValueError:
        raise BAD_REQUEST(reason=f"Datetime is in invalid format: {name}={text}.") from None


def _sum(project_id: str, found: list[ServerUsage], start: Instant, end: Instant, *, detailed: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "tenant_id": project_id,
        "start": _shown(start),
        "stop": _shown(end),
        "total_hours": sum(one.hours for one in found),
        "total_vcpus_usage": sum(one.hours * one.flavor.vcpus for one in found),
        "total_memory_mb_usage": sum(one.hours * one.flavor.ram for one in found),
        "total_local_gb_usage": sum(one.hours * one.disk_gb for one in found),
    }
    return body | {"server_usages": [_server(one) for one in found]} if detailed else body


def _server(one: ServerUsage) -> dict[str, Any]:
    return {
        "instance_id": one.server_id,
        "name": one.name,
        "tenant_id": one.project_id,
        "flavor": one.flavor.name,
        "vcpus": one.flavor.vcpus,
        "memory_mb": one.flavor.ram,
        "local_gb": one.disk_gb,
        "state": one.state,
        "started_at": _shown(one.started_at),
        "ended_at": _shown(one.ended_at) if one.ended_at else None,
        "hours": one.hours,
        "uptime": one.uptime,
    }


def _shown(instant: Instant) -> str:
    """With microseconds and no zone, as this call always had it."""
    return to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S.%f")
