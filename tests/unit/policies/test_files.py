"""A policy file over the default rules: what it may say, what is refused and where, and that it is followed."""

import logging
from pathlib import Path

import pytest
from tests.conftest import CALLERS

from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused
from nephele.kernel.policy import Policy
from nephele.kernel.policy_file import PolicyFile, read_rules

MEMBER, READER = CALLERS["member"], CALLERS["reader"]
RULES = {"things:show": "role:reader", "things:create": "rule:makers", "makers": "role:member"}


@pytest.fixture
def policy() -> Policy:
    return Policy(RULES)


@pytest.fixture
def file(tmp_path: Path, policy: Policy, clock: FakeClock) -> PolicyFile:
    return PolicyFile(tmp_path / "things.yaml", policy, clock)


def test_without_a_file_the_defaults_hold(file: PolicyFile, policy: Policy) -> None:
    file.start()
    assert policy.allows("things:create", MEMBER, {})
    assert not policy.allows("things:create", READER, {})


@pytest.mark.parametrize(
    "text",
    [
        '"things:create": "role:reader"',
        '"makers": "role:reader"',
        '"things:create": "rule:mine"\n"mine": "role:reader or role:nobody"',
        '"things:create": ""',
        '"things:create": "@"',
        '"things:create": [["role:nobody"], ["role:reader", "project_id:%(project_id)s"]]',
        '{"things:create": "role:reader"}',
    ],
)
def test_a_file_is_put_over_the_defaults(file: PolicyFile, policy: Policy, text: str) -> None:
    file.path.write_text(text)
    file.start()
    assert policy.allows("things:create", READER, {"project_id": READER.project_id})
    assert file.unknown == ()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('# first\n"things:show": "@"\n"things:create": "role:a or"', 3, "ends too early"),
        ('"things:show": "@"\n\n"things:create": "rule:nowhere"', 3, "no rule 'nowhere'"),
        ('"makers": "rule:things:create"', 1, "leads back to itself"),
        ('"things:show": "(role:a"', 1, "parenthesis"),
        ('"things:show": {"role": "a"}', 1, "must be a text"),
        ('"things:show": true', 1, "must be a text"),
        ('"things:show": "@"\n"things:show": "!"', 2, "twice, first in line 1"),
        ('"things:show": "@"\n"things:create": "@', 2, "end of stream"),
        ("- a list", 1, "mapping"),
        ("a: b: c", 1, "mapping values"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_reason(file: PolicyFile, text: str, line: int, reason: str) -> None:
    file.path.write_text(text)
    with pytest.raises(Refused, match=reason) as refused:
        file.start()
    assert refused.value.message.startswith(f"{file.path}, line {line}: ")


def test_a_change_holds_without_a_restart(file: PolicyFile, policy: Policy, clock: FakeClock) -> None:
    file.start()
    assert not policy.allows("things:create", READER, {})
    file.path.write_text('"things:create": "role:reader"')
    clock.advance(1)
    assert policy.allows("things:create", READER, {})
    file.path.unlink()
    clock.advance(1)
    assert not policy.allows("things:create", READER, {})


def test_the_last_good_rules_stay(
    file: PolicyFile, policy: Policy, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    file.path.write_text('"things:create": "role:reader"')
    file.start()
    file.path.write_text('"things:show": "!"\n"things:create": "role:reader or"')
    clock.advance(1)
    with caplog.at_level(logging.ERROR):
        assert policy.allows("things:create", READER, {})
    assert policy.allows("things:show", READER, {})
    assert "line 2" in caplog.text
    assert file.refused is not None
    file.path.write_text('"things:create": "!"')
    clock.advance(1)
    assert not policy.allows("things:create", MEMBER, {})
    assert file.refused is None


def test_rules_that_nothing_asks_for_are_named(file: PolicyFile) -> None:
    file.path.write_text('"thing:create": "@"\n"used": "@"\n"things:show": "not (rule:used)"')
    file.start()
    assert file.unknown == ("thing:create",)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_rules(tmp_path / "empty.yaml") == ({}, {})
