"""Hosts as compute knows them, joined with Placement's figures; only what changed is joined anew."""

import threading
from collections.abc import Sequence
from itertools import compress
from operator import is_not

import msgspec

from nephele.compute.scheduler.model import HostSource, HostState
from nephele.placement.model import Room, View
from nephele.placement.service import Placement

_NOTHING = Room(0, 0, 0, 1, 0, 1)


class JoinedHosts:
    """Keeps the joined list between decisions.

    Args:
        source: what compute knows.
        placement: what is free where.
    """

    def __init__(self, source: HostSource, placement: Placement) -> None:
        self._source = source
        self._placement = placement
        self._lock = threading.Lock()
        self._revision = 0
        self._views: dict[str, View] = {}
        self._raw: Sequence[HostState] = ()
        self._joined: list[HostState] = []
        self._places: dict[str, int] = {}

    def now(self) -> list[HostState]:
        """Every host as it is now.  The list is the caller's to read until the next call, in any thread."""
        with self._lock:
            raw = self._source.hosts()
            stale = self._changed_providers()
            if len(raw) != len(self._raw):
                self._take_all(raw)
            else:
                self._take_changes(raw, stale)
            return self._joined

    def find(self, provider_uuid: str) -> HostState | None:
        """One host of the latest list."""
        with self._lock:
            place = self._places.get(provider_uuid)
            return None if place is None else self._joined[place]

    def _changed_providers(self) -> set[str]:
        self._revision, changed, gone = self._placement.providers_since(self._revision)
        for view in changed:
            self._views[view.uuid] = view
        for uuid in gone:
            self._views.pop(uuid, None)
        return {view.uuid for view in changed} | set(gone)

    def _take_all(self, raw: Sequence[HostState]) -> None:
        views = self._views
        self._joined = [join(host, views.get(host.provider_uuid)) for host in raw]
        self._places = {host.provider_uuid: place for place, host in enumerate(raw)}
        self._raw = raw

    def _take_changes(self, raw: Sequence[HostState], stale: set[str]) -> None:
        """Join those anew that compute made anew (by identity: quick over thousands) or whose provider changed."""
        changed = set(compress(range(len(raw)), map(is_not, raw, self._raw))) if raw is not self._raw else set()
        if any(raw[place].provider_uuid != self._raw[place].provider_uuid for place in changed):
            self._take_all(raw)
            return
        changed.update(self._places[uuid] for uuid in stale if uuid in self._places)
        if changed:
            joined = list(self._joined)
            for place in changed:
                joined[place] = join(raw[place], self._views.get(raw[place].provider_uuid))
            self._joined = joined
        self._raw = raw


def join(host: HostState, view: View | None) -> HostState:
    """The host with its provider's figures; without a provider it has room for nothing."""
    rooms = view.rooms if view else {}
    vcpus, memory, disk = (rooms.get(name, _NOTHING) for name in ("VCPU", "MEMORY_MB", "DISK_GB"))
    return msgspec.structs.replace(
        host,
        rooms=rooms,
        traits=view.traits if view else frozenset(),
        free_vcpus=vcpus.free,
        free_memory_mb=memory.free,
        free_disk_gb=disk.free,
        most_vcpus=_most(vcpus),
        most_memory_mb=_most(memory),
        most_disk_gb=_most(disk),
        plain_units=all(room.min_unit == 1 and room.step_size == 1 for room in (vcpus, memory, disk)),
    )


def _most(room: Room) -> int:
    return max(min(room.free, room.max_unit), 0)
