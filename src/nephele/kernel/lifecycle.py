"""A state machine as data: which command is allowed from where, what shows meanwhile, where it arrives.

Code asks the table, the API's refusals come from it, docs draw it, tests walk it.  What asks and is
answered is pure: states go in, a `Move` or a refusal comes out.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """One command.

    Args:
        command: its name.
        states: from which states it is allowed.
        activities: during which activities it is allowed; "" is none.
        shows: the activity that shows meanwhile.
        arrives: the state at its end; empty: the one it began with.
        fails: the state when it fails; empty: the one it began with.
        within: seconds until it is overdue.
    """

    command: str
    states: frozenset[str]
    activities: frozenset[str]
    shows: str
    arrives: str
    fails: str
    within: float


class Lifecycle:
    """All moves of one kind of thing, by command."""

    def __init__(self, moves: Iterable[Move]) -> None:
        self._moves = {move.command: move for move in moves}

    def __getitem__(self, command: str) -> Move:
        return self._moves[command]

    def __iter__(self) -> Iterator[Move]:
        return iter(self._moves.values())

    def allows(self, command: str, state: str, activity: str) -> bool:
        """Whether the command may begin now."""
        move = self._moves[command]
        return state in move.states and activity in move.activities

    def possible(self, state: str, activity: str) -> list[str]:
        """The commands that may begin now."""
        return [move.command for move in self if self.allows(move.command, state, activity)]


def moves(
    command: str,
    states: Set[str],
    shows: str,
    arrives: str,
    *,
    within: float,
    during: Set[str] = frozenset({""}),
    fails: str = "",
) -> Move:
    """A `Move`, in the order in which it reads best as a row."""
    return Move(command, frozenset(states), frozenset(during), shows, arrives, fails, within)
