"""What projects' servers used in a span of time, from the servers' own rows."""

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute.lifecycle import STATUS
from nephele.compute.model import FlavorInfo, Vm
from nephele.compute.tables import servers
from nephele.kernel.clock import Instant
from nephele.kernel.store import Store

HOUR = 3_600_000_000


class ServerUsage(Struct, frozen=True, kw_only=True):
    """One server's part: `hours` within the span, `uptime` in seconds since its launch."""

    server_id: str
    name: str
    project_id: str
    flavor: FlavorInfo
    state: str
    started_at: Instant
    ended_at: Instant | None
    hours: float
    uptime: int

    @property
    def disk_gb(self) -> int:
        """The local disk that the flavor gives, in GB."""
        return self.flavor.disk + self.flavor.ephemeral


class Usages:
    """Reads usage."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def between(
        self, start: Instant, end: Instant, now: Instant, *, project_id: str = "", marker: str = "", limit: int = 0
    ) -> list[ServerUsage]:
        """The servers that lived between two instants, by project and age; a project's, or all projects'.

        With a `limit` at most so many, behind the server `marker`.
        """
        c = servers.c
        columns = (c.id, c.name, c.project_id, c.flavor, c.vm_state, c.launched_at, c.terminated_at)
        lived = sa.and_(
            c.launched_at.is_not(None),
            c.launched_at < end,
            sa.or_(c.terminated_at.is_(None), c.terminated_at > start),
        )
        query = sa.select(*columns).where(lived).order_by(c.project_id, c.id)
        if project_id:
            query = query.where(c.project_id == project_id)
        with self.store.read() as db:
            if marker:
                last = db.execute(sa.select(c.project_id, c.id).where(c.id == marker)).one_or_none()
                if last is not None:
                    query = query.where(sa.tuple_(c.project_id, c.id) > sa.tuple_(*last))
            if limit:
                query = query.limit(limit)
            rows = db.execute(query).all()
        return [
            ServerUsage(
                server_id=server_id,
                name=name,
                project_id=owner,
                flavor=flavor,
                state="terminated" if ended else STATUS[Vm(vm_state)].lower(),
                started_at=launched,
                ended_at=ended,
                hours=max(0, min(ended or end, end) - max(launched, start)) / HOUR,
                uptime=((ended or now) - launched) // 1_000_000,
            )
            for server_id, name, owner, flavor, vm_state, launched, ended in rows
        ]
