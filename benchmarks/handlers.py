"""Processor time of requests within the process: `PYTHONPATH=src:. python -m benchmarks.handlers`.

Each request goes through the whole application (routing, token, policy, handler, encoding), but no socket and
no HTTP parser; `handler` is the part after the token and the route, up to the body's bytes.  Servers have a port with
an address and a security group, metadata and tags; each is asked for in turn, in three microversions.  *Unseen* is a
body that was not asked for since its server changed.  A create waits until the server before is there, but those
*while others build*.
"""

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import msgspec
from benchmarks.cloud import Bench, bench

from nephele.compute.api import server_views
from nephele.kernel.clock import seconds
from nephele.web import dispatch

VERSION = "x-openstack-nova-api-version"
VERSIONS = ("2.1", "2.53", "2.100")


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
        fields = {"host": "cloud", "x-auth-token": self.token, VERSION: "2.100"} | headers
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

    async def measure(
        self,
        title: str,
        count: int,
        method: str,
        paths: list[str],
        body: Any = None,
        headers: dict[str, str] | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Print the medians of `count` requests, for each of `paths` and microversions in turn."""
        whole = []
        self.handler_ns.clear()
        for number in range(count):
            said = headers or {VERSION: VERSIONS[number % len(VERSIONS)]}
            before()
            start = time.thread_time_ns()
            status, answer = await self.call(method, paths[number % len(paths)], body, **said)
            whole.append(time.thread_time_ns() - start)
            assert status < 300, (status, answer)
        handler = median(self.handler_ns) / 1000
        print(f"{title:<28} handler {handler:8.0f} µs   whole request {median(whole) / 1000:8.0f} µs", flush=True)


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
            "security_groups": [{"name": "default"}],
            "metadata": cloud.wanted.metadata,
            "tags": cloud.wanted.tags,
        }
    }
    show = [f"/compute/v2.1/servers/{id}" for id in ids]
    page, flavors, tokens = (
        "/compute/v2.1/servers/detail?limit=100",
        "/compute/v2.1/flavors/detail",
        "/identity/v3/auth/tokens",
    )
    await client.measure("server show", 600, "GET", show)
    await client.measure("server show, unseen", 600, "GET", show, before=server_views.forget)
    await client.measure("servers detail, 100 of them", 150, "GET", [page])
    await client.measure("servers detail, unseen", 150, "GET", [page], before=server_views.forget)
    await client.measure("flavors", 300, "GET", [flavors])
    await client.measure("token validate", 300, "GET", [tokens], headers={"x-subject-token": client.token})
    made = {"method": "POST", "paths": ["/compute/v2.1/servers"], "body": create, "headers": {VERSION: "2.100"}}
    await client.measure("server create, accepted", 100, **made, before=lambda: wait(cloud))
    await client.measure("  while others build", 100, **made)


def wait(cloud: Bench) -> None:
    """Until no server builds."""
    while cloud.building():
        time.sleep(0.005)


def main() -> None:
    """Measure with 100 servers there."""
    with bench() as cloud:
        ids = [cloud.launch() for _ in range(100)]
        wait(cloud)
        asyncio.run(measure(cloud, ids))
        wait(cloud)


if __name__ == "__main__":
    main()
