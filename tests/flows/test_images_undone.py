"""Images, rebuilds and shelving that fail or are cut short: what is undone, and what the server is like then."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import assert_clean, settle
from tests.flows.test_launch import launch
from tests.flows.test_rebuild import show
from tests.flows.test_server_images import act
from tests.running import RunningCloud, running_cloud


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud whose hypervisor takes its time with what these tests step into."""
    folder = Path(tmp_path_factory.mktemp("slow"))
    (folder / "slow.toml").write_text("[sim_host.delays]\ntake_snapshot = 0.5\nread_snapshot = 0.5\ndestroy = 0.5\n")
    with running_cloud(folder / "state", "--config", str(folder / "slow.toml")) as running:
        yield running


@pytest.fixture
def demo(slow: RunningCloud) -> Any:
    return connect(slow, "nephele")


def shows(demo: Any, server_id: str, task: str) -> None:
    """Wait until the server shows that task."""
    deadline = time.monotonic() + 10
    while show(demo, server_id)["OS-EXT-STS:task_state"] != task:
        assert time.monotonic() < deadline, show(demo, server_id)
        time.sleep(0.01)


def private_images(demo: Any) -> list[Any]:
    return list(demo.image.images(visibility="private"))


@pytest.mark.parametrize(
    ("action", "body", "task"),
    [
        ("createImage", {"name": "cut short"}, "image_snapshot"),
        ("createImage", {"name": "cut short"}, "image_uploading"),
        ("shelve", None, "shelving"),
        ("shelve", None, "shelving_image_uploading"),
        ("shelve", None, "shelving_offloading"),
    ],
)
def test_a_delete_ends_what_is_made_of_the_server(
    slow: RunningCloud, demo: Any, action: str, body: Any, task: str
) -> None:
    server = launch(demo)
    act(demo, server.id, action, body)
    shows(demo, server.id, task)
    demo.compute.delete_server(server)
    assert settle(demo, server.id) == "GONE"
    assert private_images(demo) == []
    assert_clean(slow)


def test_other_commands_have_to_wait(demo: Any) -> None:
    server = launch(demo)
    image_id = act(demo, server.id, "createImage", {"name": "first"}).json()["image_id"]
    act(demo, server.id, "createImage", {"name": "second"}, status=409)
    act(demo, server.id, "shelve", None, status=409)
    assert settle(demo, server.id) == "ACTIVE"
    demo.image.delete_image(image_id)
    demo.compute.delete_server(server)
    assert settle(demo, server.id) == "GONE"


def test_an_image_that_is_deleted_while_it_is_sent_ends_quietly(slow: RunningCloud, demo: Any) -> None:
    server = launch(demo)
    image_id = act(demo, server.id, "createImage", {"name": "short"}).json()["image_id"]
    shows(demo, server.id, "image_uploading")
    demo.image.delete_image(image_id)
    assert settle(demo, server.id) == "ACTIVE"
    assert next(iter(demo.compute.server_actions(server))).message is None
    demo.compute.delete_server(server)
    assert settle(demo, server.id) == "GONE"
    assert_clean(slow)


def test_a_shelving_that_loses_its_image_leaves_the_server_running(slow: RunningCloud, demo: Any) -> None:
    server = launch(demo)
    act(demo, server.id, "shelve", None)
    shows(demo, server.id, "shelving_image_uploading")
    (image,) = private_images(demo)
    demo.image.delete_image(image)
    assert settle(demo, server.id) == "ACTIVE"
    deadline = time.monotonic() + 5
    while show(demo, server.id)["OS-EXT-STS:power_state"] != 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert next(iter(demo.compute.server_actions(server))).message == "Error"
    demo.compute.delete_server(server)
    assert settle(demo, server.id) == "GONE"
    assert_clean(slow)


def test_a_rebuild_that_fails_halfway_is_an_error_that_a_rebuild_repairs(slow: RunningCloud, demo: Any) -> None:
    server = launch(demo)
    (base,) = (slow.state_dir / "instances" / "_base").iterdir()
    act(demo, server.id, "rebuild", {"imageRef": server.image["id"]})
    shows(demo, server.id, "rebuilding")
    time.sleep(0.2)
    base.unlink()
    assert settle(demo, server.id) == "ERROR"
    assert str(base) in show(demo, server.id)["fault"]["message"]
    assert_clean(slow)
    act(demo, server.id, "rebuild", {"imageRef": server.image["id"]})
    assert settle(demo, server.id) == "ACTIVE"
    demo.compute.delete_server(server)
    assert settle(demo, server.id) == "GONE"
    assert_clean(slow)
