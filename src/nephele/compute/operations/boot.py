"""The launch of a server: steps 5 to 17 of the flow, each with its way back."""

from typing import Any

from nephele.compute import messages as m
from nephele.compute.conductor import Conductor
from nephele.compute.model import Task
from nephele.compute.operations import volumes
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.scheduler.errors import NO_VALID_HOST
from nephele.kernel.errors import Refused
from nephele.kernel.operations import Failure, Keep, Step, Work
from nephele.network.messages import BoundPort

MAX_HOSTS = 3
"""On how many hosts a launch is tried before it is given up, as upstream's max_attempts."""


class Boot(ServerData, kw_only=True):
    """What a launch carries from step to step."""

    want_host: str = ""
    want_node: str = ""
    admin_pass: str = ""
    """For the guest's config drive; empty once the launch is over."""
    tried: tuple[str, ...] = ()
    why: str = ""
    """What went wrong on the last host that was tried."""
    base: m.BaseImage | None = None
    ports: tuple[BoundPort, ...] = ()
    volumes: tuple[m.ConnectedDevice, ...] = ()


def choose_host(conductor: Conductor, work: Work[Boot]) -> None:
    """Steps 5 to 7: ask the scheduler, which claims the resources; the server's row gets the host."""
    data = work.data
    try:
        chosen = conductor.choose_host(work, host=data.want_host, node=data.want_node, exclude=data.tried)
    except Refused:
        if data.why:
            raise NO_VALID_HOST(summary=f"{data.why} (tried on {', '.join(data.tried)}; no other host fits)") from None
        raise
    data.host = chosen.host


def give_host_back(conductor: Conductor, work: Work[Boot]) -> None:
    """Release the claim; the server is on no host."""
    conductor.leave_host(work.subject)
    work.data.host = ""


def prepare(conductor: Conductor, work: Work[Boot]) -> None:
    """Steps 8 to 13: the host takes the request, learns of the instance and fetches the image."""
    answer = conductor.command(m.PREPARE, m.Prepare, work, patience=1500)
    work.data.base = answer.base


def plug(conductor: Conductor, work: Work[Boot]) -> None:
    """Steps 14 and 15: the host asks for the network."""
    work.data.ports = conductor.command(m.PLUG, m.Plug, work, patience=120).ports


def unplug(conductor: Conductor, work: Work[Boot]) -> None:
    """Release the ports that were allocated."""
    conductor.release_ports(work.subject)
    work.data.ports = ()


def connect(conductor: Conductor, work: Work[Boot]) -> None:
    """Step 16: the volumes, made first where the request says so."""
    volumes.make(conductor, work)
    work.data.volumes = conductor.command(m.CONNECT, m.Connect, work, patience=120).volumes


def disconnect(conductor: Conductor, work: Work[Boot]) -> None:
    """Detach the volumes; those that were made for this server go."""
    volumes.drop(conductor, work.context, work.subject, only_made=True)
    work.data.volumes = ()


def spawn(conductor: Conductor, work: Work[Boot]) -> None:
    """Step 17: the guest is built and started."""
    data = work.data
    found = {"base": data.base, "ports": data.ports, "volumes": data.volumes, "admin_pass": data.admin_pass}
    answer = conductor.command(m.SPAWN, m.Build, work, patience=300, **found)
    data.power_state = answer.power_state
    conductor.placing.note_build(data.host, worked=True)


def destroy(conductor: Conductor, work: Work[Boot]) -> None:
    """Remove the guest, as far as it was built."""
    if work.data.host:
        conductor.command(m.DESTROY, m.Destroy, work, patience=120)


def try_another_host(conductor: Conductor, work: Work[Boot], failure: Failure) -> str:
    """A host that failed is not the user's fault: the launch is tried on another."""
    data = work.data
    if failure.step != "host" and failure.status >= 500:
        conductor.placing.note_build(data.host, worked=False)
    if failure.step == "host" or failure.status < 500 or len(data.tried) + 1 >= MAX_HOSTS or data.want_host:
        return ""
    if data.host and data.host not in data.tried:
        data.tried = (*data.tried, data.host)
    data.why = failure.message
    return "host"


def note_launch(conductor: Conductor, db: Any, work: Work[Boot]) -> None:
    """The instant of the launch."""
    work.data.admin_pass = ""
    conductor.note_launch(db, work.subject)


def forget_password(_conductor: Conductor, _db: Any, work: Work[Boot], _failure: Failure) -> None:
    """A launch that failed needs none."""
    work.data.admin_pass = ""


BOOT = server_operation(
    "create",
    Boot,
    (
        Step("host", choose_host, give_host_back, Task.SCHEDULING, "conductor_schedule_instances"),
        Step("image", prepare, Keep("the host's image cache is shared"), Task.NONE, "compute_prepare_image"),
        Step("network", plug, unplug, Task.NETWORKING, "compute_allocate_network"),
        Step("volumes", connect, disconnect, Task.BLOCK_DEVICE_MAPPING, "compute_attach_volumes"),
        Step("guest", spawn, destroy, Task.SPAWNING, "compute__do_build_and_run_instance"),
    ),
    on_done=note_launch,
    on_failed=forget_password,
    rewind=try_another_host,
)
