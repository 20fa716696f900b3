"""What commands cost on a simulated host: `PYTHONPATH=src:. python -m benchmarks.commands [how many]`.

Prints for each the median milliseconds from the request's acceptance to the target state, and the processor time
of the whole process; ends with 1 where one takes more than 15 ms.
"""

import sys
import time
from statistics import median

from benchmarks.cloud import Bench, bench

LIMIT_MS = 15
COMMANDS = (
    ("stop", "stopped"),
    ("start", "active"),
    ("reboot", "active"),
    ("reboot_hard", "active"),
    ("pause", "paused"),
    ("unpause", "active"),
    ("suspend", "suspended"),
    ("resume", "active"),
)
"""(command, VM state at which it arrives), in an order in which one allows the next."""


def once(cloud: Bench, server_id: str, command: str, arrives: str) -> tuple[float, float]:
    """Seconds until it has arrived, and of processor time."""
    cpu, begin = time.process_time(), time.perf_counter()
    cloud.cloud.compute.servers.command(cloud.caller, server_id, command)
    while (server := cloud.cloud.compute.servers.show(cloud.caller, server_id)).task_state:
        time.sleep(0.0005)
    took = time.perf_counter() - begin, time.process_time() - cpu
    assert server.vm_state == arrives, (command, server.vm_state, server.fault)
    return took


def main(count: int) -> int:
    """Measure and print."""
    found: dict[str, list[tuple[float, float]]] = {command: [] for command, _ in COMMANDS}
    with bench() as cloud:
        server_id = cloud.launch()
        while cloud.building():
            time.sleep(0.001)
        for _ in range(count):
            for command, arrives in COMMANDS:
                found[command].append(once(cloud, server_id, command, arrives))
    slowest = 0.0
    for command, runs in found.items():
        took, cpu = (median(values) * 1000 for values in zip(*runs, strict=True))
        slowest = max(slowest, took)
        print(f"{command:12} p50 {took:5.1f} ms   {cpu:5.1f} ms CPU")
    return int(slowest > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
