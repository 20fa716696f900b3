"""Nova, as its own API and the other parts of the cloud use it."""

import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute import rows
from nephele.compute.actions import Actions
from nephele.compute.aggregates import Aggregates
from nephele.compute.conductor import Conductor
from nephele.compute.consoles import Consoles
from nephele.compute.doctor import Doctor
from nephele.compute.errors import BAD_IMAGE
from nephele.compute.external_events import ExternalEvents
from nephele.compute.flavors import Flavors
from nephele.compute.groups import Groups
from nephele.compute.guest_data import GuestData
from nephele.compute.hosts import COMPUTE, Hosts
from nephele.compute.interfaces import Interfaces
from nephele.compute.key_pairs import KeyPairs
from nephele.compute.labels import Labels
from nephele.compute.launching import Launching
from nephele.compute.messages.moving import REPORT_AGAIN, ReportAgain
from nephele.compute.migrations import Migrations
from nephele.compute.model import Server, Service, Task, domain_name
from nephele.compute.operations import OPERATIONS, RESET
from nephele.compute.passwords import Passwords
from nephele.compute.placing import Placing
from nephele.compute.plugging import Plugging
from nephele.compute.quotas import ComputeQuotas
from nephele.compute.rebuilding import Rebuilding
from nephele.compute.reclaiming import Reclaiming
from nephele.compute.relocating import Relocating
from nephele.compute.rescuing import Rescuing
from nephele.compute.resetting import Resetting
from nephele.compute.resizing import Resizing
from nephele.compute.scheduler.service import Scheduler
from nephele.compute.servers import Servers
from nephele.compute.shelving import Shelving
from nephele.compute.snapshots import Snapshots
from nephele.compute.syncing import Syncing
from nephele.compute.tables import block_devices
from nephele.compute.tables import servers as servers_table
from nephele.compute.usage import Usages
from nephele.config import Settings
from nephele.identity.service import Identity
from nephele.image.service import Images
from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock, seconds
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.errors import BAD_REQUEST, Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.network.service import Networks
from nephele.placement.service import Placement
from nephele.volume.model import Attachment
from nephele.volume.service import Volumes

log = logging.getLogger(__name__)
UP, DOWN, MAINTENANCE = "UP", "DOWN", "MAINTENANCE"
CONTROL = ("nova-conductor", "nova-scheduler")
"""The services that this process is."""
FETCHING = 1800
"""Seconds that hosts have to fetch images ahead of time."""
BEAT_EVERY = 10.0
"""Seconds between two times that they are said to be alive."""


class Placed(NamedTuple):
    """A server on a host, and whether something is being done to it."""

    id: str
    domain_name: str
    busy: bool


class Compute:
    """Nova's parts, put together.

    Args:
        settings: quotas, scheduler, zone.
        store: the database.
        bus: the message queue.
        clock: time.
        ids: identifiers.
        engine: takes operations.
        identity: Keystone.
        images: Glance.
        networks: Neutron.
        volumes: Cinder.
        placement: Placement.
        project_exists: whether there is a project of an id.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        bus: Bus,
        clock: Clock,
        ids: Ids,
        engine: Engine,
        identity: Identity,
        images: Images,
        networks: Networks,
        volumes: Volumes,
        placement: Placement,
        project_exists: Callable[[str], bool],
    ) -> None:
        self.store, self.bus, self.clock, self.engine = store, bus, clock, engine
        self.images, self.networks, self.volumes, self.placement = images, networks, volumes, placement
        self.project_exists = project_exists
        self.quotas = ComputeQuotas(store, settings.quotas)
        self.flavors = Flavors(store, clock, ids)
        self.key_pairs = KeyPairs(store, clock, self.quotas)
        self.hosts = Hosts(store, clock, ids, placement, settings.scheduler, settings.availability_zone)
        self.groups = Groups(store, clock, ids, self.quotas)
        self.aggregates = Aggregates(store, clock, ids, self.hosts, placement)
        self.usages = Usages(store)
        self.placing = Placing(store, self.hosts)
        self.scheduler = Scheduler(store, placement, self.placing, settings.scheduler.filtering)
        self.guests = GuestData(store, networks, settings.vendor_data)
        self.migrations = Migrations(store, clock, ids)
        self.conductor = Conductor(
            *(store, bus, clock, identity, images, networks, volumes, placement),
            *(self.hosts, self.placing, self.guests, self.migrations, ids),
        )
        self.servers = Servers(store, bus, clock, engine, self.quotas, identity.delegate)
        self.plugging = Plugging(self.servers, volumes, clock, ids)
        self.rescuing = Rescuing(store, self.servers, images, volumes)
        self.rebuilding = Rebuilding(store, self.servers, images, volumes, self.key_pairs)
        self.snapshots = Snapshots(store, ids, self.servers, images, volumes, self.quotas)
        self.interfaces = Interfaces(self.servers, networks)
        self.consoles = Consoles(self.servers, clock, ids, settings.consoles)
        offload_after = settings.compute.shelved_offload_after
        self.shelving = Shelving(store, clock, ids, self.servers, self.snapshots, self.hosts, offload_after)
        self.conductor.turn_off = Syncing(self.servers, ids).turn_off
        self.passwords = Passwords(self.servers)
        self.resetting = Resetting(self.servers)
        self.reclaiming = Reclaiming(self.servers, self.quotas, clock, settings.compute.reclaim_after)
        self.external_events = ExternalEvents(self.plugging, self.interfaces)
        self.labels = Labels(store, self.servers)
        self.actions = Actions(store)
        self.doctor = Doctor(self)
        self.launching = Launching(
            *(store, clock, ids, engine, images, networks, volumes),
            *(self.flavors, self.key_pairs, self.quotas, self.hosts, self.groups),
        )
        self._delegate = identity.delegate
        self.resizing = Resizing(
            *(self.servers, self.migrations, self.flavors, self.quotas, self.hosts, self.conductor, ids),
            settings.compute,
        )
        self.relocating = Relocating(self.servers, self.migrations, self.hosts, self.conductor)
        self._stopping = threading.Event()
        for operation in (*OPERATIONS, RESET):
            engine.register(operation, self.conductor)

    def seed(self) -> None:
        """What a new cloud has."""
        self.flavors.seed()

    def start(self, host: str) -> None:
        """Serve the bus; conductor and scheduler of this process are on `host`."""
        for binary in CONTROL:
            self.hosts.register_service(host, binary)
        self.scheduler.serve(self.bus)
        self.conductor.serve()
        self.guests.serve(self.bus)
        self.resizing.start()
        self.reclaiming.start()
        threading.Thread(target=self._beat, args=(host,), name="control heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Be no longer alive."""
        self.resizing.stop()
        self._stopping.set()
        self.reclaiming.stop()

    def _beat(self, host: str) -> None:
        while not self._stopping.wait(BEAT_EVERY):
            try:
                self.hosts.note_alive((host,), CONTROL)
                self.shelving.offload_old()
            except Exception:
                log.exception("the heartbeat failed; it goes on")

    def change_service(self, service_id: str, **values: Any) -> Service:
        """Enable, disable, force down; a host that may come back is asked what it still has.  Raises SERVICE_NOT_FOUND.

        Servers may have been evacuated from it meanwhile, and its guests of those must not run on.
        """
        service = self.hosts.update_service(service_id, **values)
        if service.binary == COMPUTE and values.get("forced_down") is False:
            self.bus.cast(REPORT_AGAIN, ReportAgain(), at=service.host)
        return service

    def holds(self, attachment: Attachment) -> bool:
        """Whether a server has a volume by this attachment."""
        c = block_devices.c
        alive = servers_table.c.deleted_at.is_(None)
        mine = sa.select(c.id).join(servers_table, servers_table.c.id == c.server_id).where(alive)
        mine = mine.where(c.volume_id == attachment.volume_id, c.attachment_id == attachment.id)
        with self.store.read() as db:
            return db.execute(mine).first() is not None

    def port_gone(self, context: Context, server_id: str, port_id: str) -> None:
        """Inside the transaction that deletes a server's port: the server loses it."""
        self.interfaces.port_gone(context, server_id, port_id)

    def volume_extended(self, context: Context, volume_id: str) -> None:
        """A volume has grown: the guests that have it are told."""
        self.plugging.extended(context, volume_id)

    def cache_images(self, caller: Context, aggregate_id: int, image_ids: Sequence[str]) -> None:
        """Have the hosts of an aggregate fetch images.  Raises AGGREGATE_NOT_FOUND, or BAD_IMAGE."""
        aggregate = self.aggregates.show(aggregate_id)
        for image_id in image_ids:
            try:
                self.images.show(caller, image_id)
            except Refused:
                raise BAD_IMAGE(image_id=image_id) from None
        token = self._delegate(caller, aggregate.uuid, self.clock.now() + seconds(FETCHING))
        ask = m.CacheImages(token=token, request_id=caller.request_id, image_ids=tuple(image_ids))
        for host in aggregate.hosts:
            self.bus.cast(m.CACHE_IMAGES, ask, at=host)

    def servers_on(self, host: str) -> list[Server]:
        """The servers that are on a host."""
        c = servers_table.c
        query = servers_table.select().where(c.host == host, c.deleted_at.is_(None)).order_by(c.number)
        with self.store.read() as db:
            return [rows.server(row) for row in db.execute(query)]

    def placed(self) -> dict[str, list[Placed]]:
        """The servers of every host that has any, in one query."""
        c = servers_table.c
        query = sa.select(c.host, c.id, c.number, c.task_state).where(c.host != "", c.deleted_at.is_(None))
        found: dict[str, list[Placed]] = {}
        with self.store.read() as db:
            for host, server_id, number, task in db.execute(query.order_by(c.number)):
                found.setdefault(host, []).append(Placed(server_id, domain_name(number), task != Task.NONE))
        return found

    def host_status(self) -> dict[str, str]:
        """UP, DOWN or MAINTENANCE for each compute host."""
        return {
            service.host: MAINTENANCE if service.disabled else UP if self.hosts.is_up(service) else DOWN
            for service in self.hosts.services(binary=COMPUTE)
        }

    def with_address(self, ip: str, ip6: str) -> sa.ColumnElement[bool]:
        """The servers that have an address matching one of these regular expressions.  Raises BAD_REQUEST."""
        patterns = [pattern for pattern in (ip, ip6) if pattern]
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error:
                raise BAD_REQUEST(reason=f"Invalid filter: {pattern!r} is no regular expression.") from None
        return sa.or_(*(servers_table.c.id.in_(self.networks.servers_with_address(each)) for each in patterns))
