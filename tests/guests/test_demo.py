"""`make demo`, as a user runs it: it works, says what is true, and leaves nothing behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nephele.demo.folder import HOST
from nephele.lab import namespaces, records
from nephele.lab.host import PREFIX

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.guests, pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root")]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder to run the demo in."""
    if records.read(HOST) is not None:
        pytest.skip("a demo of this machine's user runs")
    yield tmp_path
    demo(tmp_path, "--clean", XDG_CACHE_HOME=str(tmp_path / "no-cache"))


def demo(folder: Path, *words: str, **environment: str) -> str:
    """Run the demo in `folder`; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "nephele.demo", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_nothing_is_left(folder: Path) -> None:
    assert not (folder / ".demo").exists()
    assert not namespaces.exists(PREFIX + HOST)
    assert namespaces.below(PREFIX + HOST) == []
    assert records.read(HOST) is None
    assert not Path("/run/nephele", PREFIX + HOST).exists()


def test_the_demo_boots_a_vm_logs_in_and_leaves_nothing(folder: Path) -> None:
    told = demo(folder)
    lines = told.splitlines()
    for title in ("host", "guest", "cloud", "access", "server", "address", "login"):
        assert any(line.startswith(f"{title} ") for line in lines), told
    assert "building/scheduling" in told
    assert "  hostname          demo" in lines
    assert "user data         ran" in told
    assert_nothing_is_left(folder)


def test_a_kept_cloud_is_used_by_the_next_demo_and_ended_by_clean(folder: Path) -> None:
    told = demo(folder, "--keep")
    assert "OS_CLIENT_CONFIG_FILE=" in told
    first = (folder / ".demo" / "cloud.json").read_bytes()
    demo(folder)
    assert (folder / ".demo" / "cloud.json").read_bytes() == first
    demo(folder, "--clean", XDG_CACHE_HOME=str(folder / "no-cache"))
    assert_nothing_is_left(folder)


def test_what_a_killed_demo_left_is_gone_after_the_next(folder: Path) -> None:
    words = [sys.executable, "-m", "nephele.demo"]
    killed = subprocess.Popen(
        words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    for line in killed.stdout:
        if line.startswith("server "):
            break
    killed.kill()
    killed.wait()
    assert records.read(HOST) is not None
    demo(folder)
    assert_nothing_is_left(folder)
