"""How images look in JSON."""

from typing import Any

from nephele.image.model import Image, Member
from nephele.kernel.clock import SECOND, Instant, iso


def time(instant: Instant) -> str:
    """`2026-01-31T12:00:00Z`."""
    return iso(instant - instant % SECOND)


def image(each: Image) -> dict[str, Any]:
    """One image: custom properties stand beside its attributes."""
    path = "/v2/images/" + each.id
    shown: dict[str, Any] = {
        **each.properties,
        "id": each.id,
        "name": each.name,
        "status": each.status,
        "visibility": each.visibility,
        "owner": each.owner,
        "protected": each.protected,
        "os_hidden": each.os_hidden,
        "disk_format": each.disk_format,
        "container_format": each.container_format,
        "min_disk": each.min_disk,
        "min_ram": each.min_ram,
        "size": each.size,
        "virtual_size": each.virtual_size,
        "checksum": each.checksum,
        "os_hash_algo": each.os_hash_algo,
        "os_hash_value": each.os_hash_value,
        "created_at": time(each.created_at),
        "updated_at": time(each.updated_at),
        "tags": each.tags,
        "self": path,
        "file": path + "/file",
        "schema": "/v2/schemas/image",
    }
    if each.stores:
        shown["stores"] = each.stores
    return shown


def member(each: Member) -> dict[str, Any]:
    """One project that an image is shared with."""
    return {
        "image_id": each.image_id,
        "member_id": each.member_id,
        "status": each.status,
        "created_at": time(each.created_at),
        "updated_at": time(each.updated_at),
        "schema": "/v2/schemas/member",
    }
