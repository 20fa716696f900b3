"""How the cloud is: `/healthz` for who restarts it, `/metrics` for Prometheus.  Neither asks for a token."""

import logging

import falcon
import falcon.asgi
import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.engine import Engine
from nephele.kernel.operations import OPEN, operations
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store
from nephele.web.metrics import CONTENT_TYPE, Labels, Metrics, family

log = logging.getLogger(__name__)
_OPEN = Statement(
    sa.select(operations.c.kind, operations.c.state, sa.func.count())
    .where(operations.c.state.in_(OPEN))
    .group_by(operations.c.kind, operations.c.state)
)


class Health(Struct, frozen=True):
    """Whether the database answers, and whether the conductor looks after its operations."""

    store: bool
    conductor: bool


class HealthPage:
    """`/healthz`: 200 where all of `Health` is true, else 503."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store, self._engine = store, engine

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        health = Health(store=self._store_answers(), conductor=self._engine.is_running())
        response.status = 200 if health.store and health.conductor else 503
        response.content_type = "application/json"
        response.data = msgspec.json.encode(health)

    def _store_answers(self) -> bool:
        try:
            with self._store.read() as db:
                _OPEN.rows(db)
        except sa.exc.SQLAlchemyError:
            log.exception("the database does not answer")
            return False
        return True


class MetricsPage:
    """`/metrics`: requests, and operations that are open or have ended since this process started."""

    def __init__(self, store: Store, engine: Engine, metrics: Metrics) -> None:
        self._store, self._engine, self._metrics = store, engine, metrics

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        with self._store.read() as db:
            found = _OPEN.rows(db)
        opened: dict[Labels, float] = {(("kind", kind), ("state", state)): count for kind, state, count in found}
        counted = self._engine.ended.items()
        ended: dict[Labels, float] = {(("kind", kind), ("state", state)): count for (kind, state), count in counted}
        lines = [
            *self._metrics.lines(),
            *family("nephele_operations_open", "gauge", "Operations that are not over.", opened),
            *family("nephele_operations_ended_total", "counter", "Operations that ended.", ended),
        ]
        response.content_type = CONTENT_TYPE
        response.data = ("\n".join(lines) + "\n").encode()
