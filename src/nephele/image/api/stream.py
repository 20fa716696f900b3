"""A request's body in pieces, with the truth of whether all of it came."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import falcon.asgi

SILENCE = 300.0
"""Seconds without a byte after which a client is taken for gone."""


async def chunks(request: falcon.asgi.Request, size: int) -> AsyncIterator[bytes]:
    """The body in pieces of `size` bytes (the last one less).

    Raises ConnectionAbortedError where the client went away before its end, or fell silent: Falcon's own iteration
    ends there as if that were all, and without a Content-Length nobody could tell.
    """
    stream: Any = request.stream
    receive, gone = stream._receive, []

    async def receive_and_watch() -> Any:
        try:
            async with asyncio.timeout(SILENCE):
                event = await receive()
        except TimeoutError:
            event = {"type": "http.disconnect"}
        if event["type"] == "http.disconnect":
            gone.append(event)
        return event

    stream._receive = receive_and_watch
    held, have = [], 0
    async for part in stream:
        held.append(part)
        have += len(part)
        if have >= size:
            whole = b"".join(held)
            yield whole
            held, have = [], 0
    if gone:
        raise ConnectionAbortedError
    if held:
        yield b"".join(held)
