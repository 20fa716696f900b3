"""Every operation of the network API."""

from functools import partial
from typing import Any

from nephele.kernel.policy import Policy
from nephele.network.api import (
    agents,
    availability,
    handlers,
    pools,
    port_forwardings,
    qos,
    quotas,
    root,
    routers,
    topologies,
    trunks,
)
from nephele.network.api.floating_ips import FLOATING_IP
from nephele.network.api.kind import Kind
from nephele.network.api.metering import LABEL, METERING_RULE, counts
from nephele.network.api.networks import NETWORK, SUBNET
from nephele.network.api.pools import ADDRESS_GROUP, POOL, RBAC_POLICY, SCOPE
from nephele.network.api.ports import PORT
from nephele.network.api.qos import POLICY, RULE_KINDS
from nephele.network.api.routers import ROUTER
from nephele.network.api.security_groups import DEFAULT_RULE, GROUP, RULE
from nephele.network.api.topologies import SEGMENT
from nephele.network.api.trunks import TRUNK
from nephele.network.service import Networks
from nephele.web import faults
from nephele.web.routing import PUBLIC, Api, Route

Body = dict[str, Any]
KINDS = (
    NETWORK,
    SUBNET,
    PORT,
    GROUP,
    RULE,
    ROUTER,
    FLOATING_IP,
    POOL,
    SCOPE,
    ADDRESS_GROUP,
    RBAC_POLICY,
    POLICY,
    TRUNK,
    SEGMENT,
    DEFAULT_RULE,
    LABEL,
    METERING_RULE,
)


def _of(kind: Kind) -> list[Route]:
    """The operations that every kind has."""
    many = f"/v2.0/{kind.path}"
    one, tags = f"{many}/{{id}}", f"{many}/{{id}}/tags"
    changed = [Route("PUT", one, partial(handlers.update, kind), body=Body)] if kind.change else []
    return [
        Route("GET", many, partial(handlers.index, kind)),
        Route("POST", many, partial(handlers.create, kind), body=Body, status=201),
        Route("GET", one, partial(handlers.show, kind)),
        *changed,
        Route("DELETE", one, partial(handlers.delete, kind), status=204),
        Route("GET", tags, partial(handlers.get_tags, kind)),
        Route("PUT", tags, partial(handlers.replace_tags, kind), body=Body),
        Route("POST", tags, partial(handlers.add_tags, kind), body=Body),
        Route("DELETE", tags, partial(handlers.remove_tags, kind), status=204),
        Route("GET", f"{tags}/{{tag}}", partial(handlers.has_tag, kind), status=204),
        Route("PUT", f"{tags}/{{tag}}", partial(handlers.add_tag, kind), status=201),
        Route("DELETE", f"{tags}/{{tag}}", partial(handlers.remove_tag, kind), status=204),
    ]


def _qos_rules(kind: str) -> list[Route]:
    """The operations on one kind of QoS rule."""
    many, alone = f"/v2.0/qos/policies/{{id}}/{kind}_rules", f"/v2.0/qos/alias_{kind}_rules/{{id}}"
    return [
        Route("GET", many, partial(qos.index, kind)),
        Route("POST", many, partial(qos.create, kind), body=Body, status=201),
        *(
            route
            for one, held in ((f"{many}/{{other_id}}", qos.below(kind)), (alone, qos.alone(kind)))
            for route in (
                Route("GET", one, partial(qos.show, kind, held)),
                Route("PUT", one, partial(qos.update, kind, held), body=Body),
                Route("DELETE", one, partial(qos.delete, held), status=204),
            )
        ),
    ]


_ROUTER = "/v2.0/routers/{id}"
_AGENTS, _QUOTAS = "/v2.0/agents", "/v2.0/quotas"
_FORWARDINGS = "/v2.0/floatingips/{id}/port_forwardings"
ROUTES: list[Route] = [
    Route("GET", "/", root.versions, PUBLIC),
    Route("GET", "/v2.0", root.resources, PUBLIC),
    Route("GET", "/v2.0/extensions", root.extensions),
    Route("GET", "/v2.0/extensions/{id}", root.extension),
    *(route for kind in KINDS for route in _of(kind)),
    Route("PUT", f"{_ROUTER}/add_router_interface", routers.join, body=Body),
    Route("PUT", f"{_ROUTER}/remove_router_interface", routers.part, body=Body),
    Route("PUT", f"{_ROUTER}/add_extraroutes", routers.add_routes, body=Body),
    Route("PUT", f"{_ROUTER}/remove_extraroutes", routers.remove_routes, body=Body),
    Route("GET", f"{_ROUTER}/l3-agents", agents.l3_agents),
    Route("GET", _FORWARDINGS, port_forwardings.index),
    Route("POST", _FORWARDINGS, port_forwardings.create, body=Body, status=201),
    Route("GET", f"{_FORWARDINGS}/{{other_id}}", port_forwardings.show),
    Route("PUT", f"{_FORWARDINGS}/{{other_id}}", port_forwardings.update, body=Body),
    Route("DELETE", f"{_FORWARDINGS}/{{other_id}}", port_forwardings.delete, status=204),
    Route("GET", "/v2.0/floatingip_pools", availability.floating_pools),
    Route("PUT", "/v2.0/address-groups/{id}/add_addresses", pools.ADD_ADDRESSES, body=Body),
    Route("PUT", "/v2.0/address-groups/{id}/remove_addresses", pools.REMOVE_ADDRESSES, body=Body),
    Route("PUT", "/v2.0/subnetpools/{id}/add_prefixes", pools.ADD_PREFIXES, body=Body),
    Route("PUT", "/v2.0/subnetpools/{id}/remove_prefixes", pools.REMOVE_PREFIXES, body=Body),
    Route("GET", _QUOTAS, quotas.index),
    Route("GET", f"{_QUOTAS}/{{id}}", quotas.show),
    Route("PUT", f"{_QUOTAS}/{{id}}", quotas.update, body=Body),
    Route("DELETE", f"{_QUOTAS}/{{id}}", quotas.delete, status=204),
    Route("GET", f"{_QUOTAS}/{{id}}/default", quotas.defaults),
    Route("GET", f"{_QUOTAS}/{{id}}/details", quotas.details),
    Route("GET", f"{_QUOTAS}/{{id}}/details.json", quotas.details),
    Route("GET", _AGENTS, agents.index),
    Route("GET", f"{_AGENTS}/{{id}}", agents.show),
    Route("PUT", f"{_AGENTS}/{{id}}", agents.update, body=Body),
    Route("DELETE", f"{_AGENTS}/{{id}}", agents.delete, status=204),
    Route("GET", f"{_AGENTS}/{{id}}/dhcp-networks", agents.dhcp_networks),
    Route("POST", f"{_AGENTS}/{{id}}/dhcp-networks", agents.add_dhcp_network, body=Body, status=201),
    Route("DELETE", f"{_AGENTS}/{{id}}/dhcp-networks/{{other_id}}", agents.remove_dhcp_network, status=204),
    Route("GET", f"{_AGENTS}/{{id}}/l3-routers", agents.l3_routers),
    Route("POST", f"{_AGENTS}/{{id}}/l3-routers", agents.add_l3_router, body=Body, status=201),
    Route("DELETE", f"{_AGENTS}/{{id}}/l3-routers/{{other_id}}", agents.remove_l3_router, status=204),
    Route("GET", "/v2.0/networks/{id}/dhcp-agents", agents.dhcp_agents),
    Route("GET", "/v2.0/availability_zones", agents.zones),
    Route("GET", "/v2.0/network-ip-availabilities", availability.index),
    Route("GET", "/v2.0/network-ip-availabilities/{id}", availability.show),
    *(route for kind in RULE_KINDS for route in _qos_rules(kind)),
    Route("GET", "/v2.0/trunks/{id}/get_subports", trunks.subports),
    Route("PUT", "/v2.0/trunks/{id}/add_subports", trunks.ADD, body=Body),
    Route("PUT", "/v2.0/trunks/{id}/remove_subports", trunks.REMOVE, body=Body),
    Route("GET", "/v2.0/auto-allocated-topology/{id}", topologies.show),
    Route("DELETE", "/v2.0/auto-allocated-topology/{id}", topologies.delete, status=204),
    Route("GET", "/v2.0/qos/rule-types", qos.rule_types),
    Route("GET", "/v2.0/qos/rule-types/{id}", qos.rule_type),
    Route("GET", "/v2.0/service-providers", availability.providers),
]


def api(service: Networks, policy: Policy | None = None) -> Api:
    """The network service under `/network`."""
    return Api("network", "/network", service, ROUTES, faults.neutron, policy or service.policy)


def own_api(service: Networks, policy: Policy | None = None) -> Api:
    """What is Nephele's own of the network service, under `/nephele`."""
    routes = [Route("GET", "/v1/metering", counts)]
    return Api("nephele", "/nephele", service, routes, faults.nephele, policy or service.policy)
