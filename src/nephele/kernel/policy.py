"""Who may do what: named rules in OpenStack's policy language, compiled to functions.

    "os_compute_api:servers:create": "rule:project_member_or_admin"
    "project_member_or_admin": "role:admin or (role:member and project_id:%(project_id)s)"

A service has one `Policy`: its default rules, which scopes each accepts, and what an operator's file puts over them
(`policy_file.py`).  Handlers ask it; `explain` says how a decision came about.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Struct

from nephele.kernel.checks import Check, Decide, PolicyError, Target, compiled, names, parse, told
from nephele.kernel.context import Context
from nephele.kernel.errors import FORBIDDEN, ROLE_NEEDED, SCOPE_NEEDED, Refused

__all__ = ["Explanation", "Policy", "PolicyError", "Target"]

ANY_SCOPE: frozenset[str] = frozenset()
"""Accepts every scope."""


class Explanation(Struct, frozen=True):
    """How a check came out, and those that it is joined of.

    Args:
        check: its text.
        passed: how it came out.
        why: the facts, where the check is not joined of others.
        parts: for `and`, `or`, `not` and `rule`.
    """

    check: str
    passed: bool
    why: str = ""
    parts: tuple["Explanation", ...] = ()


class Policy:
    """A set of rules, ready to be asked.

    Args:
        rules: check texts by rule name; a `rule:` that is not among them is refused at once.
        scopes: for rules that accept only some of `system`, `domain` and `project`: which; under the empty name
            those of all others.

    Raises:
        PolicyError: where a text can't be read.
    """

    def __init__(self, rules: Mapping[str, str], scopes: Mapping[str, frozenset[str]] | None = None) -> None:
        self.defaults = dict(rules)
        self._scopes = scopes or {}
        self._scopes_of_others = self._scopes.get("", ANY_SCOPE)
        self.before_asking: Callable[[], None] = lambda: None
        """Called before each decision: a policy file is looked after here."""
        self.texts: dict[str, str] = {}
        """The rules that hold now, by name."""
        self._parsed: dict[str, Check] = {}
        self._checks: dict[str, Decide] = {}
        self.override({})

    def override(self, rules: Mapping[str, str]) -> None:
        """Put an operator's rules over the defaults, in place of those put there before.

        All or nothing.  Raises PolicyError.
        """
        texts = {**self.defaults, **rules}
        parsed = {name: parse(name, text) for name, text in texts.items()}
        _check_references(parsed)
        checks: dict[str, Decide] = {}
        for name, check in parsed.items():
            checks[name] = compiled(check, checks)
        self.texts, self._parsed, self._checks = texts, parsed, checks

    def scopes(self, rule: str) -> frozenset[str]:
        """The scopes that a rule accepts; empty: all."""
        return self._scopes.get(rule, self._scopes_of_others)

    def allows(self, rule: str, caller: Context, target: Target) -> bool:
        """Whether `rule` lets the caller act on the target."""
        self.before_asking()
        accepted = self._scopes.get(rule, self._scopes_of_others)
        return (not accepted or scope_of(caller) in accepted) and self._checks[rule](caller, target)

    def enforce(self, rule: str, caller: Context, target: Target | None = None) -> None:
        """Raise FORBIDDEN unless `rule` allows; without a target it is the caller's own project and user."""
        if target is None:
            target = own(caller)
        if not self.allows(rule, caller, target):
            raise self._refusal(rule, caller, target)

    def _refusal(self, rule: str, caller: Context, target: Target) -> Refused:
        """With what would pass, for those who give roles to others or look after the cloud."""
        if not (caller.roles & {"admin", "manager"} or caller.system_scope):
            return FORBIDDEN(rule=rule)
        accepted = self.scopes(rule)
        if accepted and scope_of(caller) not in accepted:
            return SCOPE_NEEDED(rule=rule, scopes=" or ".join(sorted(accepted)))
        roles = self.passing_roles(rule, caller, target)
        return ROLE_NEEDED(rule=rule, roles=", ".join(roles)) if roles else FORBIDDEN(rule=rule)

    def passing_roles(self, rule: str, caller: Context, target: Target) -> list[str]:
        """The roles with any of which the caller would pass, everything else as it is."""
        found = []
        for role in sorted(self._roles_in(rule, set())):
            with_it = msgspec.structs.replace(caller, roles=caller.roles | {role.lower()})
            if self.allows(rule, with_it, target):
                found.append(role)
        return found

    def _roles_in(self, rule: str, seen: set[str]) -> Iterator[str]:
        if rule in seen:
            return
        seen.add(rule)
        yield from names(self._parsed[rule], "role")
        for other in names(self._parsed[rule], "rule"):
            yield from self._roles_in(other, seen)

    def explain(self, rule: str, caller: Context, target: Target | None = None) -> Explanation:
        """How the decision of `rule` comes about.  Raises KeyError where there is no such rule."""
        self.before_asking()
        target = own(caller) if target is None else target
        told = self._explained(Check("rule", rule), caller, target)
        accepted, scope = self.scopes(rule), scope_of(caller)
        if not accepted:
            return told
        in_scope = scope in accepted
        why = f"the token is for a {scope}, accepted: {', '.join(sorted(accepted))}"
        gate = Explanation("scope", in_scope, why)
        return Explanation(told.check, in_scope and told.passed, "", (gate, *told.parts))

    def _explained(self, check: Check, caller: Context, target: Target) -> Explanation:
        passed = compiled(check, self._checks)(caller, target)
        parts: tuple[Check, ...] = check.parts
        text, why = check.text, ""
        if check.kind == "rule":
            text, parts = f"rule:{check.text}", (self._parsed[check.text],)
        elif check.kind == "role":
            text, why = f"role:{check.text}", f"has {', '.join(sorted(caller.roles)) or 'no role'}"
        elif check.kind == "match":
            why = told(check.text, caller, target)
        elif check.kind == "field":
            name = check.text.split(":", 2)[2].partition("=")[0]
            why = f"the target's {name} is {target.get(name)!r}"
        return Explanation(text, passed, why, tuple(self._explained(part, caller, target) for part in parts))


def own(caller: Context) -> dict[str, object]:
    """The target that a rule is asked about where a request names none: the caller itself."""
    return {"project_id": caller.project_id, "user_id": caller.user_id, "domain_id": caller.domain_id}


def scope_of(caller: Context) -> str:
    """What the token is for; one without a scope counts as a project's, as upstream does."""
    return "system" if caller.system_scope else "domain" if caller.domain_id else "project"


def _check_references(parsed: Mapping[str, Check]) -> None:
    """Raise PolicyError where a rule names one that there is not, or leads back to itself."""
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise PolicyError(f"{name}: leads back to itself: {' → '.join((*above, name))}")
        if name in done:
            return
        for other in names(parsed[name], "rule"):
            if other not in parsed:
                raise PolicyError(f"{name}: there is no rule {other!r}")
            visit(other, (*above, name))
        done.add(name)

    for name in parsed:
        visit(name, ())
