"""How each service says no: one record (`Refused`), six shapes."""

from collections.abc import Callable
from html import escape
from http import HTTPStatus

import msgspec

from nephele.kernel.errors import Refused

FaultFormat = Callable[[Refused, str], tuple[bytes, str]]
"""From the refusal and the request id to the body and its content type."""

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


def nova(refused: Refused, _request_id: str) -> tuple[bytes, str]:
    """Nova's and Cinder's: `{"itemNotFound": {"code": 404, "message": …}}`."""
    name = _NOVA_NAMES.get(refused.status, "computeFault")
    return msgspec.json.encode({name: {"code": refused.status, "message": refused.message}}), JSON


def keystone(refused: Refused, _request_id: str) -> tuple[bytes, str]:
    """Keystone's: `{"error": {"code": 404, "message": …, "title": "Not Found"}}`."""
    error = {"code": refused.status, "message": refused.message, "title": title(refused.status)}
    return msgspec.json.encode({"error": error}), JSON


def neutron(refused: Refused, _request_id: str) -> tuple[bytes, str]:
    """Neutron's: `{"NeutronError": {"type": "PortNotFound", "message": …, "detail": ""}}`."""
    kind = refused.error.name or "HTTP" + title(refused.status).replace(" ", "")
    return msgspec.json.encode({"NeutronError": {"type": kind, "message": refused.message, "detail": ""}}), JSON


def glance(refused: Refused, _request_id: str) -> tuple[bytes, str]:
    """Glance's: a small HTML page."""
    head = f"{refused.status} {title(refused.status)}"
    page = (
        f"<html>\n <head>\n  <title>{head}</title>\n </head>\n <body>\n  <h1>{head}</h1>\n"
        f"  {escape(refused.message)}<br /><br />\n\n\n </body>\n</html>"
    )
    return page.encode(), "text/html; charset=UTF-8"


def placement(refused: Refused, request_id: str) -> tuple[bytes, str]:
    """Placement's: the API working group's `errors` list, with codes that never change."""
    error = {
        "status": refused.status,
        "title": title(refused.status),
        "detail": refused.message,
        "request_id": request_id,
        "code": refused.error.name or "placement.undefined_code",
    }
    return msgspec.json.encode({"errors": [error]}), JSON


def nephele(refused: Refused, request_id: str) -> tuple[bytes, str]:
    """Our own API's: the whole record."""
    error = {
        "code": refused.error.code,
        "status": refused.status,
        "message": refused.message,
        "next_step": refused.error.next_step,
        "request_id": request_id,
    }
    return msgspec.json.encode({"error": error}), JSON
