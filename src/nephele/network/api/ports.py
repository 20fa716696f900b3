"""Ports in the API."""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from nephele.network import tables
from nephele.network.api.kind import ID, NAME, STANDARD, Kind, Values
from nephele.network.api.networks import of_network, target_on_network
from nephele.network.attributes import (
    Attribute,
    Bad,
    boolean,
    dns_label,
    free,
    ip,
    ip_or_cidr,
    mac,
    many,
    maybe,
    one_of,
    record,
    text,
    uuid,
)
from nephele.network.ipam import WantedIp
from nephele.network.model import DhcpOption, Pair, Port
from nephele.network.ports import PORTS, NewPort, change_port, create_port, delete_port, new_mac
from nephele.network.work import Work

_ports, _addresses, _bound = tables.ports, tables.addresses, tables.port_groups
VNIC_TYPES = ("normal", "macvtap", "direct", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic",
              "remote-managed", "vdpa", "accelerator-direct", "accelerator-direct-physical")  # fmt: skip


def wanted_ip(value: Any) -> WantedIp:
    """One of `fixed_ips`."""
    wanted = record(WantedIp)(
        {key: found for key, found in value.items() if found} if isinstance(value, dict) else value
    )
    if wanted.subnet_id:
        uuid(wanted.subnet_id)
    return msgspec.structs.replace(wanted, ip_address=ip(wanted.ip_address)) if wanted.ip_address else wanted  # type: ignore[no-any-return]


def wanted_ips(value: Any) -> Any:
    """`fixed_ips`; null: let them be chosen."""
    return UNSET if value is None else many(wanted_ip)(value)


def address_pair(value: Any) -> Pair:
    """One of `allowed_address_pairs`."""
    if not isinstance(value, dict) or "ip_address" not in value or value.keys() - {"ip_address", "mac_address"}:
        raise Bad(f"'{value}' is not an address pair: it has ip_address and may have mac_address")
    own = value.get("mac_address")
    return Pair(ip_or_cidr(value["ip_address"]), mac(own) if own else "")


def address_pairs(value: Any) -> tuple[Pair, ...]:
    """`allowed_address_pairs`; duplicates are refused later, in the words of the API."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Bad("Allowed address pairs must be a list")
    return tuple(map(address_pair, value))


def dhcp_option(value: Any) -> DhcpOption:
    """One of `extra_dhcp_opts`; a null value takes the option away."""
    if not isinstance(value, dict) or not value.get("opt_name"):
        raise Bad(f"'{value}' is not a DHCP option: it has opt_name and opt_value")
    given = value.get("opt_value")
    name, wanted = text(64)(value["opt_name"]), "" if given is None else text(255)(given)
    version = one_of(4, 6)(value.get("ip_version", 4))
    return DhcpOption(name, wanted, version)


def _merged(old: Iterable[DhcpOption], new: Iterable[DhcpOption]) -> tuple[DhcpOption, ...]:
    """The options after a change: those named anew, and the old ones that were not."""
    options = {(option.opt_name, option.ip_version): option for option in old}
    options |= {(option.opt_name, option.ip_version): option for option in new}
    return tuple(option for option in options.values() if option.opt_value)


def _create(work: Work, values: Values) -> Port:
    values["dhcp_options"] = _merged((), values["dhcp_options"])
    return create_port(work, NewPort(**values))


def _change(work: Work, old: Port, values: Values) -> Port:
    wanted = values.pop("fixed_ips", UNSET)
    if "dhcp_options" in values:
        values["dhcp_options"] = _merged(old.dhcp_options, values["dhcp_options"])
    if values.get("mac_address") is UNSET:
        values["mac_address"] = new_mac(work, old.network_id)
    if values.get("security_groups") is UNSET:
        values["security_groups"] = ()
    return change_port(work, old, msgspec.structs.replace(old, **values), wanted)


def _target(work: Work, port: Port) -> dict[str, object]:
    return target_on_network(work, port) | {
        "device_owner": port.device_owner,
        "is_network_device": port.device_owner.startswith("network:"),
        "is_compute_device": port.device_owner.startswith(("compute:", "baremetal:", "manila:")),
    }


def _by_address(values: list[str]) -> sa.ColumnElement[bool]:
    """`fixed_ips=ip_address=10.0.0.3`: addresses or subnets, any of each kind that is named."""
    asked: dict[str, list[str]] = {}
    for value in values:
        name, _, wanted = value.partition("=")
        asked.setdefault(name, []).append(wanted)
    found = sa.select(_addresses.c.port_id)
    if "ip_address" in asked:
        found = found.where(_addresses.c.ip_address.in_(asked["ip_address"]))
    if "subnet_id" in asked:
        found = found.where(_addresses.c.subnet_id.in_(asked["subnet_id"]))
    if "ip_address_substr" in asked:
        parts = [_addresses.c.ip_address.contains(part, autoescape=True) for part in asked["ip_address_substr"]]
        found = found.where(sa.or_(*parts))
    return _ports.c.id.in_(found)


def _by_group(values: list[str]) -> sa.ColumnElement[bool]:
    return _ports.c.id.in_(sa.select(_bound.c.port_id).where(_bound.c.group_id.in_(values)))


PORT = Kind(
    "port",
    "ports",
    "ports",
    PORTS,
    (
        ID,
        NAME,
        *STANDARD,
        Attribute("network_id", uuid),
        Attribute("mac_address", lambda value: UNSET if value is None else mac(value), UNSET, put=True),
        Attribute("admin_state_up", boolean, True, put=True),
        Attribute("status"),
        Attribute("fixed_ips", wanted_ips, UNSET, put=True),
        Attribute("device_id", text(255), "", put=True),
        Attribute("device_owner", text(255), "", put=True),
        Attribute("security_groups", lambda value: UNSET if value is None else many(text(36))(value), UNSET, put=True),
        Attribute("port_security_enabled", boolean, UNSET, put=True),
        Attribute("allowed_address_pairs", address_pairs, (), put=True, field="address_pairs"),
        Attribute("extra_dhcp_opts", many(dhcp_option), (), put=True, field="dhcp_options"),
        Attribute("binding:host_id", text(255), "", put=True, field="host"),
        Attribute("binding:profile", free, {}, put=True, field="profile"),
        Attribute("binding:vnic_type", one_of(*VNIC_TYPES), "normal", put=True, field="vnic_type"),
        Attribute("binding:vif_type", field="vif_type"),
        Attribute("binding:vif_details", field="vif_details"),
        Attribute("dns_name", dns_label, "", put=True),
        Attribute("dns_assignment"),
        Attribute("qos_policy_id", maybe(uuid), None, put=True),
        Attribute("qos_network_policy_id"),
        Attribute("propagate_uplink_status", boolean, True, put=True),
    ),
    _create,
    _change,
    delete_port,
    target=_target,
    new_target=of_network,
    filters={"fixed_ips": _by_address, "security_groups": _by_group, "security_group_ids": _by_group},
)
