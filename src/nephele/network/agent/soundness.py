"""What one tenant's data can't be expressed as rules is left out before it can spoil the rules of all others.

Left-out rules and addresses let nothing through: what they would have allowed stays closed, and the ports concerned are
reported as failed with the reason.
"""

from ipaddress import ip_network

import msgspec

from nephele.network.agent.protocols import protocol_number
from nephele.network.wiring import HostWiring, WiredGroup, WiredPort, WiredRule

_MOST = {"port": 65535, "protocol": 255}


def sound(wiring: HostWiring) -> tuple[HostWiring, dict[str, str]]:
    """The wiring with nothing in it that can't be applied, and by port id what was wrong."""
    groups, wrong = [], {}
    for group in wiring.groups:
        kept, reasons = _sound_group(group)
        groups.append(kept)
        if reasons:
            wrong[group.id] = f"security group {group.id}: {'; '.join(reasons)}"
    failed = {
        port.id: "; ".join(wrong[group] for group in port.security_groups if group in wrong)
        for port in wiring.ports
        if wrong.keys() & set(port.security_groups)
    }
    ports = []
    for port in wiring.ports:
        kept_port, reasons = _sound_port(port)
        ports.append(kept_port)
        if reasons:
            failed[port.id] = "; ".join([*reasons, *filter(None, [failed.get(port.id, "")])])
    return msgspec.structs.replace(wiring, groups=tuple(groups), ports=tuple(ports)), failed


def _sound_group(group: WiredGroup) -> tuple[WiredGroup, list[str]]:
    faults = [fault for rule in group.rules if (fault := rule_fault(rule))]
    faults += [f"no address: {address!r}" for address in group.addresses if not _is_address(address)]
    if not faults:
        return group, []
    rules = tuple(rule for rule in group.rules if not rule_fault(rule))
    return msgspec.structs.replace(group, rules=rules, addresses=tuple(filter(_is_address, group.addresses))), faults


def _sound_port(port: WiredPort) -> tuple[WiredPort, list[str]]:
    faults = [f"no address: {pair.ip_address!r}" for pair in port.address_pairs if not _is_address(pair.ip_address)]
    if not faults:
        return port, []
    pairs = tuple(pair for pair in port.address_pairs if _is_address(pair.ip_address))
    return msgspec.structs.replace(port, address_pairs=pairs), faults


def rule_fault(rule: WiredRule) -> str:
    """Why a rule can't be expressed; empty where it can."""
    try:
        number = protocol_number(rule)
    except ValueError:
        return f"unknown protocol {rule.protocol!r}"
    if number is not None and not 0 <= number <= _MOST["protocol"]:
        return f"unknown protocol {rule.protocol!r}"
    if not -1 <= rule.port_min <= _MOST["port"] or not -1 <= rule.port_max <= _MOST["port"]:
        return f"no such ports: {rule.port_min} to {rule.port_max}"
    if rule.remote_cidr and not _is_address(rule.remote_cidr, 6 if rule.ethertype == "IPv6" else 4):
        return f"no {rule.ethertype} address: {rule.remote_cidr!r}"
    return ""


def _is_address(text: str, version: int = 0) -> bool:
    try:
        return version in (0, ip_network(text, strict=False).version)
    except ValueError:
        return False
