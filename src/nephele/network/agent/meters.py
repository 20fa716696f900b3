"""Reads what routers' rules have counted, and says how much more it is than last time."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable

from nephele.network.agent import names, netns
from nephele.network.agent.errors import RULES_REFUSED
from nephele.network.agent.spaces import Space
from nephele.network.wiring import Metered, MeteredReport

_PREFIX = "meter_"


def counter_name(label_id: str) -> str:
    """What a label's counter is called."""
    return _PREFIX + label_id.replace("-", "")


class Meters:
    """What was read last, by namespace and counter: kept only as long as the agent lives."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._last: dict[tuple[str, str], tuple[int, int]] = {}

    def read(self, spaces: Iterable[Space]) -> MeteredReport:
        """What was counted since the last time.  A counter that is smaller than it was began anew."""
        packets: Counter[str] = Counter()
        size: Counter[str] = Counter()
        seen: dict[tuple[str, str], tuple[int, int]] = {}
        for space in spaces:
            for name, now in _counters(space.name).items():
                before = self._last.get((space.name, name), (0, 0))
                began = before if before[0] <= now[0] else (0, 0)
                packets[name] += now[0] - began[0]
                size[name] += now[1] - began[1]
                seen[space.name, name] = now
        self._last = seen
        counted = [Metered(_label(name), packets[name], size[name]) for name in sorted(packets) if packets[name]]
        return MeteredReport(self._host, tuple(counted))


def _counters(space: str) -> dict[str, tuple[int, int]]:
    command = ["nft", "-j", "list", "counters", "table", "inet", names.TABLE]
    with netns.entered(space):
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise RULES_REFUSED(space=space, reason=" ".join(done.stderr.split())[:300])
    found = [entry["counter"] for entry in json.loads(done.stdout)["nftables"] if "counter" in entry]
    return {one["name"]: (one["packets"], one["bytes"]) for one in found if one["name"].startswith(_PREFIX)}


def _label(name: str) -> str:
    digits = name.removeprefix(_PREFIX)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
