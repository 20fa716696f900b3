"""Nova's operations, one line each."""

from dataclasses import replace
from typing import Any

from nephele.compute.api import (
    aggregates,
    extensions,
    flavors,
    hosts,
    images,
    key_pairs,
    nephele,
    old_hosts,
    quotas,
    security_groups,
    server_actions,
    server_devices,
    server_groups,
    server_labels,
    servers,
    tenant_networks,
    usage,
    versions,
)
from nephele.compute.api.aggregates import ChangedAggregate, HostName, NewAggregate
from nephele.compute.api.flavors import Description, ExtraSpecs, NewFlavor, Specs, Tenant
from nephele.compute.api.hosts import OldServiceChange, ServiceChange
from nephele.compute.api.key_pairs import NewKeyPair
from nephele.compute.api.quotas import QuotaSet
from nephele.compute.api.security_groups import GroupName, NewGroup, NewRule
from nephele.compute.api.server_actions import ConsoleLines, Reboot
from nephele.compute.api.server_bodies import CreateServerBody
from nephele.compute.api.server_labels import Item, Items, Tags
from nephele.compute.api.servers import ChangedServer
from nephele.compute.policy import RULES
from nephele.compute.service import Compute
from nephele.kernel.policy import Policy
from nephele.web import faults
from nephele.web.bodies import envelope
from nephele.web.microversions import Versions
from nephele.web.routing import PUBLIC, Api, Route

VERSIONS = Versions("compute", (2, 1), (2, 104), "X-OpenStack-Nova-API-Version")
SERVER = "/v2.1/servers/{server_id}"
ACTION = f"{SERVER}/action"
HOST = "/v2.1/os-hosts/{host_name}"
IMAGE = "/v2.1/images/{image_id}"
AGGREGATES = "/v2.1/os-aggregates"
AGGREGATE = f"{AGGREGATES}/{{aggregate_id}}"


def _rule(name: str) -> str:
    return f"os_compute_api:{name}"


# fmt: off
ROUTES = [
    Route("GET", "/", versions.index, PUBLIC),
    Route("GET", "/v2.1", versions.show, PUBLIC),

    Route("GET", "/v2.1/servers", servers.index, _rule("servers:index")),
    Route("POST", "/v2.1/servers", servers.create, _rule("servers:create"), CreateServerBody, status=202),
    Route("GET", "/v2.1/servers/detail", servers.detail, _rule("servers:detail")),
    Route("GET", "/v2.1/servers/{server_id}", servers.show, _rule("servers:show")),
    Route("PUT", "/v2.1/servers/{server_id}", servers.update, _rule("servers:update"),
          envelope("server", ChangedServer)),
    Route("DELETE", "/v2.1/servers/{server_id}", servers.delete, _rule("servers:delete"), status=204),
    Route("POST", "/v2.1/os-volumes_boot", servers.create, _rule("servers:create"), CreateServerBody, status=202,
          until=(2, 102)),

    Route("POST", ACTION, server_actions.start, _rule("servers:start"), action="os-start", status=202),
    Route("POST", ACTION, server_actions.stop, _rule("servers:stop"), action="os-stop", status=202),
    Route("POST", ACTION, server_actions.reboot, _rule("servers:reboot"), Reboot, action="reboot", status=202),
    Route("POST", ACTION, server_actions.console_output, _rule("os-console-output"), ConsoleLines,
          action="os-getConsoleOutput"),
    Route("GET", "/v2.1/servers/{server_id}/os-instance-actions", server_actions.index,
          _rule("os-instance-actions:list")),
    Route("GET", "/v2.1/servers/{server_id}/os-instance-actions/{request_id}", server_actions.show,
          _rule("os-instance-actions:show")),

    Route("POST", ACTION, server_labels.lock, _rule("os-lock-server:lock"), bytes, action="lock", status=202),
    Route("POST", ACTION, server_labels.unlock, _rule("os-lock-server:unlock"), action="unlock", status=202),
    Route("GET", f"{SERVER}/metadata", server_labels.metadata, _rule("server-metadata:index")),
    Route("POST", f"{SERVER}/metadata", server_labels.merge_metadata, _rule("server-metadata:create"), Items),
    Route("PUT", f"{SERVER}/metadata", server_labels.replace_metadata, _rule("server-metadata:update_all"), Items),
    Route("GET", f"{SERVER}/metadata/{{key}}", server_labels.show_item, _rule("server-metadata:show")),
    Route("PUT", f"{SERVER}/metadata/{{key}}", server_labels.set_item, _rule("server-metadata:update"), Item),
    Route("DELETE", f"{SERVER}/metadata/{{key}}", server_labels.delete_item, _rule("server-metadata:delete"),
          status=204),
    Route("GET", f"{SERVER}/tags", server_labels.tags, _rule("os-server-tags:index"), since=(2, 26)),
    Route("PUT", f"{SERVER}/tags", server_labels.replace_tags, _rule("os-server-tags:update_all"), Tags,
          since=(2, 26)),
    Route("DELETE", f"{SERVER}/tags", server_labels.delete_tags, _rule("os-server-tags:delete_all"), status=204,
          since=(2, 26)),
    Route("GET", f"{SERVER}/tags/{{tag}}", server_labels.has_tag, _rule("os-server-tags:show"), status=204,
          since=(2, 26)),
    Route("PUT", f"{SERVER}/tags/{{tag}}", server_labels.add_tag, _rule("os-server-tags:update"), since=(2, 26)),
    Route("DELETE", f"{SERVER}/tags/{{tag}}", server_labels.delete_tag, _rule("os-server-tags:delete"), status=204,
          since=(2, 26)),

    Route("GET", f"{SERVER}/ips", server_devices.ips, _rule("ips:index")),
    Route("GET", f"{SERVER}/ips/{{network_label}}", server_devices.ips_of_network, _rule("ips:show")),
    Route("GET", f"{SERVER}/os-interface", server_devices.interfaces, _rule("os-attach-interfaces:list")),
    Route("GET", f"{SERVER}/os-interface/{{port_id}}", server_devices.interface, _rule("os-attach-interfaces:show")),
    Route("GET", f"{SERVER}/os-volume_attachments", server_devices.volumes, _rule("os-volumes-attachments:index")),
    Route("GET", f"{SERVER}/os-volume_attachments/{{volume_id}}", server_devices.volume,
          _rule("os-volumes-attachments:show")),
    Route("PUT", f"{SERVER}/os-volume_attachments/{{volume_id}}", server_devices.change_volume,
          body=envelope("volumeAttachment", server_devices.ChangedVolume), status=202, since=(2, 85)),
    Route("GET", f"{SERVER}/os-security-groups", security_groups.of_server, _rule("os-security-groups:list")),
    Route("POST", ACTION, security_groups.add, _rule("os-security-groups:add"), GroupName, action="addSecurityGroup",
          status=202),
    Route("POST", ACTION, security_groups.remove, _rule("os-security-groups:remove"), GroupName,
          action="removeSecurityGroup", status=202),

    Route("GET", "/v2.1/os-security-groups", security_groups.index, _rule("os-security-groups:get"), until=(2, 35)),
    Route("POST", "/v2.1/os-security-groups", security_groups.create, _rule("os-security-groups:create"),
          envelope("security_group", NewGroup), until=(2, 35)),
    Route("GET", "/v2.1/os-security-groups/{group_id}", security_groups.show, _rule("os-security-groups:show"),
          until=(2, 35)),
    Route("PUT", "/v2.1/os-security-groups/{group_id}", security_groups.update, _rule("os-security-groups:update"),
          envelope("security_group", NewGroup), until=(2, 35)),
    Route("DELETE", "/v2.1/os-security-groups/{group_id}", security_groups.delete,
          _rule("os-security-groups:delete"), status=202, until=(2, 35)),
    Route("POST", "/v2.1/os-security-group-rules", security_groups.create_rule,
          _rule("os-security-groups:rule:create"), envelope("security_group_rule", NewRule), until=(2, 35)),
    Route("DELETE", "/v2.1/os-security-group-rules/{rule_id}", security_groups.delete_rule,
          _rule("os-security-groups:rule:delete"), status=202, until=(2, 35)),

    Route("GET", "/v2.1/os-server-groups", server_groups.index, _rule("os-server-groups:index")),
    Route("POST", "/v2.1/os-server-groups", server_groups.create_old, _rule("os-server-groups:create"),
          envelope("server_group", server_groups.OldGroup), until=(2, 63)),
    Route("POST", "/v2.1/os-server-groups", server_groups.create, _rule("os-server-groups:create"),
          envelope("server_group", server_groups.NewGroup), since=(2, 64)),
    Route("GET", "/v2.1/os-server-groups/{group_id}", server_groups.show, _rule("os-server-groups:show")),
    Route("DELETE", "/v2.1/os-server-groups/{group_id}", server_groups.delete, _rule("os-server-groups:delete"),
          status=204),

    Route("GET", "/v2.1/os-tenant-networks", tenant_networks.index, _rule("os-tenant-networks:list"), until=(2, 35)),
    Route("GET", "/v2.1/os-tenant-networks/{network_id}", tenant_networks.show, _rule("os-tenant-networks:show"),
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

    Route("GET", "/v2.1/flavors", flavors.index),
    Route("POST", "/v2.1/flavors", flavors.create, _rule("os-flavor-manage:create"), envelope("flavor", NewFlavor)),
    Route("GET", "/v2.1/flavors/detail", flavors.detail),
    Route("GET", "/v2.1/flavors/{flavor_id}", flavors.show),
    Route("PUT", "/v2.1/flavors/{flavor_id}", flavors.update, _rule("os-flavor-manage:update"),
          envelope("flavor", Description), since=(2, 55)),
    Route("DELETE", "/v2.1/flavors/{flavor_id}", flavors.delete, _rule("os-flavor-manage:delete"), status=202),
    Route("GET", "/v2.1/flavors/{flavor_id}/os-extra_specs", flavors.specs, _rule("os-flavor-extra-specs:index")),
    Route("POST", "/v2.1/flavors/{flavor_id}/os-extra_specs", flavors.set_specs,
          _rule("os-flavor-extra-specs:create"), ExtraSpecs),
    Route("GET", "/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", flavors.show_spec,
          _rule("os-flavor-extra-specs:show")),
    Route("PUT", "/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", flavors.set_spec,
          _rule("os-flavor-extra-specs:update"), Specs),
    Route("DELETE", "/v2.1/flavors/{flavor_id}/os-extra_specs/{key}", flavors.delete_spec,
          _rule("os-flavor-extra-specs:delete")),
    Route("GET", "/v2.1/flavors/{flavor_id}/os-flavor-access", flavors.access, _rule("os-flavor-access")),
    Route("POST", "/v2.1/flavors/{flavor_id}/action", flavors.add_access,
          _rule("os-flavor-access:add_tenant_access"), Tenant, action="addTenantAccess"),
    Route("POST", "/v2.1/flavors/{flavor_id}/action", flavors.remove_access,
          _rule("os-flavor-access:remove_tenant_access"), Tenant, action="removeTenantAccess"),

    Route("GET", "/v2.1/os-keypairs", key_pairs.index, _rule("os-keypairs:index")),
    Route("POST", "/v2.1/os-keypairs", key_pairs.create, _rule("os-keypairs:create"), envelope("keypair", NewKeyPair)),
    Route("GET", "/v2.1/os-keypairs/{name}", key_pairs.show, _rule("os-keypairs:show")),
    Route("DELETE", "/v2.1/os-keypairs/{name}", key_pairs.delete, _rule("os-keypairs:delete")),

    Route("GET", "/v2.1/os-services", hosts.services, _rule("os-services:list")),
    Route("PUT", "/v2.1/os-services/{service_id}", hosts.update_service, _rule("os-services:update"), ServiceChange,
          since=(2, 53)),
    Route("PUT", "/v2.1/os-services/{service_id}", hosts.update_service_by_name, _rule("os-services:update"),
          OldServiceChange, until=(2, 52)),
    Route("DELETE", "/v2.1/os-services/{service_id}", hosts.delete_service, _rule("os-services:delete"), status=204),
    Route("GET", "/v2.1/os-hypervisors", hosts.hypervisors, _rule("os-hypervisors:list")),
    Route("GET", "/v2.1/os-hypervisors/detail", hosts.hypervisors_detail, _rule("os-hypervisors:list-detail")),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}", hosts.hypervisor, _rule("os-hypervisors:show")),
    Route("GET", "/v2.1/os-hypervisors/statistics", hosts.statistics, _rule("os-hypervisors:statistics"),
          until=(2, 87)),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}/search", hosts.search, _rule("os-hypervisors:search"),
          until=(2, 52)),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}/servers", hosts.search_servers,
          _rule("os-hypervisors:servers"), until=(2, 52)),
    Route("GET", "/v2.1/os-hypervisors/{hypervisor_id}/uptime", hosts.uptime, _rule("os-hypervisors:uptime"),
          until=(2, 87)),
    Route("GET", "/v2.1/os-hosts", old_hosts.index, _rule("os-hosts:list"), until=(2, 42)),
    Route("GET", HOST, old_hosts.show, _rule("os-hosts:show"), until=(2, 42)),
    Route("PUT", HOST, old_hosts.update, _rule("os-hosts:update"), old_hosts.HostChange, until=(2, 42)),
    Route("GET", f"{HOST}/startup", old_hosts.power, _rule("os-hosts:start"), until=(2, 42)),
    Route("GET", f"{HOST}/shutdown", old_hosts.power, _rule("os-hosts:shutdown"), until=(2, 42)),
    Route("GET", f"{HOST}/reboot", old_hosts.power, _rule("os-hosts:reboot"), until=(2, 42)),
    Route("GET", AGGREGATES, aggregates.index, _rule("os-aggregates:index")),
    Route("POST", AGGREGATES, aggregates.create, _rule("os-aggregates:create"), envelope("aggregate", NewAggregate)),
    Route("GET", AGGREGATE, aggregates.show, _rule("os-aggregates:show")),
    Route("PUT", AGGREGATE, aggregates.update, _rule("os-aggregates:update"), envelope("aggregate", ChangedAggregate)),
    Route("DELETE", AGGREGATE, aggregates.delete, _rule("os-aggregates:delete")),
    Route("POST", f"{AGGREGATE}/action", aggregates.add_host, _rule("os-aggregates:add_host"), HostName,
          action="add_host"),
    Route("POST", f"{AGGREGATE}/action", aggregates.remove_host, _rule("os-aggregates:remove_host"), HostName,
          action="remove_host"),
    Route("POST", f"{AGGREGATE}/action", aggregates.set_metadata, _rule("os-aggregates:set_metadata"),
          aggregates.Items, action="set_metadata"),
    Route("GET", "/v2.1/os-availability-zone", hosts.zones, _rule("os-availability-zone:list")),
    Route("GET", "/v2.1/os-availability-zone/detail", hosts.zones_detail, _rule("os-availability-zone:detail")),

    Route("GET", "/v2.1/os-quota-sets/{tenant_id}", quotas.show, _rule("os-quota-sets:show")),
    Route("GET", "/v2.1/os-quota-sets/{tenant_id}/detail", quotas.detail, _rule("os-quota-sets:detail")),
    Route("GET", "/v2.1/os-quota-sets/{tenant_id}/defaults", quotas.defaults, _rule("os-quota-sets:defaults")),
    Route("PUT", "/v2.1/os-quota-sets/{tenant_id}", quotas.update, _rule("os-quota-sets:update"),
          envelope("quota_set", QuotaSet)),
    Route("DELETE", "/v2.1/os-quota-sets/{tenant_id}", quotas.delete, _rule("os-quota-sets:delete"), status=202),
    Route("GET", "/v2.1/os-quota-class-sets/{id}", quotas.show_class, _rule("os-quota-class-sets:show")),
    Route("PUT", "/v2.1/os-quota-class-sets/{id}", quotas.update_class, _rule("os-quota-class-sets:update"),
          envelope("quota_class_set", QuotaSet)),
    Route("GET", "/v2.1/limits", quotas.limits, _rule("limits")),
    Route("GET", "/v2.1/os-simple-tenant-usage", usage.index, _rule("os-simple-tenant-usage:list")),
    Route("GET", "/v2.1/os-simple-tenant-usage/{tenant_id}", usage.show),
    Route("GET", "/v2.1/extensions", extensions.index, _rule("extensions")),
    Route("GET", "/v2.1/extensions/{alias}", extensions.show, _rule("extensions")),
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
    Route("GET", "/v1/doctor", nephele.doctor, "nephele:doctor"),
    Route("POST", "/v1/reap", nephele.reap, "nephele:reap"),
]
"""What is our own, under `/nephele`."""
# fmt: on


def api(compute: Compute) -> list[Api]:
    """Nova's HTTP face at `/compute`, and our own at `/nephele`."""
    policy = Policy(RULES)
    nova: dict[str, Any] = {"faults": faults.nova, "policy": policy, "hides_methods": True}
    return [
        Api("compute", "/compute", compute, ROUTES, versions=VERSIONS, project_prefix="/v2.1", **nova),
        Api("compute", "/compute", compute, OLD_ROUTES, project_prefix="/v2", **nova),
        Api("nephele", "/nephele", compute, NEPHELE_ROUTES, faults.nephele, policy),
    ]
