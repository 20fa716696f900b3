"""`python unreliable.py CHANCE up …`: a cloud whose messages to hosts get lost, come twice, or come late."""

import random
import sys
import threading
from typing import Any

from nephele.cli import main
from nephele.kernel.bus import NO_ANSWER, LocalBus

LATE = 1.5
"""Seconds by which a late message is late; by then nobody waits for it."""


def spoil(chance: float) -> None:
    """Spoil that share of all messages to hosts, each in one of the ways in which a queue can."""
    call, cast = LocalBus.call, LocalBus.cast
    dice = random.Random()

    def spoiled_call(self: Any, method: Any, message: Any, *, at: str = "", timeout: float = 60) -> Any:
        if not at or dice.random() > chance:
            return call(self, method, message, at=at, timeout=timeout)
        unanswered = NO_ANSWER(method=method.name, timeout=timeout)
        way = dice.choice(["lost", "answer lost", "twice", "late"])
        if way == "twice":
            call(self, method, message, at=at, timeout=timeout)
            return call(self, method, message, at=at, timeout=timeout)
        if way == "answer lost":
            call(self, method, message, at=at, timeout=timeout)
        if way == "late":
            expired = _expired(message)
            threading.Timer(LATE, lambda: cast(self, method, expired, at=at)).start()
        raise unanswered

    def spoiled_cast(self: Any, method: Any, message: Any, *, at: str = "") -> None:
        way = dice.choice(["lost", "twice", "late"]) if dice.random() < chance else ""
        if way == "late":
            threading.Timer(LATE, lambda: cast(self, method, message, at=at)).start()
        elif way != "lost":
            cast(self, method, message, at=at)
        if way == "twice":
            cast(self, method, message, at=at)

    LocalBus.call = spoiled_call  # type: ignore[method-assign]
    LocalBus.cast = spoiled_cast  # type: ignore[method-assign]


def _expired(message: Any) -> Any:
    """A message as it is once nobody waits for it any more: its patience is over."""
    import msgspec

    return msgspec.structs.replace(message, expires_at=0) if hasattr(message, "expires_at") else message


if __name__ == "__main__":
    spoil(float(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
