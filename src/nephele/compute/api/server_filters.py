"""The filters of `GET /servers`: query parameters as conditions."""

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from nephele.compute.lifecycle import states_of
from nephele.compute.model import Vm
from nephele.compute.tables import servers
from nephele.kernel.clock import parse_iso
from nephele.kernel.errors import BAD_REQUEST, FORBIDDEN
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.routing import NEVER

Condition = sa.ColumnElement[bool]
c = servers.c


def _like(column: sa.ColumnElement[Any]) -> Callable[[str], Condition]:
    """A regular expression, as upstream has it; plain words and `^words` use no regex engine."""

    def condition(text: str) -> Condition:
        if re.fullmatch(r"[\w\s-]*", text):
            return column.contains(text, autoescape=True)
        if re.fullmatch(r"\^[\w\s-]+", text):
            return sa.and_(column >= text[1:], column < text[1:] + "\U0010ffff")
        try:
            re.compile(text)
        except re.error:
            raise BAD_REQUEST(reason=f"Invalid filter: {text!r} is no regular expression.") from None
        return column.regexp_match(text)

    return condition


def _is(column: sa.ColumnElement[Any]) -> Callable[[str], Condition]:
    return lambda text: column == text


def _status(text: str) -> Condition:
    shown = [
        sa.and_(c.vm_state == vm, c.task_state.in_(tasks) if tasks else sa.true()) for vm, tasks in states_of(text)
    ]
    return sa.or_(sa.false(), *shown)


def _vm_state(text: str) -> Condition:
    return c.vm_state == text.lower()


def _integer(column: sa.ColumnElement[Any]) -> Callable[[str], Condition]:
    def condition(text: str) -> Condition:
        if not re.fullmatch(r"-?[0-9]{1,10}", text):
            raise BAD_REQUEST(reason=f"Invalid filter value {text[:40]!r}: it must be an integer.")
        return column == int(text)

    return condition


def _boolean(column: sa.ColumnElement[Any]) -> Callable[[str], Condition]:
    def condition(text: str) -> Condition:
        if text.lower() not in ("true", "false", "1", "0"):
            raise BAD_REQUEST(reason=f"Invalid filter value {text!r}. Accepted: true, false.")
        return column == (text.lower() in ("true", "1"))

    return condition


def _at_least(text: str) -> Condition:
    return c.updated_at >= _time("changes-since", text)


def _at_most(text: str) -> Condition:
    return c.updated_at <= _time("changes-before", text)


def _time(name: str, text: str) -> int:
    try:
        return parse_iso(text.replace(" ", "+"))
    except ValueError:
        raise BAD_REQUEST(
            reason=f"Invalid input for query parameter {name}. Value: {text}. It is no ISO 8601 time."
        ) from None


def _tagged(tag: str) -> Condition:
    return c.tags.cast(sa.Text).contains(f'"{tag}"', autoescape=True)


def _all_tags(text: str) -> Condition:
    return sa.and_(*(_tagged(tag) for tag in text.split(",")))


def _any_tag(text: str) -> Condition:
    return sa.or_(*(_tagged(tag) for tag in text.split(",")))


FILTERS: dict[str, Callable[[str], Condition]] = {
    "name": _like(c.name),
    "display_name": _like(c.name),
    "status": _status,
    "vm_state": _vm_state,
    "image": _is(c.image_id),
    "image_ref": _is(c.image_id),
    "flavor": lambda text: sa.func.json_extract(c.flavor, "$.id") == text,
    "uuid": _is(c.id),
    "changes-since": _at_least,
    "changes-before": _at_most,
    "reservation_id": _is(c.reservation_id),
    "access_ip_v4": _like(c.access_ip_v4),
    "access_ip_v6": _like(c.access_ip_v6),
    "tags": _all_tags,
    "tags-any": _any_tag,
    "not-tags": lambda text: ~_all_tags(text),
    "not-tags-any": lambda text: ~_any_tag(text),
    "locked": _boolean(c.locked),
    "availability_zone": _is(c.availability_zone),
    "config_drive": _boolean(c.config_drive),
    "key_name": _is(c.key_name),
    "created_at": lambda text: c.created_at >= _time("created_at", text),
    "launched_at": lambda text: c.launched_at >= _time("launched_at", text),
    "terminated_at": lambda text: c.terminated_at >= _time("terminated_at", text),
    "power_state": _integer(c.power_state),
    "task_state": _is(c.task_state),
    "user_id": _is(c.user_id),
    "progress": _integer(c.progress),
    "hostname": _like(c.hostname),
    "host": _is(c.host),
    "node": _is(c.node),
    "instance_name": lambda text: (
        c.number == (int(text[9:], 16) if re.fullmatch(r"instance-[0-9a-f]{8}", text) else -1)
    ),
    "project_id": _is(c.project_id),
    "tenant_id": _is(c.project_id),
    "launch_index": _integer(c.launch_index),
    "root_device_name": _is(c.root_device_name),
    "kernel_id": lambda text: sa.func.json_extract(c.image, "$.properties.kernel_id") == text,
    "description": _like(c.description),
    "display_description": _like(c.description),
}
"""Every filter; administrators have them in all microversions."""

_FIRST, _MORE = (2, 1), (2, 83)
FOR_USERS: dict[str, Version] = {
    **dict.fromkeys(("reservation_id", "name", "status", "image", "flavor", "changes-since"), _FIRST),
    **dict.fromkeys(("tags", "tags-any", "not-tags", "not-tags-any"), (2, 26)),
    "changes-before": (2, 66),
    "locked": (2, 73),
    **dict.fromkeys(("availability_zone", "config_drive", "key_name", "user_id", "progress"), _MORE),
    **dict.fromkeys(("created_at", "launched_at", "terminated_at"), _MORE),
    **dict.fromkeys(("power_state", "task_state", "vm_state"), _MORE),
    "hostname": (2, 90),
}
"""The filters that everybody has, from which microversion on; a user's other filters are passed over."""


NOT_FILTERS = (
    *("limit", "marker", "sort_key", "sort_dir", "all_tenants", "deleted", "soft_deleted", "ip", "ip6"),
    *("auto_disk_config", "locked_by", "ramdisk_id"),
)
QUERY = " ".join((*FILTERS, *NOT_FILTERS))
"""What a listing may be asked with."""


def conditions(call: Call) -> list[Condition]:
    """What the servers of a listing must fulfil; by default: alive, of the caller's project.

    Raises:
        BAD_REQUEST: a value that makes no sense.
        FORBIDDEN: `all_tenants` or deleted servers, asked for by somebody who may not.
    """
    admin = call.may("os_compute_api:servers:detail:get_all_tenants")
    found = [*_whose(call, admin=admin), *_alive(call, admin=admin)]
    for name in call.query.names():
        make = FILTERS.get(name) if admin or call.version >= FOR_USERS.get(name, NEVER) else None
        if make is None or (name in ("project_id", "tenant_id") and not _everyones(call)):
            continue
        if name == "status" and not admin and call.version >= (2, 38):
            _check_status(call)
        values = call.query.all(name)
        found.append(sa.or_(*(make(value) for value in values)) if len(values) > 1 else make(values[0]))
    return found


def _everyones(call: Call) -> bool:
    return "all_tenants" in call.query and call.query.get("all_tenants").lower() not in ("0", "false")


def _whose(call: Call, *, admin: bool) -> list[Condition]:
    if _everyones(call):
        if not admin:
            raise FORBIDDEN(rule="os_compute_api:servers:detail:get_all_tenants")
        return []
    return [c.project_id == call.context.project_id]


def _alive(call: Call, *, admin: bool) -> list[Condition]:
    """Deleted servers, and those deleted softly, show to administrators who ask for them, and in what changed since."""
    status = call.query.get("status").lower()
    soft = admin and call.query.flag("soft_deleted")
    if status == "deleted" or call.query.flag("deleted"):
        if not admin:
            raise FORBIDDEN(rule="os_compute_api:servers:allow_all_filters")
        softly = [] if call.query.get("soft_deleted") and not soft else [c.vm_state == Vm.SOFT_DELETED]
        return [sa.or_(c.deleted_at.is_not(None), *softly)]
    if "changes-since" in call.query:
        return []
    return [c.deleted_at.is_(None), *(() if soft else (c.vm_state != Vm.SOFT_DELETED,))]


def _check_status(call: Call) -> None:
    for text in call.query.all("status"):
        if not states_of(text) and text.upper() != "DELETED":
            raise BAD_REQUEST(reason=f"Invalid status {text!r}. Accepted: {', '.join(sorted(vm.name for vm in Vm))}.")
