"""What takes too long leaves an error that names the step; what was interrupted leaves the states alone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from nephele.compute.model import Vm
from nephele.compute.operations.freezing import PAUSE, UNPAUSE
from nephele.compute.operations.life import ServerData
from nephele.kernel.clock import FakeClock
from nephele.kernel.context import Context
from nephele.kernel.operations import INTERRUPTED, OVERDUE, Failure, Operation, Work

Ended = list[tuple[Any, ...]]


@pytest.fixture
def end(clock: FakeClock) -> Callable[[Operation[Any], str], Ended]:
    """Let an operation on a paused or active server fail with a code; what was written of its states."""

    def fail(operation: Operation[Any], code: str) -> Ended:
        written: Ended = []
        states = SimpleNamespace(fail=lambda _db, *words, **more: written.append((*words, more)))
        work: Work[Any] = Work("op", operation.kind, "server", Context(request_id="r"), ServerData(), 0)
        failure = Failure(code, 504, "The pause did not finish within 60 s: it was still at step guest.", "guest")
        conductor: Any = SimpleNamespace(states=states, clock=clock)
        no_db: Any = None
        operation.on_failed(conductor, no_db, work, failure)
        return written

    return fail


@pytest.mark.parametrize("operation", [PAUSE, UNPAUSE], ids=lambda operation: operation.kind)
def test_what_is_overdue_leaves_an_error_naming_the_step(end: Any, operation: Operation[Any]) -> None:
    ((server_id, vm_state, fault, *_),) = end(operation, OVERDUE.code)
    assert (server_id, vm_state) == ("server", Vm.ERROR)
    assert "still at step guest" in fault.message


def test_what_was_interrupted_writes_no_state(end: Any) -> None:
    assert end(PAUSE, INTERRUPTED.code) == []


def test_another_failure_leaves_it_where_it_was(end: Any) -> None:
    ((server_id, vm_state, *_),) = end(PAUSE, "virt.hypervisor_refused")
    assert (server_id, vm_state) == ("server", None)
