"""`kill -9` in the middle of images, rebuilds and shelving: the next start completes them, and nothing is left over.

As in test_durability each start finds what the one before was killed at, completes it, and is killed at the next step.
"""

from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

from keystoneauth1.exceptions import ConnectFailure
from tests.flows.conftest import connect
from tests.flows.test_durability import KILLER, assert_clean, create, died, settle
from tests.running import running_cloud, start_cloud

from nephele.compute.operations import BACKUP, REBUILD, SHELVE, SNAPSHOT, UNSHELVE
from nephele.kernel.operations import Operation

Kill = tuple[str, str, str]
"""At which step, before or after it, and where the server arrives all the same."""
IMAGE = {"createImage": {"name": "killed"}}
DAILY = {"createBackup": {"name": "killed", "backup_type": "daily", "rotation": 1}}
OFFLOADED, ACTIVE = "SHELVED_OFFLOADED", "ACTIVE"


def names(operation: Operation[Any], *but: str) -> list[str]:
    return [f"{operation.kind}:{step.name}" for step in operation.steps if step.name not in but]


def shelving() -> list[Kill]:
    """Every step of a shelving, each followed by an unshelving that is killed too."""
    back = names(UNSHELVE, "start")
    away = [(step, "after") for step in names(SHELVE)] + [("shelve:guest", "before"), ("shelve:upload", "before")]
    kills: list[Kill] = []
    for number, (step, when) in enumerate(away):
        kills.append((step, when, OFFLOADED))
        kills.append((back[number % len(back)], "after" if number < len(back) else "before", ACTIVE))
    return kills


COPYING = [*((step, "after") for step in names(SNAPSHOT)), ("snapshot:upload", "before"), (names(BACKUP)[-1], "after")]
BUILDING = [*((step, "after") for step in names(REBUILD, "detach", "volume", "stop")), ("rebuild:spawn", "before")]
ON_A_DISK: list[Kill] = [
    *((step, when, ACTIVE) for pair in zip_longest(COPYING, BUILDING) for step, when in filter(None, pair)),
    *shelving(),
]
"""No two of one kind behind each other: the start that is to be killed at the second would die completing the first."""
ON_A_VOLUME: list[Kill] = [
    ("snapshot:copy", "after", ACTIVE),
    ("rebuild:detach", "after", ACTIVE),
    ("shelve:volumes", "after", OFFLOADED),
    ("unshelve:devices", "after", ACTIVE),
    ("rebuild:volume", "after", ACTIVE),
]


def begin(demo: Any, server_id: str, kind: str) -> None:
    """Command; who waits for the answer may see the cloud die."""
    anew = {"rebuild": {"imageRef": demo.image.find_image("nephele-guest").id}}
    bodies = {"snapshot": IMAGE, "backup": DAILY, "rebuild": anew, "shelve": {"shelve": None}}
    with suppress(ConnectFailure):
        body = bodies.get(kind, {"unshelve": None})
        demo.compute.post(f"/servers/{server_id}/action", json=body, microversion="2.93")


def create_on_volume(demo: Any) -> str:
    image = demo.image.find_image("nephele-guest").id
    device = {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": 1}
    body = {
        "name": "victim",
        "flavorRef": demo.compute.find_flavor("m1.nano").id,
        "networks": [{"uuid": demo.network.find_network("private").id}],
        "block_device_mapping_v2": [device],
    }
    return str(demo.compute.post("/servers", json={"server": body}, microversion="2.79").json()["server"]["id"])


def live_through(state: Path, kills: list[Kill], create: Any) -> tuple[int, int]:
    """Kill the cloud again and again; how many images there are at last, and how many of them are active."""
    server_id, last = "", ACTIVE
    for step, when, arrives in kills:
        cloud = start_cloud(state, program=(KILLER, step, when))
        demo = connect(cloud, "nephele")
        server_id = server_id or create(demo)
        assert settle(demo, server_id) == last, step
        begin(demo, server_id, step.partition(":")[0])
        died(cloud)
        last = arrives
    with running_cloud(state) as again:
        demo = connect(again, "nephele")
        assert settle(demo, server_id) == last
        assert_clean(again)
        statuses = [image.status for image in demo.image.images(visibility="private")]
    return len(statuses), statuses.count("active")


def test_a_server_on_a_disk_survives_a_kill_at_every_step(tmp_path: Path) -> None:
    made = sum(step.startswith("snapshot") for step, *_ in ON_A_DISK)
    assert live_through(tmp_path / "state", ON_A_DISK, create) == (made + 1, made + 1)


def test_a_server_on_a_volume_survives_a_kill(tmp_path: Path) -> None:
    assert live_through(tmp_path / "state", ON_A_VOLUME, create_on_volume) == (1, 1)
