"""Routers in the API, with their interfaces and extra routes."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from nephele.network.api.kind import ID, NAME, STANDARD, Kind, Values
from nephele.network.api.listing import view_for
from nephele.network.api.ports import wanted_ip
from nephele.network.attributes import Attribute, Bad, boolean, cidr, ip, many, record, text, uuid
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY
from nephele.network.interfaces import Interface, Joined, add_interface, remove_interface
from nephele.network.model import HostRoute, Router
from nephele.network.routers import ROUTERS, GatewayWish, NewRouter, change_router, create_router, delete_router
from nephele.network.service import Networks
from nephele.network.work import Work
from nephele.web.call import Call

MAX_ROUTES = 30


def gateway(value: Any) -> GatewayWish | None:
    """`external_gateway_info`; null, or nothing in it, is none."""
    if value is None or value == {}:
        return None
    wish: GatewayWish = record(GatewayWish)({**value, "external_fixed_ips": []} if isinstance(value, dict) else value)
    uuid(wish.network_id)
    ips = value.get("external_fixed_ips")
    if ips is None:
        return msgspec.structs.replace(wish, external_fixed_ips=UNSET)
    return msgspec.structs.replace(wish, external_fixed_ips=many(wanted_ip)(ips))


def route(value: Any) -> HostRoute:
    """One of `routes`."""
    given = record(HostRoute)(value)
    return HostRoute(cidr(given.destination), ip(given.nexthop))


def not_here(value: Any) -> bool:
    """An attribute that can only be false in this cloud."""
    if value is not None and boolean(value):
        raise Bad("routers of this cloud run on one host, and are moved when it fails")
    return False


def _create(work: Work, values: Values) -> Router:
    wish = values.pop("external_gateway_info")
    del values["distributed"], values["ha"]
    return create_router(work, NewRouter(**values, gateway=wish))


def _change(work: Work, old: Router, values: Values) -> Router:
    wish = values.pop("external_gateway_info", UNSET)
    values = {name: value for name, value in values.items() if name not in ("distributed", "ha")}
    return change_router(work, old, msgspec.structs.replace(old, **values), wish)


ROUTER = Kind(
    "router",
    "routers",
    "routers",
    ROUTERS,
    (
        ID,
        NAME,
        *STANDARD,
        Attribute("admin_state_up", boolean, True, put=True),
        Attribute("status"),
        Attribute("external_gateway_info", gateway, None, put=True),
        Attribute("routes", many(route, MAX_ROUTES), (), post=False, put=True),
        Attribute("availability_zone_hints", many(text(255)), ()),
        Attribute("distributed", not_here, False, put=True),
        Attribute("ha", not_here, False, put=True),
    ),
    _create,
    _change,
    delete_router,
)


def _interface(body: dict[str, Any]) -> Interface:
    if not isinstance(body, dict) or body.keys() - {"subnet_id", "port_id"}:
        raise BAD_BODY(reason="Only subnet_id or port_id can be given")
    given = {name: value for name, value in body.items() if value is not None}
    try:
        return Interface(**{name: uuid(value) for name, value in given.items()})
    except Bad as bad:
        raise BAD_ATTRIBUTE(attribute="/".join(given), reason=bad) from None


def _router(work: Work, call: Call, rule: str) -> Router:
    router = ROUTERS.get(work, call.path["id"])
    work.enforce(rule, {"project_id": router.project_id})
    return router


def join(service: Networks, call: Call) -> Joined:
    """Add an interface."""
    with service.core.writing(call.context) as work:
        return add_interface(work, _router(work, call, "add_router_interface"), _interface(call.body))


def part(service: Networks, call: Call) -> Joined:
    """Remove an interface."""
    with service.core.writing(call.context) as work:
        return remove_interface(work, _router(work, call, "remove_router_interface"), _interface(call.body))


def _routes_in(body: dict[str, Any]) -> Sequence[HostRoute]:
    given = body.get("router")
    if not isinstance(given, dict) or set(given) != {"routes"}:
        raise BAD_BODY(reason="The body must be a router with routes and nothing else")
    try:
        return tuple(many(route)(given["routes"]))
    except Bad as bad:
        raise BAD_ATTRIBUTE(attribute="routes", reason=bad) from None


def add_routes(service: Networks, call: Call) -> dict[str, Any]:
    """Add extra routes to those it has."""
    with service.core.writing(call.context) as work:
        router = _router(work, call, "add_extraroutes")
        routes = tuple(dict.fromkeys((*router.routes, *_routes_in(call.body))))
        changed = change_router(work, router, msgspec.structs.replace(router, routes=routes))
        return {"router": view_for(work, ROUTER)(changed)}


def remove_routes(service: Networks, call: Call) -> dict[str, Any]:
    """Remove some of its extra routes; those it has not don't matter."""
    with service.core.writing(call.context) as work:
        router = _router(work, call, "remove_extraroutes")
        gone = set(_routes_in(call.body))
        routes = tuple(one for one in router.routes if one not in gone)
        changed = change_router(work, router, msgspec.structs.replace(router, routes=routes))
        return {"router": view_for(work, ROUTER)(changed)}
