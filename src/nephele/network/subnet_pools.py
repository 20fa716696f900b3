"""Subnet pools and address scopes: prefixes that subnets are cut from, and where addresses are unique."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.network import errors, tables
from nephele.network.address_groups import complete_shared
from nephele.network.ipam import span, to_text
from nephele.network.model import AddressScope, SubnetPool
from nephele.network.quotas import take_quota
from nephele.network.records import BLANK, ME, Records, born
from nephele.network.sharing import apply_shared, forget_shares, granted
from nephele.network.work import Work

if TYPE_CHECKING:
    from nephele.network.subnets import NewSubnet

_scopes, _pools, _subnets = tables.address_scopes, tables.subnet_pools, tables.subnets

Prefix = IPv4Network | IPv6Network

SCOPES: Records[AddressScope] = Records(
    _scopes,
    AddressScope,
    errors.SCOPE_NOT_FOUND,
    sa.or_(_scopes.c.project_id == ME, _scopes.c.id.in_(granted("address_scope"))),
    complete_shared,
)
POOLS: Records[SubnetPool] = Records(
    _pools,
    SubnetPool,
    errors.POOL_NOT_FOUND,
    sa.or_(_pools.c.project_id == ME, _pools.c.id.in_(granted("subnetpool"))),
    complete_shared,
)


class NewPool(Struct, frozen=True, kw_only=True):
    """What a subnet pool is made from."""

    project_id: str
    name: str
    prefixes: tuple[str, ...]
    description: str = ""
    default_prefixlen: int | None = None
    min_prefixlen: int | None = None
    max_prefixlen: int | None = None
    default_quota: int | None = None
    is_default: bool = False
    address_scope_id: str | None = None
    shared: bool = False


def create_scope(work: Work, draft: AddressScope) -> AddressScope:
    """Make an address scope."""
    scope = born(work, draft)
    SCOPES.insert(work, scope)
    if scope.shared:
        apply_shared(work, "address_scope", scope.id, scope.project_id, shared=True)
    return scope


def change_scope(work: Work, old: AddressScope, new: AddressScope) -> AddressScope:
    """Rename an address scope, or share it."""
    if old.shared and not new.shared:
        raise errors.BAD_INPUT(
            reason=f"Unable to update address scope {old.id} : Shared address scope can't be unshared"
        )
    changed = SCOPES.save(work, old, new)
    if new.shared and not old.shared:
        apply_shared(work, "address_scope", old.id, old.project_id, shared=True)
    return changed


def delete_scope(work: Work, scope: AddressScope) -> None:
    """Remove an address scope; refused while pools are in it."""
    if work.db.execute(sa.select(_pools.c.id).where(_pools.c.address_scope_id == scope.id)).first():
        raise errors.SCOPE_IN_USE(id=scope.id)
    forget_shares(work, scope.id)
    SCOPES.delete(work, scope.id)


def create_pool(work: Work, new: NewPool) -> SubnetPool:
    """Make a subnet pool."""
    take_quota(work, "subnetpool", new.project_id)
    if not new.prefixes:
        raise errors.BAD_INPUT(reason="a subnet pool needs at least one prefix")
    versions = {span(prefix)[2] for prefix in new.prefixes}
    if len(versions) > 1:
        raise errors.BAD_INPUT(reason="Cannot mix IPv4 and IPv6 prefixes in a subnet pool")
    version = versions.pop()
    shortest, longest = (8, 32) if version == 4 else (64, 128)
    lowest = shortest if new.min_prefixlen is None else new.min_prefixlen
    draft = SubnetPool(
        **BLANK | {"description": new.description},
        project_id=new.project_id,
        name=new.name,
        ip_version=version,
        prefixes=compact(new.prefixes),
        default_prefixlen=lowest if new.default_prefixlen is None else new.default_prefixlen,
        min_prefixlen=lowest,
        max_prefixlen=longest if new.max_prefixlen is None else new.max_prefixlen,
        default_quota=new.default_quota,
        is_default=new.is_default,
        address_scope_id=new.address_scope_id,
        shared=new.shared,
    )
    _check(work, draft)
    pool = born(work, draft)
    POOLS.insert(work, pool)
    if pool.shared:
        apply_shared(work, "subnetpool", pool.id, pool.project_id, shared=True)
    return pool


def change_pool(work: Work, old: SubnetPool, new: SubnetPool) -> SubnetPool:
    """Change a subnet pool; prefixes may be added, not taken away (there is another request for that)."""
    new = msgspec.structs.replace(new, prefixes=compact(new.prefixes))
    if not all(_inside(prefix, new.prefixes) for prefix in old.prefixes):
        raise errors.BAD_INPUT(reason="Existing prefixes must be a subset of the new prefixes")
    _check(work, new)
    changed = POOLS.save(work, old, new)
    if old.shared != new.shared:
        apply_shared(work, "subnetpool", old.id, old.project_id, shared=new.shared)
    return changed


def add_prefixes(work: Work, pool: SubnetPool, prefixes: Sequence[str]) -> SubnetPool:
    """Let subnets be cut from these too."""
    new = msgspec.structs.replace(pool, prefixes=(*pool.prefixes, *prefixes))
    return change_pool(work, pool, new)


def remove_prefixes(work: Work, pool: SubnetPool, prefixes: Sequence[str]) -> SubnetPool:
    """Let no subnet be cut from these any more; refused where one was."""
    for cidr in _cut(work, pool.id):
        if any(_overlaps(cidr, prefix) for prefix in prefixes):
            raise errors.POOL_IN_USE(id=pool.id, reason=f"Subnet {cidr} was allocated from it")
    left = list(map(ip_network, pool.prefixes))
    for prefix in prefixes:
        gone = ip_network(prefix)
        left = [piece for one in left for piece in _without(one, gone)]
    return POOLS.save(work, pool, msgspec.structs.replace(pool, prefixes=compact([str(one) for one in left])))


def _without(network: Prefix, gone: Prefix) -> list[Prefix]:
    """What is left of a network without another."""
    if isinstance(network, IPv4Network) and isinstance(gone, IPv4Network) and network.overlaps(gone):
        return [] if network.subnet_of(gone) else list(network.address_exclude(gone))
    if isinstance(network, IPv6Network) and isinstance(gone, IPv6Network) and network.overlaps(gone):
        return [] if network.subnet_of(gone) else list(network.address_exclude(gone))
    return [network]


def delete_pool(work: Work, pool: SubnetPool) -> None:
    """Remove a subnet pool; refused while subnets come from it."""
    if _cut(work, pool.id):
        raise errors.POOL_IN_USE(id=pool.id, reason="Subnet pool has existing allocations")
    forget_shares(work, pool.id)
    POOLS.delete(work, pool.id)


def compact(prefixes: Sequence[str]) -> tuple[str, ...]:
    """Prefixes without those that others contain, neighbours joined, in order."""
    networks = [ip_network(prefix) for prefix in prefixes]
    fours = [one for one in networks if isinstance(one, IPv4Network)]
    sixes = [one for one in networks if isinstance(one, IPv6Network)]
    return tuple(str(one) for one in (*collapse_addresses(fours), *collapse_addresses(sixes)))


def _inside(prefix: str, others: Sequence[str]) -> bool:
    first, last, version = span(prefix)
    return any(version == one[2] and one[0] <= first and last <= one[1] for one in map(span, others))


def _overlaps(one: str, other: str) -> bool:
    first, last, version = span(one)
    low, high, other_version = span(other)
    return version == other_version and first <= high and low <= last


def _check(work: Work, pool: SubnetPool) -> None:
    longest = 32 if pool.ip_version == 4 else 128
    names = {"min": pool.min_prefixlen, "default": pool.default_prefixlen, "max": pool.max_prefixlen}
    if pool.max_prefixlen > longest or pool.min_prefixlen < 0:
        raise errors.BAD_INPUT(reason=f"Illegal prefix bounds: prefixes have 0 to {longest} bits")
    if not pool.min_prefixlen <= pool.default_prefixlen <= pool.max_prefixlen:
        raise errors.BAD_INPUT(reason=f"Illegal prefix bounds: {names} are not in order")
    if any(span(prefix)[2] != pool.ip_version for prefix in pool.prefixes):
        raise errors.BAD_INPUT(reason="Cannot mix IPv4 and IPv6 prefixes in a subnet pool")
    if pool.is_default:
        twin = sa.select(_pools.c.id).where(
            _pools.c.is_default, _pools.c.ip_version == pool.ip_version, _pools.c.id != pool.id
        )
        if work.db.execute(twin).first():
            raise errors.BAD_INPUT(reason=f"A default subnetpool for IPv{pool.ip_version} has already been set")
    if pool.address_scope_id:
        _check_scope(work, pool, SCOPES.get(work, pool.address_scope_id))


def _check_scope(work: Work, pool: SubnetPool, scope: AddressScope) -> None:
    """All pools of a scope have different addresses, of its IP version."""
    if scope.ip_version != pool.ip_version:
        raise errors.BAD_INPUT(reason=f"Address scope {scope.id} is of another IP version than the pool")
    for other in POOLS.where(work, _pools.c.address_scope_id == scope.id, _pools.c.id != pool.id):
        if any(_overlaps(one, two) for one in pool.prefixes for two in other.prefixes):
            raise errors.BAD_INPUT(
                reason=f"Failed to associate address scope: subnetpools {pool.id} and {other.id} overlap"
            )


def cut_prefix(work: Work, new: "NewSubnet") -> tuple[str | None, str]:
    """The pool and prefix of a new subnet: as given, or cut from a pool.

    Raises:
        POOL_NOT_FOUND, POOL_EXHAUSTED, POOL_TOO_SHORT, POOL_TOO_LONG, POOL_QUOTA, BAD_INPUT.
    """
    pool = _pool_for(work, new)
    if pool is None:
        if new.cidr is None:
            raise errors.BAD_INPUT(reason="a subnetpool must be specified in the absence of a cidr")
        return None, new.cidr
    if new.ip_version is not None and new.ip_version != pool.ip_version:
        raise errors.BAD_INPUT(reason=f"subnetpool {pool.id} is of another IP version than the subnet")
    work.core.store.lock(f"network.pool.{pool.id}")
    taken = _cut(work, pool.id)
    if new.cidr is not None:
        if not _inside(new.cidr, pool.prefixes) or any(_overlaps(new.cidr, one) for one in taken):
            raise errors.POOL_EXHAUSTED(reason="Cannot allocate requested subnet from the available set of prefixes")
        cidr = new.cidr
    else:
        cidr = _free(pool, taken, pool.default_prefixlen if new.prefixlen is None else new.prefixlen)
    _check_length(pool, int(cidr.rpartition("/")[2]))
    _check_quota(work, pool, new.project_id, cidr)
    return pool.id, cidr


def _pool_for(work: Work, new: "NewSubnet") -> SubnetPool | None:
    if new.use_default_subnetpool:
        if new.subnetpool_id:
            raise errors.BAD_INPUT(reason="subnetpool_id and use_default_subnetpool cannot both be specified")
        found = POOLS.where(work, _pools.c.is_default, _pools.c.ip_version == (new.ip_version or 4))
        if not found:
            raise errors.BAD_INPUT(reason=f"No default subnetpool found for IPv{new.ip_version or 4}")
        return found[0]
    return POOLS.get(work, new.subnetpool_id) if new.subnetpool_id else None


def _check_length(pool: SubnetPool, length: int) -> None:
    if length < pool.min_prefixlen:
        raise errors.POOL_TOO_SHORT(length=length, limit=pool.min_prefixlen)
    if length > pool.max_prefixlen:
        raise errors.POOL_TOO_LONG(length=length, limit=pool.max_prefixlen)


def _check_quota(work: Work, pool: SubnetPool, project_id: str, cidr: str) -> None:
    """A project's share of a pool, counted in addresses (IPv4) or /64s (IPv6)."""
    if not pool.default_quota:
        return
    unit = 32 if pool.ip_version == 4 else 64
    found = sa.select(_subnets.c.cidr).where(_subnets.c.subnetpool_id == pool.id, _subnets.c.project_id == project_id)
    used = [*work.db.execute(found).scalars(), cidr]
    if sum(2 ** max(unit - int(one.rpartition("/")[2]), 0) for one in used) > pool.default_quota:
        raise errors.POOL_QUOTA()


def _cut(work: Work, pool_id: str) -> list[str]:
    """What was cut from a pool."""
    return list(work.db.execute(sa.select(_subnets.c.cidr).where(_subnets.c.subnetpool_id == pool_id)).scalars())


def _free(pool: SubnetPool, taken: Sequence[str], length: int) -> str:
    """The lowest free prefix of that length."""
    _check_length(pool, length)
    size = 1 << ((32 if pool.ip_version == 4 else 128) - length)
    used = sorted(span(one)[:2] for one in taken)
    for first, last, version in map(span, pool.prefixes):
        start = -(-first // size) * size
        for low, high in used:
            if low <= start + size - 1 and start <= high:
                start = -(-(high + 1) // size) * size
        if start + size - 1 <= last:
            return f"{to_text(start, version)}/{length}"
    raise errors.POOL_EXHAUSTED(reason="Insufficient prefix space to allocate subnet size /" + str(length))
