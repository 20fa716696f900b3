"""`/os-security-groups` and `/os-security-group-rules` as Nova had them before 2.36, and a server's groups.

The groups are Neutron's; here they are only shown and changed in Nova's words: rules are of what comes in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from nephele.kernel.errors import BAD_REQUEST, Error, Refused
from nephele.network.model import SecurityGroup, SecurityRule
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
Port = int | Annotated[str, Meta(pattern=r"^-?[0-9]*$")] | None
Owners = dict[str, tuple[str, str]]
"""Each group's name and project."""

GROUP_REFUSED = Error("security_group.refused", 400, "{reason}")
GROUP_MISSING = Error("security_group.missing", 404, "{reason}")
GROUP_LIMIT = Error("security_group.limit", 403, "{reason}")


class NewGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """`security_group` of a creation or a change."""

    name: Name
    description: Annotated[str, Meta(max_length=255)] | None = None


class NewRule(Struct, frozen=True, forbid_unknown_fields=True):
    """`security_group_rule` of a creation."""

    parent_group_id: str
    ip_protocol: str | None = None
    from_port: Port = None
    to_port: Port = None
    cidr: str | None = None
    group_id: str | None = None


class GroupName(Struct, frozen=True, forbid_unknown_fields=True):
    """Which group a server is to have, or no more."""

    name: Name


def _uuid(text: str) -> str:
    """An id, which is a uuid.  Raises BAD_REQUEST."""
    try:
        UUID(text)
    except ValueError:
        raise BAD_REQUEST(reason=f"Security group id should be uuid: {text}") from None
    return text


@contextmanager
def in_novas_words() -> Iterator[None]:
    """Neutron's refusals with the statuses that Nova has for them: a conflict is bad input, a quota a limit."""
    try:
        yield
    except Refused as refused:
        if refused.error.name == "OverQuota":
            raise GROUP_LIMIT(reason=refused.message) from None
        if refused.status == 409:
            raise GROUP_REFUSED(reason=refused.message) from None
        if refused.status == 404:
            raise GROUP_MISSING(reason=refused.message) from None
        raise


# -- groups ------------------------------------------------------------------------------------------------------


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """The project's groups; of all projects with `all_tenants`, for administrators."""
    found = compute.networks.groups.list_all(call.context, everyone=call.query.flag("all_tenants"))
    return {"security_groups": group_views(compute, call, found)}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One group."""
    with in_novas_words():
        group = compute.networks.groups.get(call.context, _uuid(call.path["group_id"]))
    return {"security_group": group_views(compute, call, [group])[0]}


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """A new group."""
    new: NewGroup = call.body.security_group
    with in_novas_words():
        group = compute.networks.groups.create(call.context, new.name, new.description or "")
    return {"security_group": group_views(compute, call, [group])[0]}


def update(compute: "Compute", call: Call) -> dict[str, Any]:
    """Another name and description."""
    new: NewGroup = call.body.security_group
    with in_novas_words():
        group = compute.networks.groups.change(
            call.context, _uuid(call.path["group_id"]), new.name, new.description or ""
        )
    return {"security_group": group_views(compute, call, [group])[0]}


def delete(compute: "Compute", call: Call) -> None:
    """Remove a group that nothing uses."""
    with in_novas_words():
        compute.networks.groups.delete(call.context, _uuid(call.path["group_id"]))


# -- rules -------------------------------------------------------------------------------------------------------


def create_rule(compute: "Compute", call: Call) -> dict[str, Any]:
    """Let something in."""
    new: NewRule = call.body.security_group_rule
    ports = (_port(new.from_port), _port(new.to_port))
    if new.group_id and new.cidr:
        raise BAD_REQUEST(reason="A rule lets in either a group or a cidr.")
    if new.ip_protocol is not None and None in ports and ports != (None, None):
        raise BAD_REQUEST(reason="Invalid port range: from_port and to_port belong together.")
    with in_novas_words():
        rule = compute.networks.groups.let_in(
            call.context,
            _uuid(new.parent_group_id),
            protocol=new.ip_protocol,
            ports=ports,
            cidr=_cidr(new.cidr),
            remote_group_id=new.group_id,
        )
    owners = compute.networks.groups.owners(call.context, [new.group_id] if new.group_id else [])
    return {"security_group_rule": _rule(rule, owners)}


def delete_rule(compute: "Compute", call: Call) -> None:
    """Let it in no more."""
    with in_novas_words():
        compute.networks.groups.delete_rule(call.context, _uuid(call.path["rule_id"]))


def _port(value: int | str | None) -> int | None:
    """-1 is any of them."""
    number = int(value) if value not in (None, "", "-") else None
    return None if number == -1 else number


def _cidr(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise BAD_REQUEST(reason=f"Invalid cidr {text}.") from None


# -- a server's --------------------------------------------------------------------------------------------------


def of_server(compute: "Compute", call: Call) -> dict[str, Any]:
    """The groups of a server's ports, with their rules."""
    server = compute.servers.show(call.context, call.path["server_id"])
    found = compute.networks.groups.of_server(call.context, server.id)
    return {"security_groups": group_views(compute, call, found)}


def add(compute: "Compute", call: Call) -> None:
    """Let a server's ports have a group."""
    server = compute.servers.show(call.context, call.path["server_id"])
    with in_novas_words():
        compute.networks.groups.give(call.context, server.id, call.body.name)


def remove(compute: "Compute", call: Call) -> None:
    """Take a group from a server's ports."""
    server = compute.servers.show(call.context, call.path["server_id"])
    with in_novas_words():
        compute.networks.groups.take(call.context, server.id, call.body.name)


# -- views -------------------------------------------------------------------------------------------------------


def group_views(compute: "Compute", call: Call, groups: list[SecurityGroup]) -> list[dict[str, Any]]:
    """Groups with their ingress rules, in Nova's words."""
    wanted = {rule.remote_group_id for group in groups for rule in group.rules if rule.remote_group_id}
    owners = compute.networks.groups.owners(call.context, wanted)
    return [
        {
            "id": group.id,
            "name": group.name,
            "description": group.description,
            "tenant_id": group.project_id,
            "rules": [_rule(rule, owners) for rule in group.rules if rule.direction == "ingress"],
        }
        for group in groups
    ]


def _rule(rule: SecurityRule, owners: Owners) -> dict[str, Any]:
    first, last = rule.port_range_min, rule.port_range_max
    if rule.protocol and first is None and last is None:
        first, last = (1, 65535) if rule.protocol in ("tcp", "udp") else (-1, -1)
    group, ip_range = {}, {}
    if rule.remote_group_id:
        name, project_id = owners.get(rule.remote_group_id, ("", ""))
        group = {"name": name, "tenant_id": project_id}
    else:
        ip_range = {"cidr": rule.remote_ip_prefix or ("::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0")}
    return {
        "id": rule.id,
        "parent_group_id": rule.security_group_id,
        "ip_protocol": rule.protocol,
        "from_port": first,
        "to_port": last,
        "group": group,
        "ip_range": ip_range,
    }
