from nephele.network.agent.filter import FROM, TO, filter_rules, link_local
from nephele.network.agent.nft import Table
from nephele.network.wiring import (
    AddressPair,
    FixedIp,
    HostWiring,
    WiredGroup,
    WiredNetwork,
    WiredPort,
    WiredRule,
)

NET, PORT, GROUP, OTHER = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "1234")
MAC = "fa:16:3e:00:00:01"


def tables(port: WiredPort, *groups: WiredGroup) -> dict[str, Table]:
    network = WiredNetwork(id=NET, bridge="nbr1", kind="local", mtu=1500)
    wiring = HostWiring(host="h", revision=1, networks=(network,), ports=(port,), groups=groups)
    return {table.family: table for table in filter_rules(wiring, ["ndh1"]).tables}


def port(**more: object) -> WiredPort:
    facts = {"mac": MAC, "fixed_ips": (FixedIp("s", "10.0.0.5"),), "security_groups": (GROUP,)} | more
    return WiredPort(id=PORT, network_id=NET, tap="tap1", mtu=1500, **facts)  # type: ignore[arg-type]


def group(*rules: WiredRule, stateful: bool = True, one: str = GROUP, addresses: tuple[str, ...] = ()) -> WiredGroup:
    return WiredGroup(id=one, stateful=stateful, rules=rules, addresses=addresses)


def chain(table: Table, kind: str, one: str = PORT) -> tuple[str, ...]:
    return table.chains[f"{kind}_{one.replace('-', '')}"].rules


def test_no_networks_no_rules() -> None:
    assert filter_rules(HostWiring(host="h", revision=1), []).tables == ()


def test_a_sender_may_be_only_itself() -> None:
    rules = chain(tables(port(), group())["bridge"], "from")
    assert rules[0] == f"ether saddr != {{ {MAC} }} drop"
    assert rules[-1] == "drop"
    accepted = [rule for rule in rules if rule.endswith("accept") and "ip saddr" in rule and "arp" not in rule]
    assert all("10.0.0.5" in rule or "0.0.0.0" in rule for rule in accepted)
    assert any(f"ether saddr {MAC} arp saddr ip {{ 10.0.0.5 }} accept" == rule for rule in rules)


def test_pairs_open_what_they_say() -> None:
    pairs = (AddressPair("10.0.0.64/26"), AddressPair("10.0.0.9", "02:00:00:00:00:09"), AddressPair("fd00::9"))
    rules = "\n".join(chain(tables(port(address_pairs=pairs), group())["bridge"], "from"))
    assert f"ether saddr != {{ {MAC}, 02:00:00:00:00:09 }} drop" in rules
    assert f"ether saddr {MAC} ip saddr {{ 10.0.0.5, 10.0.0.64/26 }} meta mark" in rules
    assert "ether saddr 02:00:00:00:00:09 ip saddr { 10.0.0.9 } meta mark" in rules
    assert f"ether saddr {MAC} ip6 saddr {{ fd00::9, {link_local(MAC)} }} meta mark" in rules


def test_link_local_addresses_are_eui64() -> None:
    assert link_local("fa:16:3e:00:00:12") == "fe80::f816:3eff:fe00:12"


def test_without_port_security_nothing_is_judged() -> None:
    found = tables(port(port_security=False), group())
    assert chain(found["bridge"], "from") == (f"meta mark set {FROM:#x} accept",)
    assert found["bridge"].sets["receivers"].elements['"tap1"'] == "0x00000000"
    assert not found["inet"].sets["ingress"].elements


def test_a_port_that_is_down_gets_nothing() -> None:
    found = tables(port(admin_state_up=False), group())["bridge"]
    assert found.sets["senders"].elements == {'"tap1"': "drop"}
    assert found.sets["down"].elements == {'"tap1"': ""}


def test_ports_without_groups_drop_everything_new() -> None:
    found = tables(port(security_groups=()))["inet"]
    assert chain(found, "in")[:2] == ("ct state related accept", "ct state established ct direction reply accept")
    assert chain(found, "in")[-1] == "drop"
    assert not [rule for rule in chain(found, "in") if rule.startswith("jump")]


def test_stateless_groups_know_no_connections() -> None:
    found = tables(port(), group(stateful=False))["inet"]
    assert not [rule for rule in chain(found, "in") + chain(found, "out") if rule.startswith("ct")]


def test_rules_in_nft_words() -> None:
    rules = (
        WiredRule(direction="ingress", ethertype="IPv4", protocol="tcp", port_min=22, port_max=22),
        WiredRule(direction="ingress", ethertype="IPv4", protocol="udp", port_min=5, port_max=9,
                  remote_cidr="10.1.0.0/16"),
        WiredRule(direction="ingress", ethertype="IPv4", protocol="icmp", port_min=8, port_max=0),
        WiredRule(direction="ingress", ethertype="IPv6", protocol="icmp"),
        WiredRule(direction="ingress", ethertype="IPv4", protocol="112", remote_group=OTHER),
        WiredRule(direction="ingress", ethertype="IPv4", remote_group="unknown"),
        WiredRule(direction="egress", ethertype="IPv6"),
    )  # fmt: skip
    found = tables(port(), group(*rules), group(one=OTHER, addresses=("10.0.0.7", "fd00::7")))["inet"]
    other = OTHER.replace("-", "")
    assert chain(found, "sg_in", GROUP) == (
        "meta nfproto ipv4 meta l4proto 6 th dport 22 accept",
        "ip saddr 10.1.0.0/16 meta l4proto 17 th dport 5-9 accept",
        "meta nfproto ipv4 icmp type 8 icmp code 0 accept",
        "meta nfproto ipv6 meta l4proto 58 accept",
        f"ip saddr @addresses4_{other} meta l4proto 112 accept",
    )
    assert chain(found, "sg_out", GROUP) == ("meta nfproto ipv6 accept",)
    assert dict(found.sets[f"addresses4_{other}"].elements) == {"10.0.0.7/32": ""}
    assert dict(found.sets[f"addresses6_{other}"].elements) == {"fd00::7/128": ""}


def test_marks_stay_with_their_ports() -> None:
    first = tables(port(), group())
    mark = int(first["bridge"].sets["receivers"].elements['"tap1"'], 16)
    assert mark & 0xFF000000 == TO
    assert f"{mark - TO + FROM:#010x}" in first["inet"].sets["egress"].elements
    assert tables(port(), group()) == first
