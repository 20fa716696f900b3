"""All of Cinder's operations."""

from typing import Any

from nephele.kernel.operations import Operation
from nephele.volume import backing, group_snapshots, groups, managing, moving, work

ALL: tuple[Operation[Any], ...] = (
    *work.OPERATIONS,
    moving.MIGRATE,
    managing.MANAGE,
    managing.UNMANAGE,
    backing.BACKUP,
    backing.RESTORE,
    backing.FORGET,
    backing.IMPORT,
    groups.FILL,
    groups.EMPTY,
    group_snapshots.TAKE,
    group_snapshots.DROP,
)
