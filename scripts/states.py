#!/usr/bin/env python
"""Prints docs/states.md from the table of the server's life: `python scripts/states.py > docs/states.md`."""

from nephele.compute.lifecycle import ALWAYS, ANY, LIFE, STATUS, TASK_STATUS
from nephele.compute.model import Task, Vm
from nephele.kernel.lifecycle import Move

HEAD = """\
# The server's states and commands

Printed by `scripts/states.py` from `src/nephele/compute/lifecycle.py`; a test fails where they differ.

A command that the server's state does not allow is answered with 409, which names the command and the state, and
nothing changes. A server that never came to a host takes no command but *delete*. What does not end in time leaves
*error*, with the step that took too long as its fault.
"""

_DURING = "Resize Verify, unset"
REFERENCE = {
    "pause": ("Active, Shutoff, Rescued", _DURING, "Paused", "only when `active`: what is off has nothing to pause"),
    "unpause": ("Paused", "N/A", "Active", "none"),
    "suspend": ("Active, Shutoff", "N/A", "Suspended", "only when `active`"),
    "resume": ("Suspended", "N/A", "Active", "none"),
    "rescue": ("Active, Shutoff", _DURING, "Rescued", "also in `error`, to repair what does not boot"),
    "unrescue": ("Rescued", "N/A", "Active", "none"),
    "set admin password": ("Active", "N/A", "Active", "none"),
    "rebuild": ("Active, Shutoff", _DURING, "Active, Shutoff", "also in `error`"),
    "force delete": ("Soft Deleted", "N/A", "Deleted", "in every state, as a plain delete"),
    "restore": ("Soft Deleted", "N/A", "Active", "none"),
    "delete": (
        "Active, Shutoff, Building, Rescued, Error",
        "N/A",
        "Deleted",
        "in every state and during every task, which it interrupts",
    ),
    "backup": ("Active, Shutoff", "N/A", "Active, Shutoff", "also when `paused` or `suspended`"),
    "snapshot": ("Active, Shutoff", "N/A", "Active, Shutoff", "also when `paused` or `suspended`"),
    "start": ("Shutoff, Stopped", "N/A", "Active", "none: both words name the VM state `stopped`"),
    "stop": (
        "Active, Shutoff, Rescued",
        _DURING,
        "Stopped",
        "only when `active` or in `error`: what is off is off, and a rescued server is unrescued first",
    ),
    "reboot": (
        "Active, Shutoff, Rescued",
        _DURING,
        "Active",
        "softly only when `active`; by force also when `stopped`, `paused`, `suspended` or in `error`;"
        " not when `rescued`",
    ),
    "resize": ("Active, Shutoff", _DURING, "Resized", "not again before it is confirmed or reverted"),
    "revert resize": ("Active, Shutoff", _DURING, "Active", "only when `resized`; a server that was off stays off"),
    "confirm resize": ("Active, Shutoff", _DURING, "Active", "only when `resized`; a server that was off stays off"),
}
"""For each command: the VM states and task states that the older reference table requires, where it says that the
command arrives, and in what Nephele differs."""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_picture(), *_commands(), *_by_state(), *_statuses(), *_differences()]) + "\n"


def _commands() -> list[str]:
    lines = [
        "## Commands",
        "",
        "| command | allowed in | during | shows | arrives at | when it fails | within |",
        "|---|---|---|---|---|---|---|",
    ]
    for move in LIFE:
        cells = (
            _states(move),
            _tasks(move),
            move.shows or "nothing",
            move.arrives or "where it was",
            move.fails or "as it was",
            f"{move.within:g} s",
        )
        lines.append(f"| {move.command} | {' | '.join(cells)} |")
    return [*lines, ""]


def _states(move: Move) -> str:
    if move.states == ANY:
        return "any state"
    return ", ".join(vm for vm in Vm if vm in move.states) or "(a new server)"


def _tasks(move: Move) -> str:
    if move.activities == ALWAYS:
        return "any task"
    return ", ".join(task or "no task" for task in Task if task in move.activities)


def _picture() -> list[str]:
    """The moves from state to state, drawn by Mermaid; what is allowed everywhere, or leads nowhere, is left out."""
    lines = ["## Picture", "", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {_node(vm)}: {vm}" for vm in Vm]
    lines += ["    [*] --> building: create", "    building --> active: create"]
    labels: dict[tuple[str, str], list[str]] = {}
    for move in LIFE:
        if move.arrives and move.states != ANY:
            for vm in Vm:
                if vm in move.states and vm != move.arrives:
                    labels.setdefault((_node(vm), _node(move.arrives)), []).append(move.command)
    lines += [f"    {here} --> {there}: {', '.join(commands)}" for (here, there), commands in labels.items()]
    anywhere = [move for move in LIFE if move.arrives and move.states == ANY]
    lines += [f"    active --> {_node(move.arrives)}: {move.command} (from any state)" for move in anywhere]
    return [*lines, "    deleted --> [*]", "```", ""]


def _node(vm: str) -> str:
    return vm.replace("-", "_")


def _by_state() -> list[str]:
    lines = ["## States", "", "| VM state | status in the API | commands |", "|---|---|---|"]
    for vm in Vm:
        commands = ", ".join(LIFE.possible(vm, Task.NONE)) or "none"
        lines.append(f"| {vm} | {STATUS[vm]} | {commands} |")
    return [*lines, ""]


def _statuses() -> list[str]:
    lines = ["While some tasks last, the status is another:", "", "| VM state | task state | status |", "|---|---|---|"]
    return [*lines, *(f"| {vm} | {task} | {status} |" for (vm, task), status in TASK_STATUS.items()), ""]


def _differences() -> list[str]:
    lines = [
        "## Where this differs from older tables",
        "",
        "OpenStack's documentation has had a table of commands and states for years. Where it and the present API",
        "disagree, the present API decides, as its clients expect it. Row by row:",
        "",
        "| command | VM states there | task states there | arrives at there | what differs here |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {command} | {' | '.join(cells)} |" for command, cells in REFERENCE.items()]
    return lines


if __name__ == "__main__":
    print(page(), end="")
