"""The simulated hypervisor: guests that are rows.

A peer of the libvirt driver, with the same promises and refusals.  Its guests live in an SQLite file of
their own, shared by all simulated hosts of a process, so that they outlive a `kill -9` of that process as
real ones do (nothing is synced: they don't outlive a power failure, as real ones don't).

    world = SimWorld(Path("guests.db"))
    driver = world.host("sim-1", vcpus=8, memory_mb=16384, disk_gb=200)
"""

from nephele.compute.virt.sim.faults import chance_of
from nephele.compute.virt.sim.world import SimWorld

__all__ = ["SimWorld", "chance_of"]
