#!/usr/bin/env python
"""Prints docs/states.md from the table of the server's life: `python scripts/states.py > docs/states.md`."""

from nephele.compute.lifecycle import ANY, ANYTHING, LIFE, STATUS, TASK_STATUS
from nephele.compute.model import Task, Vm
from nephele.kernel.lifecycle import Move

HEAD = """\
# The server's states and commands

Printed by `scripts/states.py` from `src/nephele/compute/lifecycle.py`; a test fails where they differ.

A command that the server's state does not allow is answered with 409, which names the command and the state, and
nothing changes. A server that is on no host takes no command but *delete*. Any state may become *error*.
"""

REFERENCE = {
    "start": ("Shutoff, Stopped", "N/A", "Active", "none: both words name the VM state `stopped`"),
    "stop": (
        "Active, Shutoff, Rescued",
        "Resize Verify, unset",
        "Stopped",
        "not when stopped already, and not during a task; also in `error`: as upstream has it now",
    ),
    "reboot": (
        "Active, Shutoff, Rescued",
        "Resize Verify, unset",
        "Active",
        "softly only when `active`; by force also when `stopped`, `paused`, `suspended` or in `error`;"
        " not when `rescued`, where upstream refuses it too",
    ),
    "delete": (
        "Active, Shutoff, Building, Rescued, Error",
        "N/A",
        "Deleted",
        "in every state and during every task, which it interrupts: as upstream has it now",
    ),
}
"""For each command: the VM states and task states that the older reference table requires, where it says that the
command arrives, and in what Nephele differs."""

OTHERS = (
    *("pause", "unpause", "suspend", "resume", "rescue", "unrescue", "set admin password", "rebuild", "force delete"),
    *("restore", "backup", "snapshot", "resize", "revert resize", "confirm resize"),
)
"""The older table's other commands."""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_commands(), *_by_state(), *_statuses(), *_differences()]) + "\n"


def _commands() -> list[str]:
    lines = [
        "## Commands",
        "",
        "| command | allowed in | during | shows | arrives at | when it fails | within |",
        "|---|---|---|---|---|---|---|",
    ]
    for move in LIFE:
        cells = (_states(move), _tasks(move), move.shows, move.arrives, move.fails or "as it was", f"{move.within:g} s")
        lines.append(f"| {move.command} | {' | '.join(cells)} |")
    return [*lines, ""]


def _states(move: Move) -> str:
    if move.states == ANY:
        return "any state"
    return ", ".join(vm for vm in Vm if vm in move.states) or "(a new server)"


def _tasks(move: Move) -> str:
    if move.activities == ANYTHING:
        return "any task"
    return ", ".join(task or "no task" for task in Task if task in move.activities)


def _by_state() -> list[str]:
    lines = ["## States", "", "| VM state | status in the API | commands |", "|---|---|---|"]
    for vm in Vm:
        commands = ", ".join(LIFE.possible(vm, Task.NONE)) or "none"
        lines.append(f"| {vm} | {STATUS[vm]} | {commands} |")
    return [*lines, ""]


def _statuses() -> list[str]:
    shown = ", ".join(f"`{status}` during `{task}`" for task, status in TASK_STATUS.items())
    return [f"An active server's status is {shown}.", ""]


def _differences() -> list[str]:
    lines = [
        "## Where this differs from older tables",
        "",
        "OpenStack's documentation has had a table of commands and states for years. Where it and the present API",
        "disagree, clients of the present API decide. Row by row:",
        "",
        "| command | VM states there | task states there | arrives at there | what differs here |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {command} | {' | '.join(cells)} |" for command, cells in REFERENCE.items()]
    commands = {move.command.replace("_", " ") for move in LIFE}
    missing = [command for command in OTHERS if command not in commands]
    return [*lines, "", f"Not there yet: {', '.join(missing)}."]


if __name__ == "__main__":
    print(page(), end="")
