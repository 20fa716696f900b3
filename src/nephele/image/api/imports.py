"""Imports, the tasks that carry them out, and where data is."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, to_builtins

from nephele.image.api import views
from nephele.image.api.filters import read_task_page
from nephele.image.api.images import read_new
from nephele.image.errors import BAD_IMPORT
from nephele.image.service import Images
from nephele.web.call import Call

_HASH_DIGITS = {"sha1": 40, "sha256": 64, "sha512": 128, "md5": 32}


class Validation(Struct, frozen=True, forbid_unknown_fields=True):
    """What a location's data hashes to."""

    os_hash_algo: Literal["sha1", "sha256", "sha512", "md5"]
    os_hash_value: Annotated[str, Meta(max_length=128, pattern="^[0-9a-fA-F]*$")]


class NewLocation(Struct, frozen=True):
    """The body of a new location."""

    url: str
    validation_data: Validation | None = None


def start(images: Images, call: Call) -> None:
    """POST /v2/images/{image_id}/import."""
    images.imports.start(call.context, call.path["image_id"], call.body)


def of_image(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/images/{image_id}/tasks."""
    found = images.imports.of_image(call.context, call.path["image_id"])
    return {"tasks": [views.task(each) for each in found]}


def index(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/tasks."""
    page, filters = read_task_page(call.query)
    found = images.imports.list(call.context, page, filters)
    body: dict[str, Any] = {
        "tasks": [views.task_summary(each) for each in found],
        "first": views.href("/v2/tasks", call.query.pairs),
        "schema": "/v2/schemas/tasks",
    }
    if found and len(found) == page.limit:
        body["next"] = views.href("/v2/tasks", call.query.pairs, found[-1].id)
    return body


class TaskInput(Struct, frozen=True):
    """What an import task is told."""

    import_from: str
    import_from_format: str
    image_properties: dict[str, Any]


class NewTask(Struct, frozen=True):
    """The body of a new task; only imports are asked for in this way."""

    type: Literal["import"]
    input: TaskInput


def create(images: Images, call: Call) -> dict[str, Any]:
    """POST /v2/tasks."""
    told: TaskInput = call.body.input
    new = read_new(told.image_properties or {"disk_format": "qcow2", "container_format": "bare"})
    return views.task(images.imports.start_new(call.context, new, to_builtins(told)))


def show(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/tasks/{task_id}."""
    return views.task(images.imports.show(call.context, call.path["task_id"]))


def remove_from_store(images: Images, call: Call) -> None:
    """DELETE /v2/stores/{store_id}/{image_id}."""
    images.imports.remove_from_store(call.context, call.path["image_id"], call.path["store_id"])


def locations(images: Images, call: Call) -> list[dict[str, Any]]:
    """GET /v2/images/{image_id}/locations."""
    found = images.locations(call.context, call.path["image_id"])
    return [{"url": url, "metadata": {"store": store}} for store, url in found]


def add_location(images: Images, call: Call) -> None:
    """POST /v2/images/{image_id}/locations."""
    told: NewLocation = call.body
    check = told.validation_data
    if check is not None and len(check.os_hash_value) != _HASH_DIGITS[check.os_hash_algo]:
        raise BAD_IMPORT(
            reason=f"os_hash_value: {check.os_hash_value} is not the correct size for {check.os_hash_algo}"
        )
    images.add_location(call.context, call.path["image_id"], told.url)
