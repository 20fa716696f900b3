"""Why a rule decides as it does, and what a refusal says to whom."""

import msgspec
import pytest
from tests.conftest import CALLERS, PROJECT

from nephele.kernel.errors import Refused
from nephele.kernel.policy import Policy

RULES = {
    "things:create": "rule:admin or (role:member and project_id:%(project_id)s)",
    "things:move": "rule:admin",
    "admin": "role:admin",
}
SCOPES = {"things:move": frozenset({"system"})}


@pytest.fixture
def policy() -> Policy:
    return Policy(RULES, SCOPES)


def test_each_check_says_how_it_came_out(policy: Policy) -> None:
    told = policy.explain("things:create", CALLERS["reader"], {"project_id": PROJECT})
    either = told.parts[0]
    assert (told.passed, told.check) == (False, "rule:things:create")
    assert [part.passed for part in either.parts] == [False, False]
    assert either.parts[0].parts[0].why == "has reader"
    assert [part.passed for part in either.parts[1].parts] == [False, True]
    assert either.parts[1].parts[1].why == f"project_id is {PROJECT!r}, the target's project_id is {PROJECT!r}"


def test_a_wrong_scope_is_a_reason(policy: Policy) -> None:
    told = policy.explain("things:move", CALLERS["admin"])
    assert not told.passed
    assert told.parts[0] == msgspec.structs.replace(
        told.parts[0], check="scope", passed=False, why="the token is for a project, accepted: system"
    )
    assert told.parts[1].passed


def test_roles_that_would_do(policy: Policy) -> None:
    assert policy.passing_roles("things:create", CALLERS["reader"], {"project_id": PROJECT}) == ["admin", "member"]
    assert policy.passing_roles("things:create", CALLERS["reader"], {"project_id": "x"}) == ["admin"]


def test_a_refusal_names_roles_to_those_who_give_them(policy: Policy) -> None:
    with pytest.raises(Refused) as to_manager:
        policy.enforce("things:create", CALLERS["manager"], {"project_id": "x"})
    assert to_manager.value.message == (
        "Policy doesn't allow things:create to be performed. A role that would do: admin."
    )
    with pytest.raises(Refused) as to_reader:
        policy.enforce("things:create", CALLERS["reader"], {"project_id": PROJECT})
    assert to_reader.value.message == "Policy doesn't allow things:create to be performed."
    with pytest.raises(Refused) as to_admin:
        policy.enforce("things:move", CALLERS["admin"])
    assert to_admin.value.message.endswith("It takes a token for a system.")
