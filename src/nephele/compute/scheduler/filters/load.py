"""Whether a host is fit for work, and how much it has already."""

from nephele.compute.scheduler.decision import Refusal
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings, Test


def compute_status(_request: SelectRequest, _settings: Settings) -> Test:
    """ComputeFilter: the service is enabled and reports."""

    def why(state: HostState) -> Refusal:
        if not state.enabled:
            return Refusal(reason="disabled", detail=state.disabled_reason)
        return Refusal(reason="down", detail="its agent does not report, or it was forced down")

    return Test(lambda state: state.enabled and state.up, why)


def num_instances(_request: SelectRequest, settings: Settings) -> Test:
    """NumInstancesFilter; an aggregate's metadata `max_instances_per_host` overrides the setting."""
    return _below("num_instances", "max_instances_per_host", settings.max_instances_per_host, "at the limit of servers")


def io_ops(_request: SelectRequest, settings: Settings) -> Test:
    """IoOpsFilter; an aggregate's metadata `max_io_ops_per_host` overrides the setting."""
    return _below("io_ops", "max_io_ops_per_host", settings.max_io_ops_per_host, "busy with servers under work")


def _below(attribute: str, setting: str, default: int, reason: str) -> Test:
    def limit(state: HostState) -> int:
        set_there = [aggregate.metadata.get(setting, "") for aggregate in state.aggregates]
        return min((int(value) for value in set_there if value.isdigit()), default=default)

    return Test(
        lambda state: getattr(state, attribute) < (limit(state) if state.aggregates else default),
        lambda state: Refusal(reason=reason, detail=f"{getattr(state, attribute)} of {limit(state)}"),
    )
