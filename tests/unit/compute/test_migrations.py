"""The record of moves: what is open, what is due, what counts for groups and quotas meanwhile."""

import pytest
from msgspec.structs import replace
from tests.unit.compute.making import NANO, PROJECT, USER, a_server, add_servers

from nephele.compute import devices
from nephele.compute.errors import CANNOT_RESIZE_DISK, MIGRATION_NOT_FOUND, QUOTA_EXCEEDED
from nephele.compute.migrations import Migrations
from nephele.compute.model import BlockDevice, Migration, MoveStatus, MoveType
from nephele.compute.quotas import ComputeQuotas, growth
from nephele.config import Quotas
from nephele.kernel.clock import FakeClock
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.web.paging import MARKER_NOT_FOUND

WHO = Context(request_id="r", project_id=PROJECT, user_id=USER)


class Moves:
    """Migrations of servers on `h1`."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, FakeClock()
        self.migrations = Migrations(store, self.clock, Ids())

    def begin(self, kind: MoveType = MoveType.RESIZE, status: MoveStatus = MoveStatus.PRE_MIGRATING) -> Migration:
        server = a_server(host="h1", node="h1")
        add_servers(self.store, server)
        self.clock.advance(1)
        return self.migrations.begin(WHO, server, kind, status)


@pytest.fixture
def moves(store: Store) -> Moves:
    return Moves(store)


def test_a_migration_is_open_until_it_is_over(moves: Moves) -> None:
    move = moves.begin()
    assert moves.migrations.show(move.id) == move
    for status in MoveStatus:
        moves.migrations.update(move.id, status=status)
        over = status in ("confirmed", "reverted", "done", "completed", "cancelled", "failed", "error")
        assert (moves.migrations.open_of(move.server_id) is None) == over
        assert (moves.migrations.all_open() == []) == over


def test_a_migration_is_found_by_its_number_or_its_uuid_and_its_server(moves: Moves) -> None:
    move, other = moves.begin(), moves.begin()
    for number in (str(move.id), move.uuid):
        assert moves.migrations.of_server(move.server_id, number) == move
    for number in (str(other.id), other.uuid, "9" * 30, "none"):
        with pytest.raises(Refused) as refused:
            moves.migrations.of_server(move.server_id, number)
        assert refused.value.error is MIGRATION_NOT_FOUND


def test_one_that_was_cancelled_does_not_go_on(moves: Moves) -> None:
    move = moves.begin(MoveType.LIVE, MoveStatus.QUEUED)
    assert moves.migrations.advance(move.id, MoveStatus.PREPARING, unless=(MoveStatus.CANCELLED,))
    moves.migrations.update(move.id, status=MoveStatus.CANCELLED)
    assert not moves.migrations.advance(move.id, MoveStatus.RUNNING, unless=(MoveStatus.CANCELLED,))
    assert moves.migrations.show(move.id).status == MoveStatus.CANCELLED


def test_what_is_due_is_what_was_finished_and_whose_time_is_over(moves: Moves) -> None:
    now = moves.clock.now()
    first, second, third = (moves.begin() for _ in range(3))
    moves.migrations.update(first.id, status=MoveStatus.FINISHED, confirm_at=now)
    moves.migrations.update(second.id, status=MoveStatus.FINISHED, confirm_at=None)
    moves.migrations.update(third.id, status=MoveStatus.CONFIRMING, confirm_at=now)
    assert [move.id for move in moves.migrations.due(now)] == [first.id]
    assert moves.migrations.due(now - 1) == []


def test_pages_have_the_newest_first(moves: Moves) -> None:
    made = [moves.begin() for _ in range(3)]
    first = moves.migrations.list_page([], limit=2, marker="")
    assert [move.id for move in first] == [made[2].id, made[1].id]
    rest = moves.migrations.list_page([], limit=2, marker=first[-1].uuid)
    assert [move.id for move in rest] == [made[0].id]
    assert [move.id for move in moves.migrations.list_page([], limit=None, marker="")] == [move.id for move in made]
    with pytest.raises(Refused) as refused:
        moves.migrations.list_page([], limit=2, marker="none")
    assert refused.value.error is MARKER_NOT_FOUND


def test_evacuations_are_completed_when_their_host_has_cleaned_up(moves: Moves) -> None:
    done, under_way = (moves.begin(MoveType.EVACUATION) for _ in range(2))
    moves.migrations.update(done.id, status=MoveStatus.DONE)
    moves.migrations.complete_evacuations("h2")
    assert moves.migrations.show(done.id).status == MoveStatus.DONE
    moves.migrations.complete_evacuations("h1")
    assert moves.migrations.show(done.id).status == MoveStatus.COMPLETED
    assert moves.migrations.show(under_way.id).status == MoveStatus.PRE_MIGRATING


def test_a_server_grows_as_far_as_its_quota(store: Store) -> None:
    quotas = ComputeQuotas(store, Quotas(cores=4, ram=1024))
    add_servers(store, a_server(vcpus=2, ram=512))
    with store.write():
        quotas.check_growth(PROJECT, 2, 512)
        quotas.check_growth(PROJECT, 0, -100)
        for vcpus, ram, over in ((3, 0, "cores"), (0, 513, "ram"), (3, 513, "cores, ram")):
            with pytest.raises(Refused) as refused:
                quotas.check_growth(PROJECT, vcpus, ram)
            assert refused.value.error is QUOTA_EXCEEDED
            assert refused.value.facts["resources"] == over


def test_what_may_become_either_counts_as_the_larger() -> None:
    assert growth(replace(NANO, vcpus=4, ram=64), replace(NANO, vcpus=2, ram=128)) == (4, 128)


def disk(name: str, gb: int, source: str = "image", **more: object) -> BlockDevice:
    fields: dict[str, object] = dict.fromkeys(BlockDevice.__struct_fields__, "")
    fields |= {"id": name, "device_name": f"/dev/{name}", "source": source, "destination": "local", "size_gb": gb}
    fields |= {"boot_index": 0 if source == "image" else None, "delete_on_termination": True, "created_at": 1}
    return BlockDevice(**(fields | more))  # type: ignore[arg-type]


def resized(*before: BlockDevice, **flavor: int) -> list[tuple[str, str, int]]:
    after = devices.resized(list(before), replace(NANO, **flavor), Ids(), 5, server_id="s")
    return [(one.device_name, one.guest_format or one.source, one.size_gb) for one in after]


def test_local_disks_follow_the_flavor() -> None:
    root, volume = disk("vda", 1), disk("vdb", 7, "volume", destination="volume", volume_id="v")
    assert resized(root, disk=3) == [("/dev/vda", "image", 3)]
    assert resized(root, volume, disk=1, ephemeral=2, swap=64) == [
        *(("/dev/vda", "image", 1), ("/dev/vdc", "blank", 2), ("/dev/vdd", "swap", 0)),
    ]
    ephemeral, swap = disk("vdb", 2, "blank"), disk("vdc", 0, "blank", guest_format="swap")
    assert resized(root, ephemeral, swap, ephemeral=5) == [("/dev/vda", "image", 1), ("/dev/vdb", "blank", 5)]
    assert resized(volume, disk=0) == []
    for flavor in ({"disk": 0}, {"ephemeral": 1}):
        with pytest.raises(Refused) as refused:
            resized(root, ephemeral, **flavor)
        assert refused.value.error is CANNOT_RESIZE_DISK
