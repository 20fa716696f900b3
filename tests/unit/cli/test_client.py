"""Which entry of which clouds.yaml a command takes."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from nephele.cli.client import NO_CLOUD, _find_entry
from nephele.kernel.errors import Refused

FILE = "clouds:\n  nephele: {who: demo}\n  nephele-admin: {who: admin}\n  lonely: {who: lonely}\n"


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "clouds.yaml").write_text(FILE)
    for name in ("OS_CLOUD", "OS_CLIENT_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path.parent)
    return tmp_path


def entry(*, admin: bool, os_cloud: str | None = None, state_dir: Path | None = None) -> Any:
    return _find_entry(argparse.Namespace(os_cloud=os_cloud, state_dir=state_dir), admin=admin)["who"]


@pytest.mark.parametrize(("admin", "who"), [(False, "demo"), (True, "admin")])
def test_a_state_directory_is_asked_for_its_own_cloud(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, admin: bool, who: str
) -> None:
    assert entry(admin=admin, state_dir=state_dir) == who
    monkeypatch.setenv("OS_CLOUD", "elsewhere")
    assert entry(admin=admin, state_dir=state_dir) == who


@pytest.mark.parametrize(
    ("cloud", "admin", "who"),
    [
        ("nephele", False, "demo"),
        ("nephele", True, "admin"),
        ("nephele-admin", True, "admin"),
        ("lonely", True, "lonely"),
    ],
)
def test_os_cloud_names_the_entry_and_administrators_the_one_beside_it(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, cloud: str, admin: bool, who: str
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(state_dir / "clouds.yaml"))
    monkeypatch.setenv("OS_CLOUD", cloud)
    assert entry(admin=admin) == who


def test_who_names_an_entry_gets_that_one(state_dir: Path) -> None:
    assert entry(admin=True, os_cloud="nephele", state_dir=state_dir) == "demo"


def test_no_such_cloud(state_dir: Path) -> None:
    with pytest.raises(Refused) as refused:
        entry(admin=False, os_cloud="nobody", state_dir=state_dir)
    assert refused.value.error is NO_CLOUD
    assert str(state_dir / "clouds.yaml") in refused.value.message
