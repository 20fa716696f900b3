"""From rows to the Structs of `model.py`, whose fields are the columns in order."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec import Struct, structs

from nephele.compute.errors import SERVER_NOT_FOUND
from nephele.compute.model import BlockDevice, Server, Task, Vm
from nephele.compute.tables import block_devices, servers
from nephele.kernel.statements import Statement

Thing = TypeVar("Thing", bound=Struct)
_VM, _TASK = (Server.__struct_fields__.index(name) for name in ("vm_state", "task_state"))
_VMS, _TASKS = {str(state): state for state in Vm}, {str(state): state for state in Task}
_SERVER = Statement(servers.select().where(servers.c.id == sa.bindparam("server")))
_DEVICES = Statement(
    block_devices.select()
    .where(block_devices.c.server_id == sa.bindparam("server"))
    .order_by(block_devices.c.device_name)
)
_NEW_SERVERS = Statement(servers.insert())
_NEW_DEVICES = Statement(block_devices.insert())


def load(kind: type[Thing], row: Iterable[Any]) -> Thing:
    """A row as `kind`."""
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))


def server(row: Iterable[Any]) -> Server:
    """A row of `servers`."""
    values = list(row)
    values[_VM], values[_TASK] = _VMS[values[_VM]], _TASKS[values[_TASK]]
    return Server(*values)


def server_row(db: sa.Connection, server_id: str) -> Server:
    """The server of that id, deleted ones too.  Raises SERVER_NOT_FOUND."""
    row = _SERVER.row(db, server=server_id)
    if row is None:
        raise SERVER_NOT_FOUND(server_id=server_id)
    return server(row)


def devices_of(db: sa.Connection, server_id: str) -> list[BlockDevice]:
    """A server's block devices, by device name."""
    return [block_device(row) for row in _DEVICES.rows(db, server=server_id)]


def insert_servers(db: sa.Connection, new: Sequence[Server], devices: Sequence[BlockDevice]) -> None:
    """Write new servers and their block devices."""
    _NEW_SERVERS.run_many(db, [structs.asdict(server) for server in new])
    insert_devices(db, devices)


def insert_devices(db: sa.Connection, devices: Sequence[BlockDevice]) -> None:
    """Write new block devices."""
    _NEW_DEVICES.run_many(db, [structs.asdict(device) for device in devices])


def block_device(row: Iterable[Any]) -> BlockDevice:
    """A row of `block_devices`."""
    return BlockDevice(*row)
