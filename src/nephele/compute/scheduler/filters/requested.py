"""What every request is checked for: the host it names, what it tried before, resources and traits."""

from nephele.compute.scheduler.decision import Refusal
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings, Test

_SPOKEN = {"VCPU": ("vCPUs", ""), "MEMORY_MB": ("memory", "MB"), "DISK_GB": ("disk", "GB")}


def requested_host(request: SelectRequest, _settings: Settings) -> Test | None:
    """A host or hypervisor named by the administrator is the only one that will do."""
    host, node = request.asked.host, request.asked.hypervisor_hostname
    if not host and not node:
        return None
    return Test(
        lambda state: (not host or state.host == host) and (not node or state.hypervisor_hostname == node),
        lambda _state: Refusal(reason=f"not the requested {host or node}"),
    )


def tried_before(request: SelectRequest, _settings: Settings) -> Test | None:
    """Hosts where this launch failed are not tried again."""
    tried = request.asked.exclude_hosts
    if not tried:
        return None
    return Test(lambda state: state.host not in tried, lambda _state: Refusal(reason="already tried"))


def traits(request: SelectRequest, _settings: Settings) -> Test | None:
    """Traits that the flavor or the image requires or forbids."""
    required, forbidden = request.required_traits, request.forbidden_traits
    if not required and not forbidden:
        return None

    def why(state: HostState) -> Refusal:
        missing = sorted(required - state.traits)
        if missing:
            return Refusal(reason="without a required trait", detail=f"missing {', '.join(missing)}")
        return Refusal(reason="with a forbidden trait", detail=f"has {', '.join(sorted(forbidden & state.traits))}")

    return Test(lambda state: required <= state.traits and forbidden.isdisjoint(state.traits), why)


def room_for(name: str, amount: int) -> Test:
    """So much of one resource class, by Placement's figures."""
    what, unit = _SPOKEN.get(name, (name, ""))

    def passes(state: HostState) -> bool:
        room = state.rooms.get(name)
        return room is not None and room.fits(amount)

    def why(state: HostState) -> Refusal:
        room = state.rooms.get(name)
        if room is None:
            return Refusal(reason=f"without {what}", detail="has no inventory of it")
        most = max(min(room.free, room.max_unit), 0)
        if most >= amount:
            units = f"multiples of {room.step_size} from {room.min_unit} to {room.max_unit}"
            return Refusal(reason=f"unable to split {what} so", detail=f"gives {units}")
        figures = f"{room.used} of {room.capacity} used, at most {room.max_unit} for one server"
        return Refusal(reason=f"short of {what}", detail=figures, need=amount, have=most, unit=unit)

    return Test(passes, why)
