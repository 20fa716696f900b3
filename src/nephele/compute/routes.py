"""Nova's operations, one line each."""

from dataclasses import replace
from typing import Any

from nephele.compute.api import (
    aggregates,
    audit_logs,
    extensions,
    flavors,
    floating_ips,
    hosts,
    images,
    key_pairs,
    nephele,
    old_hosts,
    quotas,
    security_groups,
    server_groups,
    tenant_networks,
    usage,
    versions,
    volumes,
)
from nephele.compute.api.aggregates import ChangedAggregate, HostName, NewAggregate
from nephele.compute.api.flavors import Description, ExtraSpecs, NewFlavor, Specs, Tenant
from nephele.compute.api.hosts import OldServiceChange, ServiceChange
from nephele.compute.api.key_pairs import NewKeyPair
from nephele.compute.api.quotas import QuotaSet
from nephele.compute.api.security_groups import NewGroup, NewRule
from nephele.compute.gone_routes import GONE_ROUTES
from nephele.compute.paths import rule
from nephele.compute.policy import RULES, SCOPES
from nephele.compute.server_routes import SERVER_ROUTES
from nephele.compute.service import Compute
from nephele.kernel.policy import Policy
from nephele.web import faults
from nephele.web.bodies import envelope
from nephele.web.microversions import Versions
from nephele.web.routing import PUBLIC, Api, Route

VERSIONS = Versions("compute", (2, 1), (2, 104), "X-OpenStack-Nova-API-Version")
HOST = "/v2.1/os-hosts/{host_name}"
IMAGE = "/v2.1/images/{image_id}"
FLAVORS = "limit marker sort_key sort_dir is_public minRam minDisk name"
HYPERVISORS = "limit marker hypervisor_hostname_pattern with_servers"
FLOATING = "/v2.1/os-floating-ips"
AGGREGATES = "/v2.1/os-aggregates"
AGGREGATE = f"{AGGREGATES}/{{aggregate_id}}"


# fmt: off
ROUTES = [
    Route("GET", "/", versions.index, PUBLIC),
    Route("GET", "/v2.1", versions.show, PUBLIC),

    *SERVER_ROUTES,
    *GONE_ROUTES,

    Route("GET", "/v2.1/os-security-groups", security_groups.index, rule("os-security-groups:get"), until=(2, 35)),
    Route("POST", "/v2.1/os-security-groups", security_groups.create, rule("os-security-groups:create"),
          envelope("security_group", NewGroup), until=(2, 35)),
    Route("GET", "/v2.1/os-security-groups/{group_id}", security_groups.show, rule("os-security-groups:show"),
          until=(2, 35)),
    Route("PUT", "/v2.1/os-security-groups/{group_id}", security_groups.update, rule("os-security-groups:update"),
          envelope("security_group", NewGroup), until=(2, 35)),
    Route("DELETE", "/v2.1/os-security-groups/{group_id}", security_groups.delete,
          rule("os-security-groups:delete"), status=202, until=(2, 35)),
    Route("POST", "/v2.1/os-security-group-rules", security_groups.create_rule,
          rule("os-security-groups:rule:create"), envelope("security_group_rule", NewRule), until=(2, 35)),
    Route("DELETE", "/v2.1/os-security-group-rules/{rule_id}", security_groups.delete_rule,
          rule("os-security-groups:rule:delete"), status=202, until=(2, 35)),

    Route("GET", "/v2.1/os-server-groups", server_groups.index, rule("os-server-groups:index"),
          query="all_projects limit offset", strict=(2, 75)),
    Route("POST", "/v2.1/os-server-groups", server_groups.create_old, rule("os-server-groups:create"),
          envelope("server_group", server_groups.OldGroup), until=(2, 63)),
    Route("POST", "/v2.1/os-server-groups", server_groups.create, rule("os-server-groups:create"),
          envelope("server_group", server_groups.NewGroup), since=(2, 64)),
    Route("GET", "/v2.1/os-server-groups/{group_id}", server_groups.show, rule("os-server-groups:show")),
    Route("DELETE", "/v2.1/os-server-groups/{group_id}", server_groups.delete, rule("os-server-groups:delete"),
          status=204),

    Route("GET", "/v2.1/os-networks", tenant_networks.old_index, rule("os-networks:list"), until=(2, 35)),
    Route("GET", "/v2.1/os-networks/{network_id}", tenant_networks.old_show, rule("os-networks:show"),
          until=(2, 35)),
    Route("GET", "/v2.1/os-tenant-networks", tenant_networks.index, rule("os-tenant-networks:list"), until=(2, 35)),
    Route("GET", "/v2.1/os-tenant-networks/{network_id}", tenant_networks.show, rule("os-tenant-networks:show"),
          until=(2, 35)),
    Route("GET", "/v2.1/os-instance_usage_audit_log", audit_logs.index, rule("os-instance-usage-audit-log:list")),
    Route("GET", "/v2.1/os-instance_usage_audit_log/{before}", audit_logs.show,
          rule("os-instance-usage-audit-log:show")),
    Route("GET", "/v2.1/os-volumes", volumes.index, rule("os-volumes:list"), until=(2, 35)),
    Route("GET", "/v2.1/os-volumes/detail", volumes.index, rule("os-volumes:detail"), until=(2, 35)),
    Route("POST", "/v2.1/os-volumes", volumes.create, rule("os-volumes:create"),
          envelope("volume", volumes.VolumeBody), until=(2, 35)),
    Route("GET", "/v2.1/os-volumes/{volume_id}", volumes.show, rule("os-volumes:show"), until=(2, 35)),
    Route("DELETE", "/v2.1/os-volumes/{volume_id}", volumes.delete, rule("os-volumes:delete"), status=202,
          until=(2, 35)),
    Route("GET", "/v2.1/os-snapshots", volumes.snapshots, rule("os-volumes:snapshots:list"), until=(2, 35)),
    Route("GET", "/v2.1/os-snapshots/detail", volumes.snapshots, rule("os-volumes:snapshots:detail"),
          until=(2, 35)),
    Route("POST", "/v2.1/os-snapshots", volumes.create_snapshot, rule("os-volumes:snapshots:create"),
          envelope("snapshot", volumes.SnapshotBody), until=(2, 35)),
    Route("GET", "/v2.1/os-snapshots/{snapshot_id}", volumes.show_snapshot, rule("os-volumes:snapshots:show"),
          until=(2, 35)),
    Route("DELETE", "/v2.1/os-snapshots/{snapshot_id}", volumes.delete_snapshot,
          rule("os-volumes:snapshots:delete"), status=202, until=(2, 35)),
    Route("GET", "/v2.1/os-floating-ip-pools", floating_ips.pools, rule("os-floating-ip-pools"), until=(2, 35)),
    Route("GET", FLOATING, floating_ips.index, rule("os-floating-ips:list"), until=(2, 35)),
    Route("POST", FLOATING, floating_ips.create, rule("os-floating-ips:create"), floating_ips.NewFloatingIp | None,
          until=(2, 35)),
    Route("GET", f"{FLOATING}/{{floating_ip_id}}", floating_ips.show, rule("os-floating-ips:show"), until=(2, 35)),
    Route("DELETE", f"{FLOATING}/{{floating_ip_id}}", floating_ips.delete, rule("os-floating-ips:delete"), status=202,
          until=(2, 35)),
    Route("GET", "/v2.1/images", images.index, until=(2, 35)),
    Route("GET", "/v2.1/images/detail", images.detail, until=(2, 35)),
    Route("GET", IMAGE, images.show, until=(2, 35)),
    Route("DELETE", IMAGE, images.delete, status=204, until=(2, 35)),
    Route("GET", f"{IMAGE}/metadata", images.metadata, until=(2, 38)),
    Route("POST", f"{IMAGE}/metadata", images.merge_metadata, body=images.Items, until=(2, 38)),
    Route("PUT", f"{IMAGE}/metadata", images.replace_metadata, body=images.Items, until=(2, 38)),
    Route("GET", f"{IMAGE}/metadata/{{key}}", images.show_item, until=(2, 38)),
    Route("PUT", f"{IMAGE}/metadata/{{key}}", images.set_item, body=images.Item, until=(2, 38)),
    Route("DELETE", f"{IMAGE}/metadata/{{key}}", images.delete_item, status=204, until=(2, 38)),

    Route("GET", "/v2.1/flavors", flavors.index, query=FLAVORS, strict=(2, 75)),
    Route("POST", "/v2.1/flavors", flavors.create, rule("os-flavor-manage:create"), envelope("flavor", NewFlavor)),
    Route("GET", "/v2.1/flavors/detail", flavors.detail, query=FLAVORS, strict=(2, 75)),
    Route("GET", "/v2.1/flavors/{flavor_id}", flavors.show),
    Route("PUT", "/v2.1/flavors/{flavor_id}", flavors.update, rule("os-flavor-manage:update"),
          envelope("flavor", Description), since=(2, 55)),
    Route("DELETE", "/v2.1/flavors/{flavor_id}", flavors.delete, rule("os-flavor-manage:delete"), status=202),
    Route("GET", "/v2.1/flavors/{flavor_id}/os-extra_specs", flavors.specs, rule("os-flavor-extra-specs:index")),
    Route("POST", "/v2.1/flavors/{flavor_id}/os-extra_specs", flavors.set_specs,
          rule("os-flavor-extra-specs:create"), ExtraSpecs),
    Route("GET", "/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", flavors.show_spec,
          rule("os-flavor-extra-specs:show")),
    Route("PUT", "/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", flavors.set_spec,
          rule("os-flavor-extra-specs:update"), Specs),
    Route("DELETE", "/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", flavors.delete_spec,
          rule("os-flavor-extra-specs:delete")),
    Route("GET", "/v2.1/flavors/{flavor_id}/os-flavor-access", flavors.access, rule("os-flavor-access")),
    Route("POST", "/v2.1/flavors/{flavor_id}/action", flavors.add_access,
          rule("os-flavor-access:add_tenant_access"), Tenant, action="addTenantAccess"),
    Route("POST", "/v2.1/flavors/{flavor_id}/action", flavors.remove_access,
          rule("os-flavor-access:remove_tenant_access"), Tenant, action="removeTenantAccess"),

    Route("GET", "/v2.1/os-keypairs", key_pairs.index, rule("os-keypairs:index"),
          query="user_id limit marker", strict=(2, 75)),
    Route("POST", "/v2.1/os-keypairs", key_pairs.create, rule("os-keypairs:create"), envelope("keypair", NewKeyPair)),
    Route("GET", "/v2.1/os-keypairs/{name}", key_pairs.show, rule("os-keypairs:show"), query="user_id",
          strict=(2, 75)),
    Route("DELETE", "/v2.1/os-keypairs/{name}", key_pairs.delete, rule("os-keypairs:delete"), query="user_id",
          strict=(2, 75)),

    Route("GET", "/v2.1/os-services", hosts.services, rule("os-services:list"), query="host binary", strict=(2, 75)),
    Route("PUT", "/v2.1/os-services/{service_id}", hosts.update_service, rule("os-services:update"), ServiceChange,
          since=(2, 53)),
    Route("PUT", "/v2.1/os-services/{service_id}", hosts.update_service_by_name, rule("os-services:update"),
          OldServiceChange, until=(2, 52)),
    Route("DELETE", "/v2.1/os-services/{service_id}", hosts.delete_service, rule("os-services:delete"), status=204),
    Route("GET", "/v2.1/os-hypervisors", hosts.hypervisors, rule("os-hypervisors:list"), query=HYPERVISORS,
          strict=(2, 53)),
    Route("GET", "/v2.1/os-hypervisors/detail", hosts.hypervisors_detail, rule("os-hypervisors:list-detail"),
          query=HYPERVISORS, strict=(2, 53)),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}", hosts.hypervisor, rule("os-hypervisors:show"),
          query="with_servers", strict=(2, 53)),
    Route("GET", "/v2.1/os-hypervisors/statistics", hosts.statistics, rule("os-hypervisors:statistics"),
          until=(2, 87)),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}/search", hosts.search, rule("os-hypervisors:search"),
          until=(2, 52)),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}/servers", hosts.search_servers,
          rule("os-hypervisors:servers"), until=(2, 52)),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}/uptime", hosts.uptime, rule("os-hypervisors:uptime"),
          until=(2, 87)),
    Route("GET", "/v2.1/os-hosts", old_hosts.index, rule("os-hosts:list"), until=(2, 42)),
    Route("GET", HOST, old_hosts.show, rule("os-hosts:show"), until=(2, 42)),
    Route("PUT", HOST, old_hosts.update, rule("os-hosts:update"), old_hosts.HostChange, until=(2, 42)),
    Route("GET", f"{HOST}/startup", old_hosts.power, rule("os-hosts:start"), until=(2, 42)),
    Route("GET", f"{HOST}/shutdown", old_hosts.power, rule("os-hosts:shutdown"), until=(2, 42)),
    Route("GET", f"{HOST}/reboot", old_hosts.power, rule("os-hosts:reboot"), until=(2, 42)),
    Route("GET", AGGREGATES, aggregates.index, rule("os-aggregates:index")),
    Route("POST", AGGREGATES, aggregates.create, rule("os-aggregates:create"), envelope("aggregate", NewAggregate)),
    Route("GET", AGGREGATE, aggregates.show, rule("os-aggregates:show")),
    Route("PUT", AGGREGATE, aggregates.update, rule("os-aggregates:update"), envelope("aggregate", ChangedAggregate)),
    Route("DELETE", AGGREGATE, aggregates.delete, rule("os-aggregates:delete")),
    Route("POST", f"{AGGREGATE}/action", aggregates.add_host, rule("os-aggregates:add_host"), HostName,
          action="add_host"),
    Route("POST", f"{AGGREGATE}/action", aggregates.remove_host, rule("os-aggregates:remove_host"), HostName,
          action="remove_host"),
    Route("POST", f"{AGGREGATE}/action", aggregates.set_metadata, rule("os-aggregates:set_metadata"),
          aggregates.Items, action="set_metadata"),
    Route("POST", f"{AGGREGATE}/images", aggregates.cache_images, "compute:aggregates:images", aggregates.Images,
          status=202, since=(2, 81)),
    Route("GET", "/v2.1/os-availability-zone", hosts.zones, rule("os-availability-zone:list")),
    Route("GET", "/v2.1/os-availability-zone/detail", hosts.zones_detail, rule("os-availability-zone:detail")),

    Route("GET", "/v2.1/os-quota-sets/{tenant_id}", quotas.show, rule("os-quota-sets:show"), query="user_id",
          strict=(2, 75)),
    Route("GET", "/v2.1/os-quota-sets/{tenant_id}/detail", quotas.detail, rule("os-quota-sets:detail"),
          query="user_id", strict=(2, 75)),
    Route("GET", "/v2.1/os-quota-sets/{tenant_id}/defaults", quotas.defaults, rule("os-quota-sets:defaults")),
    Route("PUT", "/v2.1/os-quota-sets/{tenant_id}", quotas.update, rule("os-quota-sets:update"),
          envelope("quota_set", QuotaSet), query="user_id", strict=(2, 75)),
    Route("DELETE", "/v2.1/os-quota-sets/{tenant_id}", quotas.delete, rule("os-quota-sets:delete"), status=202,
          query="user_id", strict=(2, 75)),
    Route("GET", "/v2.1/os-quota-class-sets/{id}", quotas.show_class, rule("os-quota-class-sets:show")),
    Route("PUT", "/v2.1/os-quota-class-sets/{id}", quotas.update_class, rule("os-quota-class-sets:update"),
          envelope("quota_class_set", QuotaSet)),
    Route("GET", "/v2.1/limits", quotas.limits, rule("limits"), query="tenant_id reserved", strict=(2, 75)),
    Route("GET", "/v2.1/os-simple-tenant-usage", usage.index, rule("os-simple-tenant-usage:list"),
          query="start end detailed limit marker", strict=(2, 75)),
    Route("GET", "/v2.1/os-simple-tenant-usage/{tenant_id}", usage.show, query="start end limit marker",
          strict=(2, 75)),
    Route("GET", "/v2.1/extensions", extensions.index, rule("extensions")),
    Route("GET", "/v2.1/extensions/{alias}", extensions.show, rule("extensions")),
]
"""All under `/compute`."""

OLD_ROUTES = [
    replace(route, path=route.path.replace("/v2.1", "/v2", 1))
    for route in ROUTES
    if route.path.startswith("/v2.1") and route.since <= (2, 1)
]
"""The API of before microversions, `/v2`: what 2.1 has, for clients that ask for nothing newer."""

NEPHELE_ROUTES = [
    Route("GET", "/v1/servers/{server_id}/trace", nephele.trace),
    Route("GET", "/v1/servers/{server_id}/explain", nephele.explain),
    Route("POST", "/v1/explain", nephele.explain_request, body=nephele.ExplainBody),
    Route("GET", "/v1/operations", nephele.operations),
    Route("GET", "/v1/doctor", nephele.doctor, "nephele:doctor"),
    Route("POST", "/v1/reap", nephele.reap, "nephele:reap"),
]
"""What is our own, under `/nephele`."""
# fmt: on


def api(compute: Compute, policy: Policy | None = None) -> list[Api]:
    """Nova's HTTP face at `/compute`, and our own at `/nephele`."""
    policy = policy or Policy(RULES, SCOPES)
    nova: dict[str, Any] = {"faults": faults.nova, "policy": policy, "hides_methods": True, "strict": (2, 102)}
    return [
        Api("compute", "/compute", compute, ROUTES, versions=VERSIONS, project_prefix="/v2.1", **nova),
        Api("compute", "/compute", compute, OLD_ROUTES, project_prefix="/v2", **nova),
        Api("nephele", "/nephele", compute, NEPHELE_ROUTES, faults.nephele, policy),
    ]
