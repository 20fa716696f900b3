"""Every operation of the network API."""

from functools import partial
from typing import Any

from nephele.kernel.policy import Policy
from nephele.network.api import handlers, root, routers
from nephele.network.api.floating_ips import FLOATING_IP
from nephele.network.api.kind import Kind
from nephele.network.api.networks import NETWORK, SUBNET
from nephele.network.api.ports import PORT
from nephele.network.api.routers import ROUTER
from nephele.network.api.security_groups import GROUP, RULE
from nephele.network.service import Networks
from nephele.web import faults
from nephele.web.routing import PUBLIC, Api, Route

Body = dict[str, Any]
KINDS = (NETWORK, SUBNET, PORT, GROUP, RULE, ROUTER, FLOATING_IP)


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


_ROUTER = "/v2.0/routers/{id}"
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
]


def api(service: Networks, policy: Policy | None = None) -> Api:
    """The network service under `/network`."""
    return Api("network", "/network", service, ROUTES, faults.neutron, policy or service.policy)
