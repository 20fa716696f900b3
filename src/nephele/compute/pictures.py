"""Servers for showing: a row as one text.

A page of servers is read far more often than one of its servers changes.  As one text a row costs half of what its 46
columns cost, and the text says by itself whether that very row was shown before: what was made of it then is still
right, whoever wrote the row meanwhile or did not, in whatever process.
"""

from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from nephele.compute import rows
from nephele.compute.model import Server
from nephele.compute.tables import servers
from nephele.kernel.statements import RowText
from nephele.kernel.store import Json

PICTURE: tuple[sa.ColumnElement[Any], ...] = (servers.c.id, servers.c.host, RowText(*servers.c))
"""What a `Picture` is made of."""
_JSON = [(place, column.type.decode) for place, column in enumerate(servers.c) if isinstance(column.type, Json)]
_TRUTHS = [place for place, column in enumerate(servers.c) if isinstance(column.type, sa.Boolean)]
_values = msgspec.json.Decoder(list[Any]).decode


class Picture(NamedTuple):
    """A server's row, unread; `read_picture(text)` is the server."""

    id: str
    host: str
    text: str


class AttachedVolume(NamedTuple):
    """What a server shows of a volume."""

    volume_id: str
    delete_on_termination: bool


def read_picture(text: str) -> Server:
    """The server that a picture's text is of."""
    values = _values(text)
    for place, decode in _JSON:
        if values[place] is not None:
            values[place] = decode(values[place])
    for place in _TRUTHS:
        values[place] = bool(values[place])
    return rows.server(values)
