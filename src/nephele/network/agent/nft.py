"""nftables: rules as values, the transaction from one ruleset to the next, and its application.

A transaction is one text for `nft -f -`: the kernel takes all of it or nothing, and established connections go
on.  The kernel counts transactions (`generation`), so a look at one number tells whether others changed anything.
"""

import socket
import struct
import subprocess
from collections.abc import Mapping

from msgspec import Struct

from nephele.network.agent import names
from nephele.network.agent.errors import RULES_REFUSED


class Set(Struct, frozen=True):
    """A set, or a map where `header` says so: what it holds, by element (`"tap1"`) and value (`drop`; sets: empty)."""

    header: str
    elements: Mapping[str, str]
    is_map: bool = False

    @property
    def is_interval(self) -> bool:
        """Whether elements are ranges, which nft merges: these are replaced as a whole."""
        return "interval" in self.header


class Chain(Struct, frozen=True):
    """A chain of rules; `hook` says where the kernel enters it, empty: others jump to it."""

    rules: tuple[str, ...]
    hook: str = ""


class Table(Struct, frozen=True):
    """One of our tables; they all have the same name and differ in their family."""

    family: str
    sets: Mapping[str, Set]
    chains: Mapping[str, Chain]
    counters: tuple[str, ...] = ()
    """Named ones; they count on while rules around them change."""

    @property
    def name(self) -> str:
        """As nft commands want it."""
        return f"{self.family} {names.TABLE}"


class Ruleset(Struct, frozen=True):
    """All tables of a namespace that are ours."""

    tables: tuple[Table, ...] = ()


FAMILIES = ("bridge", "inet")
_NOTHING = Set("", {})


def replacement(new: Ruleset) -> str:
    """The transaction that makes `new` be there, whatever was there before."""
    lines: list[str] = []
    for family in FAMILIES:
        lines += [f"add table {family} {names.TABLE}", f"delete table {family} {names.TABLE}"]
    for table in new.tables:
        lines.append(f"add table {table.name}")
        lines += _table_difference(Table(table.family, {}, {}), table)
    return "\n".join(lines) + "\n"


def difference(old: Ruleset, new: Ruleset) -> str:
    """The transaction from `old` to `new`; empty where they are the same."""
    before = {table.family: table for table in old.tables}
    if before.keys() != {table.family for table in new.tables}:
        return replacement(new)
    lines = [line for table in new.tables for line in _table_difference(before[table.family], table)]
    return "\n".join(lines) + "\n" if lines else ""


def _table_difference(old: Table, new: Table) -> list[str]:
    """Declarations first, then rules, then elements, and deletions last: each may speak of what came before."""
    lines = [f"add counter {new.name} {name}" for name in new.counters if name not in old.counters]
    for name, wanted in new.sets.items():
        if name not in old.sets:
            lines.append(f"add {_kind(wanted)} {new.name} {name} {{ {wanted.header}; }}")
    for name, chain in new.chains.items():
        if name not in old.chains:
            lines.append(f"add chain {new.name} {name}" + (f" {{ {chain.hook}; }}" if chain.hook else ""))
    for name, chain in new.chains.items():
        known = old.chains.get(name)
        if known == chain:
            continue
        if known is not None:
            lines.append(f"flush chain {new.name} {name}")
        lines += [f"add rule {new.name} {name} {rule}" for rule in chain.rules]
    for name, wanted in new.sets.items():
        lines += _set_difference(f"{new.name} {name}", old.sets.get(name, _NOTHING), wanted)
    gone = old.chains.keys() - new.chains.keys()
    for name, unwanted in old.sets.items():
        if name not in new.sets and unwanted.is_map:
            lines.append(f"flush map {new.name} {name}")
    lines += [f"flush chain {new.name} {name}" for name in sorted(gone)]
    lines += [f"delete chain {new.name} {name}" for name in sorted(gone)]
    lines += [f"delete {_kind(old.sets[name])} {new.name} {name}" for name in sorted(old.sets.keys() - new.sets.keys())]
    lines += [f"delete counter {new.name} {name}" for name in old.counters if name not in new.counters]
    return lines


def _set_difference(place: str, old: Set, new: Set) -> list[str]:
    if old.elements == new.elements:
        return []
    if new.is_interval:
        lines = [f"flush set {place}"] if old.elements else []
        added = dict(new.elements)
    else:
        gone = [key for key, value in old.elements.items() if new.elements.get(key) != value]
        lines = [f"delete element {place} {{ {', '.join(gone)} }}"] if gone else []
        added = {key: value for key, value in new.elements.items() if old.elements.get(key) != value}
    if added:
        listed = ", ".join(f"{key} : {value}" if value else key for key, value in added.items())
        lines.append(f"add element {place} {{ {listed} }}")
    return lines


def _kind(one: Set) -> str:
    return "map" if one.is_map else "set"


def run(transaction: str, space: str) -> None:
    """Apply a transaction in the namespace that this thread is in; `space` names it in the refusal."""
    done = subprocess.run(["nft", "-f", "-"], input=transaction, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RULES_REFUSED(space=space or "the host", reason=" ".join(done.stderr.split())[:300])


_NETLINK_NETFILTER = 12
_GET_GENERATION = 10 << 8 | 16


def generation() -> int:
    """How many transactions the kernel has seen in the namespace that this thread is in."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(5)
        netlink.send(struct.pack("=IHHII4s", 20, _GET_GENERATION, 1, 1, 0, bytes(4)))
        answer = netlink.recv(4096)
    if struct.unpack_from("=H", answer, 4)[0] == 2:  # NLMSG_ERROR: no nf_tables
        return 0
    return int(struct.unpack_from(">I", answer, 24)[0])
