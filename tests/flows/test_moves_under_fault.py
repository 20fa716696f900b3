"""Moves of servers that fail, or whose cloud is killed, at every step: completed or undone, and nothing is left."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.conftest import connect
from tests.flows.test_durability import KILLER, MOMENTS, assert_clean, create, died, settle
from tests.flows.test_relocation import LIVE, force_down
from tests.flows.test_resize import act, flavor, held, migrations, show, wait_for
from tests.running import RunningCloud, running_cloud, start_cloud, stop_cloud

from nephele.compute.operations import CONFIRM_RESIZE, EVACUATE, LIVE_MIGRATE, MIGRATE, RESIZE, REVERT_RESIZE
from nephele.kernel.operations import Operation

FAILER = str(Path(__file__).parent / "failing.py")
CONFIRM, REVERT = {"confirmResize": None}, {"revertResize": None}


class Failing:
    """A cloud whose steps fail when told so."""

    def __init__(self, cloud: RunningCloud, order: Path) -> None:
        self.cloud, self.order = cloud, order
        self.user, self.boss = connect(cloud, "nephele"), connect(cloud, "nephele-admin")

    def server(self, *, off: bool = False) -> str:
        server_id = create(self.user)
        assert settle(self.user, server_id) == "ACTIVE"
        if off:
            act(self.user, server_id, {"os-stop": None})
            assert settle(self.user, server_id) == "SHUTOFF"
        return server_id

    def facts(self, server_id: str) -> dict[str, Any]:
        """What must be as it was after a failure."""
        shown = show(self.boss, server_id)
        names = ("status", "OS-EXT-SRV-ATTR:host", "OS-EXT-STS:power_state", "OS-EXT-STS:vm_state", "flavor")
        ports = [port.binding_host_id for port in self.boss.network.ports(device_id=server_id)]
        quota = self.user.compute.get("/limits").json()["limits"]["absolute"]
        used = {name: quota[name] for name in ("totalCoresUsed", "totalRAMUsed")}
        return {name: shown[name] for name in names} | {"held": held(self.boss, server_id), "ports": ports} | used

    def gone(self, server_id: str) -> None:
        self.user.compute.delete(f"/servers/{server_id}")
        assert settle(self.user, server_id) == "GONE"
        assert_clean(self.cloud)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failing]:
    folder = tmp_path_factory.mktemp("failing")
    cloud = start_cloud(folder / "state", "--hosts", "3", program=(FAILER, str(folder / "order")))
    try:
        yield Failing(cloud, folder / "order")
    finally:
        stop_cloud(cloud)


def resize_body(who: Any) -> dict[str, Any]:
    return {"resize": {"flavorRef": flavor(who, "m1.tiny")}}


@pytest.mark.parametrize("off", [False, True], ids=["on", "off"])
@pytest.mark.parametrize("step", [step.name for step in RESIZE.steps])
def test_a_resize_that_fails_leaves_all_as_it_was(failing: Failing, step: str, off: bool) -> None:
    server = failing.server(off=off)
    before = failing.facts(server)
    failing.order.write_text(f"resize:{step}")
    assert act(failing.user, server, resize_body(failing.user)).status_code == 202
    assert settle(failing.user, server) == before["status"]
    assert not failing.order.exists()
    assert failing.facts(server) == before
    (move,) = migrations(failing.boss, server)
    assert move["status"] == "error"
    assert held(failing.boss, move["uuid"]) == {}
    assert_clean(failing.cloud)
    act(failing.user, server, resize_body(failing.user))
    assert settle(failing.user, server) == "VERIFY_RESIZE"
    failing.gone(server)


@pytest.mark.parametrize("step", [step.name for step in LIVE_MIGRATE.steps])
def test_a_live_migration_that_fails_stays_or_has_moved(failing: Failing, step: str) -> None:
    server = failing.server()
    before = failing.facts(server)
    failing.order.write_text(f"live_migrate:{step}")
    assert act(failing.boss, server, {"os-migrateLive": LIVE}).status_code == 202
    assert settle(failing.user, server) == "ACTIVE"
    assert not failing.order.exists()
    (move,) = migrations(failing.boss, server)
    moved = step in ("guest", "settle")
    assert move["status"] == ("completed" if moved else "error")
    after = failing.facts(server)
    assert after["OS-EXT-SRV-ATTR:host"] == (move["dest_compute"] if moved else before["OS-EXT-SRV-ATTR:host"])
    assert list(after["held"]) == [after["OS-EXT-SRV-ATTR:host"]] == after["ports"]
    assert_clean(failing.cloud)
    failing.gone(server)


@pytest.mark.parametrize("step", [step.name for step in EVACUATE.steps])
def test_an_evacuation_that_fails_can_be_tried_again(failing: Failing, step: str) -> None:
    server = failing.server()
    source = failing.facts(server)["OS-EXT-SRV-ATTR:host"]
    force_down(failing.boss, source, True)
    try:
        failing.order.write_text(f"evacuate:{step}")
        assert act(failing.boss, server, {"evacuate": {}}, "2.68").status_code == 200
        assert settle(failing.user, server) == "ERROR"
        assert list(failing.facts(server)["held"]) == [source]
        assert act(failing.boss, server, {"evacuate": {}}, "2.68").status_code == 200
        assert settle(failing.user, server) == "ACTIVE"
        after = failing.facts(server)
        assert [after["OS-EXT-SRV-ATTR:host"]] == list(after["held"]) == after["ports"] != [source]
        wait_for(lambda: [one["status"] for one in migrations(failing.boss, server)] == ["completed", EVACUATED[step]])
    finally:
        force_down(failing.boss, source, False)
    failing.gone(server)


EVACUATED = {"host": "error", "move": "failed", "image": "failed", "guest": "failed"}


@pytest.mark.parametrize(("operation", "end"), [(CONFIRM_RESIZE, CONFIRM), (REVERT_RESIZE, REVERT)], ids=["yes", "no"])
def test_a_decision_is_carried_out_though_steps_fail(
    failing: Failing, operation: Operation[Any], end: dict[str, None]
) -> None:
    for step in operation.steps:
        server = failing.server()
        act(failing.user, server, resize_body(failing.user))
        assert settle(failing.user, server) == "VERIFY_RESIZE"
        failing.order.write_text(f"{operation.kind}:{step.name}")
        act(failing.user, server, end)
        assert settle(failing.user, server) == "ACTIVE"
        assert not failing.order.exists()
        assert show(failing.boss, server)["flavor"]["ram"] == (512 if end is CONFIRM else 64)
        assert_clean(failing.cloud)
        failing.gone(server)


# -- kill -9 -----------------------------------------------------------------------------------------------------

RESIZED, BACK = "VERIFY_RESIZE", "ACTIVE"
CHAIN: tuple[tuple[Operation[Any], int, str], ...] = (
    *((RESIZE, 0, RESIZED), (REVERT_RESIZE, 0, BACK)),
    *((RESIZE, 1, RESIZED), (REVERT_RESIZE, 1, BACK)),
    *((RESIZE, 2, RESIZED), (REVERT_RESIZE, 2, BACK)),
    *((RESIZE, 3, RESIZED), (CONFIRM_RESIZE, 0, BACK)),
    *((MIGRATE, 3, RESIZED), (CONFIRM_RESIZE, 1, BACK)),
    *((operation, place, BACK) for place in range(4) for operation in (LIVE_MIGRATE, EVACUATE)),
)
"""Operations of which one leads to the next: at which step each is killed, and where the server is afterwards.

No two in a row are of one kind: what is resumed must not be killed at the step that the next one is for.
"""


def begin(cloud: RunningCloud, operation: Operation[Any], server_id: str) -> None:
    """Command the operation."""
    user, boss = connect(cloud, "nephele"), connect(cloud, "nephele-admin")
    if operation is EVACUATE:
        force_down(boss, show(boss, server_id)["OS-EXT-SRV-ATTR:host"], True)
    bodies: dict[str, dict[str, Any]] = {
        "resize": resize_body(user),
        "migrate": {"migrate": None},
        "confirm_resize": CONFIRM,
        "revert_resize": REVERT,
        "live_migrate": {"os-migrateLive": LIVE},
        "evacuate": {"evacuate": {}},
    }
    assert act(boss, server_id, bodies[operation.kind], "2.68").status_code < 300


def end(cloud: RunningCloud, operation: Operation[Any]) -> None:
    """Let the host that was down be up again."""
    if operation is EVACUATE:
        boss = connect(cloud, "nephele-admin")
        for service in boss.compute.get("/os-services?binary=nova-compute", microversion="2.53").json()["services"]:
            if service["forced_down"]:
                force_down(boss, service["host"], False)


@pytest.mark.parametrize("when", MOMENTS)
def test_moves_survive_a_kill_at_every_step(tmp_path: Path, when: str) -> None:
    """Each start finds what the one before was killed at, completes it, and is killed at the next step."""
    state, server_id, last, before = tmp_path / "state", "", "ACTIVE", RESIZE
    for operation, place, arrives in CHAIN:
        step = f"{operation.kind}:{operation.steps[place].name}"
        cloud = start_cloud(state, "--hosts", "2", program=(KILLER, step, when))
        demo = connect(cloud, "nephele")
        server_id = server_id or create(demo)
        assert settle(demo, server_id) == last, step
        end(cloud, before)
        assert_clean(cloud)
        begin(cloud, operation, server_id)
        died(cloud)
        last, before = arrives, operation
    for operation in (RESIZE, REVERT_RESIZE, CONFIRM_RESIZE, LIVE_MIGRATE, EVACUATE):
        assert {place for one, place, _ in CHAIN if one is operation} == set(range(len(operation.steps)))
    with running_cloud(state, "--hosts", "2") as again:
        demo, boss = connect(again, "nephele"), connect(again, "nephele-admin")
        assert settle(demo, server_id) == last
        end(again, before)
        statuses = [one["status"] for one in migrations(boss, server_id)]
        assert sorted(set(statuses)) == ["completed", "confirmed", "reverted"]
        demo.compute.delete(f"/servers/{server_id}")
        assert settle(demo, server_id) == "GONE"
        assert_clean(again)
        total = boss.placement.get("/resource_providers").json()["resource_providers"]
        for one in total:
            used = boss.placement.get(f"/resource_providers/{one['uuid']}/usages").json()["usages"]
            assert set(used.values()) == {0}


def test_a_resize_confirms_itself_also_when_its_time_passed_in_between(tmp_path: Path) -> None:
    settings = tmp_path / "nephele.toml"
    settings.write_text("[compute]\nconfirm_resize_after = 2\n")
    words = ("--hosts", "2", "--config", str(settings))
    with running_cloud(tmp_path / "state", *words) as cloud:
        demo = connect(cloud, "nephele")
        server_id, second = create(demo), create(demo)
        for each in (server_id, second):
            assert settle(demo, each) == "ACTIVE"
        act(demo, second, resize_body(demo))
        assert settle(demo, second) == "VERIFY_RESIZE"
        wait_for(lambda: settle(demo, second) == "ACTIVE")
        act(demo, server_id, resize_body(demo))
        assert settle(demo, server_id) == "VERIFY_RESIZE"
        cloud.kill()
    with running_cloud(tmp_path / "state", *words) as again:
        demo = connect(again, "nephele")
        wait_for(lambda: settle(demo, server_id) == "ACTIVE")
        assert migrations(connect(again, "nephele-admin"), server_id)[0]["status"] == "confirmed"
        assert_clean(again)
