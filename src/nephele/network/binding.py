"""Binding: which mechanism plugs a port on its host, or why none can."""

import sqlalchemy as sa

from nephele.kernel.statements import Statement
from nephele.network import tables
from nephele.network.model import Status
from nephele.network.work import Work

UNBOUND, BRIDGE, FAILED = "unbound", "bridge", "binding_failed"
SIMULATED, NORMAL = "sim", "normal"
_agents = tables.agents
_KIND = Statement(sa.select(_agents.c.kind).where(_agents.c.host == sa.bindparam("wanted"), _agents.c.role == "l2"))


def bind(work: Work, host: str, vnic_type: str = NORMAL) -> tuple[str, Status, str]:
    """VIF type, status and, where it failed, the reason, of a port on `host`.

    A simulated host's port is wired at once; a real one's is when the host's agent says so.
    """
    if not host:
        return UNBOUND, Status.DOWN, ""
    if vnic_type != NORMAL:
        return FAILED, Status.DOWN, f"hosts plug ports of vnic_type normal only, not {vnic_type}"
    kind = _KIND.scalar(work.db, wanted=host)
    if kind is None:
        return FAILED, Status.DOWN, f"no network agent is registered for host {host}"
    return BRIDGE, Status.ACTIVE if kind == SIMULATED else Status.DOWN, ""
