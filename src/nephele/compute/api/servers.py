"""`/servers`: launch, list, show, change, delete."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Row

from nephele.compute.api import server_views as views
from nephele.compute.api.server_bodies import (
    CreateServerBody,
    Hostname,
    Name,
    canonical_ip,
    check_fields,
    check_hostname,
    new_server,
    truth,
)
from nephele.compute.api.server_filters import conditions
from nephele.compute.errors import CANNOT_PIN
from nephele.compute.model import Server
from nephele.compute.pictures import PICTURE, Picture
from nephele.compute.servers import SORTABLE
from nephele.compute.tables import servers
from nephele.kernel.trace import Span
from nephele.web.call import Call
from nephele.web.paging import next_href, read_limit, read_page
from nephele.web.routing import Reply

if TYPE_CHECKING:
    from nephele.compute.service import Compute

SORT_KEYS = frozenset(SORTABLE)
NEWEST_FIRST = (("created_at", True), ("id", True))
SEES_ALL = "os_compute_api:servers:allow_all_filters"
PLAIN = {"limit", "deleted"}
"""With no more than these in its query a listing is the usual one."""
SEES_HOSTS = "os_compute_api:os-extended-server-attributes"
SEES_STATUS = "os_compute_api:servers:show:host_status"


class ChangedServer(Struct, frozen=True, forbid_unknown_fields=True):
    """`server` of a `PUT /servers/{id}`."""

    name: Name | UnsetType = UNSET
    accessIPv4: str | UnsetType = UNSET  # noqa: N815
    accessIPv6: str | UnsetType = UNSET  # noqa: N815
    disk_config: str | UnsetType = field(default=UNSET, name="OS-DCF:diskConfig")
    description: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    hostname: Hostname | UnsetType = UNSET
    pinned_availability_zone: str | UnsetType | None = UNSET


NOT_OF_CHANGES = (
    "OS-EXT-",
    "OS-SRV-USG:",
    "os-extended-",
    "config_drive",
    "key_name",
    "security_groups",
    "host_status",
)
"""What the answer to a change showed only from 2.75 on."""
CHANGES_SINCE = {"description": (2, 19), "hostname": (2, 90), "pinned_availability_zone": (2, 104)}
COLUMNS = {
    "name": "name",
    "accessIPv4": "access_ip_v4",
    "accessIPv6": "access_ip_v6",
    "disk_config": "disk_config",
    "description": "description",
    "hostname": "hostname",
}


def create(compute: "Compute", call: Call) -> Reply:
    """Accept a launch; the servers build on after the answer."""
    body: CreateServerBody = call.body
    if body.server.host is not UNSET or body.server.hypervisor_hostname is not UNSET:
        call.enforce("compute:servers:create:requested_destination")
    if ":" in (body.server.availability_zone or ""):
        call.enforce("os_compute_api:servers:create:forced_host")
    password = body.server.adminPass or secrets.token_urlsafe(9)
    wanted = replace(new_server(body, call.version), admin_pass=password)
    first = compute.launching.launch(call.context, wanted, _spans(call))[0]
    if truth(body.server.return_reservation_id):
        return Reply({"reservation_id": first.reservation_id}, 202)
    groups = [{"name": group.name} for group in body.server.security_groups] or [{"name": "default"}]
    answer = {
        "id": first.id,
        "links": views.links(call, first.id),
        "OS-DCF:diskConfig": first.disk_config,
        "security_groups": groups,
        "adminPass": password,
    }
    return Reply({"server": answer}, 202, {"Location": f"{call.base_url}/v2.1/servers/{first.id}"})


def _spans(call: Call) -> tuple[Span, ...]:
    """Steps 1 to 3 of the launch, which are over by now."""
    caller = call.context
    issued = Span(
        part="keystone",
        title="authenticates the user and issues a token with the catalog",
        step=1,
        started_at=caller.token_issued_at,
        duration_us=int(caller.token_issue_ms * 1000),
        result="Success",
        detail={"user": caller.user_name, "project": caller.project_name, "methods": list(caller.auth_methods)},
    )
    received = Span(
        part="nova-api",
        title="receives the launch request with the token",
        step=2,
        started_at=call.received_at,
        duration_us=call.read_us,
        result="Success",
        detail={"request": caller.request_id, "microversion": f"{call.version[0]}.{call.version[1]}"},
    )
    validated = Span(
        part="keystone",
        title="validates the token; policy decides",
        step=3,
        started_at=call.received_at,
        duration_us=call.verify_us,
        result="Success",
        detail={"roles": sorted(caller.roles), "rule": "os_compute_api:servers:create"},
    )
    return issued, received, validated


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """The servers in brief."""
    found = _page(compute, call, servers.c.id, servers.c.name)
    bodies = [views.brief(call, server_id, name) for server_id, name in found]
    return _with_links(call, "/v2.1/servers", found, bodies)


def detail(compute: "Compute", call: Call) -> dict[str, Any]:
    """The servers in full."""
    if PLAIN.issuperset(call.query.names()) and not call.query.flag("deleted"):
        found = compute.servers.newest(call.context.project_id, read_limit(call.query))
    else:
        found = [Picture._make(row) for row in _page(compute, call, *PICTURE)]
    return _with_links(call, "/v2.1/servers/detail", found, render(compute, call, found, single=False))


def _page(compute: "Compute", call: Call, *columns: ColumnElement[Any]) -> Sequence[Row[*tuple[Any, ...]]]:
    page = read_page(call.query, SORT_KEYS, NEWEST_FIRST)
    wanted = conditions(call)
    ip, ip6 = call.query.get("ip"), call.query.get("ip6") if call.version >= (2, 5) or call.may(SEES_ALL) else ""
    if ip or ip6:
        wanted.append(compute.with_address(ip, ip6))
    return compute.servers.list_page(columns, wanted, page)


def _with_links(call: Call, path: str, servers: Sequence[Any], bodies: Sequence[Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"servers": bodies}
    limit = call.query.get("limit")
    if servers and (len(servers) >= 1000 or (limit.isdecimal() and len(servers) == int(limit))):
        answer["servers_links"] = [{"rel": "next", "href": next_href(call, path, servers[-1].id)}]
    return answer


def render(compute: "Compute", call: Call, pictures: Sequence[Picture], *, single: bool) -> list[Raw]:
    """The bodies of these servers; what they show besides their rows is read in a fixed number of queries."""
    shows_status = call.version >= (2, 16) and call.may(SEES_STATUS)
    look = views.Look(call.base_url, call.version, single, call.may(SEES_HOSTS), shows_status)
    ids = [picture.id for picture in pictures]
    addresses, volumes = compute.networks.shown_addresses(ids), compute.servers.attached(ids)
    statuses = compute.host_status() if shows_status else {}
    return [
        views.render(look, text, views.Around(addresses.get(id, ()), volumes.get(id, ()), statuses.get(host, "")))
        for id, host, text in pictures
    ]


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One server."""
    picture = compute.servers.picture(call.context, call.path["server_id"])
    return {"server": render(compute, call, [picture], single=True)[0]}


def update(compute: "Compute", call: Call) -> dict[str, Any]:
    """Change a name, a description, an address."""
    change: ChangedServer = call.body.server
    check_fields(change, call.version, CHANGES_SINCE)
    if change.hostname is not UNSET:
        check_hostname(change.hostname, call.version)
    values = {column: value for name, column in COLUMNS.items() if (value := getattr(change, name)) is not UNSET}
    for column, version in (("access_ip_v4", 4), ("access_ip_v6", 6)):
        if column in values:
            values[column] = canonical_ip(values[column], version)
    if change.pinned_availability_zone is not UNSET:
        server = compute.servers.show(call.context, call.path["server_id"])
        values["pinned_zone"] = _pin(server, change.pinned_availability_zone)
    compute.servers.update(call.context, call.path["server_id"], **values)
    body = show(compute, call)["server"]
    return {"server": body if call.version >= (2, 75) else before_2_75(body)}


def before_2_75(body: Raw) -> dict[str, Any]:
    """What the answer to a change showed of a server before 2.75."""
    named = msgspec.json.decode(body, type=dict[str, Raw])
    shown: dict[str, Any] = {name: value for name, value in named.items() if not name.startswith(NOT_OF_CHANGES)}
    networks = msgspec.json.decode(named["addresses"], type=dict[str, list[dict[str, Any]]])
    shown["addresses"] = {
        network: [{name: address[name] for name in ("version", "addr")} for address in addresses]
        for network, addresses in networks.items()
    }
    return shown


def _pin(server: Server, zone: str | None) -> str | None:
    """The zone that a server is to stay in: the one where it is, or none."""
    if zone not in (None, server.pinned_zone) and (server.pinned_zone or zone != server.availability_zone):
        raise CANNOT_PIN(server_id=server.id, zone=zone, now=server.pinned_zone, here=server.availability_zone)
    return zone


def delete(compute: "Compute", call: Call) -> None:
    """Delete it, whatever it does at the moment; softly where the settings say so."""
    compute.reclaiming.delete(call.context, call.path["server_id"])
