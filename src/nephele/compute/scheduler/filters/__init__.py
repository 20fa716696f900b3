"""The checks, as a table: Nova's filters by their names, and those that every request goes through.

Each is a function from the request and the settings to a `Test`, or None where the request does not ask for
what it checks, so that it costs nothing then.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nephele.compute.scheduler.errors import UNKNOWN_FILTER
from nephele.compute.scheduler.filters.affinity import (
    different_host,
    same_host,
    server_group_affinity,
    server_group_anti_affinity,
    simple_cidr_affinity,
)
from nephele.compute.scheduler.filters.aggregates import (
    aggregate_instance_extra_specs,
    aggregate_multi_tenancy_isolation,
    availability_zone,
    isolated_hosts,
)
from nephele.compute.scheduler.filters.capabilities import compute_capabilities, image_properties, pci_passthrough
from nephele.compute.scheduler.filters.json_query import json_filter
from nephele.compute.scheduler.filters.load import compute_status, io_ops, num_instances
from nephele.compute.scheduler.filters.requested import requested_host, room_for, traits, tried_before
from nephele.compute.scheduler.model import SelectRequest, Settings, Test


class Check(NamedTuple):
    """One line of the table."""

    name: str
    prepare: Callable[[SelectRequest, Settings], Test | None]
    meaning: str


ALWAYS = (
    Check("RequestedHost", requested_host, "the host or hypervisor that was asked for, if any"),
    Check("ExcludedHosts", tried_before, "not a host where this launch has already failed"),
    Check("Traits", traits, "the provider has the required traits and none of the forbidden"),
)
"""Checked first, whatever is enabled; with them, `room_for` each resource class."""

FILTERS = {
    check.name: check
    for check in (
        Check("AvailabilityZoneFilter", availability_zone, "the host is in the zone asked for"),
        Check("ComputeFilter", compute_status, "the host's service is enabled and up"),
        Check("ComputeCapabilitiesFilter", compute_capabilities, "`capabilities:…` extra specs match the host"),
        Check("ImagePropertiesFilter", image_properties, "the host runs the image's architecture, type and mode"),
        Check("ServerGroupAffinityFilter", server_group_affinity, "where the group's other members are"),
        Check("ServerGroupAntiAffinityFilter", server_group_anti_affinity, "no more members there than the rule says"),
        Check("SameHostFilter", same_host, "where one of the servers of hint same_host is"),
        Check("DifferentHostFilter", different_host, "where none of the servers of hint different_host is"),
        Check("AggregateInstanceExtraSpecsFilter", aggregate_instance_extra_specs, "extra specs match the aggregates"),
        Check("NumInstancesFilter", num_instances, "fewer servers than max_instances_per_host"),
        Check("IoOpsFilter", io_ops, "fewer servers under work than max_io_ops_per_host"),
        Check("PciPassthroughFilter", pci_passthrough, "PCI devices: says that there are none to pass through"),
        Check("AggregateMultiTenancyIsolation", aggregate_multi_tenancy_isolation, "filter_tenant_id has the project"),
        Check("IsolatedHostsFilter", isolated_hosts, "isolated images on isolated hosts"),
        Check(
            "SimpleCIDRAffinityFilter", simple_cidr_affinity, "the host's address is in hint build_near_host_ip's net"
        ),
        Check("JsonFilter", json_filter, "the expression in hint query holds"),
    )
}
"""What `enabled_filters` may name."""


def prepare(request: SelectRequest, settings: Settings) -> list[tuple[str, Test]]:
    """The checks that matter for this request, besides the resources.  Raises UNKNOWN_FILTER."""
    checks: Sequence[Check] = (*ALWAYS, *(_named(name) for name in settings.enabled_filters))
    tests = ((check.name, check.prepare(request, settings)) for check in checks)
    return [(name, test) for name, test in tests if test is not None]


def prepare_resources(request: SelectRequest) -> list[tuple[str, Test]]:
    """One check for each resource class that is asked for."""
    return [(name, room_for(name, amount)) for name, amount in request.resources.items()]


def _named(name: str) -> Check:
    if name not in FILTERS:
        raise UNKNOWN_FILTER(name=name, known=", ".join(FILTERS))
    return FILTERS[name]
