"""`rebuild`."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from nephele.compute.api.server_bodies import (
    Bool,
    Hostname,
    Metadata,
    Name,
    Uuid,
    canonical_ip,
    check_fields,
    check_hostname,
    truth,
)
from nephele.compute.api.servers import before_2_75, show
from nephele.compute.rebuilding import Wanted
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call
from nephele.web.microversions import Version
from nephele.web.routing import Reply

if TYPE_CHECKING:
    from nephele.compute.service import Compute

TRUSTED = "os_compute_api:servers:rebuild:trusted_certs"
SINCE: dict[str, Version] = {
    "description": (2, 19),
    "key_name": (2, 54),
    "user_data": (2, 57),
    "trusted_image_certificates": (2, 63),
    "hostname": (2, 90),
}


class Rebuild(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be built, and what to change with it."""

    imageRef: Uuid  # noqa: N815
    name: Name | UnsetType = UNSET
    adminPass: str | UnsetType = UNSET  # noqa: N815
    metadata: Metadata | UnsetType = UNSET
    preserve_ephemeral: Bool = False
    disk_config: Literal["AUTO", "MANUAL"] | UnsetType = field(default=UNSET, name="OS-DCF:diskConfig")
    accessIPv4: str | UnsetType = UNSET  # noqa: N815
    accessIPv6: str | UnsetType = UNSET  # noqa: N815
    personality: list[dict[str, str]] | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    key_name: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType | None = UNSET
    user_data: Annotated[str, Meta(max_length=65535)] | UnsetType | None = UNSET
    trusted_image_certificates: list[str] | UnsetType | None = UNSET
    hostname: Hostname | UnsetType = UNSET


def rebuild(compute: "Compute", call: Call) -> Reply:
    """Build a server anew from an image."""
    asked: Rebuild = call.body
    check_fields(asked, call.version, SINCE)
    _check_words(asked, call)
    password = asked.adminPass or secrets.token_urlsafe(9)
    wanted = msgspec.structs.replace(_wanted(asked, call.version), admin_pass=password)
    server = compute.rebuilding.rebuild(call.context, call.path["server_id"], wanted)
    body = _shown(show(compute, call)["server"], call.version)
    if call.version >= (2, 54):
        body["key_name"] = server.key_name
    if call.version >= (2, 57):
        body["user_data"] = server.user_data
    body["adminPass"] = password
    return Reply({"server": body}, 202, {"Location": f"{call.base_url}/v2.1/servers/{server.id}"})


def _check_words(asked: Rebuild, call: Call) -> None:
    if asked.hostname is not UNSET:
        check_hostname(asked.hostname, call.version)
    if asked.personality is not UNSET and call.version >= (2, 57):
        raise BAD_REQUEST(reason="personality: file injection was removed with microversion 2.57; use user_data.")
    if asked.personality:
        raise BAD_REQUEST(reason="File injection (personality) is not supported; use user_data or a config drive.")
    if asked.trusted_image_certificates is not UNSET:
        call.enforce(TRUSTED)
        if asked.trusted_image_certificates:
            raise BAD_REQUEST(reason="trusted_image_certificates: signatures of images are not validated here.")


def _wanted(asked: Rebuild, version: Version) -> Wanted:
    return Wanted(
        image_id=asked.imageRef,
        reimages=version >= (2, 93),
        preserve_ephemeral=truth(asked.preserve_ephemeral),
        name=asked.name,
        hostname=asked.hostname,
        description=asked.description,
        key_name=asked.key_name,
        user_data=asked.user_data,
        metadata=asked.metadata,
        access_ip_v4=_address(asked.accessIPv4, 4),
        access_ip_v6=_address(asked.accessIPv6, 6),
        disk_config=asked.disk_config,
    )


def _address(text: str | UnsetType, version: int) -> str | UnsetType:
    return UNSET if text is UNSET else canonical_ip(text, version)


def _shown(body: Raw, version: Version) -> dict[str, Any]:
    """The server as the answer shows it."""
    if version < (2, 75):
        return before_2_75(body)
    named: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Raw])
    named.pop("OS-EXT-SRV-ATTR:user_data", None)
    return named
