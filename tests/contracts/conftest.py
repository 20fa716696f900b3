"""The two hypervisors that the driver contract is held against."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.rig import Rig

from nephele.compute.virt.sim import SimWorld


@pytest.fixture(params=["sim"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    world = SimWorld(tmp_path / "guests.db")
    base = tmp_path / "base.raw"
    base.write_bytes(bytes(1 << 20))
    volume = tmp_path / "volume.raw"
    volume.write_bytes(bytes(1 << 20))
    yield Rig(lambda: world.host("sim-1"), base, volume)
    world.close()
