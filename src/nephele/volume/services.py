"""Cinder's services as administrators see them: which parts there are, and which are disabled.

They all live in the process that answers, so each of them is up whenever one can ask, as long as its backend is
configured.
"""

import sqlalchemy as sa

from nephele.volume.backends.protocol import Backend
from nephele.volume.errors import HOST_NOT_FOUND, INVALID_INPUT, SERVICE_NOT_FOUND
from nephele.volume.model import ServiceRow
from nephele.volume.parts import Parts
from nephele.volume.tables import clusters, services

VOLUME, SCHEDULER, BACKUP = "cinder-volume", "cinder-scheduler", "cinder-backup"
_columns = [services.c[name] for name in ServiceRow.__struct_fields__]


class Services:
    """The services."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._uuids: dict[str, str] = {}

    def note(self) -> None:
        """Note the services that there are now, each with the cluster that it is part of.  Idempotent."""
        parts = self._parts
        have = {(service.binary, service.host) for service in self.find()}
        for binary, host in self._expected():
            if (binary, host) not in have:
                row = {
                    "binary": binary,
                    "host": host,
                    "zone": parts.zone,
                    "disabled": False,
                    "disabled_reason": None,
                    "frozen": False,
                    "uuid": parts.ids.uuid(),
                    "updated_at": parts.clock.now(),
                    "cluster": parts.cluster if binary == VOLUME else "",
                }
                with parts.store.write() as db:
                    db.execute(services.insert(), row)
        with parts.store.write() as db:
            mine = services.update().where(services.c.binary == VOLUME, services.c.cluster != parts.cluster)
            db.execute(mine.values(cluster=parts.cluster))

    def is_up(self, service: ServiceRow) -> bool:
        """Whether a service runs: those of this process do; one whose backend is no longer configured does not."""
        return (service.binary, service.host) in self._expected()

    def can_clean(self, service: ServiceRow) -> bool:
        """Whether somebody can end what a service left: itself, or another one of its cluster."""
        others = self.find(service.binary) if service.cluster else []
        return any(self.is_up(one) for one in (service, *others) if one == service or one.cluster == service.cluster)

    def _expected(self) -> list[tuple[str, str]]:
        volumes = [(VOLUME, self._parts.service_of(backend)) for backend in self._parts.backends]
        return [*volumes, (SCHEDULER, self._parts.host), (BACKUP, self._parts.host)]

    def find(self, binary: str = "", host: str = "") -> list[ServiceRow]:
        """Those of a binary, on a host: `HOST` or `HOST@BACKEND`."""
        query = sa.select(*_columns).order_by(services.c.binary, services.c.host)
        if binary:
            query = query.where(services.c.binary == binary)
        if host:
            query = query.where((services.c.host == host) | services.c.host.startswith(f"{host}@", autoescape=True))
        with self._parts.store.read() as db:
            return [ServiceRow(*row) for row in db.execute(query)]

    def switch(self, binary: str, host: str, *, disabled: bool, reason: str | None) -> ServiceRow:
        """Disable or enable a service.  Raises SERVICE_NOT_FOUND."""
        values = {"disabled": disabled, "disabled_reason": reason, "updated_at": self._parts.clock.now()}
        where = (services.c.binary == binary) & (services.c.host == host)
        with self._parts.store.write() as db:
            if db.execute(services.update().where(where).values(values)).rowcount == 0:
                raise SERVICE_NOT_FOUND(binary=binary, host=host)
            return ServiceRow(*db.execute(sa.select(*_columns).where(where)).one())

    def freeze(self, host: str, *, frozen: bool) -> None:
        """Let a backend keep its volumes as they are: it takes no new ones and gives none up.

        Raises SERVICE_NOT_FOUND.
        """
        where = (services.c.binary == VOLUME) & (services.c.host == host)
        values = {"frozen": frozen, "disabled": frozen, "disabled_reason": "frozen" if frozen else None}
        with self._parts.store.write() as db:
            if db.execute(services.update().where(where).values(values)).rowcount == 0:
                raise SERVICE_NOT_FOUND(binary=VOLUME, host=host)

    def on_host(self, host: str) -> ServiceRow:
        """The service of a host.  Raises HOST_NOT_FOUND."""
        found = [service for service in self.find() if service.host == host]
        if not found:
            raise HOST_NOT_FOUND(host=host)
        return found[0]

    def takes_volumes(self, backend: Backend) -> bool:
        """Whether a backend may be given new volumes: neither its service nor its cluster is disabled."""
        found = self.find(VOLUME, self._parts.service_of(backend))
        return any(not service.disabled and not self._cluster_is_disabled(service.cluster) for service in found)

    def _cluster_is_disabled(self, name: str) -> bool:
        if not name:
            return False
        c = clusters.c
        query = sa.select(c.disabled).where(c.name == name, c.binary == VOLUME)
        with self._parts.store.read() as db:
            return bool(db.execute(query).scalar_one_or_none())

    def check_not_frozen(self, host: str | None) -> None:
        """Raise INVALID_INPUT where the backend at `host@backend#pool` is to keep what it has."""
        service = (host or "").partition("#")[0]
        if any(found.frozen for found in self.find(VOLUME, service) if service):
            raise INVALID_INPUT(reason="Modification operations are not allowed on a frozen storage endpoint.")

    def cluster_of(self, host: str | None) -> str:
        """The cluster of what is at `host@backend#pool`; empty: none."""
        return self._parts.cluster if self._parts.find_backend(host) else ""

    def volume_uuid(self, host: str | None) -> str | None:
        """The id of the service that has what is at `host@backend#pool`."""
        service = (host or "").partition("#")[0]
        if service not in self._uuids:
            found = self.find(VOLUME, service) if service else []
            if not found:
                return None
            self._uuids[service] = found[0].uuid
        return self._uuids[service]
