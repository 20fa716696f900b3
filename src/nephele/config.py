"""What can be set, in one place; the command line and an optional TOML file fill it in."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from nephele.compute.agent.cache import Limits as CacheLimits
from nephele.compute.scheduler.model import Settings as Filtering
from nephele.identity.model import Compliance, Hashing, LimitModel, OidcProvider
from nephele.kernel.errors import Error

BAD_SETTINGS = Error("settings.bad", 400, "{file}: {reason}")


class SimHost(Struct, frozen=True, forbid_unknown_fields=True):
    """What each simulated host has."""

    vcpus: int = 32
    memory_mb: int = 131_072
    disk_gb: int = 2_000
    delays: dict[str, float] = {}
    """Seconds that its hypervisor takes, by the driver's method; `shutdown`: that guests need to shut down."""
    faults: dict[str, float] = {}
    """How likely its hypervisor refuses a call, from 0 to 1, by the driver's method."""


class Quotas(Struct, frozen=True, forbid_unknown_fields=True):
    """Compute quotas of a project that has none of its own; -1 is no limit.  The defaults are Nova's."""

    instances: int = 10
    cores: int = 20
    ram: int = 51_200
    metadata_items: int = 128
    key_pairs: int = 100
    server_groups: int = 10
    server_group_members: int = 10


class SchedulerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the scheduler decides, and the allocation ratios that hosts begin with."""

    filtering: Filtering = Filtering()
    cpu_allocation_ratio: float = 4.0
    ram_allocation_ratio: float = 1.0
    disk_allocation_ratio: float = 1.0


class ProviderNetwork(Struct, frozen=True, forbid_unknown_fields=True):
    """How a physical network is reached from the host.

    Args:
        interface: an interface of the host that carries it; it becomes part of the network's bridge.
        bridge: a bridge of the host that carries it.
        host_address: the host's own address in it, as CIDR, where the bridge is ours.
    """

    interface: str = ""
    bridge: str = ""
    host_address: str = ""


class ImageSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What images may be.

    Args:
        max_size: bytes of one image.
        max_virtual_size: bytes of the disk that an image describes.
        project_size: bytes of all images of one project; -1: any number.
        project_images: images of one project; -1: any number.
        stores: directories that are more stores of images, by name, besides the state directory's, which is `local`.
        trusted_hosts: hosts that `web-download` may fetch from although their addresses are not public.
    """

    max_size: int = 1 << 40
    max_virtual_size: int = 16 << 40
    project_size: int = -1
    project_images: int = -1
    stores: dict[str, Path] = field(default_factory=dict)
    trusted_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.stores:
            if name == "local" or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
                raise ValueError(f"images.stores: {name!r} is no name for another store")


class VolumeBackend(Struct, frozen=True, forbid_unknown_fields=True):
    """One place where volumes are kept.

    Args:
        driver: `file`, or `nbd`: the same files, served to hosts by a storage daemon.
        directory: where its files are; none: in the state directory.
        host: nbd: the address that the daemon listens on, and that hosts connect to.
        port: nbd: its port.
        tls: nbd: encrypt, and let only those in that show a certificate of the cloud's own.
    """

    driver: Literal["file", "nbd"] = "file"
    directory: Path | None = None
    host: str = "127.0.0.1"
    port: int = 10809
    tls: bool = True


class BackupSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where volumes' backups are kept: in a directory, or in a store that speaks S3 where `url` names one.

    Args:
        directory: none: `backups` in the state directory.
        url: of the store, such as `https://s3.example.org`.
        bucket: in which bucket, which must be there.
        region: as the store calls its own.
        access_key: who we are there.
        secret_key_file: a file that holds the secret key, and nothing else.
    """

    directory: Path | None = None
    url: str = ""
    bucket: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key_file: Path | None = None


class VolumeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where volumes and backups are.

    Args:
        backends: by name, as in `host@NAME#pool`; the first is that of volumes that were never placed.
        cluster: the cluster that the volume services are part of; empty: none.
        backups: where backups are.
    """

    backends: dict[str, VolumeBackend] = field(default_factory=lambda: {"file": VolumeBackend()})
    cluster: str = ""
    backups: BackupSettings = BackupSettings()

    def __post_init__(self) -> None:
        if not self.backends:
            raise ValueError("volumes.backends must name one at least")


class ComputeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How servers live.

    Args:
        confirm_resize_after: seconds after which a resize that nobody decided on is confirmed; 0: never.
        resize_to_same_host: whether a resize may stay on its host; not set: only where there is no other host.
        shelved_offload_after: seconds after which a shelved server leaves its host; 0: at once; -1: never by itself.
        reclaim_after: seconds that a deleted server can still be restored; 0: it is deleted at once.
    """

    confirm_resize_after: float = 0
    resize_to_same_host: bool | None = None
    shelved_offload_after: int = 0
    reclaim_after: Annotated[int, Meta(ge=0)] = 0


class IdentitySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How people sign in.

    Args:
        token_lifetime: seconds that a token is good for.
        hashing: what hashing a password costs.
        limit_model: how unified limits of domains and projects relate, `flat` or `strict_two_level`.
        oidc: OpenID Connect providers that may be signed in with, by the id of the identity provider that each is.
        compliance: what is demanded of passwords and users, by Keystone's names in `[security_compliance]`.
    """

    token_lifetime: int = 3600
    hashing: Hashing = Hashing()
    limit_model: LimitModel = LimitModel.FLAT
    oidc: dict[str, OidcProvider] = {}
    compliance: Compliance = Compliance()


class ConsoleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How consoles are reached.

    Args:
        token_seconds: how long an address given out is good for.
        origins: other sites, by host name, whose pages may open consoles besides the cloud's own.
    """

    token_seconds: int = 600
    origins: tuple[str, ...] = ()


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a cloud can be told."""

    state_dir: Path = Path("nephele-data")
    listen: str = "127.0.0.1"
    port: int = 8774
    public_url: str = ""
    driver: str = "sim"
    hosts: int = 1
    host: str = ""
    """Name of the hypervisor host; empty: the machine's own (libvirt) or `sim-001` and so on."""
    libvirt_uri: str = "qemu:///system"
    virt_type: str = "auto"
    host_netns: str = ""
    """The network namespace that is the hypervisor host; empty: this one."""
    tunnel_address: str = ""
    """This host's own end of the tunnels to other hosts; empty: none, its networks end here."""
    database_url: str = ""
    """Empty: SQLite in the state directory."""
    guest_image: Path | None = None
    policy_dir: Path | None = None
    """Where `identity.yaml`, `compute.yaml` and so on override rules; by default `policy` in the state directory."""
    audit: bool = True
    """Whether sign-ins, refusals and what privileged callers change are recorded."""
    audit_file: Path | None = None
    """Where; by default `audit.log` in the state directory."""
    vendor_data: Path | None = None
    """A JSON file that every guest finds as its `vendor_data.json`."""
    sim_host: SimHost = SimHost()
    quotas: Quotas = Quotas()
    scheduler: SchedulerSettings = SchedulerSettings()
    compute: ComputeSettings = ComputeSettings()
    images: ImageSettings = ImageSettings()
    image_cache: CacheLimits = CacheLimits()
    """What hosts keep of base images that no disk builds on."""
    volumes: VolumeSettings = field(default_factory=VolumeSettings)
    identity: IdentitySettings = IdentitySettings()
    consoles: ConsoleSettings = ConsoleSettings()
    provider_networks: dict[str, ProviderNetwork] = field(
        default_factory=lambda: {"public": ProviderNetwork(host_address="172.24.4.1/24")}
    )
    region: str = "RegionOne"
    availability_zone: str = "nova"

    @property
    def operations_at_once(self) -> int:
        """How many operations run at once: simulated hosts are of this process, and wait for nothing."""
        return 8 if self.driver == "sim" else 32

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.state_dir / 'nephele.db'}"


def read_settings(file: Path | None, **given: object) -> Settings:
    """Settings from a TOML file, if there is one, and from what was given besides (which wins).

    Raises BAD_SETTINGS that names what was not understood.
    """
    found: dict[str, object] = {}
    if file is not None:
        try:
            found = tomllib.loads(file.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise BAD_SETTINGS(file=file, reason=error) from None
    found |= {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(found, Settings, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise BAD_SETTINGS(file=file or "settings", reason=error) from None


def _path(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise TypeError(f"{value!r} is no {kind.__name__}")
