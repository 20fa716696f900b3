"""Security groups and their rules; every project has a `default` one from its first use on."""

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.model import SecurityGroup, SecurityRule
from nephele.network.quotas import take_quota
from nephele.network.records import BLANK, ME, Records, Rows, born
from nephele.network.sharing import SHARED, apply_shared, forget_shares, granted, shared_among
from nephele.network.work import Work

DEFAULT = "default"
_groups, _rules, _defaults, _bound = (
    tables.security_groups,
    tables.security_rules,
    tables.default_groups,
    tables.port_groups,
)
_IS_DEFAULT = sa.select(_defaults.c.group_id).where(_defaults.c.group_id.in_(sa.bindparam("ids", expanding=True)))
_RULES_OF = sa.select(_rules).where(_rules.c.security_group_id.in_(sa.bindparam("ids", expanding=True)))
_DEFAULT_OF = Statement(sa.select(_defaults.c.group_id).where(_defaults.c.project_id == sa.bindparam("project")))

PROTOCOLS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43, "ospf": 89, "pgm": 113,
    "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112,
}  # fmt: skip
"""Names of IP protocols (IANA) that rules may use, besides numbers."""
_WITH_PORTS = {6, 17, 33, 132, 136}
_ICMP = {1, 58}


class NewRule(Struct, frozen=True, kw_only=True):
    """What a rule is made from."""

    project_id: str
    security_group_id: str
    direction: str
    description: str = ""
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


def _complete_rules(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    place = _rules.c.keys().index("security_group_id")
    defaults = set(work.db.execute(_IS_DEFAULT, {"ids": list({row[place] for row in rows})}).scalars())
    return ((row[place] in defaults,) for row in rows)


RULES: Records[SecurityRule] = Records(
    _rules,
    SecurityRule,
    errors.RULE_NOT_FOUND,
    sa.or_(
        _rules.c.project_id == ME,
        _rules.c.security_group_id.in_(sa.select(_groups.c.id).where(_groups.c.project_id == ME)),
        _rules.c.security_group_id.in_(granted("security_group", SHARED)),
    ),
    _complete_rules,
)


def _complete(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    ids = [row[0] for row in rows]
    rules: dict[str, list[SecurityRule]] = defaultdict(list)
    for rule in RULES.read(work, work.db.execute(_RULES_OF, {"ids": ids}).all()):
        rules[rule.security_group_id].append(rule)
    shared = shared_among(work, ids)
    return ((tuple(rules[row[0]]), row[0] in shared) for row in rows)


GROUPS: Records[SecurityGroup] = Records(
    _groups,
    SecurityGroup,
    errors.GROUP_NOT_FOUND,
    sa.or_(_groups.c.project_id == ME, _groups.c.id.in_(granted("security_group"))),
    _complete,
)


def default_group(work: Work, project_id: str) -> str:
    """The id of the project's default group; inside a `writing()` it is made where there is none."""
    found = _DEFAULT_OF.scalar(work.db, project=project_id)
    if found:
        return str(found)
    work.core.store.lock(f"network.default_group.{project_id}")
    found = _DEFAULT_OF.scalar(work.db, project=project_id)
    if found:
        return str(found)
    draft = SecurityGroup("", project_id, "Default security group", (), 0, 0, 0, DEFAULT, stateful=True)
    group = _make(work, draft, is_default=True)
    work.db.execute(sa.insert(_defaults).values(project_id=project_id, group_id=group.id))
    return group.id


def has_default(work: Work, project_id: str) -> bool:
    """Whether the project's default group exists already."""
    return _DEFAULT_OF.row(work.db, project=project_id) is not None


def create_group(work: Work, draft: SecurityGroup) -> SecurityGroup:
    """Make a group with the rules that the templates say: usually everything out and nothing in."""
    if draft.name.lower() == DEFAULT:
        raise errors.DEFAULT_EXISTS()
    default_group(work, draft.project_id)
    take_quota(work, "security_group", draft.project_id)
    group = _make(work, draft)
    if draft.shared:
        apply_shared(work, "security_group", group.id, group.project_id, shared=True)
    return GROUPS.any(work, group.id)


def _make(work: Work, draft: SecurityGroup, *, is_default: bool = False) -> SecurityGroup:
    from nephele.network.default_rules import first_rules

    group = born(work, draft)
    GROUPS.insert(work, group)
    known: dict[tuple[object, ...], str] = {}
    for rule in first_rules(work, group.project_id, group.id, is_default=is_default):
        _add(work, rule, known)
    return group


def change_group(work: Work, old: SecurityGroup, new: SecurityGroup) -> SecurityGroup:
    """Rename a group, or change whether it is stateful (only while no port uses it)."""
    is_default = bool(work.db.execute(_IS_DEFAULT, {"ids": [old.id]}).first())
    if is_default and new.name != old.name:
        raise errors.DEFAULT_FIXED()
    if not is_default and new.name != old.name and new.name.lower() == DEFAULT:
        raise errors.DEFAULT_EXISTS()
    if old.stateful != new.stateful and _users(work, old.id):
        raise errors.GROUP_IN_USE(id=old.id, reason="in use: its statefulness can't be changed")
    changed = GROUPS.save(work, old, new)
    if old.shared != new.shared:
        apply_shared(work, "security_group", old.id, old.project_id, shared=new.shared)
    work.rewire()
    return changed


def delete_group(work: Work, group: SecurityGroup) -> None:
    """Remove a group; refused while ports use it, and for a project's default group unless by an administrator."""
    if work.db.execute(_IS_DEFAULT, {"ids": [group.id]}).first() and not work.everything:
        raise errors.GROUP_IS_DEFAULT()
    users = _users(work, group.id)
    if users:
        raise errors.GROUP_IN_USE(id=group.id, reason=f"in use by port {users[0]}")
    forget_shares(work, group.id)
    GROUPS.delete(work, group.id)
    work.rewire()


def _users(work: Work, group_id: str) -> Sequence[str]:
    return work.db.execute(sa.select(_bound.c.port_id).where(_bound.c.group_id == group_id).limit(1)).scalars().all()


def create_rules(work: Work, news: Sequence[NewRule]) -> list[SecurityRule]:
    """Add rules to one group, all or none."""
    if len({new.security_group_id for new in news}) > 1:
        raise errors.RULES_MIXED()
    group_id = news[0].security_group_id
    group = GROUPS.get(work, group_id)
    for new in news:
        target = {"project_id": new.project_id, "security_group:project_id": group.project_id}
        work.enforce("create_security_group_rule", target)
        if group.project_id != new.project_id and not work.everything:
            raise errors.GROUP_NOT_FOUND(id=group.id)
    for project_id, count in Counter(new.project_id for new in news).items():
        take_quota(work, "security_group_rule", project_id, count)
    known = {_likeness(rule): rule.id for rule in group.rules}
    made = [_add(work, check_rule(work, new), known) for new in news]
    GROUPS.bump(work, group_id)
    work.rewire()
    is_default = bool(work.db.execute(_IS_DEFAULT, {"ids": [group_id]}).first())
    return [msgspec.structs.replace(rule, belongs_to_default_sg=is_default) for rule in made]


def delete_rule(work: Work, rule: SecurityRule) -> None:
    """Remove a rule."""
    RULES.delete(work, rule.id)
    GROUPS.bump(work, rule.security_group_id)
    work.rewire()


_ALIKE = attrgetter(*(name for name in NewRule.__struct_fields__ if name not in ("project_id", "description")))


def _likeness(rule: NewRule | SecurityRule) -> tuple[object, ...]:
    """What no two rules of a group have in common."""
    found: tuple[object, ...] = _ALIKE(rule)
    return found


def _add(work: Work, new: NewRule, known: dict[tuple[object, ...], str]) -> SecurityRule:
    """Write a rule that is none of the `known` ones, and know it from now on."""
    likeness = _likeness(new)
    if likeness in known:
        raise errors.RULE_EXISTS(id=known[likeness])
    rule = born(work, SecurityRule(**BLANK, **msgspec.structs.asdict(new)))
    RULES.insert(work, rule)
    known[likeness] = rule.id
    return rule


def protocol_number(protocol: str) -> int:
    """The number of a protocol that may be given by name."""
    return PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol)


def read_protocol(value: Any) -> str | None:
    """A protocol as rules keep it: a name or a number as text; None: any."""
    if value is None or str(value).lower() in ("any", "0", ""):
        return None
    spoken = str(value).lower()
    if spoken in PROTOCOLS or (spoken.isdigit() and int(spoken) < 256):
        return spoken
    raise errors.RULE_BAD_PROTOCOL(protocol=value, names=list(PROTOCOLS))


def check_rule(work: Work, new: NewRule) -> NewRule:
    """The rule in its one spelling; what makes no sense is refused."""
    remotes = [new.remote_ip_prefix, new.remote_group_id, new.remote_address_group_id]
    if sum(remote is not None for remote in remotes) > 1:
        raise errors.RULE_TWO_REMOTES()
    protocol = new.protocol
    if protocol is None:
        if new.port_range_min is not None or new.port_range_max is not None:
            raise errors.RULE_PORTS_NEED_PROTOCOL()
    else:
        protocol = _check_protocol(new, protocol)
    if new.remote_ip_prefix:
        version = ipaddress.ip_network(new.remote_ip_prefix, strict=False).version
        if new.ethertype != f"IPv{version}":
            raise errors.RULE_BAD_PREFIX(ethertype=new.ethertype, cidr=new.remote_ip_prefix)
    if new.remote_group_id:
        GROUPS.get(work, new.remote_group_id)
    if new.remote_address_group_id:
        from nephele.network.address_groups import ADDRESS_GROUPS

        ADDRESS_GROUPS.get(work, new.remote_address_group_id)
    return msgspec.structs.replace(new, protocol=protocol)


def _check_protocol(new: NewRule, protocol: str) -> str:
    number = protocol_number(protocol)
    is_v6 = new.ethertype == "IPv6"
    if is_v6 and protocol in ("icmp", "icmpv6"):
        protocol, number = "ipv6-icmp", 58
    if not is_v6 and (protocol.startswith("ipv6-") or protocol == "icmpv6"):
        raise errors.RULE_PROTOCOL_ETHERTYPE(ethertype=new.ethertype, protocol=protocol)
    low, high = new.port_range_min, new.port_range_max
    if number in _WITH_PORTS:
        _check_ports(low, high)
    elif number in _ICMP:
        for field, name, value in (("type", "port_range_min", low), ("code", "port_range_max", high)):
            if value is not None and not 0 <= value <= 255:
                raise errors.RULE_BAD_ICMP(field=field, attribute=name, value=value)
        if low is None and high is not None:
            raise errors.RULE_ICMP_TYPE_MISSING(value=high)
    elif low is not None or high is not None:
        raise errors.RULE_PROTOCOL_HAS_NO_PORTS(protocol=protocol)
    return protocol


def _check_ports(low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    for port in (low, high):
        if port is not None and not 1 <= port <= 65535:
            raise errors.RULE_BAD_PORT(port=port)
    if low is None or high is None or low > high:
        raise errors.RULE_BAD_RANGE()


_BY_ID = Statement(
    sa.select(_groups.c.id).where(
        _groups.c.id == sa.bindparam("wanted"),
        sa.or_(GROUPS.visible, sa.bindparam("everything", type_=sa.Boolean)),
    )
)
_BY_NAME = Statement(
    sa.select(_groups.c.id).where(_groups.c.name == sa.bindparam("wanted"), _groups.c.project_id == sa.bindparam("me"))
)


def resolve_groups(work: Work, names_or_ids: Sequence[str]) -> tuple[str, ...]:
    """Ids of the caller's groups of these names or ids.

    Raises:
        GROUP_NOT_FOUND, GROUP_AMBIGUOUS.
    """
    found = []
    for wanted in dict.fromkeys(names_or_ids):
        if wanted == DEFAULT:
            found.append(default_group(work, work.me))
            continue
        ids = _BY_ID.scalars(work.db, wanted=wanted, me=work.me, everything=work.everything)
        ids = ids or _BY_NAME.scalars(work.db, wanted=wanted, me=work.me)
        if not ids:
            raise errors.GROUP_NOT_FOUND(id=wanted)
        if len(ids) > 1:
            raise errors.GROUP_AMBIGUOUS(id=wanted)
        found.append(str(ids[0]))
    return tuple(dict.fromkeys(found))
