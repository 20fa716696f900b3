"""`/os-migrations` and `/servers/{id}/migrations`."""

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from nephele.compute.model import Migration, MoveType
from nephele.compute.relocating import IN_PROGRESS
from nephele.compute.tables import migrations
from nephele.compute.virt.driver import Sent
from nephele.kernel.clock import Instant, iso_micros, parse_iso
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.paging import next_href, read_limit

if TYPE_CHECKING:
    from nephele.compute.service import Compute

EVERYONES = "os_compute_api:os-migrations:index:all_projects"
HOSTS = "os_compute_api:os-migrations:index:host"
HOSTS_OF_SERVER = "os_compute_api:servers:migrations:index:host"
_c = migrations.c
FILTERS: dict[str, tuple[Version, Any]] = {
    "host": ((2, 1), lambda value: sa.or_(_c.source_host == value, _c.dest_host == value)),
    "instance_uuid": ((2, 1), lambda value: _c.server_id == value),
    "status": ((2, 1), lambda value: _c.status == value),
    "source_compute": ((2, 1), lambda value: _c.source_host == value),
    "migration_type": ((2, 1), lambda value: _c.type == value),
    "hidden": ((2, 1), lambda value: sa.false() if value.lower() in ("1", "true", "yes", "on") else sa.true()),
    "changes-since": ((2, 59), lambda value: _c.updated_at >= _time(value)),
    "changes-before": ((2, 66), lambda value: _c.updated_at <= _time(value)),
    "user_id": ((2, 80), lambda value: _c.user_id == value),
    "project_id": ((2, 80), lambda value: _c.project_id == value),
}
"""What a listing may be filtered by, since when, and how.  No migration is hidden."""
QUERY = " ".join((*FILTERS, "limit", "marker"))


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """Migrations that fulfil all filters; from 2.59 on by pages, the newest first."""
    asked = call.query.get("project_id") if call.version >= (2, 80) else ""
    if not asked or asked != call.context.project_id:
        call.enforce(EVERYONES)
    paged = call.version >= (2, 59)
    limit = read_limit(call.query) if paged else None
    marker = call.query.get("marker") if paged else ""
    found = compute.migrations.list_page(_conditions(call), limit=limit, marker=marker)
    shows_hosts = call.may(HOSTS)
    answer: dict[str, Any] = {"migrations": [_listed(move, call, shows_hosts=shows_hosts) for move in found]}
    if limit is not None and found and len(found) == limit:
        href = next_href(call, "/v2.1/os-migrations", found[-1].uuid)
        answer["migrations_links"] = [{"rel": "next", "href": href}]
    return answer


def _conditions(call: Call) -> list[Any]:
    """The filters that were asked for.  Raises BAD_REQUEST for what this version does not know, from 2.59 on."""
    known = {name for name, (since, _condition) in FILTERS.items() if call.version >= since}
    if call.version >= (2, 59):
        for name in sorted(call.query.names() - known - {"limit", "marker"}):
            raise BAD_REQUEST(
                reason=f"Invalid input for query parameters. Additional properties are not allowed ({name!r})."
            )
    times = [call.query.get(name) for name in ("changes-since", "changes-before")]
    if all(times) and call.version >= (2, 66) and _time(times[0]) > _time(times[1]):
        raise BAD_REQUEST(reason="The value of changes-since must be less than or equal to changes-before.")
    return [FILTERS[name][1](call.query.get(name)) for name in sorted(call.query.names() & known)]


def _time(text: str) -> Instant:
    try:
        return parse_iso(text.replace(" ", "+"))
    except ValueError:
        raise BAD_REQUEST(reason=f"{text!r} is no ISO 8601 time.") from None


def _listed(move: Migration, call: Call, *, shows_hosts: bool) -> dict[str, Any]:
    """As `/os-migrations` shows it."""
    body: dict[str, Any] = {
        "id": move.id,
        "instance_uuid": move.server_id,
        "status": move.status,
        "old_instance_type_id": _number(move, move.old_flavor.id),
        "new_instance_type_id": _number(move, move.new_flavor.id),
        **_hosts(move, shown=shows_hosts),
        **_times(move),
        **_who(move, call),
    }
    if call.version >= (2, 23):
        body["migration_type"] = move.type
        if move.type == MoveType.LIVE and move.status in IN_PROGRESS:
            body["links"] = _links(move, call)
    return body


def _number(move: Migration, flavor_id: str) -> int | None:
    """A flavor's id where it is a number: others have none that a client could know."""
    return int(flavor_id) if flavor_id.isdecimal() and move.type != MoveType.EVACUATION else None


def _hosts(move: Migration, *, shown: bool) -> dict[str, str | None]:
    found = {
        "source_compute": move.source_host,
        "source_node": move.source_node,
        "dest_compute": move.dest_host,
        "dest_node": move.dest_node,
        "dest_host": move.dest_ip,
    }
    return {name: (value or None) if shown else None for name, value in found.items()}


def _times(move: Migration) -> dict[str, str]:
    return {"created_at": iso_micros(move.created_at), "updated_at": iso_micros(move.updated_at)}


def _who(move: Migration, call: Call) -> dict[str, str]:
    body = {"uuid": move.uuid} if call.version >= (2, 59) else {}
    return body | ({"project_id": move.project_id, "user_id": move.user_id} if call.version >= (2, 80) else {})


def _links(move: Migration, call: Call) -> list[dict[str, str]]:
    path = f"servers/{move.server_id}/migrations/{move.id}"
    return [
        {"rel": "self", "href": f"{call.base_url}/v2.1/{path}"},
        {"rel": "bookmark", "href": f"{call.base_url}/{path}"},
    ]


# -- of one server -----------------------------------------------------------------------------------------------


def of_server(compute: "Compute", call: Call) -> dict[str, Any]:
    """The live migrations of a server that are under way."""
    found = compute.relocating.in_progress(call.context, call.path["server_id"])
    shown = call.may(HOSTS_OF_SERVER)
    return {"migrations": [_detailed(compute, move, call, shows_hosts=shown) for move in found]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One of them."""
    move = compute.relocating.show(call.context, call.path["server_id"], call.path["migration_id"])
    return {"migration": _detailed(compute, move, call, shows_hosts=True)}


def force_complete(compute: "Compute", call: Call) -> None:
    """Bring it to its end."""
    compute.relocating.force_complete(call.context, call.path["server_id"], call.path["migration_id"])


def abort(compute: "Compute", call: Call) -> None:
    """Stop it."""
    waiting = call.version >= (2, 65)
    compute.relocating.abort(call.context, call.path["server_id"], call.path["migration_id"], waiting=waiting)


def _detailed(compute: "Compute", move: Migration, call: Call, *, shows_hosts: bool) -> dict[str, Any]:
    """As `/servers/{id}/migrations` shows it; how much was copied is asked of the hypervisor."""
    sent = compute.relocating.progress(move) or Sent()
    return {
        "id": move.id,
        "server_uuid": move.server_id,
        "status": move.status,
        **_copied("memory", sent.memory_total, sent.memory_left),
        **_copied("disk", sent.disk_total, sent.disk_left),
        **_hosts(move, shown=shows_hosts),
        **_times(move),
        **_who(move, call),
    }


def _copied(what: str, total: int, left: int) -> dict[str, int | None]:
    """Bytes of memory or disks; null where there are none, or none is known."""
    amounts = {"total": total, "processed": total - left, "remaining": left}
    return {f"{what}_{part}_bytes": amount or None for part, amount in amounts.items()}
