"""Time, as a parameter.

Instants are whole microseconds since 1970-01-01 UTC (`Instant`): exact, sortable and small.
Only the edges turn them into text.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

Instant = int
SECOND: Instant = 1_000_000


class Clock(Protocol):
    """Where the time comes from; tests pass one that they move by hand."""

    def now(self) -> Instant:
        """The present instant, in microseconds since the epoch."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Instant:
        return time.time_ns() // 1000


class FakeClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: Instant = 1_700_000_000 * SECOND) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self._now += int(seconds * SECOND)


def stopwatch() -> Callable[[], float]:
    """Start measuring: the answer, called, gives the milliseconds since."""
    start = time.perf_counter()
    return lambda: (time.perf_counter() - start) * 1000


def seconds(value: float) -> Instant:
    """A span of `value` seconds."""
    return int(value * SECOND)


def to_datetime(instant: Instant) -> datetime:
    """The instant as an aware UTC datetime."""
    return datetime.fromtimestamp(instant / SECOND, UTC)


@lru_cache(8192)
def _second(seconds: int) -> str:
    """A whole second since the epoch as text; lists show the same ones again and again."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def iso(instant: Instant) -> str:
    """`2026-01-31T12:00:00Z`, as Nova, Glance and Neutron write it."""
    return _second(instant // SECOND) + "Z"


def iso_micros(instant: Instant) -> str:
    """`2026-01-31T12:00:00.000000`, as Cinder and Nova's older resources write it."""
    return f"{_second(instant // SECOND)}.{instant % SECOND:06d}"


def parse_iso(text: str) -> Instant:
    """An ISO 8601 time, UTC where it names no zone.  Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * SECOND)
