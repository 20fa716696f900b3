"""What the QoS policies of ports and floating IPs mean for a host."""

from collections import defaultdict
from collections.abc import Collection

import sqlalchemy as sa

from nephele.network import tables
from nephele.network.model import QosRule
from nephele.network.wiring import Qos
from nephele.network.work import Work

_rules = tables.qos_rules
_BURST_SHARE = 0.8
"""Of what passes in a second: the burst where a rule names none, as upstream has it for TCP's sake."""


def wired_qos(work: Work, policy_ids: Collection[str]) -> dict[str, Qos]:
    """What these policies limit and mark, by policy."""
    if not policy_ids:
        return {}
    rules: dict[str, list[QosRule]] = defaultdict(list)
    found = sa.select(_rules).where(_rules.c.policy_id.in_(policy_ids)).order_by(_rules.c.id)
    for row in work.db.execute(found):
        rules[row.policy_id].append(QosRule(*row))
    return {policy_id: _qos(some) for policy_id, some in rules.items()}


def _qos(rules: list[QosRule]) -> Qos:
    values: dict[str, int] = {}
    for rule in rules:
        burst = rule.burst or int(rule.amount * _BURST_SHARE)
        if rule.kind == "bandwidth_limit":
            values |= {f"{rule.direction}_rate": rule.amount * 125, f"{rule.direction}_burst": burst * 125}
        elif rule.kind == "packet_rate_limit":
            values |= {f"{rule.direction}_packets": rule.amount * 1000, f"{rule.direction}_packet_burst": burst * 1000}
        elif rule.kind == "dscp_marking":
            values["dscp"] = rule.amount
    return Qos(**values)
