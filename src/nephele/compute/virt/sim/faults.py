"""Hypervisors that refuse now and then, to see what becomes of it."""

import random
from collections.abc import Mapping

from nephele.compute.virt.errors import HYPERVISOR_REFUSED
from nephele.compute.virt.sim.driver import Fault


def chance_of(faults: Mapping[str, float], chance: random.Random | None = None) -> Fault:
    """A fault that refuses each method's calls with the likelihood given for it."""
    dice = chance or random.Random()  # noqa: S311 - nothing secret

    def refuse(method: str, server_id: str) -> None:
        if dice.random() < faults.get(method, 0):
            raise HYPERVISOR_REFUSED(action=f"{method} {server_id}", reason="a simulated fault")

    return refuse
