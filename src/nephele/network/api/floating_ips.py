"""Floating IPs in the API."""

import msgspec

from nephele.network.api.kind import ID, STANDARD, Kind, Values
from nephele.network.attributes import Attribute, dns_label, ip, maybe, uuid
from nephele.network.floating_ips import (
    FLOATING_IPS,
    NewFloatingIp,
    change_floating_ip,
    create_floating_ip,
    delete_floating_ip,
)
from nephele.network.model import FloatingAddress
from nephele.network.work import Work


def _change(work: Work, old: FloatingAddress, values: Values) -> FloatingAddress:
    return change_floating_ip(work, old, msgspec.structs.replace(old, **values))


FLOATING_IP = Kind(
    "floatingip",
    "floatingips",
    "floatingips",
    FLOATING_IPS,
    (
        ID,
        *STANDARD,
        Attribute("floating_network_id", uuid),
        Attribute("floating_ip_address", maybe(ip), None),
        Attribute("subnet_id", maybe(uuid), None, shown=False),
        Attribute("port_id", maybe(uuid), None, put=True),
        Attribute("fixed_ip_address", maybe(ip), None, put=True),
        Attribute("router_id"),
        Attribute("status"),
        Attribute("port_details"),
        Attribute("port_forwardings"),
        Attribute("qos_policy_id", maybe(uuid), None, put=True),
        Attribute("dns_name", dns_label, ""),
        Attribute("dns_domain", dns_label, ""),
    ),
    lambda work, values: create_floating_ip(work, NewFloatingIp(**values)),
    _change,
    delete_floating_ip,
)
