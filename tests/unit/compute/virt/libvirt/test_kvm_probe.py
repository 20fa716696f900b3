"""The probe for KVM: its program runs, its answer is kept while it holds."""

import shutil
from pathlib import Path

import pytest

from nephele.compute.virt.libvirt import kvm_probe


def test_the_boot_sector_is_one() -> None:
    sector = kvm_probe.boot_sector()
    assert len(sector) == 512
    assert sector.endswith(b"\x55\xaa")
    assert sector[0x51:0x56] == b"\xb9" + (50_000_000).to_bytes(4, "little")


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
def test_the_probe_runs_by_translation() -> None:
    assert kvm_probe.run_probe("qemu-system-x86_64", "tcg") == kvm_probe.EXIT_CODE


def test_an_emulator_that_does_not_start_is_no_use() -> None:
    assert kvm_probe.run_probe("/nowhere/qemu", "kvm") is None


def test_the_answer_is_kept_until_qemu_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/kvm").exists():
        pytest.skip("without /dev/kvm nothing is asked")
    runs: list[str] = []

    def run(emulator: str, accelerator: str) -> int:
        runs.append(accelerator)
        return kvm_probe.EXIT_CODE

    monkeypatch.setattr(kvm_probe, "run_probe", run)
    cache = tmp_path / "kvm-probe.json"
    assert [kvm_probe.kvm_is_fast("qemu", version, cache) for version in (1, 1, 2)] == [True] * 3
    assert runs == ["kvm", "kvm"]
    cache.write_bytes(b"damaged")
    assert kvm_probe.kvm_is_fast("qemu", 2, cache)
    assert len(runs) == 3
