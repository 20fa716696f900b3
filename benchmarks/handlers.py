"""Processor time of requests within the process: `PYTHONPATH=src:. python -m benchmarks.handlers`.

Each request goes through the whole application (routing, token, policy, handler, encoding), but no socket and
no HTTP parser; `handler` is the part after the token and the route, up to the body's bytes.
"""

import asyncio
import time
from statistics import median
from typing import Any

import msgspec
from benchmarks.cloud import Bench, bench

from nephele.kernel.clock import seconds
from nephele.web import dispatch

VERSION = ("x-openstack-nova-api-version", "2.100")


class Client:
    """Calls the application as an ASGI server would."""

    def __init__(self, cloud: Bench, token: str) -> None:
        self.app, self.token = cloud.cloud.app, token
        self.handler_ns: list[int] = []
        answer = dispatch.Endpoint._answer

        async def timed(endpoint: Any, *words: Any) -> None:
            start = time.thread_time_ns()
            await answer(endpoint, *words)
            self.handler_ns.append(time.thread_time_ns() - start)

        dispatch.Endpoint._answer = timed  # type: ignore[method-assign]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Status and body."""
        raw = b"" if body is None else msgspec.json.encode(body)
        path, _, query = path.partition("?")
        fields = {"host": "cloud", "x-auth-token": self.token, VERSION[0]: VERSION[1]} | headers
        if raw:
            fields |= {"content-type": "application/json", "content-length": str(len(raw))}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await self.app(scope, receive, send)
        return sent[0]["status"], b"".join(event.get("body", b"") for event in sent[1:])


async def measure(cloud: Bench, ids: list[str]) -> None:
    """Print a line for each kind of request."""
    identity, caller = cloud.cloud.identity, cloud.caller
    client = Client(cloud, identity.delegate(caller, "", cloud.cloud.clock.now() + seconds(3600)))
    create = {
        "server": {
            "name": "made",
            "flavorRef": "42",
            "imageRef": cloud.wanted.image_id,
            "networks": [{"uuid": (cloud.wanted.nics or ())[0].network_id}],
        }
    }
    requests: list[tuple[str, int, str, str, Any, dict[str, str]]] = [
        ("server show", 500, "GET", f"/compute/v2.1/servers/{ids[0]}", None, {}),
        ("servers detail, 100 of them", 100, "GET", "/compute/v2.1/servers/detail?limit=100", None, {}),
        ("flavors", 300, "GET", "/compute/v2.1/flavors/detail", None, {}),
        ("token validate", 300, "GET", "/identity/v3/auth/tokens", None, {"x-subject-token": client.token}),
        ("server create, accepted", 100, "POST", "/compute/v2.1/servers", create, {}),
    ]
    for title, count, method, path, body, headers in requests:
        whole = []
        client.handler_ns.clear()
        for _ in range(count):
            start = time.thread_time_ns()
            status, answer = await client.call(method, path, body, **headers)
            whole.append(time.thread_time_ns() - start)
            assert status < 300, (status, answer)
        handler = median(client.handler_ns) / 1000
        print(f"{title:<28} handler {handler:8.0f} µs   whole request {median(whole) / 1000:8.0f} µs", flush=True)


def main() -> None:
    """Measure with 100 servers there."""
    with bench() as cloud:
        ids = [cloud.launch() for _ in range(100)]
        while cloud.building():
            time.sleep(0.02)
        asyncio.run(measure(cloud, ids))
        while cloud.building():
            time.sleep(0.02)


if __name__ == "__main__":
    main()
