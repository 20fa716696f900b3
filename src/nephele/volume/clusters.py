"""Clusters: services of one kind that stand for each other, and are enabled and disabled together.

A cloud's volume services are part of one where `volumes.cluster` names it.
"""

import sqlalchemy as sa

from nephele.volume.errors import CLUSTER_NOT_FOUND
from nephele.volume.model import Cluster, ServiceRow
from nephele.volume.parts import Parts
from nephele.volume.services import VOLUME, Services
from nephele.volume.tables import clusters

_columns = [clusters.c[name] for name in Cluster.__struct_fields__]


class Clusters:
    """All clusters."""

    def __init__(self, parts: Parts, services: Services) -> None:
        self._parts = parts
        self._services = services

    def note(self) -> None:
        """Note the cluster that this cloud's services are part of.  Idempotent."""
        name = self._parts.cluster
        if name and not self.find({"name": name}):
            values = {"binary": VOLUME, "disabled": False, "created_at": self._parts.clock.now()}
            with self._parts.store.write() as db:
                db.execute(clusters.insert().values(name=name, **values))

    def find(self, wanted: dict[str, object]) -> list[Cluster]:
        """Those whose columns have the wanted values."""
        query = sa.select(*_columns).order_by(clusters.c.name, clusters.c.binary)
        with self._parts.store.read() as db:
            return [Cluster(*row) for row in db.execute(query.where(*(clusters.c[k] == v for k, v in wanted.items())))]

    def show(self, name: str, binary: str = "") -> Cluster:
        """One cluster; without `binary` that of volume services.  Raises CLUSTER_NOT_FOUND."""
        found = self.find({"name": name, "binary": binary or VOLUME})
        if not found:
            raise CLUSTER_NOT_FOUND(name=name)
        return found[0]

    def members(self, cluster: Cluster) -> list[ServiceRow]:
        """Its services."""
        return [service for service in self._services.find(cluster.binary) if service.cluster == cluster.name]

    def member_of(self, name: str) -> str:
        """The host of a service of the cluster that is up and takes volumes.  Raises CLUSTER_NOT_FOUND."""
        for service in self.members(self.show(name)):
            backend = self._parts.find_backend(service.host)
            if backend is not None and self._services.takes_volumes(backend):
                return service.host
        raise CLUSTER_NOT_FOUND(name=name)

    def switch(self, name: str, binary: str, *, disabled: bool, reason: str | None) -> Cluster:
        """Disable or enable a cluster.  Raises CLUSTER_NOT_FOUND."""
        with self._parts.store.write() as db:
            found = self.show(name, binary)
            c = clusters.c
            update = clusters.update().where(c.name == found.name, c.binary == found.binary)
            db.execute(update.values(disabled=disabled, disabled_reason=reason, updated_at=self._parts.clock.now()))
            return self.show(name, binary)
