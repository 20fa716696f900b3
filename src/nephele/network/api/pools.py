"""Subnet pools, address scopes, address groups and RBAC policies in the API."""

from typing import Any

import msgspec

from nephele.network import tables
from nephele.network.address_groups import (
    ADDRESS_GROUPS,
    add_addresses,
    change_address_group,
    create_address_group,
    delete_address_group,
    remove_addresses,
)
from nephele.network.api.kind import ID, NAME, STANDARD, Kind, Values
from nephele.network.api.listing import view_for
from nephele.network.api.networks import shared_filter
from nephele.network.attributes import (
    Attribute,
    Bad,
    Reader,
    boolean,
    cidr,
    integer,
    ip_or_cidr,
    many,
    maybe,
    one_of,
    text,
    uuid,
)
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY
from nephele.network.model import AddressGroup, AddressScope, RbacPolicy, SubnetPool
from nephele.network.records import BLANK
from nephele.network.service import Networks
from nephele.network.sharing import RBAC, change_rbac_policy, create_rbac_policy, delete_rbac_policy
from nephele.network.subnet_pools import (
    POOLS,
    SCOPES,
    NewPool,
    add_prefixes,
    change_pool,
    change_scope,
    create_pool,
    create_scope,
    delete_pool,
    delete_scope,
    remove_prefixes,
)
from nephele.network.work import Work
from nephele.web.call import Call

_prefixlen = maybe(integer(0, 128))


def _as_network(value: Any) -> str:
    """An address as a network of one."""
    found = ip_or_cidr(value)
    return str(found) if "/" in found else f"{found}/{128 if ':' in found else 32}"


def _change_pool(work: Work, old: SubnetPool, values: Values) -> SubnetPool:
    values = {key: value for key, value in values.items() if value is not None or key in _NULLABLE}
    return change_pool(work, old, msgspec.structs.replace(old, **values))


_NULLABLE = {"address_scope_id", "default_quota"}
POOL = Kind(
    "subnetpool",
    "subnetpools",
    "subnetpools",
    POOLS,
    (
        ID,
        Attribute("name", text(255, required=True), put=True),
        *STANDARD,
        Attribute("prefixes", many(cidr), put=True),
        Attribute("default_prefixlen", _prefixlen, None, put=True),
        Attribute("min_prefixlen", _prefixlen, None, put=True),
        Attribute("max_prefixlen", _prefixlen, None, put=True),
        Attribute("default_quota", maybe(integer(0, 1 << 62)), None, put=True),
        Attribute("ip_version"),
        Attribute("is_default", boolean, False, put=True),
        Attribute("address_scope_id", maybe(uuid), None, put=True),
        Attribute("shared", boolean, False),
    ),
    lambda work, values: create_pool(work, NewPool(**values)),
    _change_pool,
    delete_pool,
    filters={"shared": shared_filter("subnetpool", tables.subnet_pools.c.id)},
)

SCOPE = Kind(
    "address_scope",
    "address_scopes",
    "address-scopes",
    SCOPES,
    (
        ID,
        Attribute("name", text(255), "", put=True),
        *STANDARD,
        Attribute("ip_version", one_of(4, 6)),
        Attribute("shared", boolean, False, put=True),
    ),
    lambda work, values: create_scope(work, AddressScope(**BLANK | values)),
    lambda work, old, values: change_scope(work, old, msgspec.structs.replace(old, **values)),
    delete_scope,
    filters={"shared": shared_filter("address_scope", tables.address_scopes.c.id)},
)

ADDRESS_GROUP = Kind(
    "address_group",
    "address_groups",
    "address-groups",
    ADDRESS_GROUPS,
    (
        ID,
        NAME,
        *STANDARD,
        Attribute("addresses", many(_as_network), ()),
        Attribute("shared"),
    ),
    lambda work, values: create_address_group(work, AddressGroup(**BLANK | values)),
    lambda work, old, values: change_address_group(work, old, msgspec.structs.replace(old, **values)),
    delete_address_group,
    filters={"shared": shared_filter("address_group", tables.address_groups.c.id)},
)

RBAC_POLICY = Kind(
    "rbac_policy",
    "rbac_policies",
    "rbac-policies",
    RBAC,
    (
        ID,
        *STANDARD,
        Attribute("object_type", text(255)),
        Attribute("object_id", uuid),
        Attribute("action", text(255)),
        Attribute("target_tenant", text(255, required=True), put=True),
    ),
    lambda work, values: create_rbac_policy(work, RbacPolicy(**BLANK | values)),
    lambda work, old, values: change_rbac_policy(work, old, msgspec.structs.replace(old, **values)),
    delete_rbac_policy,
)


def _listed(call: Call, kind: Kind, name: str, read: Reader) -> tuple[str, ...]:
    given = call.body.get(kind.name, call.body)
    if not isinstance(given, dict) or set(given) != {name} or not given[name]:
        raise BAD_BODY(reason=f"The body must be {{'{kind.name}': {{'{name}': […]}}}}")
    try:
        return tuple(many(read)(given[name]))
    except Bad as bad:
        raise BAD_ATTRIBUTE(attribute=name, reason=bad) from None


def _changed(kind: Kind, name: str, read: Reader, rule: str, change: Any) -> Any:
    """The handler of a request that adds to a list, or takes from it."""

    def handler(service: Networks, call: Call) -> dict[str, Any]:
        with service.core.writing(call.context) as work:
            found = kind.records.get(work, call.path["id"])
            work.enforce(rule, kind.target(work, found))
            changed = change(work, found, _listed(call, kind, name, read))
            shown = view_for(work, kind)(changed)
            return {kind.name: shown} if kind is ADDRESS_GROUP else shown

    return handler


ADD_ADDRESSES = _changed(ADDRESS_GROUP, "addresses", _as_network, "add_addresses", add_addresses)
REMOVE_ADDRESSES = _changed(ADDRESS_GROUP, "addresses", _as_network, "remove_addresses", remove_addresses)
ADD_PREFIXES = _changed(POOL, "prefixes", cidr, "add_prefixes", add_prefixes)
REMOVE_PREFIXES = _changed(POOL, "prefixes", cidr, "remove_prefixes", remove_prefixes)
