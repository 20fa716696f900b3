import threading

from nephele.kernel.bus import LocalBus
from nephele.network.agent.sim import SimNetworkAgent
from nephele.network.wiring import WIRING_APPLIED, WIRING_CHANGED, AskWiring, WiringApplied


def test_it_reports_what_was_to_be_wired() -> None:
    bus, heard, told = LocalBus(), list[WiringApplied](), threading.Event()

    def hear(applied: WiringApplied) -> None:
        heard.append(applied)
        told.set()

    bus.serve(WIRING_APPLIED, hear)
    agent = SimNetworkAgent("h1", bus)
    agent.start()
    agent.wire(["p1", "p2"])
    bus.call(WIRING_CHANGED, AskWiring("h1"), at="h1")
    assert told.wait(5)
    bus.close()
    assert heard == [WiringApplied(host="h1", revision=0, wired=("p1", "p2"))]
    assert agent.wired == {"p1", "p2"}
    assert agent.changes == 1
