"""What a namespace's kernel has, read by netlink dumps.

Only reading is done here, with the few attributes that we compare: it happens every few seconds for each namespace,
and takes a tenth of the time that a general library needs.  Changes go through pyroute2.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from msgspec import Struct

_GET_LINK, _GET_ADDRESS, _GET_ROUTE, _GET_NEIGHBOUR, _GET_QUEUE = 18, 22, 26, 30, 38
SHAPE_HANDLE = 0x4E500000
"""Of the token buckets that are ours."""
_DONE, _ERROR = 3, 2
_REQUEST_DUMP = 0x301
_IFF_UP = 1
_SKIP_STATISTICS = 8
_NUD_NOARP, _NUD_PERMANENT = 0x40, 0x80
_SCOPE_LINK = 253
_MAIN_TABLE = 254
_UNICAST = 1
_KERNEL_PROTOCOL = 2
_AF_BRIDGE = 7

Attributes = dict[int, bytes]


class SeenLink(Struct, frozen=True, kw_only=True):
    """A link as the kernel has it.

    `master` is a name, `below` the index of a veth's other end or of what a VLAN is on, `vni` a VXLAN's number or a
    VLAN's tag.
    """

    index: int
    name: str
    up: bool
    mtu: int
    mac: str
    kind: str
    master: str = ""
    below: int = 0
    vni: int = 0
    tunnel_address: str = ""
    shape: tuple[int, int] = (0, 0)
    """Bytes a second and queue length of a token bucket of ours at its root."""


class Seen(Struct, frozen=True, kw_only=True):
    """A namespace as the kernel has it."""

    links: dict[str, SeenLink] = {}
    addresses: frozenset[tuple[str, str]] = frozenset()
    """(link, address/prefix), without IPv6's link-local ones."""
    routes: frozenset[tuple[str, str]] = frozenset()
    """(destination, next hop) of routes that lead through a router."""
    forwards: frozenset[tuple[str, str, str]] = frozenset()
    """(tunnel device, mac, remote address); the bridge's own static entries have no remote address."""
    neighbours: frozenset[tuple[str, str, str]] = frozenset()
    """(link, address, mac): permanent entries."""
    sysctls: dict[str, str] = {}


def look(*, routes: bool, neighbours: bool, shapes: bool = False) -> Seen:
    """Read the namespace that this thread is in; what isn't asked for stays empty."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(10)
        links = _links(netlink, dict(_shapes(netlink)) if shapes else {})
        named = {link.index: link.name for link in links}
        return Seen(
            links={link.name: link for link in links},
            addresses=frozenset(_addresses(netlink, named)),
            routes=frozenset(_routes(netlink)) if routes else frozenset(),
            forwards=frozenset(_forwards(netlink, named)) if neighbours else frozenset(),
            neighbours=frozenset(_neighbours(netlink, named)) if neighbours else frozenset(),
        )


def _shapes(netlink: socket.socket) -> Iterator[tuple[int, tuple[int, int]]]:
    """By link: the rate and the queue's length of its token bucket, if it is ours."""
    for head, attributes in _dump(netlink, _GET_QUEUE, bytes(20), 20):
        index, handle = struct.unpack_from("=iI", head, 4)
        if handle == SHAPE_HANDLE and 2 in attributes:
            told = dict(_attributes(attributes[2], 0)).get(1, bytes(36))
            yield index, (struct.unpack_from("=I", told, 8)[0], struct.unpack_from("=I", told, 24)[0])


def _links(netlink: socket.socket, shapes: dict[int, tuple[int, int]]) -> list[SeenLink]:
    body = struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, _SKIP_STATISTICS)
    raw = [(head, attributes) for head, attributes in _dump(netlink, _GET_LINK, body, 16)]
    named = {struct.unpack_from("=i", head, 4)[0]: _text(attributes[3]) for head, attributes in raw}
    return [_link(head, attributes, named, shapes) for head, attributes in raw]


def _link(head: bytes, attributes: Attributes, named: dict[int, str], shapes: dict[int, tuple[int, int]]) -> SeenLink:
    index, flags = struct.unpack_from("=iI", head, 4)
    about = dict(_attributes(attributes[18], 0)) if 18 in attributes else {}
    kind = _text(about.get(1, b""))
    tunnel = dict(_attributes(about[2], 0)) if kind in ("vxlan", "vlan") and 2 in about else {}
    return SeenLink(
        index=index,
        name=named[index],
        up=bool(flags & _IFF_UP),
        mtu=_number(attributes.get(4)),
        mac=attributes.get(1, b"").hex(":"),
        kind=kind,
        master=named.get(_number(attributes.get(10)), ""),
        below=_number(attributes.get(5)),
        vni=_number(tunnel.get(1)),
        tunnel_address=str(ip_address(tunnel[4])) if kind == "vxlan" and 4 in tunnel else "",
        shape=shapes.get(index, (0, 0)),
    )


def _addresses(netlink: socket.socket, named: dict[int, str]) -> Iterator[tuple[str, str]]:
    for head, attributes in _dump(netlink, _GET_ADDRESS, bytes(8), 8):
        _family, prefix, _flags, scope, index = struct.unpack("=BBBBI", head)
        raw = attributes.get(2) or attributes.get(1)
        if raw is not None and not (len(raw) == 16 and scope == _SCOPE_LINK):
            yield named.get(index, ""), f"{ip_address(raw)}/{prefix}"


def _routes(netlink: socket.socket) -> Iterator[tuple[str, str]]:
    for head, attributes in _dump(netlink, _GET_ROUTE, bytes(12), 12):
        family, length, _source, _tos, table, protocol, _scope, kind = struct.unpack_from("=8B", head)
        if table == _MAIN_TABLE and kind == _UNICAST and protocol != _KERNEL_PROTOCOL and 5 in attributes:
            zero = bytes(4 if family == socket.AF_INET else 16)
            yield f"{ip_address(attributes.get(1, zero))}/{length}", str(ip_address(attributes[5]))


def _forwards(netlink: socket.socket, named: dict[int, str]) -> Iterator[tuple[str, str, str]]:
    for link, state, attributes in _entries(netlink, _AF_BRIDGE, named):
        if 1 in attributes and 2 in attributes:
            yield link, attributes[2].hex(":"), str(ip_address(attributes[1]))
        elif 9 in attributes and 2 in attributes and state == _NUD_NOARP:
            yield link, attributes[2].hex(":"), ""


def _neighbours(netlink: socket.socket, named: dict[int, str]) -> Iterator[tuple[str, str, str]]:
    for link, state, attributes in _entries(netlink, 0, named):
        if state & _NUD_PERMANENT and 1 in attributes and 2 in attributes:
            yield link, str(ip_address(attributes[1])), attributes[2].hex(":")


def _entries(netlink: socket.socket, family: int, named: dict[int, str]) -> Iterator[tuple[str, int, Attributes]]:
    for head, attributes in _dump(netlink, _GET_NEIGHBOUR, struct.pack("=B11x", family), 12):
        index, state = struct.unpack_from("=iH", head, 4)
        yield named.get(index, ""), state, attributes


def _dump(netlink: socket.socket, kind: int, body: bytes, head: int) -> Iterator[tuple[bytes, Attributes]]:
    """Each answer's fixed part, `head` bytes long, and its attributes."""
    netlink.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_DUMP, 1, 0) + body)
    while True:
        received = netlink.recv(1 << 18)
        offset = 0
        while offset < len(received):
            length, what = struct.unpack_from("=IH", received, offset)
            if what == _DONE:
                return
            message = received[offset + 16 : offset + length]
            if what == _ERROR:
                code = -struct.unpack_from("=i", message)[0]
                raise OSError(code, "netlink dump")
            yield message[:head], dict(_attributes(message, head))
            offset += (length + 3) & ~3


def _attributes(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            return
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _number(raw: bytes | None) -> int:
    return int.from_bytes(raw, "little") if raw else 0


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")
