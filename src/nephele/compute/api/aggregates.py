"""`/os-aggregates`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.compute.aggregates import AGGREGATE_NOT_FOUND, IN_OTHER_ZONE, ZONE, ZONE_IN_USE
from nephele.compute.api.server_bodies import Uuid
from nephele.compute.model import Aggregate
from nephele.kernel.clock import iso_micros
from nephele.kernel.errors import BAD_REQUEST, Refused
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Zone = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^:]+$")]
Host = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-._]+$")]
Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_:. ]{1,255}$")]
Value = Annotated[str, Meta(max_length=255)]


class NewAggregate(Struct, frozen=True, forbid_unknown_fields=True):
    """`aggregate` of a creation."""

    name: Name
    availability_zone: Zone | None = None


class ChangedAggregate(Struct, frozen=True, forbid_unknown_fields=True):
    """`aggregate` of a change."""

    name: Name | UnsetType = UNSET
    availability_zone: Zone | UnsetType | None = UNSET


class HostName(Struct, frozen=True, forbid_unknown_fields=True):
    """Which host comes or goes."""

    host: Host


class Items(Struct, frozen=True, forbid_unknown_fields=True):
    """Metadata to set; null removes."""

    metadata: dict[Key, Value | None]


class CachedImage(Struct, frozen=True, forbid_unknown_fields=True):
    """One image to fetch."""

    id: Uuid


class Images(Struct, frozen=True, forbid_unknown_fields=True):
    """Images to fetch."""

    cache: Annotated[list[CachedImage], Meta(min_length=1)]


def _id(call: Call) -> int:
    text = call.path["aggregate_id"]
    if not text.isdecimal() or len(text) > 18:
        raise AGGREGATE_NOT_FOUND(aggregate_id=text)
    return int(text)


@contextmanager
def _bad_zones() -> Iterator[None]:
    """A zone that cannot be is bad input where it is said, and a conflict where a host is moved into it."""
    try:
        yield
    except Refused as refused:
        if refused.error in (IN_OTHER_ZONE, ZONE_IN_USE):
            raise BAD_REQUEST(reason=refused.message) from None
        raise


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """All aggregates."""
    return {"aggregates": [_view(aggregate, call) for aggregate in compute.hosts.aggregates()]}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One aggregate."""
    return {"aggregate": _view(compute.aggregates.show(_id(call)), call)}


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """A new aggregate; the answer leaves out the hosts and metadata that it does not have yet."""
    new: NewAggregate = call.body.aggregate
    body = _view(compute.aggregates.create(new.name, new.availability_zone), call)
    del body["hosts"], body["metadata"]
    return {"aggregate": body}


def update(compute: "Compute", call: Call) -> dict[str, Any]:
    """Another name or zone."""
    change: ChangedAggregate = call.body.aggregate
    if change.name is UNSET and change.availability_zone is UNSET:
        raise BAD_REQUEST(reason="Invalid input for field/attribute aggregate. It must name something to change.")
    name = None if change.name is UNSET else change.name
    zone = None if change.availability_zone is UNSET else change.availability_zone
    with _bad_zones():
        return {"aggregate": _view(compute.aggregates.update(_id(call), name, zone), call)}


def delete(compute: "Compute", call: Call) -> None:
    """Remove an aggregate without hosts."""
    compute.aggregates.delete(_id(call))


def add_host(compute: "Compute", call: Call) -> dict[str, Any]:
    """Let a host belong to it."""
    return {"aggregate": _view(compute.aggregates.add_host(_id(call), call.body.host), call)}


def remove_host(compute: "Compute", call: Call) -> dict[str, Any]:
    """Let a host belong to it no more."""
    return {"aggregate": _view(compute.aggregates.remove_host(_id(call), call.body.host), call)}


def set_metadata(compute: "Compute", call: Call) -> dict[str, Any]:
    """Set or remove metadata."""
    with _bad_zones():
        return {"aggregate": _view(compute.aggregates.set_metadata(_id(call), call.body.metadata), call)}


def cache_images(compute: "Compute", call: Call) -> None:
    """Have its hosts fetch images before servers need them."""
    image_ids = [image.id for image in call.body.cache]
    if len(image_ids) != len(set(image_ids)):
        raise BAD_REQUEST(reason="Duplicate images in request")
    compute.cache_images(call.context, _id(call), image_ids)


def _view(aggregate: Aggregate, call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": aggregate.id,
        "name": aggregate.name,
        "availability_zone": aggregate.metadata.get(ZONE),
        "hosts": aggregate.hosts,
        "metadata": aggregate.metadata,
        "created_at": iso_micros(aggregate.created_at),
        "updated_at": iso_micros(aggregate.updated_at) if aggregate.updated_at else None,
        "deleted": False,
        "deleted_at": None,
    }
    return body | {"uuid": aggregate.uuid} if call.version >= (2, 41) else body
