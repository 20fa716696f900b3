"""How each service says no: one record (`Refused`), six shapes."""

from collections.abc import Callable
from html import escape
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from nephele.kernel.errors import Refused


class Asked(NamedTuple):
    """What a form may want to know of the request that is refused."""

    request_id: str
    version: tuple[int, int] = (0, 0)
    """The microversion; (0, 0) where the refusal came before there was one."""
    accepts_json: bool = True


FaultFormat = Callable[[Refused, Asked], tuple[bytes, str]]
"""From the refusal and the request to the body and its content type."""

JSON = "application/json"
_NOVA_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    500: "computeFault",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def title(status: int) -> str:
    """`Not Found` for 404."""
    return HTTPStatus(status).phrase


def nova(refused: Refused, _asked: Asked) -> tuple[bytes, str]:
    """Nova's and Cinder's: `{"itemNotFound": {"code": 404, "message": …}}`."""
    name = _NOVA_NAMES.get(refused.status, "computeFault")
    return msgspec.json.encode({name: {"code": refused.status, "message": refused.message}}), JSON


def keystone(refused: Refused, _asked: Asked) -> tuple[bytes, str]:
    """Keystone's: `{"error": {"code": 404, "message": …, "title": "Not Found"}}`."""
    error = {"code": refused.status, "message": refused.message, "title": title(refused.status)}
    return msgspec.json.encode({"error": error}), JSON


def neutron(refused: Refused, _asked: Asked) -> tuple[bytes, str]:
    """Neutron's: `{"NeutronError": {"type": "PortNotFound", "message": …, "detail": ""}}`."""
    kind = refused.error.name or "HTTP" + title(refused.status).replace(" ", "")
    return msgspec.json.encode({"NeutronError": {"type": kind, "message": refused.message, "detail": ""}}), JSON


def glance(refused: Refused, _asked: Asked) -> tuple[bytes, str]:
    """Glance's: a small HTML page."""
    return _page(refused.status, refused.message)


def _page(status: int, message: str) -> tuple[bytes, str]:
    head = f"{status} {title(status)}"
    page = (
        f"<html>\n <head>\n  <title>{head}</title>\n </head>\n <body>\n  <h1>{head}</h1>\n"
        f"  {escape(message)}<br /><br />\n\n\n </body>\n</html>"
    )
    return page.encode(), "text/html; charset=UTF-8"


def placement(refused: Refused, asked: Asked) -> tuple[bytes, str]:
    """Placement's: the API working group's `errors` list, from 1.23 on with codes that never change."""
    detail = _PLACEMENT_SENTENCES.get(refused.error.code, "{message}").format(message=refused.message, **refused.facts)
    if not asked.accepts_json:
        return _page(refused.status, detail)
    error: dict[str, object] = {"status": refused.status, "title": title(refused.status), "detail": detail}
    if asked.version >= (1, 23):
        error["code"] = refused.error.name or "placement.undefined_code"
    error["request_id"] = asked.request_id
    if refused.status == 406 and "maximum" in refused.facts:
        error["max_version"], error["min_version"] = refused.facts["maximum"], refused.facts["minimum"]
    return msgspec.json.encode({"errors": [error]}), JSON


_PLACEMENT_SENTENCES = {
    "microversion.unknown": "Unacceptable version header: {asked}",
    "microversion.malformed": "invalid version string: {asked}",
}


def nephele(refused: Refused, asked: Asked) -> tuple[bytes, str]:
    """Our own API's: the whole record."""
    error = {
        "code": refused.error.code,
        "status": refused.status,
        "message": refused.message,
        "next_step": refused.error.next_step,
        "request_id": asked.request_id,
    }
    return msgspec.json.encode({"error": error}), JSON
