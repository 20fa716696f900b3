"""nova-conductor: the only part of Nova that hosts talk to, and the one that drives operations on servers."""

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from msgspec import structs

from nephele.compute import messages as m
from nephele.compute.errors import HOST_LOST, NOT_YOUR_SERVER
from nephele.compute.groups import find_group
from nephele.compute.guest_data import GuestData
from nephele.compute.hosts import Hosts
from nephele.compute.messages import moving as mv
from nephele.compute.migrations import Migrations
from nephele.compute.model import BlockDevice, FlavorInfo, Migration, Server
from nephele.compute.nics import without
from nephele.compute.placing import Placing, host_request
from nephele.compute.rows import devices_of, server_row
from nephele.compute.scheduler.messages import SELECT_HOST, GroupMembership, Selection
from nephele.compute.states import Noticed, States
from nephele.compute.tables import block_devices, servers
from nephele.compute.virt.driver import PowerState
from nephele.image.service import Images
from nephele.kernel.bus import NO_ANSWER, Bus, Method
from nephele.kernel.clock import Clock, Instant, seconds
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.operations import Work
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store
from nephele.kernel.trace import Recorder
from nephele.network.service import Networks
from nephele.placement.service import Placement
from nephele.volume.service import Volumes

log = logging.getLogger(__name__)
SETTLING = 20.0
"""Seconds that a host which did not answer has to end what it was asked for."""
Order = TypeVar("Order", bound=m.Command)
Answer = TypeVar("Answer", bound=m.Done)


_LAUNCHED = Statement(servers.update().where(servers.c.id == sa.bindparam("server")), sets=("launched_at",))


class Tokens(Protocol):
    """What the conductor asks of Keystone."""

    def verify(self, token: str, *, delegated: bool = False) -> Context:
        """Who the token stands for."""
        ...

    def delegate(self, context: Context, server_id: str, until: Instant) -> str:
        """A token of the same user, good for the work on one server only."""
        ...


class Conductor:
    """What the steps of operations work with.

    Args:
        store: the database.
        bus: the way to hosts and the scheduler.
        clock: time.
        tokens: Keystone.
        images: Glance.
        networks: Neutron.
        volumes: Cinder.
        placement: Placement.
        hosts: services and hypervisors.
        placing: which servers are on which host.
        guests: what guests can learn of themselves.
        migrations: the record of moves.
        ids: names commands.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        tokens: Tokens,
        images: Images,
        networks: Networks,
        volumes: Volumes,
        placement: Placement,
        hosts: Hosts,
        placing: Placing,
        guests: GuestData,
        migrations: Migrations,
        ids: Ids,
    ) -> None:
        self.store, self.bus, self.clock, self.tokens = store, bus, clock, tokens
        self.images, self.networks, self.volumes, self.placement = images, networks, volumes, placement
        self.hosts, self.placing, self.guests, self.migrations = hosts, placing, guests, migrations
        self.ids = ids
        self.states = States(clock)
        self.turn_off: Callable[[str], None] = lambda _: None
        """Stops a server whose guest was started past the cloud."""

    def serve(self) -> None:
        """Answer hosts."""
        self.bus.serve(m.ASK_SERVER, self._answer)
        self.bus.serve(m.REPORT_HOST, self._host_reported)
        self.bus.serve(m.REPORT_GUESTS, self._guests_reported)
        self.bus.serve(m.REPORT_POWER, self._power_reported)
        self.bus.serve(mv.REPORT_REMOVED, lambda report: self.migrations.complete_evacuations(report.host))
        self.bus.serve(m.HEARTBEAT, self.hosts.beat)

    # -- what hosts ask ----------------------------------------------------------------------------------------

    def _answer(self, ask: m.AskServer) -> m.ServerForHost:
        """Steps 9 to 11: a host asks what to build; it learns of servers placed on it, and no others."""
        trace = Recorder()
        with trace.span("nova-conductor", "reads the instance from the database", 10) as span:
            caller = self.tokens.verify(ask.token, delegated=True)
            server = self.server(ask.server_id)
            if not self._has_to_do_with(ask.host, server) or caller.server_id != server.id:
                raise NOT_YOUR_SERVER(host=ask.host, server_id=ask.server_id)
            devices = tuple(self.devices(server.id))
            span.detail |= {"server": server.id, "flavor": server.flavor.name, "disks": len(devices)}
        return m.ServerForHost(
            id=server.id,
            domain_name=server.domain_name,
            name=server.name,
            hostname=server.hostname,
            project_id=server.project_id,
            user_id=server.user_id,
            availability_zone=server.availability_zone,
            flavor=server.flavor,
            image_id=server.shelved_image_id or server.image_id,
            image_properties=server.image.properties,
            devices=devices,
            nics=server.nics,
            security_groups=server.security_groups,
            config_drive=self.guests.files(server) if server.config_drive else None,
            spans=trace.take(),
        )

    def _has_to_do_with(self, host: str, server: Server) -> bool:
        """Whether the server is on the host, or on its way from or to it."""
        if server.host == host:
            return True
        move = self.migrations.open_of(server.id)
        return move is not None and host in (move.source_host, move.dest_host)

    def _host_reported(self, report: m.HostReport) -> m.HostOrders:
        """A host is there: what it has counts from now on, and its servers follow what its guests do.

        Guests of servers that were deleted or moved meanwhile are to be removed, with what was set aside of them;
        not while a move is under way.  Those of which we know nothing are another cloud's, for all we know, and stay.
        """
        self.hosts.register(report)
        return self._guests_reported(m.GuestsReport(host=report.host, guests=report.guests))

    def _guests_reported(self, report: m.GuestsReport) -> m.HostOrders:
        c = servers.c
        here = {guest.server_id: guest.power_state for guest in report.guests if not guest.set_aside}
        seen = {guest.server_id for guest in report.guests}
        with self.store.read() as db:
            known = db.execute(sa.select(c.id, c.host, c.deleted_at, c.power_state).where(c.id.in_(seen))).all()
        moving = {move.server_id for move in self.migrations.all_open()}
        gone = [row.id for row in known if row.deleted_at is not None or row.host not in (report.host, "")]
        changed = [row.id for row in known if here.get(row.id, row.power_state) != row.power_state]
        if changed:
            with self.store.write() as db:
                for server_id in changed:
                    self._notice(db, server_id, report.host, here[server_id])
        return m.HostOrders(remove=tuple(server_id for server_id in gone if server_id not in moving))

    def _power_reported(self, report: m.PowerReport) -> m.PowerHeard:
        with self.store.write() as db:
            noticed = self._notice(db, report.server_id, report.host, report.power_state)
        return m.PowerHeard(again=noticed is Noticed.TOO_EARLY)

    def _notice(self, db: sa.Connection, server_id: str, host: str, power: PowerState) -> Noticed:
        noticed = self.states.notice_power(db, server_id, host, power)
        if noticed is Noticed.UNWANTED:
            self.store.after_commit(lambda: self.turn_off(server_id))
        return noticed

    # -- what steps use ----------------------------------------------------------------------------------------

    def command(
        self,
        method: Method[Order, Answer],
        kind: type[Order],
        work: Work[Any],
        patience: float,
        **fields: Any,
    ) -> Answer:
        """Command the agent of `work.data.host`, wait `patience` seconds at most; its spans join the operation's.

        Where the message or its answer got lost, it is sent again: the host carries out a command once only.
        """
        host = work.data.host
        if not host:
            raise HOST_LOST()
        order = self._order(kind, work, patience, **fields)
        for last in (False, False, True):
            try:
                answer = self.bus.call(method, order, at=host, timeout=patience)
            except Refused as refused:
                if refused.error is not NO_ANSWER or not self._settles(work, host) or last:
                    raise
                order = structs.replace(order, expires_at=self.clock.now() + seconds(patience))
            else:
                work.trace.spans.extend(answer.spans)
                return answer
        raise AssertionError("the last of the tries ends it")

    def _settles(self, work: Work[Any], host: str) -> bool:
        """What a host was asked for and did not answer ends before anything else is done; false where it is dead."""
        self.bus.cast(m.INTERRUPT, m.Interrupt(work.subject, by="", power=False), at=host)
        for _ in range(3):
            try:
                self.bus.call(m.SETTLE, self._order(m.Settle, work, SETTLING), at=host, timeout=SETTLING)
            except Refused as refused:
                log.warning("%s of server %s: host %s: %s", work.kind, work.subject, host, refused.message)
            else:
                return True
        return False

    def _order(self, kind: type[Order], work: Work[Any], patience: float, **fields: Any) -> Order:
        now = self.clock.now()
        return kind(
            id=self.ids.hex(),
            server_id=work.subject,
            request_id=work.context.request_id,
            token=self._token(work),
            sent_at=now,
            expires_at=now + seconds(patience),
            **fields,
        )

    def _token(self, work: Work[Any]) -> str:
        """The token of this run of the operation: made for its first command, good for all of them."""
        token = work.kept.get("token")
        if token is None:
            token = work.kept["token"] = self.tokens.delegate(work.context, work.subject, work.deadline)
        return token

    def server(self, server_id: str) -> Server:
        """The server's row.  Raises SERVER_NOT_FOUND."""
        with self.store.read() as db:
            return server_row(db, server_id)

    def devices(self, server_id: str) -> list[BlockDevice]:
        """The server's block devices, by device name."""
        with self.store.read() as db:
            return devices_of(db, server_id)

    def update_device(self, device_id: str, **values: Any) -> None:
        """Note what became of a block device."""
        with self.store.write() as db:
            db.execute(block_devices.update().where(block_devices.c.id == device_id).values(**values))

    def forget_device(self, db: sa.Connection, device_id: str) -> None:
        """The server no longer has a block device."""
        db.execute(block_devices.delete().where(block_devices.c.id == device_id))

    def release_port(self, db: sa.Connection, server_id: str, port_id: str) -> None:
        """The server no longer has a port, and does not ask for it any more."""
        server = server_row(db, server_id)
        left = without(server.nics, self.networks.ports_of_servers([server_id])[server_id], port_id)
        db.execute(servers.update().where(servers.c.id == server_id).values(nics=left))
        self.networks.detach_port(server_id, port_id)

    def attached(self, work: Work[Any]) -> dict[str, Any]:
        """The server's ports and volumes, bound and connected on its host: what a start needs."""
        ports = self.command(m.PLUG, m.Plug, work, patience=60).ports
        volumes = self.command(m.CONNECT, m.Connect, work, patience=60).volumes
        return {"ports": ports, "volumes": volumes}

    def choose_host(
        self,
        work: Work[Any],
        *,
        host: str,
        node: str,
        exclude: tuple[str, ...],
        flavor: FlavorInfo | None = None,
        migration: int = 0,
        forced: bool = False,
    ) -> Selection:
        """Steps 5 to 7: the scheduler chooses a host, claims it, and the server's (or its migration's) row gets it."""
        server = self.server(work.subject)
        ask = host_request(
            *(server, self.devices(server.id), self.membership(server)),
            host=host,
            node=node,
            exclude=exclude,
            flavor=flavor,
            migration=migration,
            forced=forced,
        )
        with work.trace.span("message queue", "carries the request to the scheduler", 5) as span:
            span.detail["queue"] = SELECT_HOST.name
        selection = self.bus.call(SELECT_HOST, ask)
        span.duration_us = selection.spans[0].started_at - span.started_at
        work.trace.spans.extend(selection.spans)
        return selection

    def membership(self, server: Server) -> GroupMembership | None:
        """The server's group, and where its other members are; None where it is in none."""
        with self.store.read() as db:
            group = find_group(db, server.group_id)
        if group is None:
            return None
        return GroupMembership(
            id=group.id,
            policy=group.policy,
            on_hosts=self.placing.group_members(group.id, server.id),
            max_server_per_host=group.rules.get("max_server_per_host", 1),
        )

    def put_on_host(self, server_id: str, host: str, node: str, zone: str, **values: Any) -> None:
        """The server is on that host from now on; `values` are what else changes with it."""
        with self.store.write() as db:
            mine = servers.c.id == server_id
            before = db.execute(sa.select(servers.c.host).where(mine)).scalar_one()
            db.execute(servers.update().where(mine).values(host=host, node=node, availability_zone=zone, **values))
            self.store.after_commit(lambda: self.placing.note(before, server_id, there=False))
            self.store.after_commit(lambda: self.placing.note(host, server_id, there=True))

    def hosts_of(self, server_id: str) -> list[str]:
        """Every host that may have something of the server: its own, and those of a move that is not over."""
        found = [self.server(server_id).host]
        move = self.migrations.open_of(server_id)
        found += [move.source_host, move.dest_host] if move else []
        return list(dict.fromkeys(host for host in found if host))

    def end_move(self, server_id: str, status: str) -> Migration | None:
        """A move that is not over ends here, with nothing held for it any more."""
        with self.store.write():
            move = self.migrations.open_of(server_id)
            if move is not None:
                self.placement.release(move.uuid)
                self.migrations.update(move.id, status=status, confirm_at=None)
                ends = (move.source_host, move.dest_host)
                self.store.after_commit(lambda: self.placing.note_gone(ends, server_id))
        return move

    def leave_host(self, server_id: str) -> None:
        """The server is on no host and holds nothing there."""
        with self.store.write() as db:
            self.placement.release(server_id)
            self._take_from_host(db, server_id, {})

    def delete_image(self, caller: Context, image_id: str) -> None:
        """Delete an image.  Nothing there: nothing done."""
        try:
            self.images.delete(caller, image_id)
        except Refused as refused:
            if refused.status != 404:
                raise

    def release_ports(self, server_id: str) -> None:
        """Let go of the server's ports; those made for it are deleted."""
        self.networks.release(server_id)

    def note_launch(self, db: sa.Connection, server_id: str) -> None:
        """The server runs for the first time."""
        _LAUNCHED.run(db, server=server_id, launched_at=self.clock.now())

    def note_end(self, db: sa.Connection, server_id: str) -> None:
        """The server is gone; its row stays."""
        now = self.clock.now()
        self._take_from_host(db, server_id, {"deleted_at": now, "terminated_at": now})

    def _take_from_host(self, db: sa.Connection, server_id: str, values: dict[str, Any]) -> None:
        mine = servers.c.id == server_id
        host = db.execute(sa.select(servers.c.host).where(mine)).scalar_one()
        db.execute(servers.update().where(mine).values(host="", node="", **values))
        self.store.after_commit(lambda: self.placing.note(host, server_id, there=False))
