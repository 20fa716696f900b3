import pytest
from tests.conftest import CALLERS, PROJECT

from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.policy import Policy, PolicyError

RULES = {
    "admin": "role:admin",
    "owner": "project_id:%(project_id)s",
    "member_or_admin": "rule:admin or (role:member and rule:owner)",
    "not_admin": "not role:admin",
    "literal": "'x':%(kind)s",
    "open": "@",
    "shut": "!",
}


@pytest.mark.parametrize(
    ("rule", "caller", "target", "allowed"),
    [
        ("member_or_admin", "admin", {"project_id": PROJECT}, True),
        ("member_or_admin", "member", {"project_id": PROJECT}, True),
        ("member_or_admin", "reader", {"project_id": PROJECT}, False),
        ("member_or_admin", "other", {"project_id": PROJECT}, False),
        ("not_admin", "member", {}, True),
        ("not_admin", "admin", {}, False),
        ("literal", "member", {"kind": "x"}, True),
        ("literal", "member", {"kind": "y"}, False),
        ("open", "other", {}, True),
        ("shut", "admin", {}, False),
    ],
)
def test_a_rule_decides(rule: str, caller: str, target: dict[str, object], allowed: bool) -> None:
    assert Policy(RULES).allows(rule, CALLERS[caller], target) is allowed


@pytest.mark.parametrize(
    "text",
    [
        "role",
        "(role:a",
        "role:a or",
        "rule:nowhere",
        "role:a role:b",
        "and",
        "http://x/y",
        "field:shared",
        "field:a:b=~(",
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match="broken"):
        Policy({"broken": text})


def test_a_refusal_names_the_rule() -> None:
    with pytest.raises(Refused, match="shut") as refused:
        Policy(RULES).enforce("shut", CALLERS["member"])
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("check", "allowed"),
    [
        ("token.domain.id:%(target.domain.id)s", True),
        ("token.project.domain.id:%(target.domain.id)s", False),
        ("None:%(target.role.domain_id)s", True),
        ("None:%(target.domain.id)s", False),
        ("is_admin:1", True),
        ("field:networks:shared=True", True),
        ("field:networks:shared=Tru", False),
        ("field:networks:router:external=True", False),
        ("field:port:device_owner=~^network:", True),
        ("not field:port:device_owner=~^compute:", True),
    ],
)
def test_upstreams_other_names(check: str, allowed: bool) -> None:
    caller = Context(request_id="", domain_id="d", roles=frozenset(("admin",)))
    target = {"target.domain.id": "d", "target.role.domain_id": None, "shared": True, "device_owner": "network:dhcp"}
    assert Policy({"rule": check}).allows("rule", caller, target) is allowed
