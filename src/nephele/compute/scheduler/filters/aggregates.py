"""What host aggregates and zones say."""

from nephele.compute.scheduler.decision import Refusal
from nephele.compute.scheduler.filters.matching import matches
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings, Test

_SCOPE = "aggregate_instance_extra_specs"


def availability_zone(request: SelectRequest, _settings: Settings) -> Test | None:
    """AvailabilityZoneFilter: the host is in the zone asked for."""
    zone = request.asked.availability_zone
    if not zone:
        return None
    return Test(
        lambda state: state.zone == zone,
        lambda state: Refusal(reason=f"outside of availability zone {zone}", detail=f"is in {state.zone}"),
    )


def aggregate_instance_extra_specs(request: SelectRequest, _settings: Settings) -> Test | None:
    """AggregateInstanceExtraSpecsFilter: extra specs, scoped or without a scope, match the aggregates' metadata."""
    wanted = {}
    for key, value in request.asked.flavor.extra_specs.items():
        scope, colon, name = key.partition(":")
        if not colon or scope == _SCOPE:
            wanted[name if colon else key] = value
    if not wanted:
        return None

    def unmet(state: HostState) -> str:
        for key, value in wanted.items():
            if not any(matches(found, value) for found in _values(state, key)):
                return f"{key}={value}"
        return ""

    return Test(
        lambda state: not unmet(state),
        lambda state: Refusal(reason="without an aggregate for the extra specs", detail=f"{unmet(state)} is not met"),
    )


def aggregate_multi_tenancy_isolation(request: SelectRequest, _settings: Settings) -> Test:
    """AggregateMultiTenancyIsolation: `filter_tenant_id…` of the host's aggregates, where set, has the project."""
    project = request.asked.project_id

    def passes(state: HostState) -> bool:
        owners = {
            owner.strip()
            for aggregate in state.aggregates
            for key, value in aggregate.metadata.items()
            if key.startswith("filter_tenant_id")
            for owner in value.split(",")
        }
        return not owners or project in owners

    return Test(passes, lambda _state: Refusal(reason="kept for other projects"))


def isolated_hosts(request: SelectRequest, settings: Settings) -> Test | None:
    """IsolatedHostsFilter: isolated images run on isolated hosts only, and others not there if so restricted."""
    if not settings.isolated_hosts and not settings.isolated_images:
        return None
    isolated_image = request.asked.image_id in settings.isolated_images

    def passes(state: HostState) -> bool:
        isolated_host = state.host in settings.isolated_hosts
        if settings.restrict_isolated_hosts_to_isolated_images:
            return isolated_image == isolated_host
        return isolated_host or not isolated_image

    reason = "not isolated" if isolated_image else "isolated for other images"
    return Test(passes, lambda _state: Refusal(reason=reason))


def _values(state: HostState, key: str) -> list[str]:
    return [
        value.strip()
        for aggregate in state.aggregates
        if key in aggregate.metadata
        for value in aggregate.metadata[key].split(",")
    ]
