"""Accepting a launch: steps 2 to 4 of the flow.  Look first, then write everything in one transaction."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa

from nephele.compute import devices as disks
from nephele.compute import errors as e
from nephele.compute.flavors import Flavors
from nephele.compute.groups import Groups
from nephele.compute.hosts import Hosts
from nephele.compute.key_pairs import KeyPairs
from nephele.compute.model import BlockDevice, Flavor, FlavorInfo, ImageInfo, KeyPair, Server, Task, Vm
from nephele.compute.operations.boot import BOOT, Boot
from nephele.compute.quotas import UNLIMITED, ComputeQuotas
from nephele.compute.requests import NewDevice, NewServer
from nephele.compute.rows import insert_servers
from nephele.compute.tables import servers
from nephele.image.model import Image, Status
from nephele.image.service import Images
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store
from nephele.kernel.trace import Span
from nephele.network.messages import NicRequest
from nephele.network.service import Networks
from nephele.volume.service import Volumes

GB = 1 << 30
_NEWEST = Statement(sa.select(sa.func.coalesce(sa.func.max(servers.c.number), 0)))


class Launching:
    """nova-api's part of a launch.

    Args:
        store: the database.
        clock: time.
        ids: names servers.
        engine: takes the work.
        images: Glance.
        networks: Neutron.
        volumes: Cinder.
        flavors: the sizes.
        key_pairs: the users' keys.
        quotas: what projects may have.
        hosts: for zones and hosts that are asked for by name.
        groups: the server groups.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        engine: Engine,
        images: Images,
        networks: Networks,
        volumes: Volumes,
        flavors: Flavors,
        key_pairs: KeyPairs,
        quotas: ComputeQuotas,
        hosts: Hosts,
        groups: Groups,
    ) -> None:
        self.store, self.clock, self.ids, self.engine = store, clock, ids, engine
        self.images, self.networks, self.volumes = images, networks, volumes
        self.flavors, self.key_pairs, self.quotas, self.hosts = flavors, key_pairs, quotas, hosts
        self.groups = groups

    def launch(self, caller: Context, request: NewServer, spans: tuple[Span, ...] = ()) -> list[Server]:
        """Accept a launch: the rows are there, *building* and *scheduling*, and the work will be done.

        Args:
            caller: who asks.
            request: what for.
            spans: what the edge did for it already (steps 1 to 3).

        Returns:
            the servers, as many of `max_count` as the quota allows, `min_count` at least.

        Raises:
            Refused as the checks find; nothing is changed then.
        """
        started = self.clock.now()
        self._check_words(request)
        with self.store.write() as db:
            flavor = self._flavor(caller, request)
            image = self._image(caller, request, flavor)
            key = self._key(caller, request)
            planned = disks.plan(disks.with_those_of_image(request, image.properties), flavor.info(), image)
            limits = self.quotas.limits(caller.project_id)
            self._check_items(request, limits)
            count = self.quotas.check_servers(
                caller.project_id, request.max_count, flavor.vcpus, flavor.ram, request.min_count, limits
            )
            group_id = self._group(caller, request, count)
            nics = self._nics(caller, request, count)
            groups = self._security_groups(caller, request)
            ((newest,),) = _NEWEST.rows(db)
            made = [
                self._server(caller, request, flavor, image, key, nics, groups, group_id, number=newest + 1 + place)
                for place in range(count)
            ]
            made = _told_apart(made, disks.root_name(planned))
            devices = [device for server in made for device in self._devices(caller, server, planned, flavor)]
            insert_servers(db, made, devices)
            for server in made:
                self._begin(caller, request, server, spans, started)
        return made

    # -- looking -----------------------------------------------------------------------------------------------

    def _flavor(self, caller: Context, request: NewServer) -> Flavor:
        try:
            return self.flavors.show(caller, request.flavor_id)
        except Refused:
            raise e.BAD_FLAVOR(flavor_id=request.flavor_id) from None

    def _image(self, caller: Context, request: NewServer, flavor: Flavor) -> ImageInfo:
        """The image that the server's root comes from; that of nothing where it boots from a volume."""
        root = next((device for device in request.devices if device.boot_index == 0), None)
        image_id = request.image_id or (root.uuid if root and root.source == "image" else "")
        if not image_id:
            self._check_bootable(caller, root)
            return ImageInfo()
        try:
            image = self.images.show(caller, image_id)
        except Refused:
            raise e.BAD_IMAGE(image_id=image_id) from None
        if image.status != Status.ACTIVE:
            raise e.IMAGE_NOT_ACTIVE(image_id=image_id, status=image.status)
        own = next((device for device in disks.of_image(image.properties) if device.boot_index == 0), None)
        self._check_bootable(caller, own)
        local = own is None and (root is None or root.destination == "local")
        check_size(image, flavor, local_root=local)
        return remembered(image, "" if own else request.image_id)

    def _check_bootable(self, caller: Context, root: NewDevice | None) -> None:
        """Refuse to boot from a volume, or a snapshot of one, that is not said to be bootable."""
        if root is None or root.source not in ("volume", "snapshot"):
            return
        try:
            bootable = self.volumes.is_bootable(caller, root.source, root.uuid)
        except Refused as refused:
            raise e.BAD_BLOCK_DEVICE(reason=refused.message) from None
        if not bootable:
            raise e.NOT_BOOTABLE(device_id=root.uuid)

    def _key(self, caller: Context, request: NewServer) -> KeyPair | None:
        if request.key_name is None:
            return None
        key = self.key_pairs.find(caller.user_id, request.key_name)
        if key is None:
            raise e.BAD_KEY(user_id=caller.user_id, name=request.key_name)
        return key

    def _check_words(self, request: NewServer) -> None:
        """What can be refused by looking at the request and the cloud's hosts."""
        if request.min_count > request.max_count:
            raise e.BAD_COUNT()
        if request.hostname and request.max_count > 1:
            raise e.HOSTNAME_WITH_MANY()
        if request.user_data is not None:
            try:
                base64.b64decode(request.user_data, validate=True)
            except (binascii.Error, ValueError):
                raise e.BAD_USER_DATA() from None
        if request.availability_zone and request.availability_zone not in self.hosts.zones().values():
            raise e.BAD_ZONE(zone=request.availability_zone)
        if request.host or request.node:
            known = self.hosts.hypervisors(host=request.host)
            if not any(request.node in ("", one.hostname) for one in known):
                raise e.BAD_HOST(host=request.host or request.node)

    def _check_items(self, request: NewServer, limits: dict[str, int]) -> None:
        limit = limits["metadata_items"]
        if limit != UNLIMITED and len(request.metadata) > limit:
            raise e.TOO_MANY_ITEMS(what="metadata items", limit=limit)

    def _group(self, caller: Context, request: NewServer, count: int) -> str:
        asked = request.hints.get("group", [])
        if not asked:
            return ""
        self.groups.check_room(caller, asked[0], count)
        return asked[0]

    def _nics(self, caller: Context, request: NewServer, count: int) -> tuple[NicRequest, ...]:
        """The interfaces, checked against the networks as they are now."""
        if count > 1 and any(nic.port_id for nic in request.nics or ()):
            raise e.PORT_WITH_MANY()
        wanted: Sequence[NicRequest] | Literal["auto", "none"]
        wanted = "auto" if request.nics is None else request.nics or "none"
        try:
            return self.networks.check_nics(caller, wanted, count)
        except Refused as refused:
            raise _network_refusal(refused) from None

    def _security_groups(self, caller: Context, request: NewServer) -> tuple[str, ...]:
        try:
            return self.networks.resolve_security_groups(caller, request.security_groups)
        except Refused as refused:
            raise e.BAD_SECURITY_GROUP(reason=refused.message) from None

    # -- writing -----------------------------------------------------------------------------------------------

    def _server(
        self,
        caller: Context,
        request: NewServer,
        flavor: Flavor,
        image: ImageInfo,
        key: KeyPair | None,
        nics: tuple[NicRequest, ...],
        security_groups: tuple[str, ...],
        group_id: str,
        *,
        number: int,
    ) -> Server:
        now, server_id = self.clock.now(), self.ids.uuid()
        return Server(
            id=server_id,
            number=number,
            project_id=caller.project_id,
            user_id=caller.user_id,
            name=request.name,
            hostname=request.hostname or sanitize_hostname(request.name) or f"Server-{server_id}",
            description=request.description,
            vm_state=Vm.BUILDING,
            task_state=Task.SCHEDULING,
            power_state=0,
            progress=0,
            host="",
            node="",
            availability_zone=request.availability_zone,
            pinned_zone=request.availability_zone or None,
            flavor=flavor.info(),
            vcpus=flavor.vcpus,
            ram=flavor.ram,
            image_id=image.id,
            image=image,
            key_name=key.name if key else None,
            key_data=key.public_key if key else None,
            key_type=key.type if key else "ssh",
            config_drive=request.config_drive or image.properties.get("img_config_drive") == "mandatory",
            user_data=request.user_data,
            access_ip_v4=request.access_ip_v4,
            access_ip_v6=request.access_ip_v6,
            metadata=request.metadata,
            tags=request.tags,
            locked=False,
            locked_by="",
            locked_reason=None,
            fault=None,
            nics=nics,
            security_groups=security_groups,
            group_id=group_id,
            hints=request.hints,
            disk_config=request.disk_config,
            reservation_id="r-" + self.ids.hex()[:8],
            launch_index=0,
            root_device_name="/dev/vda",
            created_at=now,
            updated_at=now,
            launched_at=None,
            terminated_at=None,
            deleted_at=None,
        )

    def _devices(self, caller: Context, server: Server, planned: list[NewDevice], flavor: Flavor) -> list[BlockDevice]:
        """The server's block devices; volumes that exist are reserved for it in this transaction."""
        rows = disks.rows(server.id, planned, flavor.info(), self.ids, server.created_at)
        return [
            msgspec.structs.replace(row, attachment_id=self._reserve(caller, row)) if row.source == "volume" else row
            for row in rows
        ]

    def _reserve(self, caller: Context, device: BlockDevice) -> str:
        try:
            return self.volumes.reserve(caller, device.volume_id, device.server_id)
        except Refused as refused:
            raise e.BAD_BLOCK_DEVICE(reason=refused.message) from None

    def _begin(
        self, caller: Context, request: NewServer, server: Server, spans: tuple[Span, ...], started: int
    ) -> None:
        accepted = Span(
            part="nova-api",
            title="checks for conflicts and writes the instance's first row",
            step=4,
            started_at=started,
            duration_us=self.clock.now() - started,
            result="Success",
            detail={"server": server.id, "flavor": server.flavor.name, "image": server.image.name or "(volume)"},
        )
        state = {"vm_state": server.vm_state, "task_state": server.task_state, "power_state": "NOSTATE"}
        done = [msgspec.structs.replace(span, state=state) for span in (*spans, accepted)]
        password = request.admin_pass if server.config_drive else ""
        data = Boot(want_host=request.host, want_node=request.node, admin_pass=password)
        self.engine.begin(BOOT.kind, data, caller, server.id, spans=tuple(done))


def _network_refusal(refused: Refused) -> Refused:
    """As Nova words what Neutron refuses: in use or ambiguous is a conflict, a quota a 403, the rest bad input."""
    if refused.error.name == "OverQuota":
        return e.PORT_QUOTA(reason=refused.message)
    return (e.NETWORK_CONFLICT if refused.status == 409 else e.BAD_NETWORK)(reason=refused.message)


def check_size(image: Image, flavor: Flavor | FlavorInfo, *, local_root: bool) -> None:
    """Refuse a flavor that is too small for the image.  Raises FLAVOR_RAM_TOO_SMALL, FLAVOR_DISK_TOO_SMALL."""
    if flavor.ram < image.min_ram:
        raise e.FLAVOR_RAM_TOO_SMALL(have=flavor.ram, image_id=image.id, need=image.min_ram)
    need = max(image.virtual_size or image.size or 0, image.min_disk * GB)
    if local_root and flavor.disk and need > flavor.disk * GB:
        raise e.FLAVOR_DISK_TOO_SMALL(have=flavor.disk * GB, need=need)


def remembered(image: Image, image_id: str) -> ImageInfo:
    """What the server keeps of its image; `image_id` is empty for one that only a volume was made from."""
    return ImageInfo(
        id=image_id,
        name=image.name or "",
        size=image.size or 0,
        min_ram=image.min_ram,
        min_disk=image.min_disk,
        disk_format=image.disk_format or "",
        container_format=image.container_format or "",
        properties=dict(image.properties),
    )


def _told_apart(made: list[Server], root_device_name: str) -> list[Server]:
    """The servers of one request share its reservation; several are counted, in their names too."""
    if len(made) == 1 and made[0].root_device_name == root_device_name:
        return made
    many = len(made) > 1
    return [
        msgspec.structs.replace(
            server,
            name=f"{server.name}-{place + 1}" if many else server.name,
            hostname=f"{server.hostname[:58]}-{place + 1}" if many else server.hostname,
            reservation_id=made[0].reservation_id,
            launch_index=place,
            root_device_name=root_device_name,
        )
        for place, server in enumerate(made)
    ]


def sanitize_hostname(name: str) -> str:
    """The host name that a server's name gives: letters, digits and dashes, at most 63; empty where it gives none."""
    words = re.sub(r"[ _.]+", "-", name.strip())
    words = re.sub(r"[^A-Za-z0-9-]+", "", words.encode("ascii", "ignore").decode()).strip("-").lower()
    return words[:63].rstrip("-")
