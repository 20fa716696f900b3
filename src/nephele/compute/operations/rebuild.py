"""A rebuild: the same server, with the same ports and volumes, begins anew from an image."""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.errors import NO_HOST_FOR_REBUILD
from nephele.compute.model import BlockDevice, ImageInfo, Server, Task, Vm
from nephele.compute.operations import volumes
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.placing import host_request
from nephele.compute.scheduler.messages import CHECK_HOST, CheckHost
from nephele.compute.tables import servers
from nephele.kernel.operations import Failure, Keep, Step, Work

DESTROYED = Keep("what was destroyed does not come back: the server is in ERROR, and can be rebuilt")


class Built(Struct, frozen=True, kw_only=True):
    """What a rebuild changes of a server's row."""

    image_id: str
    image: ImageInfo
    name: str
    hostname: str
    description: str | None
    key_name: str | None
    key_data: str | None
    key_type: str
    user_data: str | None
    access_ip_v4: str
    access_ip_v6: str
    metadata: dict[str, str]
    disk_config: str
    progress: int

    @classmethod
    def of(cls, server: Server) -> "Built":
        """As the server is."""
        return cls(**{name: getattr(server, name) for name in cls.__struct_fields__})

    def write(self, db: sa.Connection, server_id: str) -> None:
        """Make the server so."""
        db.execute(servers.update().where(servers.c.id == server_id).values(**structs.asdict(self)))


class Rebuild(ServerData, kw_only=True):
    """What a rebuild carries.

    `image_id` is the new image, `before` the server as it was; `reimage` is the volume to be made anew, if any.
    """

    image_id: str
    before: Built
    admin_pass: str = ""
    """For the guest's config drive; empty once it is over."""
    changes_image: bool = False
    reimage: str = ""
    keep: tuple[str, ...] = ()
    """The device names of the local disks that stay."""
    base: m.BaseImage | None = None
    touched: bool = False


def prepare(conductor: Conductor, work: Work[Rebuild]) -> None:
    """See whether the host can run the image, and bring it there: nothing is lost yet."""
    data = work.data
    data.fails = data.was
    if data.changes_image:
        _check_host(conductor, work)
    data.base = conductor.command(m.PREPARE, m.Prepare, work, patience=1500).base


def _check_host(conductor: Conductor, work: Work[Rebuild]) -> None:
    server = conductor.server(work.subject)
    asked = host_request(server, conductor.devices(server.id), None)
    answer = conductor.bus.call(CHECK_HOST, CheckHost(host=server.host, asked=asked))
    if answer.reason:
        raise NO_HOST_FOR_REBUILD(host=server.host, image_id=work.data.image_id, reason=answer.reason)


def put_back(conductor: Conductor, work: Work[Rebuild]) -> None:
    """Where the guest was not touched, the server is what it was."""
    data = work.data
    if not data.touched:
        with conductor.store.write() as db:
            data.before.write(db, work.subject)


def destroy(conductor: Conductor, work: Work[Rebuild]) -> None:
    """Turn the guest off and remove it with its disks."""
    data = work.data
    data.touched, data.fails = True, ""
    conductor.command(m.DESTROY, m.Destroy, work, patience=120, keep=data.keep)


def let_go(conductor: Conductor, work: Work[Rebuild]) -> None:
    """Take the volume that is to be made anew from the host; it stays the server's."""
    device = _reimaged(conductor, work)
    with conductor.store.write():
        attachment_id = conductor.volumes.renew_attachment(work.context, device.attachment_id)
        conductor.update_device(device.id, attachment_id=attachment_id)


def reimage(conductor: Conductor, work: Work[Rebuild]) -> None:
    """Let that volume begin anew with the image."""
    volume_id = work.data.reimage
    if conductor.volumes.show(work.context, volume_id).status != "downloading":
        conductor.volumes.reimage(work.context, volume_id, work.data.image_id)
    volumes.wait_until_available(conductor, work, volume_id)


def _reimaged(conductor: Conductor, work: Work[Rebuild]) -> BlockDevice:
    return next(device for device in conductor.devices(work.subject) if device.volume_id == work.data.reimage)


def connect(conductor: Conductor, work: Work[Rebuild]) -> None:
    """See that ports and volumes are there before the guest is built."""
    conductor.attached(work)


def spawn(conductor: Conductor, work: Work[Rebuild]) -> None:
    """Build the guest anew and start it."""
    data = work.data
    found = {"base": data.base, "admin_pass": data.admin_pass} | conductor.attached(work)
    answer = conductor.command(m.SPAWN, m.Build, work, patience=300, **found)
    data.power_state = answer.power_state


def stop(conductor: Conductor, work: Work[Rebuild]) -> None:
    """A server that was off is off again."""
    data = work.data
    data.power_state = conductor.command(m.STOP, m.Stop, work, patience=60, timeout=0).power_state
    data.becomes = Vm.STOPPED


def rebuilt(conductor: Conductor, db: sa.Connection, work: Work[Any]) -> None:
    """A rebuilt server counts as launched anew, as upstream has it."""
    work.data.admin_pass = ""
    conductor.note_launch(db, work.subject)


def forget_password(_conductor: Conductor, _db: sa.Connection, work: Work[Any], _failure: Failure) -> None:
    """A rebuild that failed needs none."""
    work.data.admin_pass = ""


REBUILD = server_operation(
    "rebuild",
    Rebuild,
    (
        Step("image", prepare, put_back, Task.REBUILDING, "compute_rebuild_instance"),
        Step("guest", destroy, DESTROYED, Task.REBUILDING),
        Step("detach", let_go, DESTROYED, Task.REBUILD_BLOCK_DEVICE_MAPPING),
        Step("volume", reimage, DESTROYED, Task.REBUILD_BLOCK_DEVICE_MAPPING),
        Step("devices", connect, DESTROYED, Task.REBUILD_BLOCK_DEVICE_MAPPING),
        Step("spawn", spawn, DESTROYED, Task.REBUILD_SPAWNING),
        Step("stop", stop, DESTROYED, Task.POWERING_OFF),
    ),
    on_done=rebuilt,
    on_failed=forget_password,
)
