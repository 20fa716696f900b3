"""The security groups that a host's ports use, with their rules and, for remote groups, their members' addresses."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from nephele.network import tables
from nephele.network.model import Port, SecurityRule
from nephele.network.security_groups import RULES, protocol_number
from nephele.network.wiring import WiredGroup, WiredRule
from nephele.network.work import Work

_groups, _rules, _bound, _addresses, _ports = (
    tables.security_groups,
    tables.security_rules,
    tables.port_groups,
    tables.addresses,
    tables.ports,
)


def wired_groups(work: Work, guests: Sequence[Port]) -> tuple[WiredGroup, ...]:
    """The groups of these ports, and the groups that their rules name as remote."""
    used = {group_id for port in guests for group_id in port.security_groups}
    if not used:
        return ()
    rules = RULES.where(work, _rules.c.security_group_id.in_(used))
    by_group: dict[str, list[SecurityRule]] = defaultdict(list)
    for rule in rules:
        by_group[rule.security_group_id].append(rule)
    remote = {rule.remote_group_id for rule in rules if rule.remote_group_id}
    lists = _address_groups(work, {rule.remote_address_group_id for rule in rules if rule.remote_address_group_id})
    members = _members(work, remote)
    found = sa.select(_groups.c.id, _groups.c.stateful).where(_groups.c.id.in_(used | remote)).order_by(_groups.c.id)
    return tuple(
        WiredGroup(
            id=group_id,
            stateful=stateful,
            rules=tuple(wired for rule in by_group[group_id] for wired in _wired(rule, lists)),
            addresses=tuple(sorted(members[group_id])),
        )
        for group_id, stateful in work.db.execute(found)
    )


def _address_groups(work: Work, ids: set[str]) -> dict[str, tuple[str, ...]]:
    groups = tables.address_groups
    if not ids:
        return {}
    found = sa.select(groups.c.id, groups.c.addresses).where(groups.c.id.in_(ids))
    return {row[0]: row[1] for row in work.db.execute(found)}


def _members(work: Work, group_ids: set[str]) -> dict[str, set[str]]:
    """The addresses of all ports in each group, with those that they may use besides."""
    members: dict[str, set[str]] = defaultdict(set)
    if not group_ids:
        return members
    own = (
        sa.select(_bound.c.group_id, _addresses.c.ip_address)
        .join(_addresses, _addresses.c.port_id == _bound.c.port_id)
        .where(_bound.c.group_id.in_(group_ids))
    )
    for group_id, address in work.db.execute(own):
        members[group_id].add(address)
    more = (
        sa.select(_bound.c.group_id, _ports.c.address_pairs)
        .join(_ports, _ports.c.id == _bound.c.port_id)
        .where(_bound.c.group_id.in_(group_ids), sa.type_coerce(_ports.c.address_pairs, sa.Text) != "[]")
    )
    for group_id, pairs in work.db.execute(more):
        members[group_id] |= {pair.ip_address for pair in pairs}
    return members


def _wired(rule: SecurityRule, lists: dict[str, tuple[str, ...]]) -> Iterator[WiredRule]:
    """The rule as agents know it: one for each address of an address group."""
    remotes: tuple[str, ...] = (rule.remote_ip_prefix or "",)
    if rule.remote_address_group_id:
        mark = ":" if rule.ethertype == "IPv6" else "."
        remotes = tuple(one for one in lists.get(rule.remote_address_group_id, ()) if mark in one)
    for remote in remotes:
        yield WiredRule(
            direction=rule.direction,
            ethertype=rule.ethertype,
            protocol=str(protocol_number(rule.protocol)) if rule.protocol else "",
            port_min=-1 if rule.port_range_min is None else rule.port_range_min,
            port_max=-1 if rule.port_range_max is None else rule.port_range_max,
            remote_cidr=remote,
            remote_group=rule.remote_group_id or "",
        )
