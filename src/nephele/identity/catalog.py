"""The catalog: regions, services and their endpoints."""

import re

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.errors import ENDPOINT_NOT_FOUND, INVALID, REFUSED, REGION_NOT_FOUND, SERVICE_NOT_FOUND
from nephele.identity.model import Endpoint, Interface, Region, Service
from nephele.identity.revocations import Kind
from nephele.identity.shared import Filters, Shared, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import (
    endpoint_groups,
    endpoints,
    project_endpoint_groups,
    project_endpoints,
    regions,
    services,
)

PUBLIC_URL = "$(public_url)s"
"""In a stored URL: where this cloud answers, as the client of the moment sees it."""

_REGION, _SERVICE, _ENDPOINT = (
    columns_of(regions, Region),
    columns_of(services, Service),
    columns_of(endpoints, Endpoint),
)
_PLACE = re.compile(r"[$%]\(([^)]*)\)s")
_KNOWN_PLACES = frozenset(("public_url", "project_id", "tenant_id", "user_id"))


class Whose(Struct, frozen=True):
    """For whom a catalog is made: fills the places in the URLs."""

    base_url: str
    project_id: str = ""
    user_id: str = ""


class Catalog:
    """What this cloud offers, and where."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._views: dict[tuple[int, Whose], msgspec.Raw] = {}

    def view(self, whose: Whose) -> msgspec.Raw:
        """The catalog as JSON, with enabled services and endpoints; remembered until something changes."""
        key = (self._shared.revocations.epoch, whose)
        found = self._views.get(key)
        if found is None:
            if len(self._views) > 1000:
                self._views.clear()
            found = self._views[key] = msgspec.Raw(msgspec.json.encode(self._make(whose)))
        return found

    def _make(self, whose: Whose) -> list[dict[str, object]]:
        by_service: dict[str, list[dict[str, object]]] = {}
        chosen = self._chosen_for(whose.project_id)
        for endpoint in self.endpoints([("enabled", "true")]):
            url = filled(endpoint.url, whose)
            if url is not None and (not chosen or endpoint.id in chosen):
                by_service.setdefault(endpoint.service_id, []).append(
                    {
                        "id": endpoint.id,
                        "interface": endpoint.interface,
                        "region": endpoint.region_id or None,
                        "region_id": endpoint.region_id or None,
                        "url": url,
                    }
                )
        return [
            {"id": service.id, "type": service.type, "name": service.name, "endpoints": by_service.get(service.id, [])}
            for service in self.services([("enabled", "true")])
        ]

    def _chosen_for(self, project_id: str) -> set[str]:
        """The endpoints that were chosen for a project; where none was, it sees all."""
        if not project_id:
            return set()
        with self._shared.store.read() as db:
            direct = sa.select(project_endpoints.c.endpoint_id).where(project_endpoints.c.project_id == project_id)
            chosen = set(db.execute(direct).scalars().all())
            mine = project_endpoint_groups.c.project_id == project_id
            through = sa.select(endpoint_groups.c.filters).join_from(
                project_endpoint_groups, endpoint_groups, endpoint_groups.c.id == project_endpoint_groups.c.group_id
            )
            for filters in db.execute(through.where(mine)).scalars().all():
                chosen |= {endpoint.id for endpoint in self.endpoints(list(filters.items()))}
        return chosen

    def region(self, region_id: str) -> Region:
        """One region.  Raises REGION_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_REGION).where(regions.c.id == region_id)).first()
        if row is None:
            raise REGION_NOT_FOUND(id=region_id)
        return Region(*row)

    def has_region(self, region_id: str) -> bool:
        """Whether there is a region of that id."""
        with self._shared.store.read() as db:
            return db.execute(sa.select(regions.c.id).where(regions.c.id == region_id)).first() is not None

    def regions(self, filters: Filters) -> list[Region]:
        """Regions by `parent_region_id`."""
        select = narrowed(sa.select(*_REGION), filters, {"parent_region_id": regions.c.parent_id})
        with self._shared.store.read() as db:
            return [Region(*row) for row in db.execute(select.order_by(regions.c.id))]

    def create_region(self, region: Region) -> Region:
        """A new region; its id is made here unless given.  Raises REGION_NOT_FOUND (parent) or DUPLICATE."""
        with self._shared.store.write() as db:
            region = msgspec.structs.replace(region, id=region.id or self._shared.ids.hex())
            if region.parent_id:
                self.region(region.parent_id)
            store_new(db, regions, _row(region), "region")
            self._changed()
            return region

    def update_region(self, region: Region) -> Region:
        """Replace a region's attributes.  Raises REGION_NOT_FOUND, or INVALID for a circle of parents."""
        with self._shared.store.write() as db:
            self.region(region.id)
            above = region.parent_id
            while above:
                if above == region.id:
                    raise INVALID(reason=f"Region {region.id} can not be below itself.")
                above = self.region(above).parent_id
            store_change(db, regions, region.id, _row(region), "region")
            self._changed()
            return region

    def delete_region(self, region_id: str) -> None:
        """Remove a region with those below it.  Raises REGION_NOT_FOUND, or REFUSED where endpoints are in one."""
        with self._shared.store.write() as db:
            gone, level = [], [self.region(region_id).id]
            while level:
                gone += level
                level = list(db.execute(sa.select(regions.c.id).where(regions.c.parent_id.in_(level))).scalars())
            if db.execute(sa.select(endpoints.c.id).where(endpoints.c.region_id.in_(gone))).first():
                raise REFUSED(action=f"delete region {region_id}: it or a region below it has endpoints")
            db.execute(regions.delete().where(regions.c.id.in_(gone)))
            self._changed()

    def service(self, service_id: str) -> Service:
        """One service.  Raises SERVICE_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_SERVICE).where(services.c.id == service_id)).first()
        if row is None:
            raise SERVICE_NOT_FOUND(id=service_id)
        return Service(*row)

    def services(self, filters: Filters) -> list[Service]:
        """Services by `type`, `name`, `enabled`."""
        select = narrowed(
            sa.select(*_SERVICE), filters, {name: services.c[name] for name in ("type", "name", "enabled")}
        )
        with self._shared.store.read() as db:
            return [Service(*row) for row in db.execute(select.order_by(services.c.type, services.c.id))]

    def create_service(self, service: Service) -> Service:
        """A new service; its id is made here."""
        with self._shared.store.write() as db:
            service = msgspec.structs.replace(service, id=self._shared.ids.hex())
            store_new(db, services, _row(service), "service")
            self._changed()
            return service

    def update_service(self, service: Service) -> Service:
        """Replace a service's attributes.  Raises SERVICE_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.service(service.id)
            store_change(db, services, service.id, _row(service), "service")
            self._changed()
            return service

    def delete_service(self, service_id: str) -> None:
        """Remove a service with its endpoints.  Raises SERVICE_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.service(service_id)
            db.execute(endpoints.delete().where(endpoints.c.service_id == service_id))
            db.execute(services.delete().where(services.c.id == service_id))
            self._changed()

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """One endpoint.  Raises ENDPOINT_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_ENDPOINT).where(endpoints.c.id == endpoint_id)).first()
        if row is None:
            raise ENDPOINT_NOT_FOUND(id=endpoint_id)
        return Endpoint(*row)

    def endpoints(self, filters: Filters) -> list[Endpoint]:
        """Endpoints by `interface`, `service_id`, `region_id`, `enabled`."""
        names = ("interface", "service_id", "region_id", "enabled")
        select = narrowed(sa.select(*_ENDPOINT), filters, {name: endpoints.c[name] for name in names})
        with self._shared.store.read() as db:
            order = endpoints.c.service_id, endpoints.c.interface, endpoints.c.id
            return [Endpoint(*row) for row in db.execute(select.order_by(*order))]

    def create_endpoint(self, endpoint: Endpoint) -> Endpoint:
        """A new endpoint; its id is made here.

        Raises INVALID where the service or region is not there, or for a URL with an unknown place.
        """
        with self._shared.store.write() as db:
            endpoint = msgspec.structs.replace(endpoint, id=self._shared.ids.hex())
            self._check(endpoint)
            store_new(db, endpoints, _row(endpoint), "endpoint")
            self._changed()
            return endpoint

    def update_endpoint(self, endpoint: Endpoint) -> Endpoint:
        """Replace an endpoint's attributes.  Raises ENDPOINT_NOT_FOUND, and as `create_endpoint` does."""
        with self._shared.store.write() as db:
            self.endpoint(endpoint.id)
            self._check(endpoint)
            store_change(db, endpoints, endpoint.id, _row(endpoint), "endpoint")
            self._changed()
            return endpoint

    def delete_endpoint(self, endpoint_id: str) -> None:
        """Remove an endpoint.  Raises ENDPOINT_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.endpoint(endpoint_id)
            db.execute(project_endpoints.delete().where(project_endpoints.c.endpoint_id == endpoint_id))
            db.execute(endpoints.delete().where(endpoints.c.id == endpoint_id))
            self._changed()

    def _check(self, endpoint: Endpoint) -> None:
        unknown = set(_PLACE.findall(endpoint.url)) - _KNOWN_PLACES
        if unknown or _PLACE.sub("", endpoint.url).count("$("):
            raise INVALID(reason=f"Malformed endpoint URL ({endpoint.url}): it may hold {sorted(_KNOWN_PLACES)} only.")
        if not self.services_by_id([endpoint.service_id]):
            raise INVALID(reason=f"Could not find service: {endpoint.service_id}.")
        if endpoint.region_id and not self.has_region(endpoint.region_id):
            raise INVALID(reason=f"Could not find region: {endpoint.region_id}.")

    def services_by_id(self, service_ids: list[str]) -> dict[str, Service]:
        """Those of the services that exist."""
        with self._shared.store.read() as db:
            found = db.execute(sa.select(*_SERVICE).where(services.c.id.in_(service_ids)))
            return {row[0]: Service(*row) for row in found}

    def _changed(self) -> None:
        self._shared.revocations.add((Kind.CHANGE, "catalog"))


def filled(url: str, whose: Whose) -> str | None:
    """The URL for somebody; None where it needs a project (or user) and there is none."""
    values = {
        "public_url": whose.base_url,
        "project_id": whose.project_id,
        "tenant_id": whose.project_id,
        "user_id": whose.user_id,
    }
    if any(not values.get(name) for name in _PLACE.findall(url)):
        return None
    return _PLACE.sub(lambda place: values[place[1]], url)


def shown(url: str, base_url: str) -> str:
    """A stored URL as the endpoint's own resource shows it: only the cloud's own address is filled in."""
    return url.replace(PUBLIC_URL, base_url)


def _row(thing: Struct) -> dict[str, object]:
    return {name: getattr(thing, name) for name in thing.__struct_fields__}


__all__ = ["PUBLIC_URL", "Catalog", "Interface", "Whose", "filled", "shown"]
