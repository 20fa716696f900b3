"""The bus within one process: answers, refusals, deadlines, hosts' own queues, and messages that get lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from nephele.kernel.bus import NO_ANSWER, NOBODY_THERE, LocalBus, Method
from nephele.kernel.errors import Error, Refused


class Ask(msgspec.Struct, frozen=True):
    number: int
    names: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    number: int
    thread: str = ""


DOUBLE = Method("test.double", Ask, Answer)
TELL = Method("test.tell", Ask, type(None))
TOO_MUCH = Error("test.too_much", 409, "{number} is too much.")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as pool:
        yield pool


def double(ask: Ask) -> Answer:
    if ask.number > 100:
        raise TOO_MUCH(number=ask.number)
    return Answer(ask.number * 2, threading.current_thread().name)


def test_a_question_is_answered_in_the_askers_thread(bus: LocalBus) -> None:
    bus.serve(DOUBLE, double)
    assert bus.call(DOUBLE, Ask(21)) == Answer(42, threading.current_thread().name)


def test_a_handler_that_may_wait_runs_in_its_pool(bus: LocalBus, pool: ThreadPoolExecutor) -> None:
    bus.serve(DOUBLE, double, pool=pool)
    assert bus.call(DOUBLE, Ask(21)).thread.startswith("mine")


@pytest.mark.parametrize("pooled", [False, True])
def test_a_refusal_arrives_as_it_was_raised(bus: LocalBus, pool: ThreadPoolExecutor, pooled: bool) -> None:
    bus.serve(DOUBLE, double, pool=pool if pooled else None)
    with pytest.raises(Refused) as refused:
        bus.call(DOUBLE, Ask(101))
    assert (refused.value.error, refused.value.message) == (TOO_MUCH, "101 is too much.")


def test_what_arrives_is_a_copy(bus: LocalBus) -> None:
    """Nothing passes that could not be sent to another machine."""
    seen: list[Ask] = []
    bus.serve(TELL, seen.append)
    sent = Ask(1, ("a",))
    bus.call(TELL, sent)
    assert seen == [sent]
    assert seen[0] is not sent
    with pytest.raises(TypeError):
        bus.call(TELL, Ask(1, (threading.Lock(),)))  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError):
        bus.call(TELL, Ask("one"))  # type: ignore[arg-type]


def test_an_answer_of_another_type_is_an_error(bus: LocalBus) -> None:
    bus.serve(DOUBLE, lambda ask: "forty-two")  # type: ignore[arg-type, return-value]
    with pytest.raises(msgspec.ValidationError):
        bus.call(DOUBLE, Ask(21))


def test_each_host_has_a_queue_of_its_own(bus: LocalBus) -> None:
    bus.serve(DOUBLE, lambda ask: Answer(1), at="h1")
    bus.serve(DOUBLE, lambda ask: Answer(2), at="h2")
    assert [bus.call(DOUBLE, Ask(0), at=host).number for host in ("h1", "h2")] == [1, 2]
    bus.withdraw(DOUBLE, at="h1")
    with pytest.raises(Refused) as refused:
        bus.call(DOUBLE, Ask(0), at="h1")
    assert refused.value.error is NOBODY_THERE
    assert "test.double at h1" in refused.value.message
    with pytest.raises(Refused):
        bus.call(DOUBLE, Ask(0))


def test_who_does_not_answer_in_time(bus: LocalBus, pool: ThreadPoolExecutor) -> None:
    go_on = threading.Event()

    def wait(ask: Ask) -> Answer:
        go_on.wait(10)
        return Answer(ask.number)

    bus.serve(DOUBLE, wait, pool=pool)
    try:
        with pytest.raises(Refused) as refused:
            bus.call(DOUBLE, Ask(1), timeout=0.02)
    finally:
        go_on.set()
    assert refused.value.error is NO_ANSWER
    assert "within 0.02 s" in refused.value.message


def test_a_timeout_of_the_handlers_own_is_no_missing_answer(bus: LocalBus, pool: ThreadPoolExecutor) -> None:
    def fail(_ask: Ask) -> Answer:
        raise TimeoutError("the disk")

    bus.serve(DOUBLE, fail, pool=pool)
    with pytest.raises(TimeoutError, match="the disk"):
        bus.call(DOUBLE, Ask(1))


def test_a_cast_is_done_later_and_its_failure_is_nobodys(
    bus: LocalBus, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def handle(ask: Ask) -> None:
        if ask.number == 13:
            raise RuntimeError("unlucky")
        done.set()

    bus.serve(TELL, handle, pool=pool)
    bus.cast(TELL, Ask(13))
    bus.cast(TELL, Ask(1))
    assert done.wait(5)
    pool.shutdown(wait=True)
    assert "unlucky" in caplog.text


def test_a_cast_that_nobody_serves_is_dropped(bus: LocalBus, caplog: pytest.LogCaptureFixture) -> None:
    bus.cast(TELL, Ask(1), at="h1")
    assert "nobody serves test.tell at h1" in caplog.text


def test_a_closed_bus_finishes_what_it_took(pool: ThreadPoolExecutor) -> None:
    bus = LocalBus(threads=1)
    done: list[int] = []

    def work(ask: Ask) -> None:
        begun.set()
        done.append(ask.number)

    begun = threading.Event()
    bus.serve(TELL, work)
    bus.cast(TELL, Ask(1))
    assert begun.wait(5)
    bus.close()
    assert done == [1]
    with pytest.raises(Refused):
        bus.call(TELL, Ask(2))
