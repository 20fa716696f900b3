"""The routers that a host runs: their legs, floating IPs, port forwardings and routes."""

from collections import defaultdict

import msgspec
import sqlalchemy as sa

from nephele.network import tables
from nephele.network.metering import LABELS, METERING_RULES
from nephele.network.model import FloatingAddress, Owner, Port, Router
from nephele.network.model import PortForwarding as Forwarding
from nephele.network.ports import PORTS
from nephele.network.routers import ROUTERS
from nephele.network.wired_qos import wired_qos
from nephele.network.wiring import (
    UNLIMITED,
    FloatingIp,
    Meter,
    MeterRule,
    PortForwarding,
    RouterGateway,
    RouterInterface,
    WiredRouter,
)
from nephele.network.work import Work

_routers, _ports, _floating, _forwardings = (
    tables.routers,
    tables.ports,
    tables.floating_ips,
    tables.port_forwardings,
)


def wired_routers(work: Work, host: str) -> tuple[WiredRouter, ...]:
    """The routers placed on `host`."""
    routers = ROUTERS.where(work, _routers.c.host == host)
    if not routers:
        return ()
    ids = [router.id for router in routers]
    legs: dict[str, list[Port]] = defaultdict(list)
    for port in PORTS.where(work, _ports.c.device_id.in_(ids), _ports.c.device_owner.like("network:router%")):
        legs[port.device_id].append(port)
    floating: dict[str, list[FloatingIp]] = defaultdict(list)
    found = sa.select(_floating).where(_floating.c.router_id.in_(ids)).order_by(_floating.c.id)
    addresses = [FloatingAddress(*row) for row in work.db.execute(found)]
    qos = wired_qos(work, {one.qos_policy_id for one in addresses if one.qos_policy_id})
    for one in addresses:
        if one.router_id and one.fixed_ip_address:
            floating[one.router_id].append(
                FloatingIp(
                    id=one.id,
                    floating_ip=one.floating_ip_address,
                    fixed_ip=one.fixed_ip_address,
                    qos=qos.get(one.qos_policy_id or "", UNLIMITED),
                )
            )
    forwardings = _forwardings_of(work, ids)
    meters = _meters(work)
    return tuple(
        msgspec.structs.replace(
            _router(router, legs[router.id], floating[router.id], forwardings[router.id]),
            meters=(*meters.get(router.project_id, ()), *meters.get("", ())),
        )
        for router in routers
    )


def _meters(work: Work) -> dict[str, list[Meter]]:
    """Metering labels by the project whose routers they are for; those for all under an empty name."""
    rules: dict[str, list[MeterRule]] = defaultdict(list)
    for rule in METERING_RULES.where(work):
        inner = (rule.remote_ip_prefix,) if rule.remote_ip_prefix else ()
        source, destination = ((), inner) if rule.direction == "ingress" else (inner, ())
        rules[rule.metering_label_id].append(
            MeterRule(
                direction=rule.direction,
                excluded=rule.excluded,
                source=(*source, *((rule.source_ip_prefix,) if rule.source_ip_prefix else ())),
                destination=(*destination, *((rule.destination_ip_prefix,) if rule.destination_ip_prefix else ())),
            )
        )
    meters: dict[str, list[Meter]] = defaultdict(list)
    for label in LABELS.where(work, tables.metering_labels.c.id.in_(list(rules))) if rules else ():
        meters["" if label.shared else label.project_id].append(Meter(label_id=label.id, rules=tuple(rules[label.id])))
    return meters


def _router(
    router: Router, legs: list[Port], floating: list[FloatingIp], forwardings: list[PortForwarding]
) -> WiredRouter:
    gateway = next((leg for leg in legs if leg.device_owner == Owner.ROUTER_GATEWAY), None)
    return WiredRouter(
        id=router.id,
        admin_state_up=router.admin_state_up,
        interfaces=tuple(
            RouterInterface(port_id=leg.id, network_id=leg.network_id, mac=leg.mac_address, ips=leg.fixed_ips)
            for leg in legs
            if leg.device_owner == Owner.ROUTER_INTERFACE
        ),
        gateway=RouterGateway(
            port_id=gateway.id,
            network_id=gateway.network_id,
            mac=gateway.mac_address,
            ips=gateway.fixed_ips,
            enable_snat=router.enable_snat,
        )
        if gateway
        else None,
        floating_ips=tuple(floating),
        port_forwardings=tuple(forwardings),
        routes=tuple((route.destination, route.nexthop) for route in router.routes),
    )


def _forwardings_of(work: Work, router_ids: list[str]) -> dict[str, list[PortForwarding]]:
    """Port forwardings by the router that has their floating IP's network as its way out."""
    found: dict[str, list[PortForwarding]] = defaultdict(list)
    query = (
        sa.select(_forwardings, _floating.c.floating_ip_address, _floating.c.router_id)
        .join(_floating, _floating.c.id == _forwardings.c.floatingip_id)
        .where(_floating.c.router_id.in_(router_ids))
        .order_by(_forwardings.c.id)
    )
    for row in work.db.execute(query):
        one = Forwarding(*row[:-2])
        found[row[-1]].append(
            PortForwarding(
                id=one.id,
                floating_ip=row[-2],
                protocol=one.protocol,
                external_port=(one.external_port_first, one.external_port_last),
                internal_ip=one.internal_ip_address,
                internal_port=(one.internal_port_first, one.internal_port_last),
            )
        )
    return found
