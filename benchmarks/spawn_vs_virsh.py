"""How long the libvirt driver needs to spawn a guest, against `virsh` alone for the very same one.

    sudo PYTHONPATH=src python benchmarks/spawn_vs_virsh.py [--rounds 15] [--json]

virsh alone is what an operator would type: `qemu-img create` of the overlay and one `virsh "define …; start …"`.
Both build the same guest (the definition is the driver's own, read back) over the same base image, in turns, on a
lab host; the first round of each is not counted.  Prints medians in milliseconds and their ratio, and ends
with 1 where the ratio is above 1.25.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from nephele.compute.virt.driver import Disk, DiskFormat, Driver, GuestSpec, ImageDisk, Nic
from nephele.compute.virt.libvirt import open_driver
from nephele.guest import image_path
from nephele.lab import LabHost, start_host

LIMIT = 1.25
SERVER = "11111111-2222-4333-8444-555555555555"
BRIDGE = "br-bench"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nephele-b-"))
    try:
        with start_host("bench", folder / "host") as host:
            subprocess.run(host.command("ip", "link", "add", BRIDGE, "type", "bridge"), check=True)
            subprocess.run(host.command("ip", "link", "set", BRIDGE, "up"), check=True)
            ours, theirs = measure(host, folder, asked.rounds)
    finally:
        shutil.rmtree(folder)
    found = {
        "driver_ms": round(statistics.median(ours) * 1000, 1),
        "virsh_ms": round(statistics.median(theirs) * 1000, 1),
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 3),
        "rounds": asked.rounds,
    }
    words = json.dumps(found) if asked.json else "  ".join(f"{name} {value}" for name, value in found.items())
    sys.stdout.write(words + "\n")
    return int(found["ratio"] > LIMIT)


def measure(host: LabHost, folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each round: the driver's, and virsh's."""
    driver = open_driver(host.uri, folder / "instances", "auto")
    spec = guest(folder)
    driver.spawn(spec)
    definition = folder / "guest.xml"
    virsh = ["virsh", "-q", "-c", host.uri]
    words = [*virsh, "dumpxml", "--inactive", spec.domain_name]
    definition.write_text(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    driver.destroy(SERVER)
    ours, theirs = [], []
    for _ in range(rounds + 1):
        ours.append(timed(driver, lambda: driver.spawn(spec)))
        theirs.append(timed(driver, lambda: by_virsh(virsh, spec, folder, definition)))
    driver.close()
    return ours[1:], theirs[1:]


def timed(driver: Driver, spawn: Callable[[], None]) -> float:
    """Seconds that `spawn` took; the guest is gone afterwards."""
    before = time.perf_counter()
    spawn()
    took = time.perf_counter() - before
    driver.destroy(SERVER)
    return took


def by_virsh(virsh: list[str], spec: GuestSpec, folder: Path, definition: Path) -> None:
    """What an operator would type."""
    source = spec.disks[0].source
    assert isinstance(source, ImageDisk)
    overlay = folder / "instances" / SERVER / "vda.qcow2"
    overlay.parent.mkdir()
    base = ("-b", source.base, "-F", source.base_format)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *base, str(overlay), "1G"], check=True)
    subprocess.run([*virsh, f"define {definition}; start {spec.domain_name}"], check=True, capture_output=True)


def guest(folder: Path) -> GuestSpec:
    """A small guest: the tiny guest's image where it was built, else an empty disk."""
    base, form = image_path(), DiskFormat.QCOW2
    if not base.exists():
        base, form = folder / "base.raw", DiskFormat.RAW
        base.write_bytes(bytes(1 << 20))
    source = ImageDisk(base=str(base), base_format=form, size_gb=1)
    nic = Nic(port_id=SERVER, mac="fa:16:3e:00:00:01", bridge=BRIDGE, tap="tap-bench", mtu=1450)
    return GuestSpec(
        server_id=SERVER,
        name="bench",
        domain_name="bench-0001",
        project_id="p",
        user_id="u",
        flavor_name="m1.tiny",
        vcpus=1,
        memory_mb=128,
        disks=(Disk(device_name="/dev/vda", source=source, boot_index=0),),
        nics=(nic,),
    )


if __name__ == "__main__":
    sys.exit(main())
