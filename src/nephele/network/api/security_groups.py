"""Security groups and their rules in the API."""

from typing import Any

import msgspec
import sqlalchemy as sa

from nephele.network import tables
from nephele.network.api.kind import ID, STANDARD, Kind, Values
from nephele.network.api.networks import shared_filter
from nephele.network.attributes import Attribute, Bad, boolean, ip_or_cidr, maybe, one_of, text
from nephele.network.default_rules import DEFAULT_RULES, create_default_rule, delete_default_rule
from nephele.network.model import DefaultRule, SecurityGroup, SecurityRule
from nephele.network.records import BLANK
from nephele.network.security_groups import (
    GROUPS,
    RULES,
    NewRule,
    change_group,
    create_group,
    create_rules,
    default_group,
    delete_group,
    delete_rule,
    has_default,
    read_protocol,
)
from nephele.network.work import Work


def _ensure_default(work: Work) -> None:
    """The caller's project has its default group before it looks for it."""
    if work.me and not has_default(work, work.me):
        with work.core.writing(work.context) as writing:
            default_group(writing, work.me)


def _port(value: Any) -> int | None:
    if value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise Bad(f"'{value}' is not an integer") from None


def _prefix(value: Any) -> str | None:
    """An address, or a network; null, or all of them, is none."""
    return None if value in (None, "") else ip_or_cidr(value)


def _ethertype(value: Any) -> str:
    return "IPv4" if value is None else str(one_of("IPv4", "IPv6")(value))


RULE = Kind(
    "security_group_rule",
    "security_group_rules",
    "security-group-rules",
    RULES,
    (
        ID,
        *STANDARD,
        Attribute("security_group_id", text(36)),
        Attribute("direction", one_of("ingress", "egress")),
        Attribute("ethertype", _ethertype, "IPv4"),
        Attribute("protocol", read_protocol, None),
        Attribute("port_range_min", _port, None),
        Attribute("port_range_max", _port, None),
        Attribute("remote_ip_prefix", _prefix, None),
        Attribute("normalized_cidr"),
        Attribute("remote_group_id", maybe(text(36)), None),
        Attribute("remote_address_group_id", maybe(text(36)), None),
        Attribute("belongs_to_default_sg"),
    ),
    create_many=lambda work, drafts: create_rules(work, [NewRule(**draft) for draft in drafts]),
    delete=delete_rule,
)


DEFAULT_RULE = Kind(
    "default_security_group_rule",
    "default_security_group_rules",
    "default-security-group-rules",
    DEFAULT_RULES,
    (
        ID,
        Attribute("description", text(255), ""),
        Attribute("direction", one_of("ingress", "egress")),
        Attribute("ethertype", _ethertype, "IPv4"),
        Attribute("protocol", read_protocol, None),
        Attribute("port_range_min", _port, None),
        Attribute("port_range_max", _port, None),
        Attribute("remote_ip_prefix", _prefix, None),
        Attribute("remote_group_id", maybe(text(36)), None),
        Attribute("remote_address_group_id", maybe(text(36)), None),
        Attribute("used_in_default_sg", boolean, False),
        Attribute("used_in_non_default_sg", boolean, True),
    ),
    lambda work, values: create_default_rule(work, DefaultRule(**BLANK | values)),
    delete=delete_default_rule,
)


def _shown_rules(rules: tuple[SecurityRule, ...]) -> list[dict[str, Any]]:
    view = RULE.view(frozenset(), frozenset())
    return [view(rule) for rule in rules]


def _create(work: Work, values: Values) -> SecurityGroup:
    return create_group(work, SecurityGroup(**BLANK, **values))


def _change(work: Work, old: SecurityGroup, values: Values) -> SecurityGroup:
    return change_group(work, old, msgspec.structs.replace(old, **values))


def _default_filter(values: list[str]) -> sa.ColumnElement[bool]:
    """`is_default`: the default groups of their projects."""
    found = tables.security_groups.c.id.in_(sa.select(tables.default_groups.c.group_id))
    return found if boolean(values[-1]) else sa.not_(found)


GROUP = Kind(
    "security_group",
    "security_groups",
    "security-groups",
    GROUPS,
    (
        ID,
        Attribute("name", text(255), "", put=True),
        *STANDARD,
        Attribute("stateful", boolean, True, put=True),
        Attribute("shared"),
        Attribute("security_group_rules", field="rules", show=_shown_rules),
    ),
    _create,
    _change,
    delete_group,
    filters={"is_default": _default_filter, "shared": shared_filter("security_group", tables.security_groups.c.id)},
    settle=_ensure_default,
)
