import pytest

from nephele.network.agent.soundness import rule_fault, sound
from nephele.network.wiring import AddressPair, HostWiring, WiredGroup, WiredPort, WiredRule

GOOD = WiredRule(direction="ingress", ethertype="IPv4", protocol="tcp", port_min=1, port_max=2)
BAD = WiredRule(direction="ingress", ethertype="IPv4", remote_cidr="10.0.0.300")


def port(one: str, *groups: str, pairs: tuple[AddressPair, ...] = ()) -> WiredPort:
    return WiredPort(
        id=one, network_id="n", tap="t", mac="m", fixed_ips=(), mtu=0, security_groups=groups, address_pairs=pairs
    )


def group(one: str, *rules: WiredRule, addresses: tuple[str, ...] = ()) -> WiredGroup:
    return WiredGroup(id=one, stateful=True, rules=rules, addresses=addresses)


def test_one_tenants_nonsense_fails_that_tenants_ports_only() -> None:
    wiring = HostWiring(
        host="h",
        revision=1,
        ports=(port("a", "bad"), port("b", "good"), port("c", pairs=(AddressPair("x"), AddressPair("10.0.0.1")))),
        groups=(group("bad", GOOD, BAD, addresses=("10.0.0.7", "?")), group("good", GOOD)),
    )
    kept, failed = sound(wiring)
    assert failed == {
        "a": "security group bad: no IPv4 address: '10.0.0.300'; no address: '?'",
        "c": "no address: 'x'",
    }
    assert kept.groups == (group("bad", GOOD, addresses=("10.0.0.7",)), group("good", GOOD))
    assert kept.ports[2].address_pairs == (AddressPair("10.0.0.1"),)


@pytest.mark.parametrize(
    "facts",
    [
        {"protocol": "nonsense"},
        {"protocol": "256"},
        {"protocol": "tcp", "port_min": 1, "port_max": 65536},
        {"remote_cidr": "fd00::/64"},
        {"remote_cidr": "10.0.0.0/8; drop"},
    ],
)
def test_what_nft_would_not_take(facts: dict[str, object]) -> None:
    assert rule_fault(WiredRule(direction="ingress", ethertype="IPv4", **facts))  # type: ignore[arg-type]


def test_what_nft_takes() -> None:
    assert rule_fault(GOOD) == ""
    assert rule_fault(WiredRule(direction="ingress", ethertype="IPv6", remote_cidr="fd00::/64", protocol="0")) == ""
