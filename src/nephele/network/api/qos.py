"""QoS policies and their rules in the API: below their policy, and by themselves (`alias_…`)."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from nephele.network import tables
from nephele.network.api.kind import ID, NAME, STANDARD, Kind
from nephele.network.api.networks import shared_filter
from nephele.network.attributes import Attribute, Bad, Reader, boolean, integer, one_of
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY, QOS_TYPE_NOT_FOUND
from nephele.network.model import QosPolicy, QosRule
from nephele.network.qos import (
    ENFORCED,
    POLICIES,
    add_rule,
    change_policy,
    change_rule,
    create_policy,
    delete_policy,
    delete_rule,
    get_rule,
    policy_of_rule,
)
from nephele.network.records import BLANK
from nephele.network.service import Networks
from nephele.network.work import Work
from nephele.web.call import Call

_MOST = (1 << 31) - 1
DSCP_MARKS = (0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 46, 48, 56)
"""The code points that RFC 2474, 2597 and 3246 name."""


def _mark(value: Any) -> int:
    number = integer(0, 63)(value)
    if number not in DSCP_MARKS:
        raise Bad(f"'{value}' is not in {list(DSCP_MARKS)}")
    return int(number)


class RuleKind(Struct, frozen=True):
    """One kind of rule: what its attributes are called, and what they may be."""

    amount: str
    burst: str = ""
    directions: tuple[str, ...] = ("egress", "ingress")
    read: Reader = integer(0, _MOST)

    def readers(self) -> dict[str, tuple[str, Reader]]:
        """Field and reader by attribute."""
        found = {self.amount: ("amount", self.read)}
        if self.burst:
            found[self.burst] = ("burst", integer(0, _MOST))
        if self.directions:
            found["direction"] = ("direction", one_of(*self.directions))
        return found


RULE_KINDS = {
    "bandwidth_limit": RuleKind("max_kbps", "max_burst_kbps"),
    "dscp_marking": RuleKind("dscp_mark", directions=(), read=_mark),
    "minimum_bandwidth": RuleKind("min_kbps"),
    "minimum_packet_rate": RuleKind("min_kpps", directions=("egress", "ingress", "any")),
    "packet_rate_limit": RuleKind("max_kpps", "max_burst_kpps"),
}


def _shown(rule: QosRule) -> dict[str, Any]:
    fields = {name: getattr(rule, field) for name, (field, _) in RULE_KINDS[rule.kind].readers().items()}
    return {"id": rule.id, **fields}


def _shown_rules(rules: tuple[QosRule, ...]) -> list[dict[str, Any]]:
    return [_shown(rule) | {"type": rule.kind, "qos_policy_id": rule.policy_id} for rule in rules]


POLICY = Kind(
    "policy",
    "policies",
    "qos/policies",
    POLICIES,
    (
        ID,
        NAME,
        *STANDARD,
        Attribute("shared", boolean, False, put=True),
        Attribute("is_default", boolean, False, put=True),
        Attribute("rules", show=_shown_rules),
    ),
    lambda work, values: create_policy(work, QosPolicy(**BLANK | values)),
    lambda work, old, values: change_policy(work, old, msgspec.structs.replace(old, **values)),
    delete_policy,
    target=lambda _work, policy: {"project_id": policy.project_id, "shared": policy.shared},
    filters={"shared": shared_filter("qos_policy", tables.qos_policies.c.id)},
)


def _given(kind: str, call: Call) -> dict[str, Any]:
    """The checked values of a rule's body, by field."""
    given = call.body.get(f"{kind}_rule")
    if not isinstance(given, dict):
        raise BAD_BODY(reason=f"Unable to find '{kind}_rule' in request body")
    readers, values = RULE_KINDS[kind].readers(), {}
    for name, value in given.items():
        if name in ("project_id", "tenant_id"):
            continue
        if name not in readers:
            raise BAD_BODY(reason=f"Unrecognized attribute(s) '{name}'")
        field, read = readers[name]
        try:
            values[field] = read(value)
        except Bad as bad:
            raise BAD_ATTRIBUTE(attribute=name, reason=bad) from None
    return values


def _policy(work: Work, call: Call, rule: str) -> QosPolicy:
    policy = POLICIES.get(work, call.path["id"])
    work.enforce(rule, {"project_id": policy.project_id, "shared": policy.shared})
    return policy


def index(kind: str, service: Networks, call: Call) -> dict[str, Any]:
    """List a policy's rules of one kind."""
    names = {"id", *RULE_KINDS[kind].readers()}
    asked = [(name, value) for name, value in call.query.pairs if name in names]
    with service.core.reading(call.context) as work:
        policy = _policy(work, call, f"get_policy_{kind}_rule")
        rules = [_shown(rule) for rule in policy.rules if rule.kind == kind]
    return {f"{kind}_rules": [one for one in rules if all(str(one[name]) == value for name, value in asked)]}


def create(kind: str, service: Networks, call: Call) -> dict[str, Any]:
    """Add a rule."""
    values = _given(kind, call)
    if "amount" not in values:
        amount = RULE_KINDS[kind].amount
        raise BAD_BODY(reason=f"Failed to parse request. Required attribute '{amount}' not specified")
    default = RULE_KINDS[kind].directions[:1]
    with service.core.writing(call.context) as work:
        policy = _policy(work, call, f"create_policy_{kind}_rule")
        blank: dict[str, Any] = {
            "id": "",
            "policy_id": policy.id,
            "kind": kind,
            "direction": default[0] if default else "",
            "burst": 0,
        }
        return {f"{kind}_rule": _shown(add_rule(work, policy, QosRule(**blank | values)))}


Held = Callable[[Work, Call, str], tuple[QosPolicy, QosRule]]


def below(kind: str) -> Held:
    """Where a rule's URL names its policy."""

    def held(work: Work, call: Call, verb: str) -> tuple[QosPolicy, QosRule]:
        policy = _policy(work, call, f"{verb}_policy_{kind}_rule")
        return policy, get_rule(policy, kind, call.path["other_id"])

    return held


def alone(kind: str) -> Held:
    """Where a rule's URL names the rule only."""

    def held(work: Work, call: Call, verb: str) -> tuple[QosPolicy, QosRule]:
        policy = policy_of_rule(work, kind, call.path["id"])
        work.enforce(f"{verb}_alias_{kind}_rule", {"project_id": policy.project_id, "shared": policy.shared})
        return policy, get_rule(policy, kind, call.path["id"])

    return held


def show(kind: str, held: Held, service: Networks, call: Call) -> dict[str, Any]:
    """Show one rule."""
    with service.core.reading(call.context) as work:
        return {f"{kind}_rule": _shown(held(work, call, "get")[1])}


def update(kind: str, held: Held, service: Networks, call: Call) -> dict[str, Any]:
    """Change a rule."""
    values = _given(kind, call)
    with service.core.writing(call.context) as work:
        policy, rule = held(work, call, "update")
        return {f"{kind}_rule": _shown(change_rule(work, policy, rule, msgspec.structs.replace(rule, **values)))}


def delete(held: Held, service: Networks, call: Call) -> None:
    """Remove a rule."""
    with service.core.writing(call.context) as work:
        delete_rule(work, *held(work, call, "delete"))


def rule_types(service: Networks, call: Call) -> dict[str, Any]:
    """The kinds of rules that hosts enforce; with `all_rules`, those too that are only written down."""
    with service.core.reading(call.context) as work:
        work.enforce("get_rule_type")
    kinds = RULE_KINDS if call.query.flag("all_rules") else ENFORCED
    return {"rule_types": [{"type": kind} for kind in kinds]}


def rule_type(service: Networks, call: Call) -> dict[str, Any]:
    """Who enforces a kind of rule, and what its values may be."""
    with service.core.reading(call.context) as work:
        work.enforce("get_rule_type")
    kind = call.path["id"]
    if kind not in ENFORCED:
        raise QOS_TYPE_NOT_FOUND(id=kind)
    spoken = []
    for name, (field, _) in RULE_KINDS[kind].readers().items():
        values: Any = {"start": 0, "end": _MOST}
        if field == "direction" or kind == "dscp_marking":
            values = RULE_KINDS[kind].directions or DSCP_MARKS
        shape = "range" if isinstance(values, dict) else "choices"
        spoken.append({"parameter_name": name, "parameter_type": shape, "parameter_values": values})
    return {"rule_type": {"type": kind, "drivers": [{"name": "nephele", "supported_parameters": spoken}]}}
