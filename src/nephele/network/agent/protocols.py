"""How a security group rule names its protocol, and the same in nftables' words."""

from nephele.network.wiring import WiredRule

NUMBERS = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "ipv6-encap": 41,
    "ipv6-route": 43, "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58,
    "ipv6-nonxt": 59, "ipv6-opts": 60, "ospf": 89, "vrrp": 112, "pgm": 113, "sctp": 132, "udplite": 136,
}  # fmt: skip
"""Protocol names of the Networking API by IANA number."""

_ANY = {"", "any", "ip"}
_ICMP, _ICMPV6 = 1, 58
_WITH_PORTS = {6, 17, 33, 132, 136}


def protocol_number(rule: WiredRule) -> int | None:
    """The protocol's number; None: any.  ICMP in an IPv6 rule means ICMPv6."""
    name = rule.protocol.lower()
    if name in _ANY:
        return None
    number = NUMBERS[name] if name in NUMBERS else int(name)
    return _ICMPV6 if number == _ICMP and rule.ethertype == "IPv6" else number


def rule_match(rule: WiredRule, remote: str) -> str:
    """The match part of an nftables rule; `remote` is its expression for the other side, or empty."""
    family = "meta nfproto " + ("ipv6" if rule.ethertype == "IPv6" else "ipv4")
    return " ".join(part for part in (remote or family, _protocol(rule)) if part)


def _protocol(rule: WiredRule) -> str:
    number = protocol_number(rule)
    if number is None:
        return ""
    if number in (_ICMP, _ICMPV6) and rule.port_min >= 0:
        word = "icmp" if number == _ICMP else "icmpv6"
        code = f" {word} code {rule.port_max}" if rule.port_max >= 0 else ""
        return f"{word} type {rule.port_min}{code}"
    if number in _WITH_PORTS and (rule.port_min >= 0 or rule.port_max >= 0):
        first, last = max(rule.port_min, 0), rule.port_max if rule.port_max >= 0 else 65535
        return f"meta l4proto {number} th dport {first if first == last else f'{first}-{last}'}"
    return f"meta l4proto {number}"
