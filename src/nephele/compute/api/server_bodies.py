"""What a request to launch or change a server may hold, in each microversion."""

import re
from ipaddress import ip_address
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.compute.requests import NewDevice, NewServer
from nephele.kernel.errors import BAD_REQUEST
from nephele.network.messages import NicRequest
from nephele.web.microversions import Version, spoken

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Text255 = Annotated[str, Meta(max_length=255)]
Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_:. ]{1,255}$")]
Metadata = dict[Key, Text255]
Tag = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^,/]*$")]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")]
Hostname = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-._]*$")]
_LABEL = re.compile(r"[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+")
Count = Annotated[int, Meta(ge=1, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,8}$")]
Bool = (
    bool
    | Literal["True", "true", "TRUE", "1", "on", "yes", "False", "false", "FALSE", "0", "off", "no", ""]
    | Literal[0, 1]
)


class NetworkBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `networks`."""

    uuid: Uuid | None = None
    port: Uuid | None = None
    fixed_ip: str | None = None
    tag: Tag | None = None


class DeviceBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `block_device_mapping_v2`."""

    source_type: Literal["image", "volume", "snapshot", "blank"] | None = None
    destination_type: Literal["local", "volume"] | None = None
    uuid: str | None = None
    boot_index: int | str | None = None
    volume_size: int | str | None = None
    delete_on_termination: Bool = False
    guest_format: Annotated[str, Meta(max_length=255)] | None = None
    disk_bus: str | None = None
    device_type: str | None = None
    device_name: Annotated[str, Meta(max_length=255)] | None = None
    volume_type: Annotated[str, Meta(max_length=255)] | None = None
    tag: Tag | None = None
    no_device: Bool = False


class OldDeviceBody(Struct, frozen=True):
    """One entry of the old `block_device_mapping`."""

    volume_id: str | None = None
    snapshot_id: str | None = None
    volume_size: int | str | None = None
    device_name: str | None = None
    delete_on_termination: Bool = False


class GroupName(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `security_groups`."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]


class ServerBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`server` of a launch."""

    name: Name
    flavorRef: str | int  # noqa: N815
    imageRef: str = ""  # noqa: N815
    networks: list[NetworkBody] | Literal["auto", "none"] | UnsetType = UNSET
    security_groups: list[GroupName] = []
    key_name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    metadata: Metadata = {}
    user_data: Annotated[str, Meta(max_length=65535)] | None = None
    config_drive: Bool | None = None
    availability_zone: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    block_device_mapping_v2: list[DeviceBody] = []
    block_device_mapping: list[OldDeviceBody] = []
    min_count: Count = 1
    max_count: Count | None = None
    return_reservation_id: Bool = False
    adminPass: str | None = None  # noqa: N815
    accessIPv4: str = ""  # noqa: N815
    accessIPv6: str = ""  # noqa: N815
    disk_config: Literal["AUTO", "MANUAL"] = msgspec.field(default="AUTO", name="OS-DCF:diskConfig")
    personality: list[dict[str, str]] | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    tags: Annotated[list[Tag], Meta(max_length=50)] | UnsetType = UNSET
    trusted_image_certificates: list[str] | UnsetType | None = UNSET
    host: str | UnsetType = UNSET
    hypervisor_hostname: str | UnsetType = UNSET
    hostname: Hostname | UnsetType = UNSET
    hints: dict[str, Any] = msgspec.field(default_factory=dict, name="os:scheduler_hints")


class CreateServerBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole body of `POST /servers`."""

    server: ServerBody
    hints: dict[str, Any] = msgspec.field(default_factory=dict, name="os:scheduler_hints")
    old_hints: dict[str, Any] = msgspec.field(default_factory=dict, name="OS-SCH-HNT:scheduler_hints")


SINCE: dict[str, Version] = {
    "description": (2, 19),
    "tags": (2, 52),
    "trusted_image_certificates": (2, 63),
    "host": (2, 74),
    "hypervisor_hostname": (2, 74),
    "hostname": (2, 90),
}
"""Fields of a launch that came with a later microversion."""


def check_fields(body: Struct, version: Version, since: dict[str, Version]) -> None:
    """Refuse fields that the microversion does not know."""
    for name, first in since.items():
        if getattr(body, name) is not UNSET and version < first:
            raise BAD_REQUEST(
                reason=f"Invalid input for field/attribute server. Additional properties are not allowed"
                f" ('{name}' was unexpected; it came with microversion {spoken(first)})"
            )


def check_hostname(name: str, version: Version) -> None:
    """Raise BAD_REQUEST for a domain name before 2.94, when a host name was one label of 2 to 63 characters."""
    if version < (2, 94) and not (len(name) <= 63 and _LABEL.fullmatch(name)):
        raise BAD_REQUEST(
            reason=f"Invalid input for field/attribute hostname. Value: {name}. It must be 2 to 63 letters, digits and"
            " dashes; whole domain names came with microversion 2.94."
        )


def new_server(body: CreateServerBody, version: Version) -> NewServer:
    """The launch that a body asks for.  Raises BAD_REQUEST where the microversion has it otherwise."""
    server = body.server
    check_fields(server, version, SINCE)
    if server.hostname is not UNSET:
        check_hostname(server.hostname, version)
    if server.personality is not UNSET and version >= (2, 57):
        raise BAD_REQUEST(reason="personality: file injection was removed with microversion 2.57; use user_data.")
    if server.personality:
        raise BAD_REQUEST(reason="File injection (personality) is not supported; use user_data or a config drive.")
    if server.trusted_image_certificates not in (UNSET, None, []):
        raise BAD_REQUEST(reason="trusted_image_certificates: signatures of images are not validated here.")
    zone, host, node = split_zone(server.availability_zone or "")
    least = int(server.min_count)
    most = int(server.max_count) if server.max_count is not None else max(least, 1)
    return NewServer(
        name=server.name,
        flavor_id=str(server.flavorRef),
        image_id=_image_id(server.imageRef),
        nics=_nics(server, version),
        security_groups=tuple(dict.fromkeys(group.name for group in server.security_groups)),
        key_name=server.key_name,
        metadata=server.metadata,
        tags=tuple(server.tags) if server.tags is not UNSET else (),
        user_data=server.user_data,
        config_drive=truth(server.config_drive),
        availability_zone=zone,
        host=_text(server.host) or host,
        node=_text(server.hypervisor_hostname) or node,
        hints=_hints({**server.hints, **body.old_hints, **body.hints}),
        devices=tuple(_devices(server, version)),
        min_count=least,
        max_count=most,
        description=_description(server, version),
        hostname=_text(server.hostname),
        access_ip_v4=canonical_ip(server.accessIPv4, 4),
        access_ip_v6=canonical_ip(server.accessIPv6, 6),
        disk_config=server.disk_config,
    )


def split_zone(text: str) -> tuple[str, str, str]:
    """(zone, host, node) of `zone`, `zone:host`, `zone:host:node` or `zone::node`.  Raises BAD_REQUEST."""
    zone, *more = text.split(":")
    if len(more) > 2:
        raise BAD_REQUEST(reason=f"Unable to parse availability_zone {text!r}: it is ZONE, or ZONE:HOST:NODE.")
    host, node = (*more, "", "")[:2]
    return zone, host, node


def canonical_ip(text: str, version: int) -> str:
    """An address in its one short spelling (RFC 5952); empty stays empty.  Raises BAD_REQUEST."""
    try:
        address = ip_address(text) if text else None
    except ValueError:
        address = None
    if text and (address is None or address.version != version):
        raise BAD_REQUEST(
            reason=f"Invalid input for field/attribute accessIPv{version}. Value: {text}. It is no such address."
        )
    return str(address) if address else ""


def truth(value: bool | str | int | None) -> bool:
    """A truth value in any of the accepted spellings."""
    return str(value).lower() in ("true", "1", "on", "yes")


def _text(value: str | UnsetType) -> str:
    return "" if value is UNSET else value


def _description(server: ServerBody, version: Version) -> str | None:
    """Before 2.19 a server's description is its name."""
    if version < (2, 19):
        return server.name
    return None if server.description is UNSET else server.description


def _image_id(ref: str) -> str:
    """Old clients send the image's URL."""
    return ref.rstrip("/").rsplit("/", 1)[-1]


def _nics(server: ServerBody, version: Version) -> tuple[NicRequest, ...] | None:
    networks = server.networks
    if networks is UNSET:
        if version >= (2, 37):
            raise BAD_REQUEST(reason="Invalid input for field/attribute server. 'networks' is a required property")
        return None
    if isinstance(networks, str):
        if version < (2, 37):
            raise BAD_REQUEST(reason=f"networks: {networks!r} came with microversion 2.37; send a list.")
        return None if networks == "auto" else ()
    if not networks:
        return None
    return tuple(_nic(network, version) for network in networks)


def _nic(network: NetworkBody, version: Version) -> NicRequest:
    if not network.uuid and not network.port:
        raise BAD_REQUEST(reason="Bad networks format: network uuid is not in proper format; name a uuid or a port.")
    if network.tag and not ((2, 32) <= version <= (2, 36) or version >= (2, 42)):
        raise BAD_REQUEST(reason="networks: tags are accepted by microversions 2.32 to 2.36 and from 2.42 on.")
    if network.port and network.fixed_ip:
        raise BAD_REQUEST(reason=f"Specified Fixed IP '{network.fixed_ip}' cannot be used with port '{network.port}'.")
    return NicRequest(
        network_id="" if network.port else network.uuid or "",
        port_id=network.port or "",
        fixed_ip=network.fixed_ip or "",
        tag=network.tag or "",
    )


def _hints(hints: dict[str, Any]) -> dict[str, list[str]]:
    return {
        name: [str(one) for one in (value if isinstance(value, list) else [value])] for name, value in hints.items()
    }


def _devices(server: ServerBody, version: Version) -> list[NewDevice]:
    if server.block_device_mapping and server.block_device_mapping_v2:
        raise BAD_REQUEST(reason="Using different block_device_mapping syntaxes is not allowed in the same request.")
    if server.block_device_mapping:
        return [_old_device(device, place) for place, device in enumerate(server.block_device_mapping)]
    return [_device(device, version) for device in server.block_device_mapping_v2 if not truth(device.no_device)]


def _device(device: DeviceBody, version: Version) -> NewDevice:
    if device.tag and not (version == (2, 32) or version >= (2, 42)):
        raise BAD_REQUEST(reason="block_device_mapping_v2: tags are accepted by microversion 2.32 and from 2.42 on.")
    if device.volume_type and version < (2, 67):
        raise BAD_REQUEST(reason="block_device_mapping_v2: volume_type came with microversion 2.67.")
    source = device.source_type or ("volume" if device.uuid else "blank")
    default = "volume" if source in ("volume", "snapshot") else "local"
    destination = device.destination_type or default
    return NewDevice(
        source=source,
        destination=destination,
        uuid=device.uuid or "",
        boot_index=_boot_index(device.boot_index),
        size_gb=_number(device.volume_size, "volume_size"),
        guest_format=device.guest_format or "",
        disk_bus=device.disk_bus or "",
        device_type=device.device_type or "disk",
        device_name=device.device_name or "",
        volume_type=device.volume_type or "",
        delete_on_termination=truth(device.delete_on_termination) or (source, destination) == ("image", "local"),
        tag=device.tag or "",
    )


def _old_device(device: OldDeviceBody, place: int) -> NewDevice:
    if not device.volume_id and not device.snapshot_id:
        raise BAD_REQUEST(reason="block_device_mapping: name a volume_id or a snapshot_id.")
    return NewDevice(
        source="volume" if device.volume_id else "snapshot",
        destination="volume",
        uuid=device.volume_id or device.snapshot_id or "",
        boot_index=0 if place == 0 and (device.device_name or "").endswith("vda") else None,
        size_gb=_number(device.volume_size, "volume_size"),
        delete_on_termination=truth(device.delete_on_termination),
    )


def _boot_index(value: int | str | None) -> int | None:
    """A negative one means: never booted from."""
    number = _number(value, "boot_index")
    return None if number is None or number < 0 else number


def _number(value: int | str | None, name: str) -> int | None:
    if value is None or value in ("", "None"):
        return None
    text = str(value)
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or int(text) > 0x7FFFFFFF:
        raise BAD_REQUEST(
            reason=f"Invalid input for field/attribute {name}. Value: {text[:40]}. It is no such integer."
        )
    return int(text)
