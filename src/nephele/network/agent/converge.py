"""Make the kernel look as planned: look at each namespace, compare, apply the difference.

Every step is found again by looking, never remembered, so a run may be cut off anywhere and the next one
finishes it.  Only the rules are remembered: by what was applied last and how many transactions the kernel has seen.
"""

import logging
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from nephele.kernel.errors import Refused
from nephele.network.agent import netns, nft
from nephele.network.agent.change import perform
from nephele.network.agent.compare import compare
from nephele.network.agent.errors import NO_BRIDGE_FILTER
from nephele.network.agent.names import is_our_space, space_prefix
from nephele.network.agent.netlink import Seen, SeenLink, look
from nephele.network.agent.nft import Ruleset
from nephele.network.agent.plan import Plan
from nephele.network.agent.spaces import Space

log = logging.getLogger(__name__)

HOST = ""
"""Stands for the host as a whole among the owners of a failure."""


class _Applied(Struct):
    rules: Ruleset
    generation: int


class Kernel:
    """Applies plans to one host.  Used by one thread at a time, which it takes into namespaces and back."""

    def __init__(self, host_netns: str) -> None:
        self._host = host_netns
        self._prefix = space_prefix(host_netns)
        self._applied: dict[str, _Applied] = {}
        self._settled: dict[str, Space] = {}
        self.before_removal: Callable[[str], None] = lambda _space: None

    def converge(self, plan: Plan, *, full: bool) -> dict[str, str]:
        """Apply `plan`; the answer says who failed and why, by network or router id, or HOST.

        `full`: look at every namespace; otherwise only at the host's and at those whose plan changed.
        """
        failures: dict[str, str] = {}
        failures |= self.remove_spaces({space.name for space in plan.spaces})
        present = netns.names()
        looked = [space for space in plan.spaces if full or self._settled.get(space.name) != space]
        far: dict[tuple[str, str], SeenLink] = {}
        for space in looked:
            if space.name not in present:
                self._forget(space.name)
                self._try(failures, space.owner, partial(netns.create, space.name))
            self._try(failures, space.owner, partial(self._look_far, space, far))
        self._settle(plan.host, failures, far, {space.name for space in looked})
        for space in looked:
            self._settle(space, failures, far, set())
        return failures

    def _settle(
        self, space: Space, failures: dict[str, str], far: dict[tuple[str, str], SeenLink], looked: set[str]
    ) -> None:
        """Bring one namespace to its plan."""
        count = len(failures)
        owner = HOST if space.is_host else space.owner
        self._try(failures, owner, lambda: self._rules(space))  # first, so that nothing passes unfiltered
        self._try(failures, owner, lambda: self._links(space, failures, far, looked))
        if len(failures) == count:
            self._settled[space.name] = space
        else:
            self._settled.pop(space.name, None)

    def _links(
        self, space: Space, failures: dict[str, str], far: dict[tuple[str, str], SeenLink], looked: set[str]
    ) -> None:
        with netns.entered(space.name):
            seen = self._look(space)
            if space.is_host:
                known = {(link.peer_space, link.peer): link.name for link in space.links if link.peer_space}
                for (there, peer), name in known.items():
                    if there not in looked and name in seen.links:  # settled before: its far end is taken for granted
                        near = seen.links[name]
                        far[there, peer] = SeenLink(
                            index=near.below, name=peer, up=True, mtu=near.mtu, mac="", kind="veth"
                        )
            for owner, reason in perform(compare(space, seen, far), announce=space.announce).items():
                failures.setdefault(owner, reason)

    def _look(self, space: Space) -> Seen:
        """What the namespace that this thread is in has, of all that `space` speaks of."""
        seen = look(
            routes=not space.is_host,
            neighbours=any(link.kind == "vxlan" for link in space.links),
            shapes=space.is_host,
        )
        paths = [path for path, _ in space.sysctls] + [path for link in space.links for path, _ in link.sysctls]
        settings = {path: value for path in paths if (value := _read(path)) is not None}
        if space.is_host and space.sysctls and space.sysctls[0][0] not in settings:
            subprocess.run(["modprobe", "br_netfilter"], capture_output=True, timeout=30, check=False)
            if _read(space.sysctls[0][0]) is None:
                raise NO_BRIDGE_FILTER(space=space.name or "the host")
        return Seen(
            links=seen.links,
            addresses=seen.addresses,
            routes=seen.routes,
            forwards=seen.forwards,
            neighbours=seen.neighbours,
            sysctls=settings,
        )

    def _look_far(self, space: Space, far: dict[tuple[str, str], SeenLink]) -> None:
        with netns.entered(space.name):
            for link in look(routes=False, neighbours=False).links.values():
                far[space.name, link.name] = link

    def _rules(self, space: Space) -> None:
        """One transaction to the wanted rules: the difference where nobody else touched them, all of them otherwise."""
        if space.rules is None:
            return
        with netns.entered(space.name):
            last, now = self._applied.get(space.name), nft.generation()
            untouched = last is not None and last.generation == now
            if untouched and last is not None:
                transaction = nft.difference(last.rules, space.rules)
            else:
                transaction = nft.replacement(space.rules)
            if transaction:
                self._applied.pop(space.name, None)
                nft.run(transaction, space.name)
                self._applied[space.name] = _Applied(space.rules, now + 1)

    def remove_spaces(self, wanted: set[str]) -> dict[str, str]:
        """Remove all namespaces of this host but those wanted; the answer says which couldn't be, and why."""
        failures: dict[str, str] = {}
        for name in netns.names():
            if is_our_space(self._prefix, name) and name not in wanted:
                self.before_removal(name)
                self._forget(name)
                self._try(failures, name, partial(netns.remove, name))
        return failures

    def _forget(self, name: str) -> None:
        self._applied.pop(name, None)
        self._settled.pop(name, None)

    def _try(self, failures: dict[str, str], owner: str, work: Callable[[], None]) -> None:
        """Do it; what fails is this owner's failure and stops nobody else."""
        try:
            work()
        except Refused as refused:
            failures.setdefault(owner, refused.message)
        except (OSError, subprocess.SubprocessError) as error:
            log.exception("applying failed for %s", owner or "the host")
            failures.setdefault(owner, str(error))


def _read(path: str) -> str | None:
    try:
        return (Path("/proc/sys/net") / path).read_text().strip()
    except FileNotFoundError:
        return None
