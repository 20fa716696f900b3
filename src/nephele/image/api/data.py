"""Images' data: upload and download, streamed in bounded memory."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

from nephele.image.api.stream import chunks
from nephele.image.errors import BAD_RANGE, BAD_SIZE_HEADER, NEEDS_OCTETS, SIZE_MISMATCH, UPLOAD_CUT
from nephele.image.files import CHUNK, Writer
from nephele.image.model import STORE_ID
from nephele.image.service import Images
from nephele.image.transfer import Arrival
from nephele.web.call import Call
from nephele.web.routing import Reply

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*")
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(\d+)\s*-\s*(\d+)\s*/\s*(\d+|\*)\s*")


async def upload(images: Images, call: Call) -> None:
    """PUT /v2/images/{image_id}/file."""
    expected = announced(call)
    store = call.header("X-Image-Meta-Store") or STORE_ID
    begin = partial(images.transfer.begin, call.context, call.path["image_id"], expected or 0, store=store)
    await _take_in(images, call, begin, expected)


async def stage(images: Images, call: Call) -> None:
    """PUT /v2/images/{image_id}/stage."""
    expected = announced(call)
    begin = partial(images.transfer.begin_staging, call.context, call.path["image_id"])
    await _take_in(images, call, begin, expected)


async def _take_in(images: Images, call: Call, begin: Callable[[], Arrival], expected: int | None) -> None:
    """The body becomes the data, or leaves nothing."""
    arrival = await asyncio.to_thread(begin)
    try:
        await receive(images, call, arrival.writer, expected)
        await asyncio.to_thread(arrival.complete)
    except BaseException:
        arrival.abandon()
        raise


def announced(call: Call) -> int | None:
    """How many bytes the client says it sends.  Raises NEEDS_OCTETS or BAD_SIZE_HEADER."""
    kind = call.header("Content-Type").partition(";")[0].strip()
    if kind != "application/octet-stream":
        raise NEEDS_OCTETS(got=kind or "(none)")
    text = call.header("X-OpenStack-Image-Size")
    if text and not text.isdecimal():
        raise BAD_SIZE_HEADER()
    if text:
        return int(text)
    return call.request.content_length


async def receive(images: Images, call: Call, writer: Writer, expected: int | None) -> None:
    """Take the body in: while one piece is written and hashed in two threads, the next one comes in.

    Raises SIZE_MISMATCH, UPLOAD_CUT and whatever the writer raises.
    """
    loop = asyncio.get_running_loop()
    working: list[asyncio.Future[Any]] = []
    try:
        async for piece in chunks(call.request, CHUNK):
            await _all(working)
            working = [
                loop.run_in_executor(images.pool, writer.store, piece),
                loop.run_in_executor(images.pool, writer.hash, piece),
            ]
    except ConnectionAbortedError:
        raise UPLOAD_CUT(received=writer.size) from None
    finally:
        await _all(working)
    if expected is not None and writer.size != expected:
        raise SIZE_MISMATCH(announced=expected, received=writer.size)


async def _all(working: list[asyncio.Future[Any]]) -> None:
    """Wait for every one, then raise what the first one raised."""
    for outcome in await asyncio.gather(*working, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def download(images: Images, call: Call) -> Reply:
    """GET /v2/images/{image_id}/file."""
    image = await asyncio.to_thread(images.for_download, call.context, call.path["image_id"])
    if image.size is None:
        return Reply(None, 204)
    start, end = _asked_range(call, image.size)
    headers = {"Content-Length": str(end - start)}
    status = 200
    if (start, end) != (0, image.size) or call.header("Range"):
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{image.size}"
    if image.checksum:
        headers["Content-MD5"] = image.checksum
    if call.request.method == "HEAD":
        return Reply(b"", status, headers, "application/octet-stream")
    body = send(images, images.data_path(image), start, end - start)
    return Reply(body, status, headers, "application/octet-stream")


def _asked_range(call: Call, size: int) -> tuple[int, int]:
    """The bytes asked for: first, and the one behind the last.  Raises BAD_RANGE."""
    text = call.header("Range")
    if text:
        found = _RANGE.fullmatch(text)
        if not found or not (found[1] or found[2]):
            raise BAD_RANGE(asked=text, size=size)
        if not found[1]:
            start, end = max(0, size - int(found[2])), size
        else:
            start, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if start >= end:
            raise BAD_RANGE(asked=text, size=size)
        return start, end
    text = call.header("Content-Range")
    if text:
        found = _CONTENT_RANGE.fullmatch(text)
        if not found or not int(found[1]) <= int(found[2]) < size:
            raise BAD_RANGE(asked=text, size=size)
        return int(found[1]), int(found[2]) + 1
    return 0, size


async def send(images: Images, path: Path, start: int, length: int) -> AsyncIterator[bytes]:
    """The file's bytes, each chunk read in a thread while the one before is sent."""
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(images.pool, lambda: path.open("rb", buffering=0))
    try:
        file.seek(start)
        while length > 0:
            chunk = await loop.run_in_executor(images.pool, file.read, min(CHUNK, length))
            if not chunk:
                return
            length -= len(chunk)
            yield chunk
    finally:
        file.close()
