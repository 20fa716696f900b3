"""Server groups: servers that are to be placed together or apart."""

from collections import defaultdict
from collections.abc import Collection

import sqlalchemy as sa

from nephele.compute.errors import BAD_GROUP
from nephele.compute.model import ServerGroup
from nephele.compute.quotas import UNLIMITED, ComputeQuotas, Resource
from nephele.compute.rows import load
from nephele.compute.tables import server_groups, servers
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.errors import Error
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store

GROUP_NOT_FOUND = Error("server_group.not_found", 404, "Instance group {group_id} could not be found.")
TOO_MANY_GROUPS = Error("server_group.quota", 403, "Quota exceeded, too many server groups: {limit} are allowed.")
TOO_MANY_MEMBERS = Error(
    "server_group.members_quota", 403, "Quota exceeded, too many servers in group {group_id}: {limit} are allowed."
)


class Groups:
    """All server groups.

    Args:
        store: where they are.
        clock: time.
        ids: names them.
        quotas: how many a project may have, and a group.
    """

    def __init__(self, store: Store, clock: Clock, ids: Ids, quotas: ComputeQuotas) -> None:
        self.store, self.clock, self.ids, self.quotas = store, clock, ids, quotas

    def create(self, caller: Context, name: str, policy: str, rules: dict[str, int]) -> ServerGroup:
        """A new group of the caller's project.  Raises TOO_MANY_GROUPS."""
        with self.store.write() as db:
            limit = self.quotas.limits(caller.project_id)[Resource.SERVER_GROUPS]
            self.store.lock(f"quota:{caller.project_id}")
            mine = sa.select(sa.func.count()).where(server_groups.c.project_id == caller.project_id)
            if limit != UNLIMITED and db.execute(mine).scalar_one() >= limit:
                raise TOO_MANY_GROUPS(limit=limit)
            group = ServerGroup(
                id=self.ids.uuid(),
                name=name,
                project_id=caller.project_id,
                user_id=caller.user_id,
                policy=policy,
                rules=rules,
                created_at=self.clock.now(),
            )
            values = {field: getattr(group, field) for field in ServerGroup.__struct_fields__}
            db.execute(server_groups.insert(), values)
        return group

    def show(self, caller: Context, group_id: str) -> ServerGroup:
        """A group that the caller may see.  Raises GROUP_NOT_FOUND."""
        with self.store.read() as db:
            group = find_group(db, group_id)
        if group is None or not (caller.is_admin or group.project_id == caller.project_id):
            raise GROUP_NOT_FOUND(group_id=group_id)
        return group

    def list_for(self, project_id: str, offset: int, limit: int) -> list[ServerGroup]:
        """A part of a project's groups, oldest first; of all projects' for an empty id."""
        query = server_groups.select().order_by(server_groups.c.created_at, server_groups.c.id)
        if project_id:
            query = query.where(server_groups.c.project_id == project_id)
        with self.store.read() as db:
            return [load(ServerGroup, row) for row in db.execute(query.offset(offset).limit(limit))]

    def members(self, group_ids: Collection[str]) -> dict[str, list[str]]:
        """The servers of each group that are not deleted."""
        c = servers.c
        query = sa.select(c.group_id, c.id).where(c.group_id.in_(group_ids), c.deleted_at.is_(None))
        found: dict[str, list[str]] = defaultdict(list)
        with self.store.read() as db:
            for group_id, server_id in db.execute(query.order_by(c.created_at, c.id)):
                found[group_id].append(server_id)
        return found

    def delete(self, caller: Context, group_id: str) -> None:
        """Remove a group; its servers stay, in no group.  Raises GROUP_NOT_FOUND."""
        with self.store.write() as db:
            group = self.show(caller, group_id)
            db.execute(servers.update().where(servers.c.group_id == group.id).values(group_id=""))
            db.execute(server_groups.delete().where(server_groups.c.id == group.id))

    def check_room(self, caller: Context, group_id: str, count: int) -> None:
        """Inside a `write()`: may `count` more servers come into the group?  Raises BAD_GROUP, TOO_MANY_MEMBERS."""
        with self.store.read() as db:
            group = find_group(db, group_id)
        if group is None or not (caller.is_admin or group.project_id == caller.project_id):
            raise BAD_GROUP(group_id=group_id)
        limit = self.quotas.limits(group.project_id)[Resource.SERVER_GROUP_MEMBERS]
        if limit == UNLIMITED:
            return
        self.store.lock(f"group-quota:{group_id}")
        mine = sa.and_(servers.c.group_id == group_id, servers.c.deleted_at.is_(None))
        with self.store.read() as db:
            has = db.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
        if has + count > limit:
            raise TOO_MANY_MEMBERS(group_id=group_id, limit=limit)


def find_group(db: sa.Connection, group_id: str) -> ServerGroup | None:
    """A group, whoever asks; None where there is none of that id."""
    if not group_id:
        return None
    row = db.execute(server_groups.select().where(server_groups.c.id == group_id)).one_or_none()
    return None if row is None else load(ServerGroup, row)
