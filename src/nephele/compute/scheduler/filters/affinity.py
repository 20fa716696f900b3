"""Near to or far from other servers."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network

from nephele.compute.scheduler.decision import Refusal
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings, Test


def server_group_affinity(request: SelectRequest, _settings: Settings) -> Test | None:
    """ServerGroupAffinityFilter: on a host of the group's members, once there are any."""
    group = request.asked.group
    if group is None or group.policy != "affinity" or not any(group.on_hosts.values()):
        return None
    hosts = {host for host, members in group.on_hosts.items() if members}
    named = ", ".join(sorted(hosts))
    return Test(
        lambda state: state.host in hosts,
        lambda _state: Refusal(reason="without a member of the affinity group", detail=f"members are on {named}"),
    )


def server_group_anti_affinity(request: SelectRequest, _settings: Settings) -> Test | None:
    """ServerGroupAntiAffinityFilter: not on a host with `max_server_per_host` members."""
    group = request.asked.group
    if group is None or group.policy != "anti-affinity":
        return None
    on_hosts: Mapping[str, int] = group.on_hosts
    most = group.max_server_per_host
    return Test(
        lambda state: on_hosts.get(state.host, 0) < most,
        lambda state: Refusal(
            reason="with a member of the anti-affinity group", detail=f"{on_hosts.get(state.host, 0)} of {most}"
        ),
    )


def same_host(request: SelectRequest, _settings: Settings) -> Test | None:
    """SameHostFilter: where one of the servers of the hint is."""
    return _near(request, "same_host", lambda state, servers: not servers.isdisjoint(state.servers))


def different_host(request: SelectRequest, _settings: Settings) -> Test | None:
    """DifferentHostFilter: where none of the servers of the hint is."""
    return _near(request, "different_host", lambda state, servers: servers.isdisjoint(state.servers))


def _near(request: SelectRequest, hint: str, passes: Callable[[HostState, frozenset[str]], bool]) -> Test | None:
    servers = frozenset(request.asked.hints.get(hint, ()))
    if not servers:
        return None
    return Test(
        lambda state: passes(state, servers),
        lambda _state: Refusal(reason=f"against the hint {hint}", detail=f"servers {', '.join(sorted(servers))}"),
    )


def simple_cidr_affinity(request: SelectRequest, _settings: Settings) -> Test | None:
    """SimpleCIDRAffinityFilter: the host's address is in the network `build_near_host_ip` + `cidr` (`/24`)."""
    address = next(iter(request.asked.hints.get("build_near_host_ip", ())), "")
    if not address:
        return None
    prefix = next(iter(request.asked.hints.get("cidr", ())), "/24")
    refused = Refusal(reason="outside of the network asked for", detail=f"{address}{prefix}")
    try:
        network = ip_network(f"{address}/{prefix.lstrip('/')}", strict=False)
    except ValueError:
        return Test(lambda _state: False, lambda _state: refused)
    return Test(
        lambda state: bool(state.ip_address) and ip_address(state.ip_address) in network, lambda _state: refused
    )
