"""Every change of a server's states, written down by the database itself, and whether the table allows it."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from nephele.compute.lifecycle import LIFE
from nephele.compute.model import Task, Vm
from nephele.compute.operations import OPERATIONS

_TRIGGER = """
CREATE TABLE IF NOT EXISTS history (
    server TEXT, vm_before TEXT, task_before TEXT, vm_after TEXT, task_after TEXT,
    at TEXT DEFAULT (strftime('%H:%M:%f', 'now'))
);
CREATE TRIGGER IF NOT EXISTS note_history AFTER UPDATE OF vm_state, task_state ON servers
WHEN old.vm_state <> new.vm_state OR old.task_state <> new.task_state
BEGIN
    INSERT INTO history (server, vm_before, task_before, vm_after, task_after)
    VALUES (old.id, old.vm_state, old.task_state, new.vm_state, new.task_state);
END;
"""
_STEPS = {operation.kind: {step.shows for step in operation.steps} for operation in OPERATIONS}
_TASKS = {move.command: {move.shows, *_STEPS.get(move.command, set())} - {""} for move in LIFE}
"""The task states that each command shows on its way."""
_BY_ITSELF = {
    (Vm.ACTIVE, Vm.STOPPED),
    (Vm.PAUSED, Vm.STOPPED),
    (Vm.ACTIVE, Vm.PAUSED),
    (Vm.PAUSED, Vm.ACTIVE),
    (Vm.STOPPED, Vm.ACTIVE),
}
"""What a guest does without being told."""


class Change(NamedTuple):
    """One change of a server's VM and task state."""

    vm_before: str
    task_before: str
    vm_after: str
    task_after: str


def record(database: Path) -> None:
    """Have the database of a cloud write down all changes from now on."""
    with sqlite3.connect(database, timeout=30) as db:
        db.executescript(_TRIGGER)


def recorded(database: Path) -> Counter[Change]:
    """How often each change happened."""
    with sqlite3.connect(database, timeout=30) as db:
        rows = db.execute(
            "SELECT vm_before, task_before, vm_after, task_after, count(*) FROM history GROUP BY 1, 2, 3, 4"
        )
        return Counter({Change(*change): count for *change, count in rows})


def is_legal(change: Change) -> bool:
    """Whether some command of the table, or the guest by itself, may do that."""
    if change.task_after:
        return change.vm_before == change.vm_after and any(_goes_on(kind, change) for kind in _TASKS)
    if not change.task_before:
        return (Vm(change.vm_before), Vm(change.vm_after)) in _BY_ITSELF
    return any(_ends(kind, change) for kind in _TASKS)


def _goes_on(kind: str, change: Change) -> bool:
    """A command begins, or shows its next task."""
    move, tasks = LIFE[kind], _TASKS[kind]
    begins = change.task_before in move.activities and (change.vm_before in move.states or not move.states)
    return change.task_after in tasks and (begins or change.task_before in tasks)


def _ends(kind: str, change: Change) -> bool:
    """A command arrives, or fails: where it was, or in error."""
    move = LIFE[kind]
    ends = {move.arrives, move.fails, change.vm_before, Vm.ERROR}
    if Vm.STOPPED in move.states or kind in ("confirm_resize", "revert_resize", "unshelve"):
        ends.add(Vm.STOPPED)  # what was off stays off
    if {move.arrives, change.vm_before} & {Vm.ACTIVE, Vm.PAUSED}:
        ends.add(Vm.STOPPED)  # its guest ended by itself meanwhile
    if kind == "restore":
        ends |= {Vm.SHELVED, Vm.SHELVED_OFFLOADED}
    if kind == "shelve":
        ends |= {Vm.SHELVED_OFFLOADED, Vm.ACTIVE}  # undone: what was paused or suspended had been turned off
    return change.task_before in _TASKS[kind] and change.vm_after in ends - {""}


def tasks() -> set[str]:
    """Every task that operations show; the soak should see most of them."""
    return {task for shown in _TASKS.values() for task in shown if task != Task.NONE}
