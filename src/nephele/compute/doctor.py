"""What is left over, stuck or overdue in a cloud: found by comparing what the parts hold with what there is.

Every finding says what it is, of whom, and whether `reap` can remove it.  A healthy cloud has none.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from nephele.compute import messages as m
from nephele.compute.findings import Finding, Kind
from nephele.compute.messages import moving as mv
from nephele.compute.model import Task, Vm
from nephele.compute.moves_doctor import check_asides, check_claims, check_moves, end_move, moving_ends
from nephele.compute.tables import block_devices, reclaims, servers
from nephele.compute.virt.driver import PowerState
from nephele.kernel.clock import seconds
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.operations import OPEN, operations
from nephele.volume.model import Leftover, LeftoverKind

if TYPE_CHECKING:
    from nephele.compute.service import Compute


class Doctor:
    """Looks at a whole cloud; reads only, but for `reap`."""

    def __init__(self, compute: "Compute") -> None:
        self.compute = compute

    def look(self) -> list[Finding]:
        """All findings, each check on its own."""
        return [finding for check in _CHECKS for finding in check(self.compute)]

    def reap(self, context: Context) -> list[Finding]:
        """Remove what can be removed; returns what was."""
        removed = []
        for finding in self.look():
            if finding.reaps:
                _REAPERS[finding.kind](self.compute, context, finding)
                removed.append(finding)
        return removed


def _overdue(compute: "Compute") -> Iterator[Finding]:
    c = operations.c
    late = sa.and_(c.state.in_(OPEN), c.deadline < compute.clock.now())
    with compute.store.read() as db:
        for row in db.execute(sa.select(c.id, c.kind, c.subject, c.state, c.step).where(late)).all():
            detail = f"{row.kind} of {row.subject} is {row.state} at step {row.step} past its deadline"
            yield Finding(kind=Kind.OVERDUE, subject=row.id, detail=detail, reaps=False)


def _stuck(compute: "Compute") -> Iterator[Finding]:
    c = servers.c
    busy = sa.or_(c.task_state != Task.NONE, c.vm_state == Vm.BUILDING)
    owned = sa.exists().where(operations.c.subject == c.id, operations.c.state.in_(OPEN))
    query = sa.select(c.id, c.vm_state, c.task_state).where(c.deleted_at.is_(None), busy, ~owned)
    with compute.store.read() as db:
        for row in db.execute(query).all():
            detail = f"{row.vm_state}/{row.task_state or 'none'}, and nothing works on it"
            yield Finding(kind=Kind.STUCK, subject=row.id, detail=detail, reaps=False)


def _unreclaimed(compute: "Compute") -> Iterator[Finding]:
    """Softly deleted servers whose time was over a minute ago, or that have none."""
    c, r = servers.c, reclaims.c
    waits = sa.exists().where(r.server_id == c.id, r.due_at > compute.clock.now() - seconds(60))
    idle = sa.and_(c.vm_state == Vm.SOFT_DELETED, c.task_state == Task.NONE, c.deleted_at.is_(None))
    with compute.store.read() as db:
        for server_id in db.execute(sa.select(c.id).where(idle, ~waits)).scalars().all():
            detail = "it can be restored, or deleted with `forceDelete`"
            yield Finding(kind=Kind.UNRECLAIMED, subject=server_id, detail=detail, reaps=False)


def _alive(compute: "Compute") -> dict[str, Any]:
    """Servers that are not deleted, by id."""
    c = servers.c
    query = sa.select(c.id, c.host, c.vm_state, c.power_state).where(c.deleted_at.is_(None))
    with compute.store.read() as db:
        return {row.id: row for row in db.execute(query)}


def _dead(compute: "Compute") -> set[str]:
    """Servers that are deleted.  What other users of the APIs made for ids of their own is none of our business."""
    with compute.store.read() as db:
        return set(db.execute(sa.select(servers.c.id).where(servers.c.deleted_at.is_not(None))).scalars())


def _allocations(compute: "Compute") -> Iterator[Finding]:
    before, dead = _alive(compute), _dead(compute)
    held = set(compute.placement.consumers())
    alive = {server_id: row for server_id, row in _alive(compute).items() if before.get(server_id) == row}
    for consumer in sorted(held & dead):
        yield Finding(kind=Kind.ALLOCATION, subject=consumer, detail="Placement holds resources for it")
    for server_id, row in alive.items():
        if row.host and server_id not in held and row.vm_state not in (Vm.BUILDING, Vm.ERROR):
            detail = f"it is {row.vm_state} and Placement holds nothing for it"
            yield Finding(kind=Kind.UNCLAIMED, subject=server_id, detail=detail, host=row.host, reaps=False)


def _ports(compute: "Compute") -> Iterator[Finding]:
    dead = _dead(compute)
    for port_id, server_id in compute.networks.server_ports():
        if server_id in dead:
            yield Finding(kind=Kind.PORT, subject=port_id, detail=f"its server {server_id} is gone")


def _attachments(compute: "Compute") -> Iterator[Finding]:
    dead = _dead(compute)
    for attachment_id, volume_id, server_id in compute.volumes.server_attachments():
        if server_id in dead:
            detail = f"volume {volume_id} says it is attached to server {server_id}, which is gone"
            yield Finding(kind=Kind.ATTACHMENT, subject=attachment_id, detail=detail)


def _volumes(compute: "Compute") -> Iterator[Finding]:
    for leftover in compute.volumes.leftovers():
        kind = Kind(leftover.kind)
        yield Finding(kind=kind, subject=leftover.subject, detail=leftover.detail, reaps=leftover.removable)


def _plugs(compute: "Compute") -> Iterator[Finding]:
    """Volumes on their way to a server that holds them, or from it, with nothing that moves them.

    A volume that is promised to a server stays so while that is on no host, or failed before it had it.  What others
    reserved by Cinder's own API for servers of theirs is none of our business.
    """
    before = set(compute.volumes.half_attached())
    with compute.store.read() as db:
        busy = set(db.execute(sa.select(operations.c.subject).where(operations.c.state.in_(OPEN))).scalars())
        c = block_devices.c
        held = sa.select(c.server_id, c.volume_id).join(servers, servers.c.id == c.server_id)
        waits = (Vm.BUILDING, Vm.ERROR, Vm.SHELVED_OFFLOADED)
        held = held.where(servers.c.deleted_at.is_(None), servers.c.vm_state.not_in(waits))
        holders = {(row.server_id, row.volume_id) for row in db.execute(held)}
    for volume_id, status, server_id in sorted(before & set(compute.volumes.half_attached())):
        if server_id not in busy and (server_id, volume_id) in holders:
            detail = f"it is {status} for server {server_id}, and nothing works on it"
            yield Finding(kind=Kind.STUCK_VOLUME, subject=volume_id, detail=detail, reaps=False)


def _image_data(compute: "Compute") -> Iterator[Finding]:
    for path in compute.images.orphans():
        yield Finding(kind=Kind.IMAGE_DATA, subject=path.name, detail=f"no image has {path}")


class _Servers(NamedTuple):
    """The servers as they are at one moment.

    `alive` are those that are not deleted, `known` the ids of all that ever were, `busy` of those that are worked on.
    """

    alive: dict[str, Any]
    known: set[str]
    busy: set[str]

    def on(self, host: str) -> set[str]:
        return {server_id for server_id, row in self.alive.items() if row.host == host}

    def running_on(self, host: str) -> set[str]:
        return {
            server_id
            for server_id in self.on(host) - self.busy
            if self.alive[server_id].vm_state == Vm.ACTIVE and self.alive[server_id].power_state == PowerState.RUNNING
        }


def _servers(compute: "Compute") -> _Servers:
    with compute.store.read() as db:
        busy = set(db.execute(sa.select(operations.c.subject).where(operations.c.state.in_(OPEN))).scalars())
    alive = _alive(compute)
    return _Servers(alive, _dead(compute) | alive.keys(), busy)


def _guests(compute: "Compute") -> Iterator[Finding]:
    """Servers are looked at before and after the hosts are asked: what begins or ends meanwhile is not wrong."""
    for host in compute.hosts.compute_hosts():
        before, ends_before = _servers(compute), moving_ends(compute)
        try:
            guests = compute.bus.call(m.LIST_GUESTS, m.ListGuests(), at=host).guests
        except Refused as refused:
            yield Finding(kind=Kind.HOST_SILENT, subject=host, detail=refused.message, host=host, reaps=False)
            continue
        after = _servers(compute)
        found = {guest.server_id for guest in guests if not guest.set_aside}
        moving = {server_id for server_id, ends in ends_before.items() if host in ends}
        moving |= {server_id for server_id, ends in moving_ends(compute).items() if host in ends}
        yield from _guests_on(host, found, before, after, moving)
        aside = {guest.server_id for guest in guests if guest.set_aside} & before.known
        yield from check_asides(host, aside - moving - before.busy - after.busy, dead=after.known - after.alive.keys())


def _guests_on(host: str, found: set[str], before: _Servers, after: _Servers, moving: set[str]) -> Iterator[Finding]:
    """Guests of which we know nothing are another cloud's, for all we know."""
    busy = before.busy | after.busy | moving
    for server_id in sorted((found & before.known) - before.on(host) - after.on(host) - busy):
        yield Finding(kind=Kind.GUEST, subject=server_id, detail="its server is gone, or on another host", host=host)
    for server_id in sorted((before.running_on(host) & after.running_on(host)) - found - busy):
        detail = "it should run here, and there is no guest"
        yield Finding(kind=Kind.GUEST_GONE, subject=server_id, detail=detail, host=host, reaps=False)


_CHECKS: tuple[Callable[["Compute"], Iterator[Finding]], ...] = (
    _overdue,
    _stuck,
    _unreclaimed,
    _allocations,
    check_claims,
    check_moves,
    _ports,
    _attachments,
    _volumes,
    _plugs,
    _image_data,
    _guests,
)


def _reap_allocation(compute: "Compute", _context: Context, finding: Finding) -> None:
    compute.placement.release(finding.subject)


def _reap_port(compute: "Compute", _context: Context, finding: Finding) -> None:
    compute.networks.remove_port(finding.subject)


def _reap_attachment(compute: "Compute", context: Context, finding: Finding) -> None:
    compute.volumes.detach(context, finding.subject)


def _reap_leftover(compute: "Compute", _context: Context, finding: Finding) -> None:
    kind = LeftoverKind(finding.kind)
    compute.volumes.remove_leftover(Leftover(kind, finding.subject, finding.detail))


def _reap_image_data(compute: "Compute", _context: Context, finding: Finding) -> None:
    compute.images.reap(finding.subject)


def _reap_guest(compute: "Compute", _context: Context, finding: Finding) -> None:
    compute.bus.call(m.REMOVE_GUEST, m.RemoveGuest(server_id=finding.subject), at=finding.host, timeout=120)


def _reap_aside(compute: "Compute", _context: Context, finding: Finding) -> None:
    compute.bus.call(mv.REMOVE_ASIDE, mv.Aside(server_id=finding.subject), at=finding.host, timeout=120)


def _reap_move(compute: "Compute", _context: Context, finding: Finding) -> None:
    end_move(compute, finding.subject)


_REAPERS: dict[Kind, Callable[["Compute", Context, Finding], None]] = {
    Kind.ALLOCATION: _reap_allocation,
    Kind.PORT: _reap_port,
    Kind.ATTACHMENT: _reap_attachment,
    Kind.DISK: _reap_leftover,
    Kind.BASE: _reap_leftover,
    Kind.BACKUP: _reap_leftover,
    Kind.IMAGE_DATA: _reap_image_data,
    Kind.GUEST: _reap_guest,
    Kind.ASIDE: _reap_aside,
    Kind.MOVE: _reap_move,
}
