"""From the rows to what should be on one host, and from its agent's report back to the rows."""

import sqlalchemy as sa

from nephele.network import tables
from nephele.network.model import Status
from nephele.network.wiring import HostWiring, WiringApplied
from nephele.network.work import Work


def host_wiring(work: Work, host: str) -> HostWiring:
    """Everything that should be on `host`."""
    revision = work.db.execute(sa.select(tables.wiring_revision.c.revision)).scalar() or 0
    return HostWiring(host=host, revision=revision)


def record_applied(work: Work, report: WiringApplied) -> None:
    """Ports that are wired become ACTIVE; those that are not say why."""
    ports = tables.ports
    if report.wired:
        done = sa.update(ports).where(ports.c.id.in_(report.wired), ports.c.host == report.host)
        changed = sa.and_(ports.c.admin_state_up, sa.or_(ports.c.status != Status.ACTIVE, ports.c.failure != ""))
        work.db.execute(done.where(changed).values(status=Status.ACTIVE, failure=""))
    for port_id, reason in report.failed.items():
        failed = sa.update(ports).where(ports.c.id == port_id, ports.c.host == report.host)
        work.db.execute(failed.values(status=Status.DOWN, failure=reason))
