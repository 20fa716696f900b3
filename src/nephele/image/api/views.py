"""How images look in JSON."""

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from nephele.image.model import Image, Member, Task
from nephele.kernel.clock import Instant, iso


@lru_cache(8192)
def time(instant: Instant) -> str:
    """`2026-01-31T12:00:00Z`; remembered, for lists show the same times again and again."""
    return iso(instant)


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


def task_summary(each: Task) -> dict[str, Any]:
    """One task in a list."""
    return {
        "id": each.id,
        "type": each.type,
        "status": each.status,
        "owner": each.owner,
        "expires_at": None if each.expires_at is None else time(each.expires_at),
        "created_at": time(each.created_at),
        "updated_at": time(each.updated_at),
        "self": f"/v2/tasks/{each.id}",
        "schema": "/v2/schemas/task",
    }


def task(each: Task) -> dict[str, Any]:
    """One task."""
    return {
        **task_summary(each),
        "image_id": each.image_id,
        "user_id": each.user_id,
        "request_id": each.request_id,
        "input": each.input,
        "result": each.result,
        "message": each.message,
    }


def href(path: str, pairs: list[tuple[str, str]], marker: str = "") -> str:
    """The same query elsewhere in its pages: at the start, or behind `marker`."""
    query = [(key, value) for key, value in pairs if key != "marker"]
    if marker:
        query.append(("marker", marker))
    return path + (f"?{urlencode(query)}" if query else "")
