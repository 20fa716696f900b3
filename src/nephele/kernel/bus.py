"""The message queue between the parts.

A part declares what it can be asked as `Method` constants in its `messages.py` and serves them;
others `call` (and wait for the reply) or `cast` (fire and forget).  A method that a host's agent serves
is asked `at` that host: each host has a queue of its own.  Messages are wake-ups and idempotent
commands: the database row is the truth, so a lost message delays and never loses.

`LocalBus` joins the parts of one process.  Every message is encoded and decoded on its way all the
same, so that nothing works here that would not over RabbitMQ.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from nephele.kernel.errors import Error, Refused

log = logging.getLogger(__name__)

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

NO_ANSWER = Error(
    "bus.no_answer", 503, "{method} was not answered within {timeout:g} s.", "See whether the part that serves it runs."
)
NOBODY_THERE = Error("bus.nobody_there", 503, "Nobody serves {method}.", "See whether the part that serves it runs.")

UNANSWERED = (NOBODY_THERE, NO_ANSWER)
"""What a call is refused with that nobody took, or whose answer never came."""


@dataclass(frozen=True)
class Method(Generic[Ask, Answer]):
    """One thing that a part can be asked.

    Args:
        name: `part.verb`, such as `scheduler.select_host`.
        ask: the message's type.
        answer: the reply's type; `None` where there is nothing to say.
    """

    name: str
    ask: type[Ask]
    answer: type[Answer]


class Bus(Protocol):
    """What every transport offers."""

    def serve(
        self,
        method: Method[Ask, Answer],
        handler: Callable[[Ask], Answer],
        *,
        at: str = "",
        pool: Executor | None = None,
    ) -> None:
        """Answer `method` with `handler`, on the queue of host `at` if one is named.

        Handlers that may wait (for a hypervisor, say) name the `pool` whose threads run them; the others
        must be quick, for they may run in the asker's thread.
        """
        ...

    def call(self, method: Method[Ask, Answer], message: Ask, *, at: str = "", timeout: float = 60) -> Answer:
        """Ask and wait for the answer.

        Raises Refused as the handler raised it, or NO_ANSWER after `timeout` seconds, or NOBODY_THERE.
        """
        ...

    def cast(self, method: Method[Ask, Any], message: Ask, *, at: str = "") -> None:
        """Send and forget.  A message nobody serves is dropped: the row that it speaks of is found later."""
        ...


class _Served:
    """A handler with its codecs."""

    def __init__(self, method: Method[Any, Any], handler: Callable[[Any], Any], pool: Executor | None) -> None:
        self.handler = handler
        self.pool = pool
        self.decode_ask = msgspec.msgpack.Decoder(method.ask).decode
        self.decode_answer = msgspec.msgpack.Decoder(method.answer).decode

    def run(self, message: bytes) -> bytes:
        return encode(self.handler(self.decode_ask(message)))

    def run_cast(self, message: bytes) -> None:
        try:
            self.handler(self.decode_ask(message))
        except Exception:
            log.exception("a cast message failed")


encode = msgspec.msgpack.Encoder().encode


class LocalBus:
    """The bus within one process."""

    def __init__(self, threads: int = 16) -> None:
        self._served: dict[tuple[str, str], _Served] = {}
        self._casts = ThreadPoolExecutor(threads, thread_name_prefix="bus")

    def serve(
        self,
        method: Method[Ask, Answer],
        handler: Callable[[Ask], Answer],
        *,
        at: str = "",
        pool: Executor | None = None,
    ) -> None:
        self._served[method.name, at] = _Served(method, handler, pool)

    def withdraw(self, method: Method[Any, Any], *, at: str = "") -> None:
        """Stop serving `method`."""
        self._served.pop((method.name, at), None)

    def call(self, method: Method[Ask, Answer], message: Ask, *, at: str = "", timeout: float = 60) -> Answer:
        served = self._served.get((method.name, at))
        if served is None:
            raise NOBODY_THERE(method=_spoken(method, at))
        raw = encode(message)
        if served.pool is None:
            return served.decode_answer(served.run(raw))  # type: ignore[no-any-return]
        future = served.pool.submit(served.run, raw)
        try:
            return served.decode_answer(future.result(timeout))  # type: ignore[no-any-return]
        except FutureTimeoutError:
            if future.done():
                raise
            future.cancel()
            raise NO_ANSWER(method=_spoken(method, at), timeout=timeout) from None

    def cast(self, method: Method[Ask, Any], message: Ask, *, at: str = "") -> None:
        served = self._served.get((method.name, at))
        if served is None:
            log.warning("nobody serves %s: the message is dropped", _spoken(method, at))
        else:
            (served.pool or self._casts).submit(served.run_cast, encode(message))

    def close(self) -> None:
        """Take no more messages; those under way end first."""
        self._served.clear()
        self._casts.shutdown(wait=True, cancel_futures=True)


def _spoken(method: Method[Any, Any], at: str) -> str:
    return f"{method.name} at {at}" if at else method.name


__all__ = ["NOBODY_THERE", "NO_ANSWER", "UNANSWERED", "Bus", "LocalBus", "Method", "Refused"]
