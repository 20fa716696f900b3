"""How many of each kind a project may have: counted from the rows themselves, in the transaction that adds one."""

import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.statements import Statement
from nephele.network import tables
from nephele.network.errors import OVER_QUOTA, QUOTA_UNKNOWN
from nephele.network.work import Work

DEFAULTS: dict[str, int] = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "rbac_policy": 10,
    "security_group": 10,
    "security_group_rule": 100,
}
"""Upstream's own; -1: no limit."""

_TABLES = {
    "network": tables.networks,
    "subnet": tables.subnets,
    "subnetpool": tables.subnet_pools,
    "port": tables.ports,
    "router": tables.routers,
    "floatingip": tables.floating_ips,
    "rbac_policy": tables.rbac_policies,
    "security_group": tables.security_groups,
    "security_group_rule": tables.security_rules,
}
_limits = tables.quotas
_LIMIT = Statement(
    sa.select(_limits.c.limit).where(
        _limits.c.project_id == sa.bindparam("project"), _limits.c.resource == sa.bindparam("resource")
    )
)
_COUNTS = {
    name: Statement(
        sa.select(sa.func.count()).select_from(
            sa.select(sa.literal(1))
            .where(table.c.project_id == sa.bindparam("project"))
            .limit(sa.bindparam("enough"))
            .subquery()
        )
    )
    for name, table in _TABLES.items()
}


class Usage(Struct, frozen=True):
    """One line of a project's quota details."""

    limit: int
    used: int
    reserved: int = 0


def check_quota(work: Work, resource: str, project_id: str, more: int = 1) -> None:
    """Raise OVER_QUOTA unless the project may have `more` of them.

    Inside a `writing()` it holds until the commit: others of the same project wait.
    """
    key = f"quota.{resource}.{project_id}"
    limit = work.seen.get(key)
    if not isinstance(limit, int):
        own = _LIMIT.scalar(work.db, project=project_id, resource=resource)
        limit = work.seen[key] = DEFAULTS[resource] if own is None else own
    if limit < 0:
        return
    used = _COUNTS[resource].scalar(work.db, project=project_id, enough=max(limit - more + 1, 0))
    if used + more > limit:
        raise OVER_QUOTA(resource=resource)


def take_quota(work: Work, resource: str, project_id: str, more: int = 1) -> None:
    """`check_quota` inside a `writing()`, held until the commit."""
    if project_id:
        work.core.store.lock(f"network.quota.{resource}.{project_id}")
        check_quota(work, resource, project_id, more)


def quota_of(work: Work, project_id: str) -> dict[str, int]:
    """The project's limits."""
    own = sa.select(_limits.c.resource, _limits.c.limit).where(_limits.c.project_id == project_id)
    return DEFAULTS | {row[0]: row[1] for row in work.db.execute(own)}


def usage_of(work: Work, project_id: str) -> dict[str, Usage]:
    """The project's limits and what it uses."""
    everything = {"project": project_id, "enough": -1 if work.core.store.is_sqlite else None}
    used = {name: count.scalar(work.db, **everything) for name, count in _COUNTS.items()}
    return {name: Usage(limit, used[name]) for name, limit in quota_of(work, project_id).items()}


def projects_with_quotas(work: Work) -> list[str]:
    """Projects that have limits of their own."""
    return list(work.db.execute(sa.select(_limits.c.project_id).distinct().order_by(_limits.c.project_id)).scalars())


def set_quota(work: Work, project_id: str, limits: dict[str, int]) -> dict[str, int]:
    """Change some of a project's limits."""
    for resource in limits:
        if resource not in DEFAULTS:
            raise QUOTA_UNKNOWN(resource=resource)
    changed = sa.and_(_limits.c.project_id == project_id, _limits.c.resource.in_(limits))
    work.db.execute(sa.delete(_limits).where(changed))
    rows = [{"project_id": project_id, "resource": name, "limit": limit} for name, limit in limits.items()]
    if rows:
        work.db.execute(sa.insert(_limits), rows)
    return quota_of(work, project_id)


def reset_quota(work: Work, project_id: str) -> None:
    """Give the project the default limits again."""
    work.db.execute(sa.delete(_limits).where(_limits.c.project_id == project_id))
