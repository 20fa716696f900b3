"""Locks by name, and turns."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class KeyedLocks:
    """As many locks as there are keys in use; one that nobody holds or waits for costs nothing."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Hold the lock of `key`; not re-entrant."""
        with self._guard:
            lock, users = self._held.get(key, (None, 0))
            lock = lock or threading.Lock()
            self._held[key] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                users = self._held[key][1] - 1
                if users:
                    self._held[key] = lock, users
                else:
                    del self._held[key]


class Turns:
    """So many at once; who waits for something else meanwhile steps aside and lets another run.

    More threads than can run only take the processor, and Python's lock, from each other and from requests.
    """

    def __init__(self, at_once: int) -> None:
        self._free = threading.Semaphore(at_once)

    def __enter__(self) -> None:
        self._free.acquire()

    def __exit__(self, *_error: object) -> None:
        self._free.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let another have the turn during the block."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
