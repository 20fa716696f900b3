"""What the scheduler can be asked over the bus."""

from collections.abc import Mapping

from msgspec import Struct

from nephele.compute.scheduler.decision import Decision
from nephele.kernel.bus import Method
from nephele.kernel.trace import Span


class FlavorWanted(Struct, frozen=True, kw_only=True):
    """The size that is wanted: memory in MB, disks in GB, swap in MB."""

    name: str = ""
    vcpus: int
    memory_mb: int
    root_gb: int = 0
    ephemeral_gb: int = 0
    swap_mb: int = 0
    extra_specs: Mapping[str, str] = {}


class GroupMembership(Struct, frozen=True, kw_only=True):
    """The server group that the server is in.

    Args:
        id: the group's.
        policy: `affinity`, `anti-affinity`, `soft-affinity` or `soft-anti-affinity`.
        on_hosts: how many other members each host has, by host name.
        max_server_per_host: of anti-affinity.
    """

    id: str
    policy: str
    on_hosts: Mapping[str, int] = {}
    max_server_per_host: int = 1


class SelectHost(Struct, frozen=True, kw_only=True):
    """Find a host for a server and claim what it needs there.

    Args:
        server_id: the server.
        consumer_id: who holds the claim; empty: the server.
        project_id: whose it is.
        user_id: of that project.
        flavor: its size.
        volume_backed: its root disk is a volume, so takes no local disk.
        image_id: what it boots from; empty: a volume.
        image_properties: of the image.
        availability_zone: where it must be; empty: anywhere.
        host: it must be this one; empty: any.
        hypervisor_hostname: it must be this one; empty: any.
        exclude_hosts: hosts that were tried and failed.
        hints: scheduler hints, each a list of values.
        group: its server group.
        migration: the number of the migration that the host is for: that gets it, and the server stays where it is.
        forced: no check but room for its resources is made of the `host`.
        explain: answer with every check of every host.
        dry_run: only say what would be, with every check of every host where none fits; claim nothing.
    """

    server_id: str
    consumer_id: str = ""
    project_id: str
    user_id: str
    flavor: FlavorWanted
    volume_backed: bool = False
    image_id: str = ""
    image_properties: Mapping[str, str] = {}
    availability_zone: str = ""
    host: str = ""
    hypervisor_hostname: str = ""
    exclude_hosts: frozenset[str] = frozenset()
    hints: Mapping[str, tuple[str, ...]] = {}
    group: GroupMembership | None = None
    migration: int = 0
    forced: bool = False
    explain: bool = False
    dry_run: bool = False


class Selection(Struct, frozen=True, kw_only=True):
    """The host that was chosen, and why.

    Args:
        host: its name; empty in a dry run that no host fits.
        hypervisor_hostname: the hypervisor's.
        provider_uuid: its resource provider.
        resources: what was claimed there, by resource class.
        weight: the sum of its weights.
        weights: what each weigher gave it, multiplied.
        hosts: how many were looked at.
        fitting: how many of them fit.
        refused: how many hosts each check refused, in the order of the checks.
        alternates: the next best hosts.
        lost_races: hosts that fitted until somebody else's claim came first.
        decision: everything, where it was asked to explain.
        spans: what the scheduler did.
    """

    host: str
    hypervisor_hostname: str = ""
    provider_uuid: str = ""
    resources: Mapping[str, int] = {}
    weight: float = 0.0
    weights: Mapping[str, float] = {}
    hosts: int
    fitting: int
    refused: Mapping[str, int] = {}
    alternates: tuple[str, ...] = ()
    lost_races: tuple[str, ...] = ()
    decision: Decision | None = None
    spans: tuple[Span, ...] = ()


class CheckHost(Struct, frozen=True, kw_only=True):
    """Whether a host that has a server can also run what is asked for; room and zone are not looked at."""

    host: str
    asked: SelectHost


class HostChecked(Struct, frozen=True):
    """Why not; empty: it can."""

    reason: str = ""


CHECK_HOST = Method("scheduler.check_host", CheckHost, HostChecked)
SELECT_HOST = Method("scheduler.select_host", SelectHost, Selection)
