"""The doors at which guests ask for metadata: 169.254.169.254, port 80, in DHCP and router namespaces.

A listening socket stays in the namespace that it was made in, so all of them are served by one thread of the agent.
A question goes over the bus, with the guest's address and the network or router it came through.  Guests
are not trusted: each gets few connections, little time and small requests.
"""

import asyncio
import logging
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from nephele.kernel.bus import Bus
from nephele.kernel.errors import Refused
from nephele.network.agent import names, netns
from nephele.network.agent.plan import Door
from nephele.network.wiring import ASK_METADATA, MetadataAnswer, MetadataAsk

log = logging.getLogger(__name__)

PORT = 80
_MOST_BYTES = 8192
_MOST_PER_GUEST = 16
_SECONDS_TO_ASK = 10.0
_SECONDS_TO_ANSWER = 30.0
_THREADS = 8


class MetadataDoors:
    """Keeps a door open in each namespace that should have one."""

    def __init__(self, host: str, bus: Bus) -> None:
        self._host = host
        self._bus = bus
        self._open: dict[str, tuple[Door, int, asyncio.Server]] = {}
        self._guests: Counter[tuple[str, str]] = Counter()
        self._loop = asyncio.new_event_loop()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="metadata")
        self._thread = threading.Thread(target=self._loop.run_forever, name="metadata-doors", daemon=True)
        self._thread.start()

    def ensure(self, doors: Iterable[Door]) -> dict[str, str]:
        """Have exactly these doors open; the answer says which couldn't be, and why, by network or router id."""
        wanted = {door.space: door for door in doors}
        for space, (door, inode, _) in list(self._open.items()):
            if wanted.get(space) != door or netns.inode(space) != inode:
                self.shut(space)
        failures = {}
        for space, door in wanted.items():
            if space not in self._open:
                try:
                    self._open_door(door)
                except OSError as error:
                    failures[door.network_id or door.router_id] = f"metadata: {error}"
        return failures

    def shut(self, space: str) -> None:
        """Close the door in a namespace; an open one would keep a removed namespace alive."""
        if space in self._open:
            _, _, server = self._open.pop(space)
            asyncio.run_coroutine_threadsafe(_close(server), self._loop).result(10)

    def close(self) -> None:
        """Close all doors, for good."""
        if self._loop.is_closed():
            return
        for space in list(self._open):
            self.shut(space)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._loop.close()

    def _open_door(self, door: Door) -> None:
        with netns.entered(door.space):
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((names.METADATA_ADDRESS, PORT))
            listener.listen(64)
        except OSError:
            listener.close()
            raise
        server = asyncio.run_coroutine_threadsafe(self._serve(door, listener), self._loop).result(10)
        self._open[door.space] = (door, netns.inode(door.space), server)

    async def _serve(self, door: Door, listener: socket.socket) -> asyncio.Server:
        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._meet(door, reader, writer)

        return await asyncio.start_server(meet, sock=listener, limit=_MOST_BYTES)

    async def _meet(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, one answer."""
        guest = str(writer.get_extra_info("peername")[0])
        key = (door.space, guest)
        self._guests[key] += 1
        try:
            if self._guests[key] <= _MOST_PER_GUEST:
                writer.write(render(await self._answer(door, guest, reader)))
                await asyncio.wait_for(writer.drain(), _SECONDS_TO_ASK)
        except (ConnectionError, TimeoutError):
            log.info("a guest at %s went away before its answer", guest)
        finally:
            self._guests[key] -= 1
            if not self._guests[key]:
                del self._guests[key]
            writer.close()

    async def _answer(self, door: Door, guest: str, reader: asyncio.StreamReader) -> MetadataAnswer:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _SECONDS_TO_ASK)
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            return MetadataAnswer(status=400)
        except TimeoutError:
            return MetadataAnswer(status=408)
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[1].startswith("/") or not words[2].startswith("HTTP/1."):
            return MetadataAnswer(status=400)
        if words[0] not in ("GET", "HEAD", "POST"):
            return MetadataAnswer(status=405)
        try:
            body = await _body(head, reader) if words[0] == "POST" else b""
        except ValueError:
            return MetadataAnswer(status=400)
        except (TimeoutError, asyncio.IncompleteReadError):
            return MetadataAnswer(status=408)
        question = MetadataAsk(
            host=self._host,
            path=words[1],
            guest_ip=guest,
            network_id=door.network_id,
            router_id=door.router_id,
            method=words[0],
            body=body,
        )
        return await self._loop.run_in_executor(self._threads, self._ask, question)

    def _ask(self, question: MetadataAsk) -> MetadataAnswer:
        try:
            return self._bus.call(ASK_METADATA, question, timeout=_SECONDS_TO_ANSWER)
        except Refused as refused:
            return MetadataAnswer(status=refused.status, body=refused.message.encode())
        except Exception:
            log.exception("metadata for %s could not be asked", question.guest_ip)
            return MetadataAnswer(status=500)


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """What a guest posts.  Raises ValueError where it does not say how much, or that it is too much."""
    found = re.search(rb"\r\ncontent-length:\s*([0-9]{1,9})\r\n", head, re.IGNORECASE)
    if found is None or int(found[1]) > _MOST_BYTES:
        raise ValueError("no length, or too long")
    return await asyncio.wait_for(reader.readexactly(int(found[1])), _SECONDS_TO_ASK)


async def _close(server: asyncio.Server) -> None:
    server.close()


def render(answer: MetadataAnswer) -> bytes:
    """The answer as HTTP/1.1; the connection ends with it."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    body = answer.body or (f"{answer.status} {phrase}".encode() if answer.status >= 400 else b"")
    head = f"HTTP/1.1 {answer.status} {phrase}\r\nContent-Type: {answer.content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
