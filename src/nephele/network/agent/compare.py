"""What to change so that a namespace becomes as it should be.  Pure: a plan and a look in, a list of changes out."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from nephele.network.agent import names
from nephele.network.agent.netlink import Seen, SeenLink
from nephele.network.agent.spaces import Forward, Link, Neighbour, Route, Space


class DeleteLink(Struct, frozen=True):
    """Remove a link; gone already: fine."""

    name: str
    owner: str = ""


class MakeLink(Struct, frozen=True):
    """Create a link, down."""

    link: Link

    @property
    def owner(self) -> str:
        """Who fails with it."""
        return self.link.owner


class SetLink(Struct, frozen=True, kw_only=True):
    """Change what differs and bring the link up; `master` None: leave it, empty: take it out of its bridge."""

    name: str
    kind: str
    owner: str
    mtu: int = 0
    mac: str = ""
    master: str | None = None


class SetShape(Struct, frozen=True):
    """Let a link receive so many bytes a second, with that burst; 0: any."""

    name: str
    owner: str
    shape: tuple[int, int]


class SetSysctl(Struct, frozen=True):
    """Write a kernel setting of the namespace."""

    path: str
    value: str
    owner: str


class MissLink(Struct, frozen=True):
    """A link that should have been there."""

    name: str
    owner: str


class SetAddress(Struct, frozen=True):
    """Add an address to a link, or take it away."""

    link: str
    address: str
    owner: str
    add: bool


class SetEntry(Struct, frozen=True):
    """Add a route or neighbour entry, or take it away."""

    entry: Route | Forward | Neighbour
    owner: str
    add: bool


Change = DeleteLink | MakeLink | SetLink | SetShape | SetSysctl | MissLink | SetAddress | SetEntry


_MADE = ("bridge", "vxlan", "veth", "vlan")
LEAST_BURST = 16384
_LONGEST_WAIT = 0.05
"""Seconds that a packet waits at most for its turn."""


def shape_parameters(rate: int, burst: int) -> tuple[int, int]:
    """What the kernel's token bucket is told, and can be read back: bytes a second, and the queue's length in bytes."""
    return (rate, max(burst, LEAST_BURST) + int(rate * _LONGEST_WAIT)) if rate else (0, 0)


def compare(space: Space, seen: Seen, far: Mapping[tuple[str, str], SeenLink]) -> list[Change]:
    """The changes, in the order to make them.

    `far` has the links of other spaces, by (space, name): the other ends of veth pairs.
    """
    wanted = {link.name: link for link in space.links}
    changes: list[Change] = [*_strangers(space, wanted, seen)]
    changes += [SetSysctl(path, value, "") for path, value in space.sysctls if seen.sysctls.get(path) != value]
    for link in space.links:
        changes += _link_changes(link, seen, far)
    gone = {change.name for change in changes if isinstance(change, DeleteLink)}
    kept = frozenset(one for one in seen.addresses if one[0] not in gone)
    for link in space.links:
        changes += _address_changes(link, kept, seen)
    return changes + _entry_changes(space, seen, gone)


def _strangers(space: Space, wanted: Mapping[str, Link], seen: Seen) -> Iterator[Change]:
    """Ours that nobody wants are deleted; members of our bridges that nobody knows are put out."""
    if not space.is_host:
        return
    bridges = {link.name for link in space.links if link.kind == "bridge"}
    for link in seen.links.values():
        if link.name in wanted:
            continue
        if names.OUR_LINK.fullmatch(link.name) and link.kind in _MADE:
            yield DeleteLink(link.name)
        elif link.master in bridges:
            yield SetLink(name=link.name, kind="stranger", owner="", master="")


def _link_changes(link: Link, seen: Seen, far: Mapping[tuple[str, str], SeenLink]) -> Iterator[Change]:
    found = seen.links.get(link.name)
    if link.kind == "vlan" and link.peer not in seen.links:
        return  # its guest is not started yet
    if link.kind in _MADE:
        if found is not None and not _is_same(link, found, seen, far):
            yield DeleteLink(link.name, link.owner)
            found = None
        if found is None:
            yield MakeLink(link)
    elif found is None:
        if link.kind == "found":
            yield MissLink(link.name, link.owner)
        if link.kind != "inner":
            return
    for path, value in link.sysctls:
        if found is None or seen.sysctls.get(path) != value:
            yield SetSysctl(path, value, link.owner)
    change = SetLink(
        name=link.name,
        kind=link.kind,
        owner=link.owner,
        mtu=link.mtu if link.mtu and (found is None or found.mtu != link.mtu) else 0,
        mac=link.mac if link.mac and (found is None or found.mac != link.mac) else "",
        master=link.master if link.master and (found is None or found.master != link.master) else None,
    )
    if found is None or not found.up or change.mtu or change.mac or change.master is not None:
        yield change
    if link.kind in ("guest", "vlan") and found is not None and found.shape != shape_parameters(*link.shape):
        yield SetShape(link.name, link.owner, link.shape)


def _is_same(link: Link, found: SeenLink, seen: Seen, far: Mapping[tuple[str, str], SeenLink]) -> bool:
    if found.kind != link.kind:
        return False
    if link.kind == "vlan":
        return (found.vni, found.below) == (link.vni, seen.links[link.peer].index)
    if link.kind == "vxlan":
        return (found.vni, found.tunnel_address) == (link.vni, link.tunnel_address)
    if link.kind == "veth":
        other = far.get((link.peer_space, link.peer)) if link.peer_space else seen.links.get(link.peer)
        return other is not None and other.index == found.below
    return True


def _address_changes(link: Link, kept: Iterable[tuple[str, str]], seen: Seen) -> Iterator[Change]:
    if not link.addresses and link.kind != "inner":
        return
    if link.kind == "guest" or (link.kind == "found" and link.name not in seen.links):
        return
    have = {address for name, address in kept if name == link.name}
    if link.name != "lo":
        for address in sorted(have - set(link.addresses)):
            yield SetAddress(link.name, address, link.owner, add=False)
    for address in link.addresses:
        if address not in have:
            yield SetAddress(link.name, address, link.owner, add=True)


def _entry_changes(space: Space, seen: Seen, gone: set[str]) -> list[Change]:
    """Routes of our own namespaces; tunnel entries of our tunnel devices."""
    owners = {link.name: link.owner for link in space.links}
    routes = frozenset() if space.is_host else {Route(*one) for one in seen.routes}
    forwards = {Forward(*one) for one in seen.forwards if one[0] in owners and one[0] not in gone}
    neighbours = {Neighbour(*one) for one in seen.neighbours if one[0] in owners and one[0] not in gone}
    changes: list[Change] = []
    for have, want in ((routes, space.routes), (forwards, space.forwards), (neighbours, space.neighbours)):
        old: set[Route | Forward | Neighbour] = set(have)
        new: list[Route | Forward | Neighbour] = list(want)
        changes += [SetEntry(one, space.owner, add=False) for one in sorted(old - set(new), key=repr)]
        changes += [SetEntry(one, space.owner, add=True) for one in new if one not in old]
    return changes
