"""What is counted of requests, and the text in which Prometheus reads it.

Source of the format: Prometheus's text exposition format, version 0.0.4.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram's buckets, in seconds; what took longer is in the last one."""
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counts requests; touched in the event loop's thread only."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        self._seconds: dict[tuple[str, str], float] = defaultdict(float)

    def observe(self, service: str, method: str, status: int, seconds: float) -> None:
        """A request to `service` was answered with `status` after `seconds`."""
        self._requests[service, method, status] += 1
        self._buckets[service, method][bisect_left(BOUNDS, seconds)] += 1
        self._seconds[service, method] += seconds

    def lines(self) -> Iterable[str]:
        """All of it as text."""
        counted: dict[Labels, float] = {
            (("service", service), ("method", method), ("status", str(status))): count
            for (service, method, status), count in self._requests.items()
        }
        yield from family("nephele_http_requests_total", "counter", "Requests answered.", counted)
        yield from self._durations("nephele_http_request_duration_seconds")

    def _durations(self, name: str) -> Iterable[str]:
        yield from _head(name, "histogram", "Time from a request's arrival to its answer.")
        for (service, method), counts in sorted(self._buckets.items()):
            labels: Labels = (("service", service), ("method", method))
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
                total += count
                yield _line(f"{name}_bucket", (*labels, ("le", bound)), total)
            yield _line(f"{name}_sum", labels, round(self._seconds[service, method], 6))
            yield _line(f"{name}_count", labels, total)


def family(name: str, kind: str, purpose: str, values: Mapping[Labels, float]) -> Iterable[str]:
    """The lines of one metric: what it is, then a line for each combination of labels."""
    yield from _head(name, kind, purpose)
    for labels, value in sorted(values.items()):
        yield _line(name, labels, value)


def _head(name: str, kind: str, purpose: str) -> Iterable[str]:
    yield f"# HELP {name} {purpose}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, value: float) -> str:
    spoken = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{spoken}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
