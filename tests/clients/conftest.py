"""The real `openstack` command against a simulated cloud."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.running import RunningCloud, running_cloud

OPENSTACK = Path(sys.executable).parent / "openstack"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("cloud")) / "state", "--hosts", "3") as running:
        yield running


class CliError(AssertionError):
    """The command failed; the message is what it printed."""


def run(cloud: RunningCloud, entry: str, *words: str, parse: bool = True) -> Any:
    """Run `openstack WORDS` as an entry of clouds.yaml; the answer is its JSON, or its text."""
    form = ["-f", "json"] if parse else []
    done = subprocess.run(
        [str(OPENSTACK), *words, *form], env=cloud.environment(entry), capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise CliError(f"openstack {' '.join(words)}: {done.stderr or done.stdout}")
    return json.loads(done.stdout) if parse else done.stdout


@pytest.fixture(scope="session")
def admin(cloud: RunningCloud) -> Callable[..., Any]:
    """`admin("server", "list")` as administrator."""
    return lambda *words, **options: run(cloud, "nephele-admin", *words, **options)


@pytest.fixture(scope="session")
def demo(cloud: RunningCloud) -> Callable[..., Any]:
    """`demo("server", "list")` as a member of project demo."""
    return lambda *words, **options: run(cloud, "nephele", *words, **options)
