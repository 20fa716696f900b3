"""Security groups and anti-spoofing of a host's ports, as nftables rules.

The kernels we run on have no connection tracking in the bridge family, so the work is shared: the bridge family
knows which tap a frame comes from and goes to, checks that the sender is who it says, and marks the packet; the
inet family sees bridged packets too (br_netfilter), tracks connections and judges by the mark.

    bridge prerouting   by tap: sender checks, mark FROM+port     by our own links: mark FROM
    inet   prerouting   connection tracking zone of the bridge; by mark: the port's egress rules; no mark: drop
    bridge forward      by tap: mark TO+port                      to our own links: mark 0
    inet   forward      by mark: the port's ingress rules; anything else that has a mark: drop
    inet   input        the host itself can't be reached from a bridge of ours

Marks outside of these are never changed, bridges that aren't ours never looked at.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from zlib import crc32

from nephele.network.agent.nft import Chain, Ruleset, Set, Table
from nephele.network.agent.pace import marked, pace_in, pace_out
from nephele.network.agent.protocols import rule_match
from nephele.network.wiring import HostWiring, WiredGroup, WiredPort

FROM, TO, LOST = 0x4E000000, 0x4F000000, 0x4FFFFFFF
_KIND = 0xFF000000
_ZONES = 65535

_OWN_TRAFFIC = (
    "udp sport 67 udp dport 68 accept",
    "udp sport 547 udp dport 546 accept",
    "icmpv6 type { 130, 131, 132, 134, 135, 136 } accept",
)
"""Let in to every port: answers to its DHCP requests, router advertisements, neighbour discovery."""


_TRACKED = ("ct state related accept", "ct state established ct direction reply accept", "ct state invalid drop")
"""Answers pass by their connection.  What opens a connection, and all that follows in that direction, is judged by the
rules each time: so a connection lives as long as the rule that let it begin."""


def filter_rules(wiring: HostWiring, members: Iterable[str]) -> Ruleset:
    """The rules of a host.  `members` are the links of our bridges that are no guest's taps."""
    if not wiring.networks:
        return Ruleset()
    marks = _numbers((port.id for port in wiring.ports), LOST & ~_KIND)
    return Ruleset((_bridge_table(wiring.ports, marks, tuple(members)), _inet_table(wiring, marks)))


def _numbers(ids: Iterable[str], limit: int) -> dict[str, int]:
    """A number from 1 to `limit` - 1 for each id: the same in every run, whatever else comes and goes."""
    taken: dict[int, str] = {}
    for one in sorted(ids):
        number = crc32(one.encode()) % (limit - 1)
        while number in taken:
            number = (number + 1) % (limit - 1)
        taken[number] = one
    return {one: number + 1 for number, one in taken.items()}


def _bridge_table(ports: tuple[WiredPort, ...], marks: dict[str, int], members: tuple[str, ...]) -> Table:
    senders = {_quoted(port.tap): f"jump {_chain('from', port.id)}" for port in ports if port.admin_state_up}
    senders |= {_quoted(port.tap): "drop" for port in ports if not port.admin_state_up}
    receivers = {_quoted(port.tap): f"{TO | marks[port.id]:#010x}" for port in ports if _is_filtered(port)}
    receivers |= {_quoted(port.tap): "0x00000000" for port in ports if not _is_filtered(port)}
    chains = {
        "prerouting": Chain(
            ("iifname vmap @senders", "meta mark set iifname map @members"),
            "type filter hook prerouting priority -300; policy accept",
        ),
        "forward": Chain(
            (
                "oifname @down drop",
                "oifname vmap @paced",
                f"meta mark & {_KIND:#x} == {FROM:#x} meta mark set {LOST:#x}",
                "meta mark set oifname map @receivers",
            ),
            "type filter hook forward priority -300; policy accept",
        ),
    }
    chains |= {_chain("from", port.id): _sender_chain(port, marks[port.id]) for port in ports if port.admin_state_up}
    paced = [port for port in ports if port.qos.ingress_packets]
    chains |= {_chain("pace", port.id): Chain(pace_in(port.qos)) for port in paced}
    sets = {
        "senders": Set("type ifname : verdict", senders, is_map=True),
        "members": Set("type ifname : mark", {_quoted(name): f"{FROM:#010x}" for name in members}, is_map=True),
        "receivers": Set(
            "type ifname : mark", receivers | {_quoted(name): "0x00000000" for name in members}, is_map=True
        ),
        "paced": Set(
            "type ifname : verdict",
            {_quoted(port.tap): f"jump {_chain('pace', port.id)}" for port in paced},
            is_map=True,
        ),
        "down": Set("type ifname", {_quoted(port.tap): "" for port in ports if not port.admin_state_up}),
    }
    return Table("bridge", sets, chains)


@lru_cache(8192)
def _sender_chain(port: WiredPort, mark: int) -> Chain:
    """Nothing but the port's own addresses, and nothing that only servers and routers send."""
    paced = (*pace_out(port.qos), *marked(port.qos))
    if not port.port_security:
        return Chain((*paced, f"meta mark set {FROM:#x} accept"))
    owned = _owned_addresses(port)
    macs = _braced(owned)
    passed = f"meta mark set {FROM | mark:#x} accept"
    free = f"meta mark set {FROM:#x} accept"
    rules = [
        *paced,
        f"ether saddr != {macs} drop",
        f"arp saddr ether != {macs} drop",
        "arp operation request arp saddr ip 0.0.0.0 accept",
        *(f"ether saddr {mac} arp saddr ip {_ranges(v4)} accept" for mac, (v4, _) in owned.items() if v4),
        "ether type arp drop",
        "udp sport 67 udp dport 68 drop",
        "udp sport 547 udp dport 546 drop",
        "icmpv6 type 134 drop",
        f"ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 {free}",
        f"ip6 saddr :: icmpv6 type {{ 131, 135, 143 }} {free}",
        *(f"ether saddr {mac} {claim} {free}" for mac, (_, v6) in owned.items() for claim in _claims(v6)),
        "icmpv6 type 136 drop",
    ]
    for mac, (v4, v6) in owned.items():
        if v4:
            rules.append(f"ether saddr {mac} ip saddr {_ranges(v4)} udp sport 68 udp dport 67 {free}")
            rules.append(f"ether saddr {mac} ip saddr {_ranges(v4)} {passed}")
        rules.append(f"ether saddr {mac} ip6 saddr {_ranges(v6)} udp sport 546 udp dport 547 {free}")
        rules.append(f"ether saddr {mac} ip6 saddr {_ranges(v6)} icmpv6 type {{ 130-133, 135, 143 }} {free}")
        rules.append(f"ether saddr {mac} ip6 saddr {_ranges(v6)} {passed}")
    return Chain((*rules, "drop"))


def _owned_addresses(port: WiredPort) -> dict[str, tuple[list[str], list[str]]]:
    """(IPv4, IPv6) addresses by the MAC they may be sent from, link-local ones included."""
    pairs = [(port.mac, one.ip_address) for one in port.fixed_ips]
    pairs += [(pair.mac or port.mac, pair.ip_address) for pair in port.address_pairs]
    owned: dict[str, tuple[list[str], list[str]]] = {port.mac.lower(): ([], [])}
    for mac, address in pairs:
        v4, v6 = owned.setdefault(mac.lower(), ([], []))
        (v6 if ":" in address else v4).append(address)
    for mac, (_, v6) in owned.items():
        v6.append(link_local(mac))
    return owned


def _claims(addresses: list[str]) -> list[str]:
    """Matches for neighbour advertisements that claim one of these addresses or prefixes, by the bits they fix."""
    networks = [IPv6Network(address, strict=False) for address in addresses]
    return [
        f"ip6 saddr {_ranges(addresses)} icmpv6 type 136 "
        + (f"@th,64,{one.prefixlen} {int(one.network_address) >> 128 - one.prefixlen:#x}" if one.prefixlen else "")
        for one in networks
    ]


def link_local(mac: str) -> str:
    """The IPv6 address that a MAC leads to on its link (EUI-64, RFC 4291)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    tail = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return "fe80::" + ":".join(f"{high << 8 | low:x}" for high, low in zip(tail[::2], tail[1::2], strict=True))


def _inet_table(wiring: HostWiring, marks: dict[str, int]) -> Table:
    bridges = {network.id: network.bridge for network in wiring.networks}
    zones = _numbers(bridges, _ZONES)
    filtered = [port for port in wiring.ports if _is_filtered(port)]
    stateful = {group.id: group.stateful for group in wiring.groups}
    egress = {f"{FROM | marks[port.id]:#010x}": f"jump {_chain('out', port.id)}" for port in filtered}
    ingress = {f"{TO | marks[port.id]:#010x}": f"jump {_chain('in', port.id)}" for port in filtered}
    sets = {
        "bridges": Set("type ifname", {_quoted(bridge): "" for bridge in bridges.values()}),
        "zones": Set(
            "typeof iifname : ct zone", {_quoted(bridges[one]): str(zone) for one, zone in zones.items()}, is_map=True
        ),
        "egress": Set("type mark : verdict", egress, is_map=True),
        "ingress": Set("type mark : verdict", ingress, is_map=True),
    }
    chains = {
        "zone": Chain(("ct zone set iifname map @zones",), "type filter hook prerouting priority raw; policy accept"),
        "prerouting": Chain(
            (
                "iifname @bridges meta mark vmap @egress",
                f"iifname @bridges meta mark & {_KIND:#x} != {FROM:#x} drop",
            ),
            "type filter hook prerouting priority filter; policy accept",
        ),
        "forward": Chain(
            ("iifname @bridges meta mark vmap @ingress", "iifname @bridges meta mark != 0 drop"),
            "type filter hook forward priority filter; policy accept",
        ),
        "input": Chain(("iifname @bridges drop",), "type filter hook input priority filter; policy accept"),
    }
    for port in filtered:
        tracked = any(stateful.get(group, True) for group in port.security_groups) or not port.security_groups
        chains |= _port_chains(port, [group for group in port.security_groups if group in stateful], tracked)
    for group in wiring.groups:
        sets |= _address_sets(group)
        chains |= _group_chains(group, stateful)
    return Table("inet", sets, chains)


def _port_chains(port: WiredPort, groups: list[str], tracked: bool) -> dict[str, Chain]:
    state = _TRACKED if tracked else ()
    return {
        _chain("out", port.id): Chain((*state, *(f"jump {_chain('sg_out', group)}" for group in groups), "drop")),
        _chain("in", port.id): Chain(
            (*state, *_OWN_TRAFFIC, *(f"jump {_chain('sg_in', group)}" for group in groups), "drop")
        ),
    }


def _group_chains(group: WiredGroup, known: Iterable[str]) -> dict[str, Chain]:
    """What a group lets out and in; every rule accepts, what no rule accepts returns to the port's chain."""
    rules: dict[str, dict[str, None]] = {"egress": {}, "ingress": {}}
    for rule in group.rules:
        if rule.remote_group and rule.remote_group not in known:
            continue  # no member of it anywhere
        side = "daddr" if rule.direction == "egress" else "saddr"
        family = "ip6" if rule.ethertype == "IPv6" else "ip"
        remote = f"{family} {side} @{_chain('addresses6' if family == 'ip6' else 'addresses4', rule.remote_group)}"
        if not rule.remote_group:
            remote = f"{family} {side} {rule.remote_cidr}" if rule.remote_cidr else ""
        rules[rule.direction][f"{rule_match(rule, remote)} accept"] = None
    return {
        _chain("sg_out", group.id): Chain(tuple(rules["egress"])),
        _chain("sg_in", group.id): Chain(tuple(rules["ingress"])),
    }


def _address_sets(group: WiredGroup) -> dict[str, Set]:
    found: dict[int, dict[str, str]] = {4: {}, 6: {}}
    for address in group.addresses:
        network = ip_network(address, strict=False)
        found[network.version][str(network)] = ""
    return {
        _chain(f"addresses{version}", group.id): Set(
            f"type {kind}; flags interval; auto-merge", dict(sorted(found[version].items()))
        )
        for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr"))
    }


def _is_filtered(port: WiredPort) -> bool:
    return port.port_security and port.admin_state_up


def _chain(kind: str, one: str) -> str:
    return f"{kind}_{one.replace('-', '')}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _braced(values: Iterable[str]) -> str:
    return "{ " + ", ".join(dict.fromkeys(values)) + " }"


def _ranges(addresses: Iterable[str]) -> str:
    """Addresses and CIDRs as a set, in which none may hold another."""
    networks = {ip_network(address, strict=False) for address in addresses}
    v4 = collapse_addresses(one for one in networks if isinstance(one, IPv4Network))
    v6 = collapse_addresses(one for one in networks if isinstance(one, IPv6Network))
    return _braced(str(one).removesuffix("/32").removesuffix("/128") for one in (*v4, *v6))
