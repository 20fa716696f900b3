"""What the simulated hypervisor has beyond the driver contract."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import os_traits
import pytest

from nephele.compute.virt.driver import (
    Disk,
    DiskFormat,
    FileDisk,
    GuestSpec,
    ImageDisk,
    Nic,
    PowerChange,
    PowerState,
)
from nephele.compute.virt.errors import DETACH_REFUSED, DISK_MISSING, DOMAIN_NAME_TAKEN
from nephele.compute.virt.sim import SimWorld
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused


def spec(base: Path, number: int = 1) -> GuestSpec:
    source = ImageDisk(base=str(base), base_format=DiskFormat.QCOW2, size_gb=1)
    return GuestSpec(
        server_id=f"server-{number}",
        name="web",
        domain_name=f"instance-{number:08x}",
        project_id="p",
        user_id="u",
        flavor_name="m1.nano",
        vcpus=1,
        memory_mb=64,
        disks=(Disk(device_name="/dev/vda", source=source),),
        nics=(Nic(port_id="port", mac="fa:16:3e:00:00:01", bridge="br", tap="tap0", mtu=1450),),
        config_drive={"openstack/latest/meta_data.json": b"{}"},
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.qcow2"
    path.touch()
    return path


def test_hosts_of_a_world_see_only_their_own_guests(tmp_path: Path, base: Path) -> None:
    world = SimWorld(tmp_path / "guests.db")
    one, two = world.host("one"), world.host("two")
    one.spawn(spec(base))
    assert [g.server_id for g in one.guests()] == ["server-1"]
    assert two.guests() == []
    assert two.power_state("server-1") is PowerState.NOSTATE


def test_guests_survive_a_killed_process(tmp_path: Path, base: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, 'tests/unit/compute/virt');"
        "import test_sim; from nephele.compute.virt.sim import SimWorld;"
        f"d = SimWorld(Path({str(tmp_path)!r}) / 'guests.db').host('one'); base = Path({str(base)!r});"
        "[d.spawn(test_sim.spec(base, n)) for n in range(50)]; d.pause('server-7');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = os.environ | {"PYTHONPATH": "src"}
    killed = subprocess.run([sys.executable, "-c", code], env=env, timeout=30, check=False)
    assert killed.returncode == -signal.SIGKILL
    driver = SimWorld(tmp_path / "guests.db").host("one")
    assert len(driver.guests()) == 50
    assert driver.power_state("server-7") is PowerState.PAUSED


def test_faults_and_delays_come_before_the_work(tmp_path: Path, base: Path) -> None:
    asked: list[tuple[str, str]] = []
    slept: list[float] = []

    def fault(method: str, server_id: str) -> None:
        asked.append((method, server_id))
        if method == "detach_nic":
            raise DETACH_REFUSED(server_id=server_id, device="nic", timeout=1)

    world = SimWorld(tmp_path / "guests.db")
    driver = world.host("one", delays={"spawn": 1.5}, fault=fault, sleep=slept.append)
    guest = spec(base)
    driver.spawn(guest)
    with pytest.raises(Refused, match="did not let go"):
        driver.detach_nic(guest.server_id, guest.nics[0], 1)
    assert asked == [("spawn", "server-1"), ("detach_nic", "server-1")]
    assert slept == [1.5]
    assert driver.spec("server-1").nics == guest.nics


def test_the_console_tells_what_happened(tmp_path: Path, base: Path) -> None:
    clock = FakeClock()
    driver = SimWorld(tmp_path / "guests.db", clock=clock).host("one")
    driver.spawn(spec(base))
    clock.advance(60)
    driver.stop("server-1", 10)
    assert driver.console_output("server-1", 4096).decode().splitlines() == [
        "2023-11-14T22:13:20Z simulated guest instance-00000001 on one: 1 vcpus, 64 MB memory",
        "2023-11-14T22:13:20Z /dev/vda (virtio): 1 GB over base.qcow2",
        "2023-11-14T22:13:20Z nic fa:16:3e:00:00:01 (virtio) as tap0 in br, mtu 1450",
        "2023-11-14T22:13:20Z config drive with 1 files",
        "2023-11-14T22:13:20Z started",
        "2023-11-14T22:14:20Z shut down by its system",
    ]


def test_a_guest_may_act_by_itself(tmp_path: Path, base: Path) -> None:
    driver = SimWorld(tmp_path / "guests.db").host("one")
    told: list[PowerChange] = []
    driver.on_power_change(told.append)
    driver.spawn(spec(base))
    driver.act("server-1", PowerState.CRASHED, "kernel panic")
    assert driver.power_state("server-1") is PowerState.CRASHED
    assert [change.power_state for change in told] == [PowerState.RUNNING, PowerState.CRASHED]


def test_refusals_of_a_real_hypervisor(tmp_path: Path, base: Path) -> None:
    driver = SimWorld(tmp_path / "guests.db").host("one")
    driver.spawn(spec(base))
    twin = spec(base, 2)
    with pytest.raises(Refused) as refusal:
        driver.spawn(
            type(twin)(**{f: getattr(twin, f) for f in twin.__struct_fields__} | {"domain_name": "instance-00000001"})
        )
    assert refusal.value.error is DOMAIN_NAME_TAKEN
    gone = Disk(
        device_name="/dev/vdb", source=FileDisk(path=str(tmp_path / "gone"), format=DiskFormat.RAW), volume_id="v"
    )
    with pytest.raises(Refused) as refusal:
        driver.attach_disk("server-1", gone)
    assert refusal.value.error is DISK_MISSING


def test_traits_are_standard(tmp_path: Path) -> None:
    has = SimWorld(tmp_path / "guests.db").host("one", vcpus=3, memory_mb=5, disk_gb=7).inventory()
    assert (has.vcpus, has.memory_mb, has.disk_gb) == (3, 5, 7)
    assert set(has.traits) <= set(os_traits.get_traits())


def test_a_spawn_is_cheap(tmp_path: Path, base: Path) -> None:
    driver = SimWorld(tmp_path / "guests.db").host("one")
    specs = [spec(base, n) for n in range(300)]
    costs = []
    for guest in specs:
        before = time.thread_time_ns()
        driver.spawn(guest)
        costs.append(time.thread_time_ns() - before)
    assert sorted(costs)[len(costs) // 2] < 100_000, "median ns of CPU for a spawn"
