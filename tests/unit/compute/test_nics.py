"""Which port was asked for by which request."""

from nephele.compute import nics
from nephele.network.messages import NicRequest
from nephele.network.model import PortAddress, ServerPort


def port(id: str, network: str = "n", *, created: bool = True, address: str = "") -> ServerPort:
    addresses = (PortAddress("s", address, ""),) if address else ()
    return ServerPort(
        id=id,
        network_id=network,
        network_name=network,
        mac="",
        status="ACTIVE",
        addresses=addresses,
        security_groups=(),
        created=created,
    )


def asked(network: str = "n", port_id: str = "", tag: str = "", fixed_ip: str = "") -> NicRequest:
    return NicRequest(network_id=network, port_id=port_id, tag=tag, fixed_ip=fixed_ip)


def test_ports_that_are_named_are_taken_first() -> None:
    wanted = (asked(tag="first"), asked(port_id="b", tag="named"))
    ports = [port("b"), port("a")]
    assert nics.match(wanted, ports) == {"b": 1, "a": 0}
    assert nics.tags(wanted, ports) == {"a": "first", "b": "named"}


def test_a_request_goes_with_its_port_and_no_other() -> None:
    wanted = (asked(tag="one"), asked(tag="two"), asked("m"))
    ports = [port("a"), port("b"), port("c", "m")]
    assert nics.without(wanted, ports, "b") == (wanted[0], wanted[2])
    assert nics.without(wanted, ports[1:], "a") == wanted
    assert nics.without((asked(port_id="x"),), [], "x") == ()


def test_ports_that_neutron_gave_belong_to_no_request() -> None:
    ports = [port("theirs", created=False), port("ours")]
    assert nics.match((asked(),), ports) == {"ours": 0}


def test_a_request_for_an_address_has_the_port_with_it() -> None:
    ports = [port("a", address="10.0.0.5"), port("b", address="10.0.0.9")]
    wanted = (asked(fixed_ip="10.0.0.9"), asked())
    assert nics.match(wanted, ports) == {"b": 0, "a": 1}
    assert nics.pinned(wanted, ports, "b") == (asked(port_id="b"), asked())
