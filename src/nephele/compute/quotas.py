"""How much a project may have: limits, and what is used, counted from the rows themselves."""

from enum import StrEnum

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.compute.errors import QUOTA_EXCEEDED
from nephele.compute.model import FlavorInfo, Vm
from nephele.compute.tables import compute_quotas, key_pairs, server_groups, servers
from nephele.config import Quotas
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store

UNLIMITED = -1
DEFAULT_CLASS = "class:default"


_q, _s = compute_quotas.c, servers.c
_LIMITS = Statement(
    sa.select(_q.scope, _q.resource, _q.hard_limit).where(
        sa.or_(_q.scope == sa.bindparam("project"), _q.scope == DEFAULT_CLASS)
    )
)
_USED = Statement(
    sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(_s.vcpus), 0), sa.func.coalesce(sa.func.sum(_s.ram), 0)
    ).where(_s.project_id == sa.bindparam("project"), _s.deleted_at.is_(None), _s.vm_state != Vm.SOFT_DELETED)
)


class Resource(StrEnum):
    """What is limited."""

    INSTANCES = "instances"
    CORES = "cores"
    RAM = "ram"
    METADATA_ITEMS = "metadata_items"
    KEY_PAIRS = "key_pairs"
    SERVER_GROUPS = "server_groups"
    SERVER_GROUP_MEMBERS = "server_group_members"


class Used(Struct, frozen=True):
    """What a project's servers use: how many, vCPUs, memory in MB."""

    instances: int
    cores: int
    ram: int


class ComputeQuotas:
    """Limits and usage.

    Args:
        store: where both are.
        defaults: the limits of projects that have none of their own.
    """

    def __init__(self, store: Store, defaults: Quotas) -> None:
        self.store = store
        self.defaults: dict[str, int] = msgspec.to_builtins(defaults)

    def limits(self, project_id: str) -> dict[str, int]:
        """Each resource's limit for a project."""
        with self.store.read() as db:
            rows = _LIMITS.rows(db, project=project_id)
        found = dict(self.defaults)
        for wanted in (DEFAULT_CLASS, project_id):
            found |= {resource: limit for scope, resource, limit in rows if scope == wanted}
        return found

    def set_limits(self, scope: str, limits: dict[str, int]) -> None:
        """Set some limits of a project, or of `class:default`."""
        with self.store.write() as db:
            mine = sa.and_(compute_quotas.c.scope == scope, compute_quotas.c.resource.in_(limits))
            db.execute(compute_quotas.delete().where(mine))
            rows = [{"scope": scope, "resource": name, "hard_limit": limit} for name, limit in limits.items()]
            if rows:
                db.execute(compute_quotas.insert(), rows)

    def forget(self, scope: str) -> None:
        """Back to the defaults."""
        with self.store.write() as db:
            db.execute(compute_quotas.delete().where(compute_quotas.c.scope == scope))

    def used(self, project_id: str) -> Used:
        """What the project's servers use now; deleted ones, the softly deleted too, do not count, those in ERROR do."""
        with self.store.read() as db:
            return Used(*_USED.rows(db, project=project_id)[0])

    def counted(self, project_id: str, user_id: str) -> dict[str, int]:
        """What is used of every resource that can be counted for a project (key pairs: for a user)."""
        used = self.used(project_id)
        groups = sa.select(sa.func.count()).where(server_groups.c.project_id == project_id)
        keys = sa.select(sa.func.count()).where(key_pairs.c.user_id == user_id)
        with self.store.read() as db:
            return {
                **msgspec.to_builtins(used),
                "server_groups": db.execute(groups).scalar_one(),
                "key_pairs": db.execute(keys).scalar_one(),
            }

    def check_growth(self, project_id: str, vcpus: int, ram: int) -> None:
        """Inside a `write()`: whether a server may have so many more vCPUs and MB of memory.  Raises QUOTA_EXCEEDED."""
        asked = {name: more for name, more in (("cores", vcpus), ("ram", ram)) if more > 0}
        limits = self.limits(project_id)
        if all(limits[name] == UNLIMITED for name in asked):
            return
        self.store.lock(f"quota:{project_id}")
        used = msgspec.to_builtins(self.used(project_id))
        over = [name for name, more in asked.items() if limits[name] != UNLIMITED and used[name] + more > limits[name]]
        if over:
            raise QUOTA_EXCEEDED(
                resources=", ".join(over),
                requested=", ".join(str(asked[name]) for name in over),
                used=", ".join(str(used[name]) for name in over),
                limit=", ".join(str(limits[name]) for name in over),
            )

    def check_servers(
        self,
        project_id: str,
        count: int,
        vcpus: int,
        ram: int,
        least: int | None = None,
        limits: dict[str, int] | None = None,
    ) -> int:
        """Inside a `write()`: how many of `count` servers fit; exact, for nobody else writes meanwhile.

        `limits` are those of the project, where they were read in this transaction already.
        Raises QUOTA_EXCEEDED with the numbers where fewer than `least` (all, by default) fit.
        """
        limits = self.limits(project_id) if limits is None else limits
        asked = {"instances": 1, "cores": vcpus, "ram": ram}
        if all(limits[name] == UNLIMITED for name in asked):
            return count
        self.store.lock(f"quota:{project_id}")
        used = msgspec.to_builtins(self.used(project_id))
        room = {name: _room(limits[name], used[name], one, count) for name, one in asked.items()}
        fits = min(room.values())
        if fits < (count if least is None else least):
            over = [name for name in asked if room[name] < count]
            raise QUOTA_EXCEEDED(
                resources=", ".join(over),
                requested=", ".join(str(asked[name] * count) for name in over),
                used=", ".join(str(used[name]) for name in over),
                limit=", ".join(str(limits[name]) for name in over),
            )
        return fits


def growth(old: FlavorInfo, new: FlavorInfo) -> tuple[int, int]:
    """What a server counts as (vCPUs, memory) while it may become either: the larger of both."""
    return max(old.vcpus, new.vcpus), max(old.ram, new.ram)


def _room(limit: int, used: int, each: int, count: int) -> int:
    """How many of `count` that need `each` still fit."""
    if limit == UNLIMITED or each == 0:
        return count
    return max(0, min(count, (limit - used) // each))
