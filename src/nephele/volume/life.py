"""A volume's life as data: which request may come in which status, what it shows, where it arrives.

creating ─→ available ─→ reserved ─→ attaching ─→ in-use ─→ detaching ─→ available
(downloading: from an image)   │ extending, uploading, retyping, … ─→ what it was before
                               └→ deleting ─→ gone
What fails for good arrives at an error status; only an administrator leads out of that, or a delete.
"""

from dataclasses import dataclass

from nephele.kernel.errors import Error, Refused
from nephele.volume.errors import INVALID_VOLUME
from nephele.volume.model import Volume
from nephele.volume.model import VolumeStatus as V

_NOTHING: frozenset[str] = frozenset()
BEFORE = "what it was before"
"""The status that the volume had when the request came."""


MIGRATING = "migrating"
"""The `migration_status` of a volume that is on its way to another backend: nothing else may be done with it."""


@dataclass(frozen=True)
class Move:
    """One request.

    Args:
        sources: statuses from which it is accepted.
        shared: more statuses from which it is accepted where the volume is multiattach.
        shows: status while it is under way; empty: it is done at once.
        arrives: status when it is done; empty: the volume is gone.
        fails_to: status when it failed.
        within: seconds after which it has failed.
    """

    sources: frozenset[str]
    shows: str
    arrives: str
    fails_to: str = ""
    within: int = 0
    shared: frozenset[str] = _NOTHING


def _of(*statuses: V) -> frozenset[str]:
    return frozenset(statuses)


LIFE: dict[str, Move] = {
    # from, shows, arrives at, on failure, within seconds
    "create": Move(_NOTHING, V.CREATING, V.AVAILABLE, V.ERROR, 3600),
    "reserve": Move(_of(V.AVAILABLE), "", V.RESERVED, shared=_of(V.IN_USE)),
    "os-reserve": Move(_of(V.AVAILABLE), "", V.ATTACHING, shared=_of(V.IN_USE)),
    "unreserve": Move(_of(V.ATTACHING), "", V.AVAILABLE),
    "begin_detach": Move(_of(V.IN_USE), "", V.DETACHING),
    "roll_detach": Move(_of(V.DETACHING), "", V.IN_USE),
    "attach": Move(_of(V.AVAILABLE, V.ATTACHING, V.RESERVED), "", V.IN_USE, shared=_of(V.IN_USE)),
    "extend": Move(_of(V.AVAILABLE), V.EXTENDING, V.AVAILABLE, V.ERROR_EXTENDING, 600),
    "extend_attached": Move(_of(V.IN_USE), V.EXTENDING, V.IN_USE, V.ERROR_EXTENDING, 600),
    "upload": Move(_of(V.AVAILABLE), V.UPLOADING, BEFORE, BEFORE, 7200),
    "upload_forced": Move(_of(V.AVAILABLE, V.IN_USE), V.UPLOADING, BEFORE, BEFORE, 7200),
    "retype": Move(_of(V.AVAILABLE, V.IN_USE), V.RETYPING, BEFORE, BEFORE, 600),
    "migrate": Move(_of(V.AVAILABLE), "", BEFORE, BEFORE, 7200),
    "backup": Move(_of(V.AVAILABLE), V.BACKING_UP, BEFORE, V.ERROR_BACKING_UP, 7200),
    "backup_forced": Move(_of(V.AVAILABLE, V.IN_USE), V.BACKING_UP, BEFORE, V.ERROR_BACKING_UP, 7200),
    "restore": Move(_of(V.AVAILABLE, V.ERROR_RESTORING), V.RESTORING, V.AVAILABLE, V.ERROR_RESTORING, 7200),
    "manage": Move(_NOTHING, V.MANAGING, V.AVAILABLE, V.ERROR_MANAGING, 600),
    "unmanage": Move(_of(V.AVAILABLE, V.ERROR), V.UNMANAGING, "", V.ERROR, 7200),
    "reimage": Move(_of(V.AVAILABLE, V.ERROR), V.DOWNLOADING, V.AVAILABLE, V.ERROR, 3600),
    "reimage_reserved": Move(_of(V.AVAILABLE, V.ERROR, V.RESERVED), V.DOWNLOADING, BEFORE, V.ERROR, 3600),
    "revert": Move(_of(V.AVAILABLE), V.REVERTING, V.AVAILABLE, V.ERROR, 3600),
    "snapshot": Move(_of(V.AVAILABLE), "", BEFORE),
    "snapshot_forced": Move(_of(V.AVAILABLE, V.IN_USE), "", BEFORE),
    "transfer": Move(_of(V.AVAILABLE), "", V.AWAITING_TRANSFER),
    "set_readonly": Move(_of(V.AVAILABLE), "", BEFORE),
    "delete": Move(
        _of(V.AVAILABLE, V.ERROR, V.ERROR_RESTORING, V.ERROR_EXTENDING, V.ERROR_MANAGING),
        V.DELETING,
        "",
        V.ERROR_DELETING,
        3600,
    ),
}


def allowed(move: str, volume: Volume) -> bool:
    """Whether the volume's status lets `move` begin."""
    sources = LIFE[move].sources
    if volume.migration_status == MIGRATING:
        return False
    return volume.status in sources or (volume.multiattach and volume.status in LIFE[move].shared)


def spoken(move: str, *, multiattach: bool = False) -> str:
    """The statuses that `move` accepts: `available or in-use`."""
    sources = LIFE[move].sources | (LIFE[move].shared if multiattach else _NOTHING)
    return " or ".join(sorted(sources))


def check(move: str, volume: Volume, sentence: str, error: Error = INVALID_VOLUME) -> None:
    """Raise `error` unless the volume's status lets `move` begin.

    `sentence` may name `{id}`, `{expected}` and `{status}`.
    """
    if not allowed(move, volume):
        raise refusal(move, volume, sentence, error)


def refusal(move: str, volume: Volume, sentence: str, error: Error = INVALID_VOLUME) -> Refused:
    """The refusal of `move` in the volume's status."""
    expected = spoken(move, multiattach=volume.multiattach)
    return error(reason=sentence.format(id=volume.id, expected=expected, status=volume.status))
