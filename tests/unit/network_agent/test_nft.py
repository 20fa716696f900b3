from nephele.network.agent.nft import Chain, Ruleset, Set, Table, difference, replacement


def ruleset(elements: dict[str, str], **chains: Chain) -> Ruleset:
    return Ruleset((Table("inet", {"ports": Set("type mark : verdict", elements, is_map=True)}, chains),))


OLD = ruleset({"0x1": "jump a", "0x2": "drop"}, a=Chain(("accept",)), base=Chain(("drop",), "type filter hook input"))


def test_a_replacement_is_whole() -> None:
    text = replacement(OLD).splitlines()
    assert text[:2] == ["add table bridge nephele", "delete table bridge nephele"]
    assert "add chain inet nephele base { type filter hook input; }" in text
    assert text.index("add chain inet nephele a") < text.index(
        "add element inet nephele ports { 0x1 : jump a, 0x2 : drop }"
    )


def test_nothing_new_nothing_done() -> None:
    assert difference(OLD, OLD) == ""


def test_only_what_differs_is_touched() -> None:
    new = ruleset(
        {"0x2": "accept", "0x3": "jump b"}, b=Chain(("accept",)), base=Chain(("drop",), "type filter hook input")
    )
    assert difference(OLD, new).splitlines() == [
        "add chain inet nephele b",
        "add rule inet nephele b accept",
        "delete element inet nephele ports { 0x1, 0x2 }",
        "add element inet nephele ports { 0x2 : accept, 0x3 : jump b }",
        "flush chain inet nephele a",
        "delete chain inet nephele a",
    ]


def test_interval_sets_are_replaced_as_a_whole() -> None:
    def addresses(*elements: str) -> Ruleset:
        held = Set("type ipv4_addr; flags interval", dict.fromkeys(elements, ""))
        return Ruleset((Table("inet", {"a": held}, {}),))

    assert difference(addresses("10.0.0.1"), addresses("10.0.0.2", "10.0.0.3")).splitlines() == [
        "flush set inet nephele a",
        "add element inet nephele a { 10.0.0.2, 10.0.0.3 }",
    ]


def test_a_table_that_comes_or_goes_replaces_all() -> None:
    assert difference(OLD, Ruleset()) == replacement(Ruleset())


def test_counters_count_on_while_rules_change() -> None:
    before = Table("inet", {}, {"a": Chain(("counter name m return",))}, ("m",))
    after = Table("inet", {}, {"a": Chain(("drop", "counter name m return"))}, ("m", "n"))
    changed = difference(Ruleset((before,)), Ruleset((after,)))
    assert changed.splitlines()[0] == "add counter inet nephele n"
    assert " m" not in [line for line in changed.splitlines() if line.startswith(("add counter", "delete counter"))]
    gone = difference(Ruleset((after,)), Ruleset((Table("inet", {}, {}),)))
    assert gone.splitlines()[-2:] == ["delete counter inet nephele m", "delete counter inet nephele n"]
