"""From rows to the Structs of `model.py`, whose fields are the columns in order."""

from collections.abc import Iterable
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute.errors import SERVER_NOT_FOUND
from nephele.compute.model import BlockDevice, Server, Task, Vm
from nephele.compute.tables import servers

Thing = TypeVar("Thing", bound=Struct)
_VM = Server.__struct_fields__.index("vm_state")


def load(kind: type[Thing], row: Iterable[Any]) -> Thing:
    """A row as `kind`."""
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))


def server(row: sa.Row[Any]) -> Server:
    """A row of `servers`."""
    values = dict(zip(Server.__struct_fields__, row, strict=True))
    values["vm_state"], values["task_state"] = Vm(row[_VM]), Task(row[_VM + 1])
    return Server(**values)


def server_row(db: sa.Connection, server_id: str) -> Server:
    """The server of that id, deleted ones too.  Raises SERVER_NOT_FOUND."""
    row = db.execute(servers.select().where(servers.c.id == server_id)).one_or_none()
    if row is None:
        raise SERVER_NOT_FOUND(server_id=server_id)
    return server(row)


def block_device(row: sa.Row[Any]) -> BlockDevice:
    """A row of `block_devices`."""
    return load(BlockDevice, row)
