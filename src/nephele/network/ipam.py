"""Addresses: which a port gets, and that nobody else has them.

The primary key of `network_addresses` keeps them unique; a network's lock keeps two allocations from choosing
the same. The search for a free one begins where the last one was found, so that an address is
not given again at once and no pool is scanned from its beginning.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache

import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.kernel.errors import Refused
from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.model import Owner, Pool, Subnet
from nephele.network.wiring import FixedIp
from nephele.network.work import Work

_addresses = tables.addresses
_TAKEN = Statement(
    sa.select(_addresses.c.number).where(
        _addresses.c.subnet_id == sa.bindparam("subnet"),
        _addresses.c.number.between(sa.bindparam("low"), sa.bindparam("high")),
    )
)
_INSERT = Statement(sa.insert(_addresses), sets=("port_id", "place", "subnet_id", "network_id", "ip_address", "number"))


class WantedIp(Struct, frozen=True, forbid_unknown_fields=True):
    """An address that a port should have: this one, any of that subnet, or this one of that subnet."""

    subnet_id: str = ""
    ip_address: str = ""


@lru_cache(8192)
def span(cidr: str) -> tuple[int, int, int]:
    """First and last address of a network as numbers, and its IP version."""
    network = ipaddress.ip_network(cidr)
    return int(network.network_address), int(network.broadcast_address), network.version


@lru_cache(8192)
def ranges(pools: tuple[Pool, ...]) -> tuple[tuple[int, int], ...]:
    """Pools as numbers, lowest first."""
    return tuple(sorted((to_number(pool.start), to_number(pool.end)) for pool in pools))


def to_number(address: str) -> int:
    """An address as a number."""
    return int(ipaddress.ip_address(address))


def to_text(number: int, version: int) -> str:
    """A number as an address."""
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def key(number: int, version: int) -> str:
    """The number as text that sorts like it."""
    return f"{number:08x}" if version == 4 else f"{number:032x}"


def is_host(cidr: str, address: str) -> bool:
    """Whether a host of that network may have the address (not the network's own, nor its broadcast)."""
    first, last, version = span(cidr)
    number = to_number(address)
    if not first <= number <= last or ipaddress.ip_address(address).version != version:
        return False
    if last - first <= 1:
        return True
    return number != first and (version == 6 or number != last)


def eui64(cidr: str, mac: str) -> str:
    """The address that a host with this MAC gives itself in a /64."""
    octets = bytes.fromhex(mac.replace(":", ""))
    host = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return to_text(span(cidr)[0] | int.from_bytes(host, "big"), 6)


class Allocation:
    """The choice of a port's addresses on one network.

    Args:
        work: inside a `writing()`.
        network_id: whose lock is taken.
        subnets: all of the network's.
        mac: the port's.
        owner: its `device_owner`.
    """

    def __init__(self, work: Work, network_id: str, subnets: Sequence[Subnet], mac: str, owner: str) -> None:
        self._work = work
        self._network_id = network_id
        self._subnets = subnets
        self._mac = mac
        self._owner = owner
        self._is_router = owner.startswith("network:router")
        work.core.store.lock(f"network.addresses.{network_id}")

    def choose(self, wanted: tuple[WantedIp, ...] | UnsetType, has: Sequence[FixedIp] = ()) -> tuple[FixedIp, ...]:
        """The addresses that fulfil the wish; those it already `has` may stay.

        Raises:
            NO_ADDRESS_LEFT, ADDRESS_TAKEN, ADDRESS_OUTSIDE_SUBNET, ADDRESS_OUTSIDE_NETWORK, BAD_INPUT.
        """
        if wanted is UNSET:
            return tuple(self._defaults())
        keep = {(ip.subnet_id, ip.ip_address) for ip in has}
        named = {want.ip_address for want in wanted}
        free = {ip.subnet_id: ip for ip in has if ip.ip_address not in named}
        chosen: list[FixedIp] = []
        for want in wanted:
            subnet = self._subnet_for(want)
            if not want.ip_address and subnet.id in free:
                ip = free.pop(subnet.id)
            else:
                ip = self._one(subnet, want.ip_address, keep)
            if ip in chosen:
                raise errors.ADDRESS_TAKEN(ip=ip.ip_address, subnet_id=ip.subnet_id)
            chosen.append(ip)
        if wanted and not self._is_router:
            used = {ip.subnet_id for ip in chosen}
            chosen += [
                self._automatic(subnet) for subnet in self._usable() if subnet.is_automatic and subnet.id not in used
            ]
        return tuple(chosen)

    def _subnet_for(self, want: WantedIp) -> Subnet:
        if want.subnet_id:
            for subnet in self._subnets:
                if subnet.id == want.subnet_id:
                    return subnet
            raise errors.BAD_INPUT(
                reason=f"Failed to create port on network {self._network_id}, because fixed_ips included invalid "
                f"subnet {want.subnet_id}"
            )
        if not want.ip_address:
            raise errors.BAD_INPUT(reason="IP allocation requires subnet_id or ip_address")
        number, version = to_number(want.ip_address), ipaddress.ip_address(want.ip_address).version
        for subnet in self._subnets:
            first, last, subnet_version = span(subnet.cidr)
            if version == subnet_version and first <= number <= last:
                return subnet
        raise errors.ADDRESS_OUTSIDE_NETWORK(ip=want.ip_address)

    def _one(self, subnet: Subnet, address: str, keep: set[tuple[str, str]]) -> FixedIp:
        if subnet.is_automatic and not self._is_router and self._owner != Owner.DHCP:
            automatic = self._automatic(subnet)
            if address and address != automatic.ip_address:
                raise errors.BAD_INPUT(
                    reason=f"IPv6 address {address} can not be directly assigned to a port on subnet {subnet.id} "
                    "as the subnet is configured for automatic addresses"
                )
            return automatic
        if not address:
            return FixedIp(subnet.id, self._next(subnet))
        if not is_host(subnet.cidr, address):
            raise errors.ADDRESS_OUTSIDE_SUBNET(ip=address)
        if (subnet.id, address) not in keep:
            number = key(to_number(address), subnet.ip_version)
            if _TAKEN.row(self._work.db, subnet=subnet.id, low=number, high=number):
                raise errors.ADDRESS_TAKEN(ip=address, subnet_id=subnet.id)
        return FixedIp(subnet.id, address)

    def _defaults(self) -> Iterator[FixedIp]:
        """One IPv4 and one IPv6 address where there are such subnets, and every automatic one."""
        usable = self._usable()
        for version in (4, 6):
            pooled = [subnet for subnet in usable if subnet.ip_version == version and not subnet.is_automatic]
            if pooled:
                yield self._first_with_room(pooled)
        if not self._is_router:
            yield from (self._automatic(subnet) for subnet in usable if subnet.is_automatic)

    def _usable(self) -> list[Subnet]:
        """Subnets for this kind of port: those that name it, else those that name none."""
        fitting = [subnet for subnet in self._subnets if self._owner in subnet.service_types]
        return fitting or [subnet for subnet in self._subnets if not subnet.service_types]

    def _first_with_room(self, subnets: Sequence[Subnet]) -> FixedIp:
        for subnet in subnets[:-1]:
            try:
                return FixedIp(subnet.id, self._next(subnet))
            except Refused:
                continue
        return FixedIp(subnets[-1].id, self._next(subnets[-1]))

    def _automatic(self, subnet: Subnet) -> FixedIp:
        return FixedIp(subnet.id, eui64(subnet.cidr, self._mac))

    def _next(self, subnet: Subnet) -> str:
        """A free address of the subnet's pools."""
        hints, version = self._work.core.hints, subnet.ip_version
        for low, high in windows(ranges(subnet.allocation_pools), hints.get(subnet.id, 0)):
            bounds = {"low": key(low, version), "high": key(high, version)}
            taken = set(_TAKEN.scalars(self._work.db, subnet=subnet.id, **bounds))
            for number in range(low, high + 1):
                if key(number, version) not in taken:
                    hints[subnet.id] = number + 1
                    return to_text(number, version)
        raise errors.NO_ADDRESS_LEFT(id=self._network_id)


def windows(pools: Sequence[tuple[int, int]], start: int) -> Iterator[tuple[int, int]]:
    """Pieces of the pools to look for a free address in: from `start` on, then from the beginning; they grow."""
    size = 16
    behind = [(max(low, start), high) for low, high in pools if high >= start]
    before = [(low, min(high, start - 1)) for low, high in pools if low < start]
    for low, high in behind + before:
        while low <= high:
            yield low, min(low + size - 1, high)
            low += size
            size = min(size * 4, 4096)


def write_addresses(work: Work, port_id: str, network_id: str, ips: Sequence[FixedIp], first: int = 0) -> None:
    """Give a port these addresses, the first of them at place `first`."""
    if ips:
        _INSERT.run_many(
            work.db,
            [
                {
                    "port_id": port_id,
                    "place": place,
                    "subnet_id": ip.subnet_id,
                    "network_id": network_id,
                    "ip_address": ip.ip_address,
                    "number": key(to_number(ip.ip_address), 6 if ":" in ip.ip_address else 4),
                }
                for place, ip in enumerate(ips, first)
            ],
        )


def replace_addresses(work: Work, port_id: str, network_id: str, ips: Sequence[FixedIp]) -> None:
    """Give a port these addresses instead of those it has."""
    work.db.execute(sa.delete(_addresses).where(_addresses.c.port_id == port_id))
    write_addresses(work, port_id, network_id, ips)
