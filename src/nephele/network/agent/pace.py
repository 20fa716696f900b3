"""How fast, and how marked: a port's QoS as nftables rules.

What a guest sends is dropped above its rate where it comes in.  What it receives is queued by a token bucket on its
tap (see `change.py`), and only counted in packets here.
"""

from nephele.network.wiring import Qos

_LEAST_BURST = 2 * 65536
"""Bytes: guests hand over segments of up to 64 kB at once, and one that is larger than the burst would never pass."""


def pace_out(qos: Qos, match: str = "") -> tuple[str, ...]:
    """What is dropped of what a guest sends."""
    return _limits(qos.egress_rate, qos.egress_burst, qos.egress_packets, qos.egress_packet_burst, match)


def pace_in(qos: Qos, match: str = "", *, by_bytes: bool = False) -> tuple[str, ...]:
    """What is dropped of what a guest would receive; `by_bytes` where no token bucket holds it back."""
    rate = qos.ingress_rate if by_bytes else 0
    return _limits(rate, qos.ingress_burst, qos.ingress_packets, qos.ingress_packet_burst, match)


def marked(qos: Qos) -> tuple[str, ...]:
    """The DSCP of all that a guest sends."""
    return () if qos.dscp < 0 else (f"ip dscp set {qos.dscp}", f"ip6 dscp set {qos.dscp}")


def _limits(rate: int, burst: int, packets: int, packet_burst: int, match: str) -> tuple[str, ...]:
    rules = []
    if rate:
        rules.append(f"limit rate over {rate} bytes/second burst {max(burst, _LEAST_BURST)} bytes drop")
    if packets:
        rules.append(f"limit rate over {packets}/second burst {max(packet_burst, 1)} packets drop")
    return tuple(f"{match} {rule}".lstrip() for rule in rules)
