"""`/nephele/v1/policy`: which rules hold, and why one lets a user do something or not."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from nephele.identity.login import DomainRef, ProjectRef, Scope, SystemRef, UserRef
from nephele.identity.service import Identity
from nephele.kernel.context import Context
from nephele.kernel.errors import Error, Refused
from nephele.kernel.policy import ANY_SCOPE, Policy, own
from nephele.kernel.policy_file import PolicyFile
from nephele.web import faults
from nephele.web.call import Call
from nephele.web.routing import Api, Route

RULE_NOT_FOUND = Error("policy.rule_not_found", 404, "There is no rule {rule}.{like}")
OWN_RULES = {
    "nephele:policy:show": "role:admin or (role:reader and system_scope:all)",
    "nephele:policy:explain": "rule:nephele:policy:show or user_id:%(user_id)s",
}


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a user may do something: by default the caller itself, with the token that it has.

    Args:
        rule: the rule's name.
        user: another user; then a scope, too.
        project: the project that its token is for; or
        domain: the domain; or
        system: the whole system.
        target: what it is done to, by the names that rules use; by default the user's own project.
    """

    rule: str
    user: UserRef | None = None
    project: ProjectRef | None = None
    domain: DomainRef | None = None
    system: bool = False
    target: dict[str, str] | None = None


class Policies:
    """The rules of all services.

    Args:
        identity: says what roles a user has.
        policies: by service.
        files: what operators put over them, by service.
    """

    def __init__(self, identity: Identity, policies: Mapping[str, Policy], files: Mapping[str, PolicyFile]) -> None:
        self.identity, self.policies, self.files = identity, policies, files

    def holder(self, rule: str) -> tuple[str, Policy]:
        """The service that has a rule.  Raises RULE_NOT_FOUND with the names that are like it."""
        for service, policy in self.policies.items():
            if rule in policy.texts:
                return service, policy
        near = sorted(name for policy in self.policies.values() for name in policy.texts if rule in name)
        raise RULE_NOT_FOUND(rule=rule, like=f" Is it one of {', '.join(near[:10])}?" if near else "")


def show(desk: Policies, _call: Call) -> dict[str, Any]:
    """Every rule that holds, and the files over them."""
    return {
        "files": [_file(service, file) for service, file in desk.files.items()],
        "rules": [
            {
                "service": service,
                "rule": rule,
                "check": text,
                "default": policy.defaults.get(rule),
                "scopes": sorted(policy.scopes(rule)),
            }
            for service, policy in desk.policies.items()
            for rule, text in policy.texts.items()
        ],
    }


def _file(service: str, file: PolicyFile) -> dict[str, Any]:
    file.follow()
    return {
        "service": service,
        "path": str(file.path),
        "exists": file.path.exists(),
        "refused": file.refused.message if file.refused else None,
        "unknown": file.unknown,
    }


def explain(desk: Policies, call: Call) -> dict[str, Any]:
    """How a decision comes about."""
    asked: Question = call.body
    caller = call.context
    service, policy = desk.holder(asked.rule)
    if asked.user is not None:
        user_id = desk.identity.proving.user_id(asked.user)
        call.enforce("nephele:policy:explain", {"user_id": user_id})
        try:
            caller = desk.identity.context_of(user_id, _scope(asked))
        except Refused as refused:
            if refused.status != 401:
                raise
            why = "There is no such enabled user, or it has no role there: it gets no token for that."
            return {"service": service, "rule": asked.rule, "allowed": False, "reason": why}
    told = policy.explain(asked.rule, caller, asked.target)
    return {
        "service": service,
        "rule": asked.rule,
        "check": policy.texts[asked.rule],
        "allowed": told.passed,
        "caller": _caller(caller),
        "explanation": msgspec.to_builtins(told),
        "roles_that_pass": policy.passing_roles(asked.rule, caller, asked.target or own(caller)),
    }


def _scope(asked: Question) -> Scope:
    return Scope(project=asked.project, domain=asked.domain, system=SystemRef(all=True) if asked.system else None)


def _caller(caller: Context) -> dict[str, Any]:
    return {
        "user_id": caller.user_id,
        "user_name": caller.user_name,
        "project_id": caller.project_id or None,
        "domain_id": caller.domain_id or None,
        "system": bool(caller.system_scope),
        "roles": sorted(caller.roles),
    }


ROUTES = [
    Route("GET", "/v1/policy", show, "nephele:policy:show"),
    Route("POST", "/v1/policy/explain", explain, body=Question),
]


def api(desk: Policies) -> Api:
    """Under `/nephele`."""
    rules = Policy(OWN_RULES, {"": ANY_SCOPE})
    return Api("nephele", "/nephele", desk, ROUTES, faults.nephele, rules)
