"""A network namespace as it should be, as values."""

from msgspec import Struct

from nephele.network.agent.nft import Ruleset


class Link(Struct, frozen=True, kw_only=True):
    """A network interface.

    `kind` is `bridge`, `vxlan`, `veth` or `vlan` (tag `vni` on `peer`) for those we make, `inner` for the far end of a
    veth pair that another space's link makes, `guest` for a tap that the hypervisor makes when its guest starts, and
    `found` for what must be there already.
    """

    name: str
    kind: str
    owner: str = ""
    """The network, router or port that it serves: who fails if it can't be made."""
    mtu: int = 0
    mac: str = ""
    master: str = ""
    peer: str = ""
    peer_space: str = ""
    vni: int = 0
    tunnel_address: str = ""
    shape: tuple[int, int] = (0, 0)
    """What a guest may receive: bytes a second and the burst, 0: any."""
    addresses: tuple[str, ...] = ()
    """With prefix length."""
    sysctls: tuple[tuple[str, str], ...] = ()
    """(path below /proc/sys/net, value), set before the link comes up."""


class Route(Struct, frozen=True, order=True):
    """A way to `destination` (a CIDR) through the router at `via`."""

    destination: str
    via: str


class Forward(Struct, frozen=True, order=True):
    """A MAC address behind tunnel device `link`, at the host with tunnel address `to`.

    `to` empty: the bridge's own entry, which says that the address is behind that device.
    """

    link: str
    mac: str
    to: str


class Neighbour(Struct, frozen=True, order=True):
    """Who holds an address, for answering ARP locally on bridge `link`."""

    link: str
    ip_address: str
    mac: str


class Space(Struct, frozen=True, kw_only=True):
    """A network namespace: the host's own, a DHCP server's or a router's.

    In the host's only what carries our names is ours; in the others everything is, routes too.
    """

    name: str
    is_host: bool = False
    owner: str = ""
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    forwards: tuple[Forward, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    rules: Ruleset | None = None
    """None: nothing of ours is filtered or translated there."""
    announce: bool = False
    """Whether new addresses are told to the neighbours by gratuitous ARP."""
