"""What all of Placement's handlers share: reading bodies and query strings, and the headers of answers."""

from collections.abc import Iterable
from email.utils import format_datetime
from typing import Any

import msgspec

from nephele.kernel.clock import Instant, to_datetime
from nephele.placement.api.schema import Schema, find_fault
from nephele.placement.errors import (
    BAD_JSON,
    BAD_MEDIA,
    BAD_QUERY,
    INVALID_JSON,
    JSON_ONLY,
    NO_CONTENT_TYPE,
)
from nephele.placement.model import Provider
from nephele.web.call import Call
from nephele.web.routing import Reply


def read_body(call: Call, schema: Schema) -> Any:
    """The JSON body, as the schema says.

    Raises NO_CONTENT_TYPE, BAD_MEDIA, BAD_JSON or INVALID_JSON.
    """
    require_json(call)
    try:
        data = msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BAD_JSON(reason=error) from None
    fault = find_fault(data, schema)
    if fault:
        raise INVALID_JSON(reason=fault)
    return data


def require_json(call: Call) -> None:
    """Raise NO_CONTENT_TYPE or BAD_MEDIA for a body that does not say it is JSON."""
    kind = call.header("Content-Type").partition(";")[0].strip()
    if not kind and call.request.content_length:
        raise NO_CONTENT_TYPE()
    if kind != "application/json":
        raise BAD_MEDIA(got=kind or None)


def accept_json(call: Call) -> None:
    """Raise JSON_ONLY for a client that takes no JSON."""
    if not call.request.client_accepts_json:
        raise JSON_ONLY()


def check_query(call: Call, schema: Schema) -> None:
    """Raise BAD_QUERY unless the query string is as the schema says."""
    fault = find_fault(dict(call.query.pairs), schema)
    if fault:
        raise BAD_QUERY(reason=f"Invalid query string parameters: {fault}")


def answer(call: Call, body: object, changed: Instant, *, status: int = 200, location: str = "") -> Reply:
    """A reply that says since 1.15 when what it shows last changed."""
    headers = {"Location": location} if location else {}
    if call.version >= (1, 15):
        headers["Last-Modified"] = format_datetime(to_datetime(changed), usegmt=True)
        headers["Cache-Control"] = "no-cache"
    return Reply(body, status, headers)


def path_of(*parts: str) -> str:
    """The path of a resource below the service's root, as links show it."""
    return "/" + "/".join(parts)


def url_of(call: Call, *parts: str) -> str:
    """The whole URL of a resource, for `Location`."""
    return "/".join((call.base_url, *parts))


def latest(instants: Iterable[Instant], otherwise: Instant) -> Instant:
    """The last of them."""
    return max(instants, default=otherwise)


_LINKS = ("inventories", "usages"), ("aggregates",), ("traits",), ("allocations",)


def provider_links(call: Call, uuid: str) -> list[dict[str, str]]:
    """The links of a provider; more with each of the versions that brought them."""
    here = path_of("resource_providers", uuid)
    names = [*_LINKS[0]]
    for since, more in zip(((1, 1), (1, 6), (1, 11)), _LINKS[1:], strict=True):
        if call.version >= since:
            names.extend(more)
    return [{"rel": "self", "href": here}, *({"rel": name, "href": f"{here}/{name}"} for name in names)]


def show_provider(call: Call, provider: Provider, parent_uuid: str | None, root_uuid: str) -> dict[str, object]:
    """A provider as the API shows it."""
    shown: dict[str, object] = {
        "uuid": provider.uuid,
        "name": provider.name,
        "generation": provider.generation,
        "links": provider_links(call, provider.uuid),
    }
    if call.version >= (1, 14):
        shown["parent_provider_uuid"] = parent_uuid
        shown["root_provider_uuid"] = root_uuid
    return shown
