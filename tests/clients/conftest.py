"""The real `openstack` command against a simulated cloud."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clients.command import openstack
from tests.running import RunningCloud, running_cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("cloud")) / "state", "--hosts", "3") as running:
        yield running


class CliError(AssertionError):
    """The command failed; the message is what it printed."""


def run(cloud: RunningCloud, entry: str, *words: str, parse: bool = True) -> Any:
    """Run `openstack WORDS` as an entry of clouds.yaml; the answer is its JSON, or its text."""
    form = ["-f", "json"] if parse else []
    done = openstack([*words, *form], cloud.environment(entry))
    if done.status != 0:
        raise CliError(f"openstack {' '.join(words)}: {done.errors or done.output}")
    return json.loads(done.output) if parse else done.output


@pytest.fixture(scope="session")
def admin(cloud: RunningCloud) -> Callable[..., Any]:
    """`admin("server", "list")` as administrator."""
    return lambda *words, **options: run(cloud, "nephele-admin", *words, **options)


@pytest.fixture(scope="session")
def demo(cloud: RunningCloud) -> Callable[..., Any]:
    """`demo("server", "list")` as a member of project demo."""
    return lambda *words, **options: run(cloud, "nephele", *words, **options)
