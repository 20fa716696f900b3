"""QoS policies: rules for how fast, and how marked, the packets of a port may be.

A port has the policy that it names, else its network's.  What no host can enforce (`minimum_bandwidth`,
`minimum_packet_rate`) can be part of a policy, and is refused where the policy is given to a port or network.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.model import QosPolicy, QosRule
from nephele.network.records import ME, Records, Rows, born
from nephele.network.sharing import apply_shared, forget_shares, granted, shared_among
from nephele.network.work import Work

_policies, _rules = tables.qos_policies, tables.qos_rules
_USERS = (("network", tables.networks), ("port", tables.ports), ("floatingip", tables.floating_ips))
ENFORCED = ("bandwidth_limit", "packet_rate_limit", "dscp_marking")
"""The kinds of rules that hosts enforce."""
_RULES_OF = sa.select(_rules).where(_rules.c.policy_id.in_(sa.bindparam("ids", expanding=True))).order_by(_rules.c.id)
_DEFAULT = Statement(
    sa.select(_policies.c.id).where(_policies.c.project_id == sa.bindparam("project"), _policies.c.is_default)
)


def _complete(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    ids = [row[0] for row in rows]
    rules: dict[str, list[QosRule]] = defaultdict(list)
    for row in work.db.execute(_RULES_OF, {"ids": ids}):
        rules[row.policy_id].append(QosRule(*row))
    shared = shared_among(work, ids)
    return ((tuple(rules[one]), one in shared) for one in ids)


POLICIES: Records[QosPolicy] = Records(
    _policies,
    QosPolicy,
    errors.QOS_POLICY_NOT_FOUND,
    sa.or_(_policies.c.project_id == ME, _policies.c.id.in_(granted("qos_policy"))),
    _complete,
)


def create_policy(work: Work, draft: QosPolicy) -> QosPolicy:
    """Make a policy without rules."""
    if draft.is_default:
        _refuse_second_default(work, draft.project_id)
    policy = born(work, draft)
    POLICIES.insert(work, policy)
    if draft.shared:
        apply_shared(work, "qos_policy", policy.id, policy.project_id, shared=True)
    return policy


def change_policy(work: Work, old: QosPolicy, new: QosPolicy) -> QosPolicy:
    """Rename a policy, share it, or make it the project's default."""
    if new.is_default and not old.is_default:
        _refuse_second_default(work, old.project_id)
    if new.shared != old.shared:
        apply_shared(work, "qos_policy", old.id, old.project_id, shared=new.shared)
    return POLICIES.save(work, old, new)


def delete_policy(work: Work, policy: QosPolicy) -> None:
    """Remove a policy with its rules; refused while something uses it (QOS_POLICY_IN_USE names it)."""
    for kind, table in _USERS:
        user = work.db.execute(sa.select(table.c.id).where(table.c.qos_policy_id == policy.id)).scalar()
        if user:
            raise errors.QOS_POLICY_IN_USE(id=policy.id, kind=kind, user=user)
    forget_shares(work, policy.id)
    POLICIES.delete(work, policy.id)


def default_policy(work: Work, project_id: str) -> str | None:
    """The policy that new networks of the project get; None: none."""
    found: str | None = _DEFAULT.scalar(work.db, project=project_id)
    return found


def check_policy(work: Work, policy_id: str | None, kind: str, user: str) -> None:
    """Refuse a policy that the caller may not use, or that no host can enforce on this kind of thing."""
    if policy_id is not None:
        for rule in POLICIES.get(work, policy_id).rules:
            if rule.kind not in ENFORCED:
                raise errors.QOS_RULE_UNSUPPORTED(rule=rule.kind, kind=kind, id=user)


def get_rule(policy: QosPolicy, kind: str, rule_id: str) -> QosRule:
    """One of a policy's rules.  Raises QOS_RULE_NOT_FOUND."""
    for rule in policy.rules:
        if rule.id == rule_id and rule.kind == kind:
            return rule
    raise errors.QOS_RULE_NOT_FOUND(kind=kind, id=rule_id, policy_id=policy.id)


def policy_of_rule(work: Work, kind: str, rule_id: str) -> QosPolicy:
    """The policy that a rule belongs to.  Raises QOS_RULE_NOT_FOUND."""
    found = work.db.execute(sa.select(_rules.c.policy_id).where(_rules.c.id == rule_id, _rules.c.kind == kind)).scalar()
    if found is None:
        raise errors.QOS_RULE_NOT_FOUND(kind=kind, id=rule_id, policy_id="")
    return POLICIES.get(work, found)


def add_rule(work: Work, policy: QosPolicy, rule: QosRule) -> QosRule:
    """Add a rule; it takes effect where the policy is in use."""
    rule = msgspec.structs.replace(rule, id=work.core.ids.uuid())
    _refuse_twin(policy, rule)
    if rule.kind not in ENFORCED:
        for kind, table in _USERS:
            user = work.db.execute(sa.select(table.c.id).where(table.c.qos_policy_id == policy.id)).scalar()
            if user:
                raise errors.QOS_RULE_UNSUPPORTED(rule=rule.kind, kind=kind, id=user)
    work.db.execute(sa.insert(_rules).values(msgspec.structs.asdict(rule)))
    _changed(work, policy)
    return rule


def change_rule(work: Work, policy: QosPolicy, old: QosRule, new: QosRule) -> QosRule:
    """Change a rule's values."""
    _refuse_twin(policy, new)
    work.db.execute(sa.update(_rules).where(_rules.c.id == old.id).values(msgspec.structs.asdict(new)))
    _changed(work, policy)
    return new


def delete_rule(work: Work, policy: QosPolicy, rule: QosRule) -> None:
    """Remove a rule."""
    work.db.execute(sa.delete(_rules).where(_rules.c.id == rule.id))
    _changed(work, policy)


def _changed(work: Work, policy: QosPolicy) -> None:
    POLICIES.bump(work, policy.id)
    work.rewire()


def _refuse_twin(policy: QosPolicy, rule: QosRule) -> None:
    """One rule of a kind for each direction."""
    for other in policy.rules:
        if other.id != rule.id and (other.kind, other.direction) == (rule.kind, rule.direction):
            raise errors.QOS_RULES_CONFLICT(rule=rule.kind, other=other.id, policy_id=policy.id)


def _refuse_second_default(work: Work, project_id: str) -> None:
    if default_policy(work, project_id):
        raise errors.QOS_DEFAULT_EXISTS(project_id=project_id)
