"""Accepting resizes and cold migrations, and what is decided of them."""

import logging
import threading

from msgspec import structs

from nephele.compute import devices as disks
from nephele.compute import errors as e
from nephele.compute.conductor import Conductor
from nephele.compute.flavors import Flavors
from nephele.compute.hosts import Hosts
from nephele.compute.migrations import Migrations
from nephele.compute.model import BlockDevice, Flavor, FlavorInfo, Migration, MoveStatus, MoveType, Server, Vm
from nephele.compute.operations.moving import Move, local_disks
from nephele.compute.operations.resize import Resize
from nephele.compute.placing import host_request
from nephele.compute.quotas import ComputeQuotas, growth
from nephele.compute.rows import devices_of
from nephele.compute.scheduler.messages import SELECT_HOST
from nephele.compute.servers import Servers
from nephele.compute.tables import servers as table
from nephele.config import ComputeSettings
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids

log = logging.getLogger(__name__)
LOOK_EVERY = 1.0
"""Seconds between two looks at what is to be confirmed by itself."""


class Resizing:
    """nova-api's part of resizes.

    Args:
        servers: where commands are accepted.
        migrations: the record of moves.
        flavors: the sizes.
        quotas: what projects may have.
        hosts: the hosts that there are.
        conductor: looks for a host before a resize is accepted.
        ids: names new disks.
        settings: when a resize confirms itself, and whether it may stay on its host.
    """

    def __init__(
        self,
        servers: Servers,
        migrations: Migrations,
        flavors: Flavors,
        quotas: ComputeQuotas,
        hosts: Hosts,
        conductor: Conductor,
        ids: Ids,
        settings: ComputeSettings,
    ) -> None:
        self.servers, self.migrations, self.flavors, self.quotas = servers, migrations, flavors, quotas
        self.hosts, self.conductor, self.ids, self.settings = hosts, conductor, ids, settings
        self.store, self.clock = servers.store, servers.clock
        self._stopping = threading.Event()

    # -- accepting ---------------------------------------------------------------------------------------------

    def resize(self, caller: Context, server_id: str, flavor_id: str, disk_config: str = "") -> None:
        """Give a server another size; `disk_config` AUTO, MANUAL or as it is.

        Raises as `Servers.command`, and RESIZE_FLAVOR_NOT_FOUND, SAME_FLAVOR, CANNOT_RESIZE_DISK and what else makes
        the flavor unfit, QUOTA_EXCEEDED, and NO_HOST_FOR_MOVE where no host could take it now.
        """
        server = self._look(caller, server_id, "resize")
        flavor = self._flavor(caller, server, flavor_id)
        exclude = () if self._may_stay() else (server.host,)
        data = Resize(migration=0, exclude=exclude, disks=self._disks(server, flavor.info()))
        self._check_fits(server, data, flavor.info())
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, "resize")
            vcpus, ram = growth(server.flavor, flavor.info())
            self.quotas.check_growth(server.project_id, vcpus - server.flavor.vcpus, ram - server.flavor.ram)
            values = {"vcpus": vcpus, "ram": ram, "disk_config": disk_config or server.disk_config, "progress": 0}
            db.execute(table.update().where(table.c.id == server.id).values(**values))
            self._accept(caller, server, MoveType.RESIZE, data, flavor.info(), "resize")

    def migrate(self, caller: Context, server_id: str, host: str = "") -> None:
        """Move a server to another host while it is off; to `host`, where one is named.

        Raises as `Servers.command`, and SAME_HOST, MOVE_HOST_NOT_FOUND, NO_HOST_FOR_MOVE.
        """
        server = self._look(caller, server_id, "migrate")
        if host and host == server.host:
            raise e.SAME_HOST()
        if host and host not in self.hosts.compute_hosts():
            raise e.MOVE_HOST_NOT_FOUND(host=host)
        with self.store.read() as db:
            kept = local_disks(devices_of(db, server.id))
        data = Resize(migration=0, want_host=host, exclude=(server.host,), disks=kept)
        self._check_fits(server, data, server.flavor)
        with self.store.write():
            server = self.servers.check(caller, server_id, "migrate")
            self._accept(caller, server, MoveType.MIGRATION, data, server.flavor, "migrate")

    def confirm(self, caller: Context, server_id: str) -> None:
        """Keep what a resize made.  Raises as `Servers.command`, NOT_RESIZED, SOURCE_UNAVAILABLE."""
        self._decide(caller, server_id, "confirm_resize", "confirmResize", MoveStatus.CONFIRMING)

    def revert(self, caller: Context, server_id: str) -> None:
        """Go back to what was before a resize.  Raises as `Servers.command`, NOT_RESIZED, SOURCE_UNAVAILABLE."""
        self._decide(caller, server_id, "revert_resize", "revertResize", MoveStatus.REVERTING)

    # -- looking -----------------------------------------------------------------------------------------------

    def _look(self, caller: Context, server_id: str, command: str, *, spoken: str = "") -> Server:
        """The server, if the command may begin now and its host answers."""
        with self.store.write():
            server = self.servers.check(caller, server_id, command, spoken=spoken)
        self._check_up(server.host)
        return server

    def _check_up(self, host: str) -> None:
        if not self.hosts.host_is_up(host):
            raise e.SOURCE_UNAVAILABLE(host=host)

    def _flavor(self, caller: Context, server: Server, flavor_id: str) -> Flavor:
        try:
            flavor = self.flavors.show(caller, flavor_id)
        except Refused:
            raise e.RESIZE_FLAVOR_NOT_FOUND(flavor_id=flavor_id) from None
        if flavor.id == server.flavor.id:
            raise e.SAME_FLAVOR()
        if flavor.disabled:
            raise e.RESIZE_FLAVOR_NOT_FOUND(flavor_id=flavor_id)
        image = server.image
        if flavor.ram < image.min_ram:
            raise e.FLAVOR_RAM_TOO_SMALL(have=flavor.ram, image_id=image.id, need=image.min_ram)
        return flavor

    def _disks(self, server: Server, flavor: FlavorInfo) -> tuple[BlockDevice, ...]:
        with self.store.read() as db:
            found = devices_of(db, server.id)
        local_root = any(device.boot_index == 0 and device.destination == "local" for device in found)
        if local_root and server.flavor.disk and not flavor.disk:
            raise e.RESIZE_TO_ZERO_DISK()
        return disks.resized(found, flavor, self.ids, self.clock.now(), server_id=server.id)

    def _may_stay(self) -> bool:
        """Whether a resize may stay on its host: as set, or else where there is no other host."""
        if self.settings.resize_to_same_host is not None:
            return self.settings.resize_to_same_host
        return len(self.hosts.compute_hosts()) == 1

    def _check_fits(self, server: Server, data: Move, flavor: FlavorInfo) -> None:
        """Refuse what no host could take now; which one takes it is decided when the work begins."""
        group, devices = self.conductor.membership(server), self.conductor.devices(server.id)
        ask = host_request(server, devices, group, host=data.want_host, exclude=data.exclude, flavor=flavor)
        found = self.conductor.bus.call(SELECT_HOST, structs.replace(ask, dry_run=True))
        if not found.host:
            assert found.decision is not None, "a dry run has its decision"
            raise e.NO_HOST_FOR_MOVE(reason=found.decision.summary())

    # -- writing -----------------------------------------------------------------------------------------------

    def _accept(
        self, caller: Context, server: Server, why: MoveType, data: Resize, flavor: FlavorInfo, command: str
    ) -> None:
        with self.store.read() as db:
            before = local_disks(devices_of(db, server.id))
        move = self.migrations.begin(caller, server, why, MoveStatus.PRE_MIGRATING, flavor=flavor, disks=before)
        data.migration, data.run = move.id, server.vm_state == Vm.ACTIVE
        data.confirm_after = self.settings.confirm_resize_after
        self.servers.accept(caller, server, command, data)

    def _decide(self, caller: Context, server_id: str, command: str, spoken: str, status: MoveStatus) -> None:
        with self.store.write():
            server = self.servers.check(caller, server_id, command, spoken=spoken)
            move = self._finished(server)
            self._check_up(move.source_host)
            self.migrations.update(move.id, status=status)
            data = Move(migration=move.id, run=move.old_vm_state == Vm.ACTIVE)
            self.servers.accept(caller, server, command, data)

    def _finished(self, server: Server) -> Migration:
        move = self.migrations.open_of(server.id)
        if move is None or move.status != MoveStatus.FINISHED:
            raise e.NOT_RESIZED()
        return move

    # -- by itself ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Confirm from now on what nobody decided on in time; what fell due while no process ran, at once."""
        threading.Thread(target=self._watch, name="resizes", daemon=True).start()

    def stop(self) -> None:
        """Confirm nothing any more."""
        self._stopping.set()

    def confirm_due(self) -> None:
        """Confirm the resizes whose time is over; one that can't be now is tried again at the next look."""
        for move in self.migrations.due(self.clock.now()):
            who = Context(
                request_id=f"req-{self.ids.uuid()}",
                user_id=move.user_id,
                project_id=move.project_id,
                roles=frozenset({"admin", "member", "reader"}),
            )
            try:
                self.confirm(who, move.server_id)
            except Refused as refused:
                log.info("the resize of server %s is not confirmed yet: %s", move.server_id, refused.message)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self.confirm_due()
            except Exception:
                log.exception("looking after resizes failed; it goes on")
