"""What a boot costs on simulated hosts: `PYTHONPATH=src:. python -m benchmarks.boots [how many]`.

Prints the processor time of the whole process for a boot, how long one takes until ACTIVE, and how many a
second are done when all are asked for at once.
"""

import sys
import time
from statistics import median

from benchmarks.cloud import Bench, bench


def one_by_one(cloud: Bench, count: int) -> tuple[float, float]:
    """Median seconds until it is accepted, and until it is ACTIVE."""
    accepted, active = [], []
    for _ in range(count):
        start = time.perf_counter()
        cloud.launch()
        accepted.append(time.perf_counter() - start)
        _wait(cloud, 0.0005)
        active.append(time.perf_counter() - start)
    return median(accepted), median(active)


def all_at_once(cloud: Bench, count: int) -> tuple[float, float]:
    """Seconds of processor time a boot, and boots a second."""
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(count):
        cloud.launch()
    _wait(cloud, 0.01)
    return (time.process_time() - cpu) / count, count / (time.perf_counter() - start)


def _wait(cloud: Bench, pause: float) -> None:
    while cloud.building():
        time.sleep(pause)


def main(count: int) -> None:
    """Measure: three rounds of `count`, the median of them."""
    with bench() as cloud:
        one_by_one(cloud, 5)
        accepted, active = one_by_one(cloud, 50)
        rounds = [all_at_once(cloud, count) for _ in range(3)]
        cloud.check()
    print(f"one at a time: accepted p50 {accepted * 1000:.2f} ms, ACTIVE p50 {active * 1000:.1f} ms")
    cpu, rate = (median(values) for values in zip(*rounds, strict=True))
    print(f"{count} at once: {cpu * 1000:.2f} ms CPU a boot, {rate:.0f} boots/s  (medians of {len(rounds)} rounds)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
