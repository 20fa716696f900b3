"""JSON bodies: read with a limit, decoded into the type that the route names."""

import re
from typing import Any

import falcon.asgi
import msgspec

from nephele.kernel.errors import BAD_REQUEST, TOO_LARGE

_WHERE = re.compile(r"(?P<what>.*) - at `(?P<where>\$.*)`", re.S)
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def envelope(name: str, kind: Any) -> Any:
    """The type of `{name: kind}` with nothing else in it, as most OpenStack bodies are."""
    return msgspec.defstruct(f"{name}_body", [(name, kind)], forbid_unknown_fields=True, frozen=True)


async def read(request: falcon.asgi.Request, limit: int) -> bytes:
    """The whole body.  Raises TOO_LARGE past `limit` bytes, without reading the rest."""
    if (request.content_length or 0) > limit:
        raise TOO_LARGE(limit=limit)
    chunks, size = [], 0
    async for chunk in request.stream:
        size += len(chunk)
        if size > limit:
            raise TOO_LARGE(limit=limit)
        chunks.append(chunk)
    return b"".join(chunks)


def decode(raw: bytes | msgspec.Raw, kind: Any) -> Any:
    """The body as `kind`; as it came for `bytes`.  Raises BAD_REQUEST that names the field and what it accepts."""
    if kind is bytes:
        return raw
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise BAD_REQUEST(reason=explain(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BAD_REQUEST(reason=f"Malformed request body: it is not valid JSON ({error}).") from None


def explain(error: str) -> str:
    """A validation error as a sentence: the field first, then what was wrong with it."""
    found = _WHERE.fullmatch(error)
    if not found:
        return f"Invalid request body: {error}."
    field = found["where"].removeprefix("$").lstrip(".") or "body"
    return f"Invalid input for field/attribute {field}. {found['what']}."


def actions(raw: bytes) -> dict[str, msgspec.Raw]:
    """The body of an `…/action` request: one key names the action, others belong to it."""
    found: dict[str, msgspec.Raw] = decode(raw, dict[str, msgspec.Raw])
    if not found:
        raise BAD_REQUEST(reason="The request body names no action.")
    return found
