"""Trunks: one port of a server that carries several networks, told apart by VLAN tags.

A subport follows its parent to whatever host that is on.  Whether a host can tell VLANs apart is its kernel's matter:
where it can't, the subport's binding says so.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.model import Owner, Status, SubPort, Trunk
from nephele.network.ports import PORTS, change_port
from nephele.network.records import Records, Rows, born
from nephele.network.work import Work

_trunks, _subports, _ports = tables.trunks, tables.subports, tables.ports
_OF_TRUNKS = (
    sa.select(_subports.c.trunk_id, _subports.c.port_id, _subports.c.segmentation_type, _subports.c.segmentation_id)
    .where(_subports.c.trunk_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_subports.c.segmentation_id)
)


_STATES = sa.select(_ports.c.id, _ports.c.host, _ports.c.status).where(
    _ports.c.id.in_(sa.bindparam("ids", expanding=True))
)
_PARENT = Statement(sa.select(_trunks.c.id).where(_trunks.c.port_id == sa.bindparam("port")))
_CARRIER = Statement(sa.select(_subports.c.trunk_id).where(_subports.c.port_id == sa.bindparam("port")))
_CARRIED = Statement(
    sa.select(_subports.c.port_id)
    .join(_trunks, _trunks.c.id == _subports.c.trunk_id)
    .where(_trunks.c.port_id == sa.bindparam("parent"))
)
_PARENT_AT = _trunks.c.keys().index("port_id")


class SubPortWish(Struct, frozen=True, forbid_unknown_fields=True):
    """A subport as a client gives it; `inherit` takes the segmentation of the port's own network."""

    port_id: str
    segmentation_type: str = "vlan"
    segmentation_id: int = 0


def _complete(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    found: dict[str, list[SubPort]] = defaultdict(list)
    for row in work.db.execute(_OF_TRUNKS, {"ids": [row[0] for row in rows]}):
        found[row[0]].append(SubPort(*row[1:]))
    parents = {row.id: row for row in work.db.execute(_STATES, {"ids": [row[_PARENT_AT] for row in rows]})}
    carried = [subport.port_id for some in found.values() for subport in some]
    states = {row.id: row.status for row in work.db.execute(_STATES, {"ids": carried})} if carried else {}
    for trunk in rows:
        parent, some = parents[trunk[_PARENT_AT]], tuple(found[trunk[0]])
        yield some, _status(parent.host, parent.status, [states[subport.port_id] for subport in some])


def _status(host: str, status: str, carried: Sequence[str]) -> Status:
    """Whether a trunk carries what it should: not yet, all of it, or only some."""
    if not host or status != Status.ACTIVE:
        return Status.DOWN
    return Status.DEGRADED if any(one != Status.ACTIVE for one in carried) else Status.ACTIVE


TRUNKS: Records[Trunk] = Records(_trunks, Trunk, errors.TRUNK_NOT_FOUND, None, _complete)


def create_trunk(work: Work, draft: Trunk, subports: Sequence[SubPortWish]) -> Trunk:
    """Make a port the parent of a trunk.

    Raises:
        PORT_NOT_FOUND, PARENT_IN_USE, PORT_IS_PARENT, PORT_IS_SUBPORT, SUBPORT_TWICE.
    """
    parent = PORTS.get(work, draft.port_id)
    check_not_trunked(work, parent.id)
    if parent.host or parent.device_id:
        raise errors.PARENT_IN_USE(port_id=parent.id)
    trunk = born(work, draft)
    TRUNKS.insert(work, trunk)
    return _added(work, trunk, subports) if subports else TRUNKS.any(work, trunk.id)


def change_trunk(work: Work, old: Trunk, new: Trunk) -> Trunk:
    """Rename a trunk, or switch it off: its subports can't be changed then."""
    return TRUNKS.save(work, old, new)


def delete_trunk(work: Work, trunk: Trunk) -> None:
    """Let its ports be ports again; refused while a server uses it."""
    if PORTS.any(work, trunk.port_id).host:
        raise errors.TRUNK_IN_USE(id=trunk.id)
    for subport in trunk.sub_ports:
        _release(work, subport.port_id)
    TRUNKS.delete(work, trunk.id)
    work.rewire()


def add_subports(work: Work, trunk: Trunk, wishes: Sequence[SubPortWish]) -> Trunk:
    """Carry more networks."""
    _refuse_down(trunk)
    return _added(work, trunk, wishes)


def remove_subports(work: Work, trunk: Trunk, port_ids: Sequence[str]) -> Trunk:
    """Carry fewer networks."""
    _refuse_down(trunk)
    has = {subport.port_id for subport in trunk.sub_ports}
    for port_id in port_ids:
        if port_id not in has:
            raise errors.SUBPORT_NOT_FOUND(id=trunk.id, port_id=port_id)
        work.db.execute(sa.delete(_subports).where(_subports.c.port_id == port_id))
        _release(work, port_id)
    TRUNKS.bump(work, trunk.id)
    work.rewire()
    return TRUNKS.any(work, trunk.id)


def _added(work: Work, trunk: Trunk, wishes: Sequence[SubPortWish]) -> Trunk:
    parent = PORTS.any(work, trunk.port_id)
    taken = {(one.segmentation_type, one.segmentation_id) for one in trunk.sub_ports}
    for wish in wishes:
        port = PORTS.get(work, wish.port_id)
        check_not_trunked(work, port.id)
        if port.host or port.device_id:
            raise errors.PORT_IN_USE(id=port.id, network_id=port.network_id, device_id=port.device_id)
        place = (wish.segmentation_type, wish.segmentation_id)
        if place in taken:
            raise errors.SUBPORT_TWICE(id=trunk.id, kind=place[0], number=place[1])
        taken.add(place)
        row = {"port_id": port.id, "trunk_id": trunk.id, "segmentation_type": place[0], "segmentation_id": place[1]}
        work.db.execute(sa.insert(_subports).values(row))
        owned = msgspec.structs.replace(port, device_id=trunk.id, device_owner=Owner.SUBPORT, host=parent.host)
        change_port(work.as_service(), port, owned)
    TRUNKS.bump(work, trunk.id)
    work.rewire()
    return TRUNKS.any(work, trunk.id)


def _release(work: Work, port_id: str) -> None:
    inner = work.as_service()
    port = PORTS.any(inner, port_id)
    change_port(inner, port, msgspec.structs.replace(port, device_id="", device_owner="", host=""))


def move_subports(work: Work, parent_id: str, host: str) -> None:
    """Let the subports of a parent be where it is now."""
    carried = _CARRIED.scalars(work.db, parent=parent_id)
    inner = work.as_service()
    for port in PORTS.where(inner, _ports.c.id.in_(carried)) if carried else ():
        change_port(inner, port, msgspec.structs.replace(port, host=host))


def carriers_of(work: Work, port_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """By subport: the port that carries it, and with which tag."""
    if not port_ids:
        return {}
    found = (
        sa.select(_subports.c.port_id, _trunks.c.port_id, _subports.c.segmentation_id)
        .join(_trunks, _trunks.c.id == _subports.c.trunk_id)
        .where(_subports.c.port_id.in_(port_ids))
    )
    return {row[0]: (row[1], row[2]) for row in work.db.execute(found)}


def check_not_trunked(work: Work, port_id: str) -> None:
    """Refuse a port that carries others, or is carried.  Raises PORT_IS_PARENT, PORT_IS_SUBPORT."""
    parent = _PARENT.scalar(work.db, port=port_id)
    if parent:
        raise errors.PORT_IS_PARENT(port_id=port_id, id=parent)
    carrier = _CARRIER.scalar(work.db, port=port_id)
    if carrier:
        raise errors.PORT_IS_SUBPORT(port_id=port_id, id=carrier)


def _refuse_down(trunk: Trunk) -> None:
    if not trunk.admin_state_up:
        raise errors.TRUNK_DISABLED(id=trunk.id)
