"""Carries out changes in the namespace that the calling thread is in."""

import errno
import logging
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nephele.network.agent.compare import (
    LEAST_BURST,
    Change,
    DeleteLink,
    MakeLink,
    MissLink,
    SetAddress,
    SetEntry,
    SetLink,
    SetShape,
    SetSysctl,
    shape_parameters,
)
from nephele.network.agent.frames import announce_address
from nephele.network.agent.netlink import SHAPE_HANDLE
from nephele.network.agent.spaces import Forward, Link, Neighbour, Route

log = logging.getLogger(__name__)

VXLAN_PORT = 4789
_NUD_NOARP, _NUD_PERMANENT = 0x40, 0x80
_ROOT = 0xFFFFFFFF
_NTF_SELF, _NTF_MASTER = 0x02, 0x04


def perform(changes: Iterable[Change], *, announce: bool) -> dict[str, str]:
    """Carry out `changes`; the answer says who failed and why, by owner.  One's failure stops nobody else.

    With `announce`, new addresses are told to the neighbours.
    """
    changes = list(changes)
    if not changes:
        return {}
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    failures: dict[str, str] = {}
    with IPRoute() as ip:
        for change in changes:
            owner = getattr(change, "owner", "")
            try:
                _perform(ip, change)
            except (NetlinkError, OSError) as error:
                log.warning("%s failed: %s", change, error)
                failures.setdefault(owner, f"{_spoken(change)}: {error}")
    if announce:
        for change in changes:
            if isinstance(change, SetAddress) and change.add and change.owner not in failures:
                announce_address(change.link, change.address)
    return failures


def _perform(ip: Any, change: Change) -> None:
    match change:
        case DeleteLink():
            _delete(ip, change.name)
        case MakeLink():
            _make(ip, change.link)
        case SetLink():
            _set(ip, change)
        case SetShape():
            _shape(ip, change)
        case SetSysctl():
            (Path("/proc/sys/net") / change.path).write_text(change.value)
        case MissLink():
            raise OSError(errno.ENODEV, f"no interface named {change.name}")
        case SetAddress():
            address, length = change.address.split("/")
            index = _index(change.link)
            _tolerant(ip.addr, change.add, index=index, address=address, prefixlen=int(length))
        case SetEntry():
            _entry(ip, change)


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(errno.ENODEV, f"no interface named {name}") from None


def _delete(ip: Any, name: str) -> None:
    """A link may go by itself meanwhile, with its other end or its namespace."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        ip.link("del", index=_index(name))
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def _make(ip: Any, link: Link) -> None:
    if link.kind == "bridge":
        ip.link("add", ifname=link.name, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
    elif link.kind == "vxlan":
        ip.link(
            "add",
            ifname=link.name,
            kind="vxlan",
            vxlan_id=link.vni,
            vxlan_local=link.tunnel_address,
            vxlan_port=VXLAN_PORT,
            vxlan_learning=0,
        )
    elif link.kind == "vlan":
        _make_vlan(ip, link)
    else:
        peer = {"ifname": link.peer} | ({"net_ns_fd": link.peer_space} if link.peer_space else {})
        ip.link("add", ifname=link.name, kind="veth", peer=peer)


def _make_vlan(ip: Any, link: Link) -> None:
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        ip.link("add", ifname=link.name, kind="vlan", link=_index(link.peer), vlan_id=link.vni)
    except NetlinkError as error:
        if error.code == errno.EOPNOTSUPP:
            raise OSError(
                error.code, "this kernel has no VLANs (8021q), so it can't tell a trunk's ports apart"
            ) from None
        raise


def _set(ip: Any, change: SetLink) -> None:
    index = _index(change.name)
    wanted: dict[str, object] = {"state": "up"} if change.kind != "stranger" else {}
    if change.mtu:
        wanted["mtu"] = change.mtu
    if change.mac:
        wanted["address"] = change.mac
    if change.master is not None:
        wanted["master"] = _index(change.master) if change.master else 0
    ip.link("set", index=index, **wanted)
    if change.kind == "vxlan" and change.master:
        ip.brport("set", index=index, learning=0, unicast_flood=0, neigh_suppress=1)


def _shape(ip: Any, change: SetShape) -> None:
    """A token bucket at the root of the link's queue, known as ours by its handle."""
    index = _index(change.name)
    if change.shape[0]:
        rate, limit = shape_parameters(*change.shape)
        burst = max(change.shape[1], LEAST_BURST)
        ip.tc("replace", "tbf", index=index, handle=SHAPE_HANDLE, rate=rate, burst=burst, limit=limit)
    else:
        ip.tc("del", index=index, handle=SHAPE_HANDLE, parent=_ROOT)


def _entry(ip: Any, change: SetEntry) -> None:
    entry = change.entry
    match entry:
        case Route():
            _tolerant(ip.route, change.add, dst=entry.destination, gateway=entry.via)
        case Neighbour():
            index = _index(entry.link)
            _tolerant(ip.neigh, change.add, ifindex=index, dst=entry.ip_address, lladdr=entry.mac, state=_NUD_PERMANENT)
        case Forward():
            _forward(ip, entry, add=change.add)


def _forward(ip: Any, entry: Forward, *, add: bool) -> None:
    """The tunnel's own entries may be several for one MAC address, so they're appended."""
    index = _index(entry.link)
    if entry.to:
        verb = "append" if add else "del"
        ip.fdb(verb, ifindex=index, lladdr=entry.mac, dst=entry.to, flags=_NTF_SELF, state=_NUD_PERMANENT)
    else:
        _tolerant(ip.fdb, add, ifindex=index, lladdr=entry.mac, flags=_NTF_MASTER, state=_NUD_NOARP)


def _tolerant(verb: Any, add: bool, **what: object) -> None:
    """Add or delete; there already, or gone already, is as good."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        verb("add" if add else "del", **what)
    except NetlinkError as error:
        fine = (errno.EEXIST,) if add else (errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENODEV)
        if error.code not in fine:
            raise


def _spoken(change: Change) -> str:
    match change:
        case MakeLink():
            return f"make {change.link.kind} {change.link.name}"
        case DeleteLink() | SetLink() | SetShape() | MissLink():
            return f"set {change.name}"
        case SetSysctl():
            return f"set {change.path}"
        case SetAddress():
            return f"address {change.address} on {change.link}"
        case SetEntry():
            return f"entry {change.entry}"
