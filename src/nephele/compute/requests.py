"""What a user asks for, once the HTTP edge has read it."""

from msgspec import Struct

from nephele.network.messages import NicRequest


class NewDevice(Struct, frozen=True, kw_only=True):
    """One block device of a new server, as block_device_mapping_v2 has it.

    `size_gb` None: as large as its source; `boot_index` None: never booted from.
    """

    source: str
    destination: str
    uuid: str = ""
    boot_index: int | None = None
    size_gb: int | None = None
    guest_format: str = ""
    disk_bus: str = ""
    device_type: str = "disk"
    device_name: str = ""
    volume_type: str = ""
    delete_on_termination: bool = False
    tag: str = ""


class NewServer(Struct, frozen=True, kw_only=True):
    """A launch request.

    `nics` None: whatever network the project has; an empty tuple: none.
    """

    name: str
    flavor_id: str
    image_id: str = ""
    nics: tuple[NicRequest, ...] | None = None
    security_groups: tuple[str, ...] = ()
    key_name: str | None = None
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    user_data: str | None = None
    config_drive: bool = False
    availability_zone: str = ""
    host: str = ""
    node: str = ""
    hints: dict[str, list[str]] = {}
    devices: tuple[NewDevice, ...] = ()
    min_count: int = 1
    max_count: int = 1
    description: str | None = None
    hostname: str = ""
    access_ip_v4: str = ""
    access_ip_v6: str = ""
    admin_pass: str = ""
    """For the config drive, where the server has one."""
    disk_config: str = "AUTO"
