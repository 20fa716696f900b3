"""How long wiring takes on a real kernel: one more port on a warm host, and a group of 1,000 rules on 100 ports.

PYTHONPATH=src:. python benchmarks/wiring.py      (root; makes a namespace and removes it)
"""

import statistics
import time
from collections.abc import Callable

import msgspec
from tests.guests.netlab import PING_IN, group, lab, network, port

from nephele.kernel.clock import stopwatch
from nephele.network.wiring import HostWiring, WiredRule

PORTS, RULES, NETWORKS = 100, 1000, 10


def measure(what: str, times: int, work: Callable[[int], None]) -> None:
    """Do it `times` times and print the best, the median and the worst."""
    found = []
    for number in range(times):
        elapsed = stopwatch()
        work(number)
        found.append(elapsed())
    best, median, worst = min(found), statistics.median(found), max(found)
    print(f"{what:<60} best {best:7.1f}   median {median:7.1f}   worst {worst:7.1f} ms   ({times} times)")


def wiring(ports: int, rules: int) -> HostWiring:
    """`ports` ports spread over the networks, all in one group with `rules` rules."""
    made = [port(one, one % NETWORKS + 1, f"10.{one % NETWORKS}.0.{10 + one}", group(1).id) for one in range(ports)]
    networks = tuple(
        network(one, f"10.{one - 1}.0.0/24", [port for port in made if port.network_id == network(one, "::", []).id])
        for one in range(1, NETWORKS + 1)
    )
    tcp = [
        WiredRule(direction="ingress", ethertype="IPv4", protocol="tcp", port_min=one + 1, port_max=one + 1)
        for one in range(rules)
    ]
    return HostWiring(host="", revision=1, networks=networks, ports=tuple(made), groups=(group(1, PING_IN, *tcp),))


def main() -> None:
    """Print the figures."""
    with lab("bench", wiring(0, 0)) as one:

        def want(ports: int, rules: int) -> None:
            wanted = wiring(ports, rules)
            one.server.wiring = msgspec.structs.replace(wanted, host=one.host, revision=one.server.wiring.revision + 1)
            one.agent.wire([port.id for port in wanted.ports])

        measure(f"{NETWORKS} networks with DHCP, from nothing", 1, lambda _: want(0, 0))
        measure("one more port", 50, lambda number: want(number + 1, 0))
        want(PORTS, 0)
        measure(f"nothing new, {PORTS} ports", 20, lambda _: want(PORTS, 0))
        measure(f"one more port beside {PORTS}", 20, lambda number: want(PORTS + number + 1, 0))
        want(PORTS, 0)
        began = time.process_time()
        time.sleep(10 * one.settings.look_every)
        spent = (time.process_time() - began) * 100
        print(f"{f'looking at all of {PORTS} ports and {NETWORKS} networks':<60} {spent:7.1f} ms CPU each time")
        measure(f"{RULES} rules more, then less, on {PORTS} ports", 6, lambda number: want(PORTS, RULES * (number % 2)))
        want(PORTS, RULES)
        measure(f"one rule more beside {RULES}, on {PORTS} ports", 10, lambda number: want(PORTS, RULES + number))


main()
