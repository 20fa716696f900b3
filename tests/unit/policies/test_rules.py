"""Each rule of each service decides for each persona as upstream's default does.

The expectations were decided by oslo.policy over upstream's registered defaults (`scripts/upstream-policies`).
"""

import pytest
from tests.unit.policies.personas import PERSONAS, Everything, expectations

from nephele.compute import policy as compute
from nephele.identity import policy as identity
from nephele.image import policy as image
from nephele.kernel.policy import Policy
from nephele.network import policy as network
from nephele.placement import policy as placement
from nephele.volume import policy as volume

POLICIES = {
    "identity": Policy(identity.RULES, identity.SCOPES),
    "compute": Policy(compute.RULES, compute.SCOPES),
    "image": Policy(image.RULES, image.SCOPES),
    "network": Policy(network.RULES, network.SCOPES),
    "placement": Policy(placement.RULES, placement.SCOPES),
    "volume": Policy(volume.RULES, volume.SCOPES),
}
UPSTREAM = {(it.service, it.rule): it for it in expectations()}
HELPERS = {
    "network": {
        *("for_everyone", "group_owner_member", "group_owner_reader", "network_owner_member"),
        *("network_owner_reader", "project_member", "project_reader"),
        # upstream has these operations and no rule for them
        *(f"{verb}_alias_packet_rate_limit_rule" for verb in ("get", "update", "delete")),
    },
}
"""Rules that only other rules name, and the like."""
MORE_GENEROUS = {("network", "get_quota"): {"project_member", "project_reader"}}
"""Where we let personas pass whom upstream's newest default refuses; the rule's table says why."""
OURS = [
    (service, rule)
    for service, policy in POLICIES.items()
    for rule in policy.defaults
    if not rule.startswith("nephele:") and rule not in HELPERS.get(service, ())
]


@pytest.mark.parametrize(("service", "rule"), OURS)
def test_a_rule_has_upstreams_name(service: str, rule: str) -> None:
    assert (service, rule) in UPSTREAM


def _has_scopes_of_its_own(service: str, rule: str, persona: str) -> bool:
    """Rules that only others name have none upstream: they are asked within a scope."""
    return ":" in rule or bool(UPSTREAM[service, rule].scopes) or bool(PERSONAS[persona].project_id)


@pytest.mark.parametrize(
    ("service", "rule", "persona"),
    [
        (*one, persona)
        for one in OURS
        if one in UPSTREAM
        for persona in PERSONAS
        if _has_scopes_of_its_own(*one, persona)
    ],
)
def test_a_rule_decides_as_upstreams(service: str, rule: str, persona: str) -> None:
    policy, expected = POLICIES[service], UPSTREAM[service, rule]
    decided = [policy.allows(rule, PERSONAS[persona], Everything(whose)) for whose in ("my", "other")]
    if persona in MORE_GENEROUS.get((service, rule), ()):
        assert decided == [True, False]
        return
    assert decided == [expected.mine[persona], expected.others[persona]], policy.texts[rule]
