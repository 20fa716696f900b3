"""Processor time of network requests with 10,000 ports there: `PYTHONPATH=src:. python -m benchmarks.ports`."""

import asyncio
import time
from statistics import median
from typing import Any

from benchmarks.cloud import Bench, bench
from benchmarks.handlers import Client

from nephele.kernel.clock import seconds
from nephele.network.ports import NewPort, create_port

PORTS, TIMES = 10_000, 200


async def measure(cloud: Bench) -> None:
    """Print a line for each kind of request."""
    client = Client(cloud, cloud.cloud.identity.delegate(cloud.caller, "", cloud.cloud.clock.now() + seconds(3600)))
    network_id = (cloud.wanted.nics or ())[0].network_id
    create = {"port": {"network_id": network_id, "name": "made"}}
    _, answer = await client.call("POST", "/network/v2.0/ports", create)
    one = answer.split(b'"id":"')[1][:36].decode()
    requests: list[tuple[str, str, str, Any]] = [
        ("port create", "POST", "/network/v2.0/ports", create),
        ("port show", "GET", f"/network/v2.0/ports/{one}", None),
        (f"ports, 100 of {PORTS}", "GET", "/network/v2.0/ports?limit=100", None),
        (f"ports, 100 of {PORTS}, by name", "GET", "/network/v2.0/ports?limit=100&sort_key=name", None),
        ("port change", "PUT", f"/network/v2.0/ports/{one}", {"port": {"name": "changed"}}),
    ]
    for title, method, path, body in requests:
        whole = []
        client.handler_ns.clear()
        for _ in range(TIMES):
            start = time.thread_time_ns()
            status, answer = await client.call(method, path, body)
            whole.append(time.thread_time_ns() - start)
            assert status < 300, (status, answer)
        handler = median(client.handler_ns) / 1000
        print(f"{title:<28} handler {handler:8.0f} µs   whole request {median(whole) / 1000:8.0f} µs", flush=True)


def main() -> None:
    """Make the ports, then measure."""
    with bench() as cloud:
        network_id = (cloud.wanted.nics or ())[0].network_id
        with cloud.cloud.networks.core.writing(cloud.caller) as work:
            for _ in range(PORTS):
                create_port(work, NewPort(project_id=work.me, network_id=network_id))
        asyncio.run(measure(cloud))


if __name__ == "__main__":
    main()
