"""`/console`: a websocket on one side, a guest's console on the other, bytes between them."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nephele.compute.consoles import Consoles, Grant
from nephele.compute.virt.driver import ConsoleKind
from nephele.kernel.errors import Refused

log = logging.getLogger(__name__)
CHUNK = 1 << 16
REFUSED, GONE, TAKEN_OVER = 4403, 1011, 4409
"""Close codes: not let in, the console broke off, and somebody else opened the same serial console."""


class ConsoleSocket:
    """The ASGI application of the websocket.

    Args:
        consoles: knows tokens.
        public_url: the cloud's address, if it has another than clients use.
    """

    def __init__(self, consoles: Consoles, public_url: str = "") -> None:
        self._consoles = consoles
        self._sites = {*consoles.settings.origins, urlsplit(public_url).hostname or ""} - {""}
        self._serial: dict[str, asyncio.Task[None]] = {}
        """Who is at each serial console, which has room for one: whoever comes later takes it over."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one websocket."""
        await receive()
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        token = (parse_qs(scope["query_string"].decode("latin-1")).get("token") or [""])[0]
        if not self._is_ours(headers):
            log.warning("a console was asked for by a page of %s, which is not among the origins", headers["origin"])
            await send({"type": "websocket.close", "code": REFUSED})
            return
        try:
            grant, path = await asyncio.to_thread(self._look_up, token)
            reader, writer = await asyncio.open_unix_connection(path)
        except (Refused, OSError) as error:
            log.info("a console was refused: %s", error)
            await send({"type": "websocket.close", "code": REFUSED})
            return
        offered = scope.get("subprotocols") or []
        await send({"type": "websocket.accept", "subprotocol": "binary" if "binary" in offered else None})
        try:
            await self._join(grant, receive, send, reader, writer)
        finally:
            writer.close()

    def _is_ours(self, headers: Mapping[str, str]) -> bool:
        """Whether a page of the cloud's own site asks, or one that is let in, or no page at all."""
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).hostname in {
            *self._sites,
            urlsplit(f"//{headers.get('host', '')}").hostname,
        }

    def _look_up(self, token: str) -> tuple[Grant, str]:
        grant = self._consoles.redeem(token)
        return grant, self._consoles.place(grant)

    async def _join(
        self, grant: Grant, receive: Any, send: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry bytes both ways until one side hangs up, or another takes over."""
        typing = asyncio.create_task(_from_client(receive, writer))
        showing = asyncio.create_task(_to_client(reader, send))
        if grant.kind is ConsoleKind.SERIAL:
            before = self._serial.get(grant.server_id)
            self._serial[grant.server_id] = showing
            if before is not None:
                before.cancel()
        try:
            await asyncio.wait((typing, showing), return_when=asyncio.FIRST_COMPLETED)
            if not typing.done():
                code = TAKEN_OVER if showing.cancelled() else GONE
                await send({"type": "websocket.close", "code": code})
        finally:
            typing.cancel()
            showing.cancel()
            if self._serial.get(grant.server_id) is showing:
                del self._serial[grant.server_id]


async def _from_client(receive: Any, writer: asyncio.StreamWriter) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        writer.write(event.get("bytes") or (event.get("text") or "").encode())
        await writer.drain()


async def _to_client(reader: asyncio.StreamReader, send: Any) -> None:
    while data := await reader.read(CHUNK):
        await send({"type": "websocket.send", "bytes": data})
