"""A router's rules: what it translates, as nftables rules of its namespace."""

from nephele.network.agent import names
from nephele.network.agent.meters import counter_name
from nephele.network.agent.nft import Chain, Ruleset, Set, Table
from nephele.network.agent.pace import pace_in, pace_out
from nephele.network.wiring import Meter, PortForwarding, WiredRouter

_FROM_INSIDE = 0x4E000001
_PAIR = "type ipv4_addr . ipv4_addr"


def router_rules(router: WiredRouter) -> Ruleset:
    """All rules of a router.  Nobody asks it for DHCPv6: networks have servers of their own."""
    asked = Chain(("udp dport 547 drop",), "type filter hook input priority filter; policy accept")
    sets, chains = _translation(router)
    if router.gateway is None or not router.meters:
        return Ruleset((Table("inet", sets, {"asked": asked} | chains),))
    outer = f'"{names.router_gateway(router.gateway.port_id)}"'
    meters = {counter_name(meter.label_id): Chain(_metered(meter, outer)) for meter in router.meters}
    counted = Chain(tuple(f"jump {name}" for name in meters), "type filter hook forward priority 10; policy accept")
    return Ruleset((Table("inet", sets, {"asked": asked, "counted": counted} | meters | chains, tuple(meters)),))


def _metered(meter: Meter, outer: str) -> tuple[str, ...]:
    """What a label counts: what it leaves out comes first."""
    rules = []
    for rule in sorted(meter.rules, key=lambda rule: not rule.excluded):
        parts = ["iifname" if rule.direction == "ingress" else "oifname", outer]
        for side, prefixes in (("saddr", rule.source), ("daddr", rule.destination)):
            parts += [f"{'ip6' if ':' in prefix else 'ip'} {side} {prefix}" for prefix in prefixes]
        rules.append(
            " ".join((*parts, "return" if rule.excluded else f"counter name {counter_name(meter.label_id)} return"))
        )
    return tuple(rules)


def _translation(router: WiredRouter) -> tuple[dict[str, Set], dict[str, Chain]]:
    """Floating IPs and port forwardings in, floating IPs and the gateway's address out.

    A guest that reaches another one of its own router by floating IP is seen as coming from the gateway, so that the
    answers pass here too.  Connections end with the floating IP or forwarding that they came by: the kernel would
    translate them on, under an address that may be another's by then.  Without a gateway there is nothing to translate.
    """
    gateway = router.gateway
    if gateway is None:
        return {}, {}
    outer = f'"{names.router_gateway(gateway.port_id)}"'
    own = next((one.ip_address for one in gateway.ips if ":" not in one.ip_address), "")
    leaving = [f"oifname {outer} snat ip to ip saddr map @fixed_to_floating"]
    if own:
        leaving.append(f"oifname != {outer} meta mark {_FROM_INSIDE:#x} ct status dnat snat ip to {own}")
        if gateway.enable_snat:
            leaving.append(f"oifname {outer} snat ip to {own}")
    mark_inner = f"iifname != {outer} meta mark set {_FROM_INSIDE:#x}"
    pairs = [(one.floating_ip, one.fixed_ip) for one in router.floating_ips if one.fixed_ip]
    forwarded = [(one.floating_ip, one.internal_ip) for one in router.port_forwardings]
    to_own = f"ct reply ip daddr != {own} " if own else ""
    chains = {
        "arriving": Chain(
            (mark_inner, *map(_forwarding, router.port_forwardings), "dnat ip to ip daddr map @floating_to_fixed"),
            "type nat hook prerouting priority dstnat; policy accept",
        ),
        "leaving": Chain(tuple(leaving), "type nat hook postrouting priority srcnat; policy accept"),
    }
    limits = [
        rule
        for one in router.floating_ips
        for rule in (
            *pace_out(one.qos, f"oifname {outer} ip saddr {one.fixed_ip}"),
            *pace_in(one.qos, f"iifname {outer} ip daddr {one.fixed_ip}", by_bytes=True),
        )
    ]
    chains["passing"] = Chain(
        (
            *limits,
            "ct status dnat ct direction original ct original ip daddr . ip daddr != @entrances drop",
            f"oifname {outer} ct status snat ct direction original {to_own}ip saddr . ct reply ip daddr != @exits drop",
        ),
        "type filter hook forward priority filter; policy accept",
    )
    sets = {
        "entrances": Set(_PAIR, {f"{outer_ip} . {inner_ip}": "" for outer_ip, inner_ip in (*pairs, *forwarded)}),
        "exits": Set(_PAIR, {f"{fixed} . {floating}": "" for floating, fixed in pairs}),
        "floating_to_fixed": Set("type ipv4_addr : ipv4_addr", dict(pairs), is_map=True),
        "fixed_to_floating": Set(
            "type ipv4_addr : ipv4_addr", {fixed: floating for floating, fixed in reversed(pairs)}, is_map=True
        ),
    }
    return sets, chains


def _forwarding(one: PortForwarding) -> str:
    (outer_first, outer_last), (inner_first, inner_last) = one.external_port, one.internal_port
    outer = str(outer_first) if outer_first == outer_last else f"{outer_first}-{outer_last}"
    inner = str(inner_first) if inner_first == inner_last else f"{inner_first}-{inner_last}"
    return f"ip daddr {one.floating_ip} {one.protocol} dport {outer} dnat ip to {one.internal_ip}:{inner}"
