"""Quotas in the API: a project's limits, their defaults, and what is used."""

from typing import Any

from nephele.network.attributes import Bad, integer
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY
from nephele.network.quotas import DEFAULTS, projects_with_quotas, quota_of, reset_quota, set_quota, usage_of
from nephele.network.service import Networks
from nephele.network.work import Work
from nephele.web.call import Call

_limit = integer(-1, (1 << 31) - 1)


def _mine(work: Work, call: Call, rule: str) -> str:
    project_id = call.path["id"]
    work.enforce(rule, {"project_id": project_id})
    return project_id


def index(service: Networks, call: Call) -> dict[str, Any]:
    """The projects that have limits of their own: all for an administrator, else the caller's."""
    with service.core.reading(call.context) as work:
        projects = projects_with_quotas(work)
        seen = [one for one in projects if work.may("get_quota", {"project_id": one})]
        return {"quotas": [{**quota_of(work, one), "project_id": one, "tenant_id": one} for one in seen]}


def show(service: Networks, call: Call) -> dict[str, Any]:
    """A project's limits."""
    with service.core.reading(call.context) as work:
        return {"quota": quota_of(work, _mine(work, call, "get_quota"))}


def defaults(service: Networks, call: Call) -> dict[str, Any]:
    """The limits that a project has at first."""
    with service.core.reading(call.context) as work:
        _mine(work, call, "get_quota")
        return {"quota": DEFAULTS}


def details(service: Networks, call: Call) -> dict[str, Any]:
    """Limits and what is used of them."""
    with service.core.reading(call.context) as work:
        return {"quota": usage_of(work, _mine(work, call, "get_quota"))}


def update(service: Networks, call: Call) -> dict[str, Any]:
    """Change a project's limits."""
    given = call.body.get("quota")
    if not isinstance(given, dict):
        raise BAD_BODY(reason="Unable to find 'quota' in request body")
    limits = {}
    for name, value in given.items():
        if name in ("project_id", "tenant_id", "force", "check_limit"):
            continue
        if name not in DEFAULTS:
            raise BAD_BODY(reason=f"Unrecognized attribute(s) '{name}'")
        try:
            limits[name] = _limit(value)
        except Bad as bad:
            raise BAD_ATTRIBUTE(attribute=name, reason=bad) from None
    with service.core.writing(call.context) as work:
        return {"quota": set_quota(work, _mine(work, call, "update_quota"), limits)}


def delete(service: Networks, call: Call) -> None:
    """Give a project the default limits again."""
    with service.core.writing(call.context) as work:
        reset_quota(work, _mine(work, call, "delete_quota"))
