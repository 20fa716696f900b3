"""Address groups: addresses that security group rules name as one."""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from nephele.network import errors, tables
from nephele.network.model import AddressGroup
from nephele.network.records import ME, Records, Rows, born
from nephele.network.sharing import forget_shares, granted, shared_among
from nephele.network.work import Work

_groups, _rules = tables.address_groups, tables.security_rules


def complete_shared(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    """Whether each is shared with the caller, for kinds that have nothing else behind their columns."""
    shared = shared_among(work, [row[0] for row in rows])
    return ((row[0] in shared,) for row in rows)


ADDRESS_GROUPS: Records[AddressGroup] = Records(
    _groups,
    AddressGroup,
    errors.ADDRESS_GROUP_NOT_FOUND,
    sa.or_(_groups.c.project_id == ME, _groups.c.id.in_(granted("address_group"))),
    complete_shared,
)


def create_address_group(work: Work, draft: AddressGroup) -> AddressGroup:
    """Make one."""
    group = born(work, draft)
    ADDRESS_GROUPS.insert(work, group)
    return group


def change_address_group(work: Work, old: AddressGroup, new: AddressGroup) -> AddressGroup:
    """Rename or describe one."""
    return ADDRESS_GROUPS.save(work, old, new)


def add_addresses(work: Work, group: AddressGroup, addresses: tuple[str, ...]) -> AddressGroup:
    """Put more addresses into it; they take effect where rules name it."""
    present = [address for address in addresses if address in group.addresses]
    if present:
        raise errors.ADDRESSES_PRESENT(addresses=present, id=group.id)
    work.rewire()
    return ADDRESS_GROUPS.save(work, group, msgspec.structs.replace(group, addresses=group.addresses + addresses))


def remove_addresses(work: Work, group: AddressGroup, addresses: tuple[str, ...]) -> AddressGroup:
    """Take addresses out of it."""
    absent = [address for address in addresses if address not in group.addresses]
    if absent:
        raise errors.ADDRESSES_MISSING(addresses=absent, id=group.id)
    left = tuple(address for address in group.addresses if address not in addresses)
    work.rewire()
    return ADDRESS_GROUPS.save(work, group, msgspec.structs.replace(group, addresses=left))


def delete_address_group(work: Work, group: AddressGroup) -> None:
    """Remove one; refused while rules name it."""
    if work.db.execute(sa.select(_rules.c.id).where(_rules.c.remote_address_group_id == group.id)).first():
        raise errors.ADDRESS_GROUP_IN_USE(id=group.id)
    forget_shares(work, group.id)
    ADDRESS_GROUPS.delete(work, group.id)
