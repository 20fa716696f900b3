"""`/vnc_auto.html`: a guest's screen in a browser, with nothing to install."""

from functools import cache
from importlib.resources import files

import falcon
import falcon.asgi

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self' ws: wss:"
"""The page loads nothing, and speaks with websockets only."""


class ConsolePage:
    """The page; its address carries the way to the websocket as any noVNC client takes it (`?path=`)."""

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """The same for everybody: what is secret is in the address, which is not sent on."""
        response.content_type = "text/html; charset=utf-8"
        response.set_header("Content-Security-Policy", POLICY)
        response.set_header("Referrer-Policy", "no-referrer")
        response.set_header("Cache-Control", "no-store")
        response.data = _page()


@cache
def _page() -> bytes:
    return files("nephele.compute.api").joinpath("static/screen.html").read_bytes()
