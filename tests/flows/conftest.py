"""One simulated cloud for all flows that do not need one of their own, and its clients."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from tests.running import RunningCloud, running_cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("cloud")) / "state", "--hosts", "3") as running:
        yield running


def connect(cloud: RunningCloud, entry: str) -> Any:
    """An openstacksdk connection."""
    config = openstack.config.OpenStackConfig(config_files=[str(cloud.clouds_yaml)], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(entry))


@pytest.fixture(scope="session")
def admin(cloud: RunningCloud) -> Any:
    return connect(cloud, "nephele-admin")


@pytest.fixture(scope="session")
def demo(cloud: RunningCloud) -> Any:
    return connect(cloud, "nephele")


@pytest.fixture(scope="module")
def server(demo: Any) -> Iterator[Any]:
    """A server that the tests of a module share."""
    from tests.flows.test_launch import launch

    made = launch(demo)
    yield made
    demo.compute.delete_server(made)
    demo.compute.wait_for_delete(made, interval=0.05, wait=10)
