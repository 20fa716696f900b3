"""What conductor and compute agents say to each other.

The agent never touches the database: for each step of a launch the conductor commands it, and
what it needs to know it asks the conductor, Glance, Neutron and Cinder, with a token that was delegated
for that one server.
"""

from msgspec import Struct

from nephele.compute.model import BlockDevice, FlavorInfo
from nephele.compute.virt.driver import DiskFormat, Guest, HostInventory, PowerState
from nephele.kernel.bus import Method
from nephele.kernel.clock import Instant
from nephele.kernel.trace import Span
from nephele.network.messages import BoundPort, NicRequest
from nephele.volume.messages import Connection


class Command(Struct, frozen=True, kw_only=True):
    """What every command to an agent carries.

    `token` is good for the work on this one server; `sent_at` tells how long the message was on its way.
    A command that arrives twice has one `id` (those that only look have none); one that arrives after `expires_at`
    is waited for no more: neither is carried out.
    """

    id: str
    expires_at: Instant

    server_id: str
    request_id: str
    token: str
    sent_at: Instant


class Done(Struct, frozen=True, kw_only=True):
    """What every answer of an agent carries: the guest's power state and the spans of the work."""

    power_state: PowerState = PowerState.NOSTATE
    spans: tuple[Span, ...] = ()


class BaseImage(Struct, frozen=True, kw_only=True):
    """An image in a host's cache, ready to be the base of disks; `virtual_size` in bytes."""

    path: str
    format: DiskFormat
    size: int
    virtual_size: int


class Prepare(Command, frozen=True, kw_only=True):
    """Learn about the server and bring its image into the host's cache."""


class Prepared(Done, frozen=True, kw_only=True):
    """`base` is None for a server that boots from a volume."""

    base: BaseImage | None = None


class Plug(Command, frozen=True, kw_only=True):
    """Allocate the server's ports and wire them on the host."""


class Plugged(Done, frozen=True, kw_only=True):
    """The server's ports, in the order of its interfaces."""

    ports: tuple[BoundPort, ...] = ()


class Connect(Command, frozen=True, kw_only=True):
    """Connect the server's volumes to the host; `device_id`: this one only."""

    device_id: str = ""


class ConnectedDevice(Struct, frozen=True, kw_only=True):
    """A volume of the server, and how the host reaches it."""

    device: BlockDevice
    connection: Connection


class Connected(Done, frozen=True, kw_only=True):
    """The server's volumes."""

    volumes: tuple[ConnectedDevice, ...] = ()


class Spawn(Command, frozen=True, kw_only=True):
    """What a guest is made of."""

    base: BaseImage | None
    ports: tuple[BoundPort, ...]
    volumes: tuple[ConnectedDevice, ...]


class Build(Spawn, frozen=True, kw_only=True):
    """Build the guest and start it; `admin_pass` goes to its config drive, if it has one."""

    admin_pass: str = ""


class Start(Spawn, frozen=True, kw_only=True):
    """Start a guest that is off."""


class Reboot(Spawn, frozen=True, kw_only=True):
    """Restart a guest; softly, or hard."""

    hard: bool


class Stop(Command, frozen=True, kw_only=True):
    """Shut a guest down; after `timeout` seconds by force."""

    timeout: int


class Interrupt(Struct, frozen=True):
    """Let go of what is being done to the guest: what waits for it gives up, and its power is cut if `power` says so.

    `by` is the request that interrupts: its own commands, which follow, are not meant.
    """

    server_id: str
    by: str
    power: bool = True


class Settle(Command, frozen=True, kw_only=True):
    """Answer once no earlier command works on the guest."""


class Destroy(Command, frozen=True, kw_only=True):
    """Remove the guest and its local disks, but those with the device names `keep`."""

    keep: tuple[str, ...] = ()


class ReadConsole(Command, frozen=True, kw_only=True):
    """The last lines of the guest's console; 0: all that is kept."""

    lines: int


class ConsoleOutput(Done, frozen=True, kw_only=True):
    """What the guest wrote."""

    output: bytes = b""


class AskServer(Struct, frozen=True, kw_only=True):
    """A host asks what it should build."""

    token: str
    request_id: str
    host: str
    server_id: str


class ServerForHost(Struct, frozen=True, kw_only=True):
    """All that a host needs to know of a server that is placed on it.

    `config_drive` holds the files of its config drive by path, or None where it has none.
    """

    id: str
    domain_name: str
    name: str
    hostname: str
    project_id: str
    user_id: str
    availability_zone: str
    flavor: FlavorInfo
    image_id: str
    image_properties: dict[str, str]
    devices: tuple[BlockDevice, ...]
    nics: tuple[NicRequest, ...]
    security_groups: tuple[str, ...]
    config_drive: dict[str, bytes] | None
    spans: tuple[Span, ...] = ()


class HostReport(Struct, frozen=True, kw_only=True):
    """An agent says that it is there, what its host has and which guests it found."""

    host: str
    hostname: str
    host_ip: str
    inventory: HostInventory
    guests: tuple[Guest, ...]


class GuestsReport(Struct, frozen=True, kw_only=True):
    """An agent says which guests it has; or asks about some of them once more before it removes them."""

    host: str
    guests: tuple[Guest, ...]


class HostOrders(Struct, frozen=True):
    """What a host that reported is to do: remove guests of servers that are gone, or on another host."""

    remove: tuple[str, ...] = ()


class PowerReport(Struct, frozen=True, kw_only=True):
    """An agent saw a guest change by itself."""

    host: str
    server_id: str
    power_state: PowerState


class PowerHeard(Struct, frozen=True):
    """What the conductor made of it; `again`: something is being done to the server, so it is to be told later too."""

    again: bool


class Heartbeat(Struct, frozen=True):
    """Agents that are alive."""

    hosts: tuple[str, ...]


class CacheImages(Struct, frozen=True, kw_only=True):
    """Fetch images before servers need them."""

    token: str
    request_id: str
    image_ids: tuple[str, ...]


class ListGuests(Struct, frozen=True):
    """Asks which guests are there."""


class Guests(Struct, frozen=True):
    """The guests of a host, as its hypervisor sees them."""

    guests: tuple[Guest, ...]


class RemoveGuest(Struct, frozen=True):
    """Remove a guest of which no server knows."""

    server_id: str


PREPARE = Method("compute_agent.prepare", Prepare, Prepared)
PLUG = Method("compute_agent.plug", Plug, Plugged)
CONNECT = Method("compute_agent.connect", Connect, Connected)
SPAWN = Method("compute_agent.spawn", Build, Done)
START = Method("compute_agent.start", Start, Done)
REBOOT = Method("compute_agent.reboot", Reboot, Done)
STOP = Method("compute_agent.stop", Stop, Done)
SETTLE = Method("compute_agent.settle", Settle, Done)
INTERRUPT = Method("compute_agent.interrupt", Interrupt, type(None))
DESTROY = Method("compute_agent.destroy", Destroy, Done)
READ_CONSOLE = Method("compute_agent.read_console", ReadConsole, ConsoleOutput)
CACHE_IMAGES = Method("compute_agent.cache_images", CacheImages, type(None))
LIST_GUESTS = Method("compute_agent.list_guests", ListGuests, Guests)
REMOVE_GUEST = Method("compute_agent.remove_guest", RemoveGuest, type(None))

ASK_SERVER = Method("conductor.ask_server", AskServer, ServerForHost)
REPORT_HOST = Method("conductor.report_host", HostReport, HostOrders)
REPORT_GUESTS = Method("conductor.report_guests", GuestsReport, HostOrders)
REPORT_POWER = Method("conductor.report_power", PowerReport, PowerHeard)
HEARTBEAT = Method("conductor.heartbeat", Heartbeat, type(None))
