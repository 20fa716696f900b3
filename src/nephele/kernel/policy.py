"""Who may do what: named rules in OpenStack's policy language, compiled to functions.

    "os_compute_api:servers:create": "rule:project_member_or_admin"
    "project_member_or_admin": "role:admin or (role:member and project_id:%(project_id)s)"

Checks are `role:R`, `rule:NAME`, `@` (always), `!` (never), `ATTRIBUTE:%(target attribute)s`,
`ATTRIBUTE:literal`, `literal:%(target attribute)s`; joined by `and`, `or`, `not` and parentheses.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from nephele.kernel.context import Context
from nephele.kernel.errors import FORBIDDEN

Target = Mapping[str, object]
Check = Callable[[Context, Target], bool]

_WORD = re.compile(r"\(|\)|(?:%\([^)]*\)s|'[^']*'|[^\s()])+")


class PolicyError(ValueError):
    """A rule that can't be read: says which, and where it stops making sense."""


@dataclass(frozen=True)
class Rule:
    """One named rule: the check's text and the sentence that says what it guards."""

    name: str
    check: str
    guards: str = ""


class Policy:
    """A set of rules, ready to be asked.

    Args:
        rules: check texts by rule name; a `rule:` that is not among them is refused at once.

    Raises:
        PolicyError: where a text can't be read.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self.texts = dict(rules)
        self._checks: dict[str, Check] = {}
        for name, text in self.texts.items():
            self._checks[name] = self._compile(name, text)

    def _compile(self, name: str, text: str) -> Check:
        if not text.strip():
            return _always
        words = _Words(name, text)
        check = self._either(words)
        if words.next is not None:
            raise PolicyError(f"{name}: unexpected {words.next!r} in {text!r}")
        return check

    def _either(self, words: "_Words") -> Check:
        checks = [self._both(words)]
        while words.take("or"):
            checks.append(self._both(words))
        return checks[0] if len(checks) == 1 else _any(checks)

    def _both(self, words: "_Words") -> Check:
        checks = [self._single(words)]
        while words.take("and"):
            checks.append(self._single(words))
        return checks[0] if len(checks) == 1 else _all(checks)

    def _single(self, words: "_Words") -> Check:
        if words.take("not"):
            denied = self._single(words)
            return lambda caller, target: not denied(caller, target)
        if words.take("("):
            check = self._either(words)
            if not words.take(")"):
                raise PolicyError(f"{words.name}: a parenthesis is not closed in {words.text!r}")
            return check
        return self._leaf(words, words.pop())

    def _leaf(self, words: "_Words", word: str) -> Check:
        if word == "@":
            return _always
        if word == "!":
            return _never
        kind, colon, value = word.partition(":")
        if not colon:
            raise PolicyError(f"{words.name}: {word!r} is not a check in {words.text!r}")
        if kind == "role":
            return lambda caller, _target: value.lower() in caller.roles
        if kind == "rule":
            if value not in self.texts:
                raise PolicyError(f"{words.name}: there is no rule {value!r}")
            return lambda caller, target: self._checks[value](caller, target)
        return _compare(kind, value)

    def allows(self, rule: str, caller: Context, target: Target) -> bool:
        """Whether `rule` lets the caller act on the target."""
        return self._checks[rule](caller, target)

    def enforce(self, rule: str, caller: Context, target: Target | None = None) -> None:
        """Raise FORBIDDEN unless `rule` allows; without a target it is the caller's own project and user."""
        own = {"project_id": caller.project_id, "user_id": caller.user_id, "domain_id": caller.domain_id}
        if not self._checks[rule](caller, own if target is None else target):
            raise FORBIDDEN(rule=rule)


class _Words:
    """The words of a rule, read one by one."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._rest: Iterator[str] = iter(_WORD.findall(text))
        self.next = next(self._rest, None)

    def pop(self) -> str:
        word = self.next
        if word is None:
            raise PolicyError(f"{self.name}: {self.text!r} ends too early")
        self.next = next(self._rest, None)
        return word

    def take(self, word: str) -> bool:
        if self.next is None or self.next.lower() != word:
            return False
        self.pop()
        return True


def _always(_caller: Context, _target: Target) -> bool:
    return True


def _never(_caller: Context, _target: Target) -> bool:
    return False


def _any(checks: list[Check]) -> Check:
    return lambda caller, target: any(check(caller, target) for check in checks)


def _all(checks: list[Check]) -> Check:
    return lambda caller, target: all(check(caller, target) for check in checks)


_TRUTHS = {True: ("true", "1"), False: ("false", "0")}
_OTHER_NAMES = {
    "token.domain.id": "domain_id",
    "token.project.domain.id": "project_domain_id",
    "token.project.id": "project_id",
    "None": "'None'",
}
"""What OpenStack's rules also call an attribute of the caller."""


def _compare(attribute: str, value: str) -> Check:
    """`user_id:%(user_id)s`, `is_admin:True`, `'literal':%(key)s`, `None:%(key)s`, `system_scope:all`."""
    attribute = _OTHER_NAMES.get(attribute, attribute)
    literal = attribute[1:-1] if attribute.startswith("'") else None
    wanted = re.fullmatch(r"%\(([^)]*)\)s", value)

    def check(caller: Context, target: Target) -> bool:
        have = literal if literal is not None else getattr(caller, attribute, None)
        want = target.get(wanted[1]) if wanted else value
        if have is True or have is False:
            return str(want).lower() in _TRUTHS[have]
        return have is not None and have != "" and str(have) == str(want)

    return check
