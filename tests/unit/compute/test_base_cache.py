"""The cache of base images: what nobody uses goes with age and for room; what a disk builds on never does."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from nephele.compute.agent.cache import YOUNG, Limits, sweep, unused
from nephele.volume.backends.qcow2 import create_overlay

HOUR = 3600.0


def base(directory: Path, name: str, hours: float, size: int = 4096) -> Path:
    """A base that was asked for so long ago."""
    path = directory / name
    path.write_bytes(os.urandom(size))
    then = time.time() - hours * HOUR
    os.utime(path, (then, time.time()))
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    directory = tmp_path / "instances" / "_base"
    directory.mkdir(parents=True)
    return directory


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_what_is_old_and_unused_goes(cache: Path) -> None:
    for name, hours in (("old", 30), ("used", 30), ("aside", 30), ("lately", 20), ("now", 0)):
        base(cache, name, hours)
    for guest, name in (("guest/disk", "used"), ("guest.aside/deep/disk.part", "aside")):
        disk = cache.parent / guest
        disk.parent.mkdir(parents=True)
        create_overlay(disk, 1 << 30, cache / name, "raw")
    (cache.parent / "guest" / "console.log").write_text("not a disk")
    os.mkfifo(cache.parent / "guest" / "pipe")
    assert [one.path.name for one in unused(cache, cache.parent)] == ["old", "lately", "now"]
    gone = sweep(cache, cache.parent, Limits())
    assert [one.path.name for one in gone] == ["old"]
    assert names(cache) == {"used", "aside", "lately", "now"}


def test_disks_of_qemu_are_understood(cache: Path) -> None:
    path = base(cache, "used", 30)
    disk = cache.parent / "guest"
    disk.mkdir()
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(path), "-F", "raw", str(disk / "disk"), "1G"]
    try:
        subprocess.run(words, check=True)
    except FileNotFoundError:
        pytest.skip("qemu-img is not installed")
    assert sweep(cache, cache.parent, Limits(max_age=0)) == []


def test_what_is_too_much_goes_the_longest_unused_first(cache: Path) -> None:
    for name, hours in (("a", 3), ("b", 2), ("c", 1)):
        base(cache, name, hours, 600 << 10)
    os.truncate(base(cache, "sparse", 2.5), 5 << 30)
    assert sweep(cache, cache.parent, Limits(max_gb=1)) == []
    huge = cache / "huge"
    with huge.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 30)
    os.utime(huge, (time.time(), time.time()))
    assert [one.path.name for one in sweep(cache, cache.parent, Limits(max_gb=1))] == ["a", "sparse", "b", "c"]
    assert names(cache) == {"huge"}


def test_what_was_just_asked_for_stays(cache: Path) -> None:
    base(cache, "new", YOUNG / HOUR / 2)
    assert sweep(cache, cache.parent, Limits(max_age=0)) == []


def test_nothing_goes_where_a_disk_can_not_be_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base(cache, "old", 30)
    disk = cache.parent / "guest"
    disk.mkdir()
    (disk / "disk").write_bytes(b"QFI\xfb")

    def fail(_path: Path, *_mode: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(PermissionError):
        sweep(cache, cache.parent, Limits())
    assert names(cache) == {"old"}
