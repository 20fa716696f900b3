"""A new server's disks: in which order, under which names, and what is refused."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.compute.making import GUEST, NANO

from nephele.compute import devices
from nephele.compute.errors import BAD_BLOCK_DEVICE, IMAGE_MISSING
from nephele.compute.model import ImageInfo
from nephele.compute.requests import NewDevice, NewServer
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids

VOLUME = NewDevice(source="volume", destination="volume", uuid="v1")
ROOT_VOLUME = replace(VOLUME, boot_index=0)


def plan(*asked: NewDevice, image_id: str = GUEST.id, flavor: Any = NANO, image: ImageInfo = GUEST) -> list[NewDevice]:
    request = NewServer(name="s", flavor_id="42", image_id=image_id, devices=asked)
    return devices.plan(request, flavor, image)


def test_an_image_becomes_the_root_disk() -> None:
    (root,) = plan()
    assert (root.source, root.destination, root.uuid, root.boot_index) == ("image", "local", GUEST.id, 0)
    assert root.delete_on_termination
    (row,) = devices.rows("s1", [root], NANO, Ids(), 7)
    assert (row.device_name, row.size_gb, row.image_id, row.created_at) == ("/dev/vda", NANO.disk, GUEST.id, 7)


def test_the_root_comes_first_and_the_flavors_own_disks_last() -> None:
    flavor = replace(NANO, ephemeral=5, swap=512)
    planned = plan(VOLUME, flavor=flavor)
    assert [device.source for device in planned] == ["image", "volume", "blank", "blank"]
    rows = devices.rows("s1", planned, flavor, Ids(), 0)
    assert [row.device_name for row in rows] == ["/dev/vda", "/dev/vdb", "/dev/vdc", "/dev/vdd"]
    assert [(row.guest_format, row.size_gb) for row in rows[2:]] == [("", 5), ("swap", 0)]


def test_a_root_that_was_asked_for_last_comes_first_all_the_same() -> None:
    planned = plan(VOLUME, replace(ROOT_VOLUME, uuid="root"), image_id="")
    assert [device.uuid for device in planned] == ["root", "v1"]
    assert devices.root_name(planned) == "/dev/vda"


def test_each_bus_counts_for_itself() -> None:
    scsi = replace(GUEST, properties={"hw_disk_bus": "scsi"})
    cdrom = replace(VOLUME, device_type="cdrom", uuid="v2")
    planned = plan(VOLUME, cdrom, replace(VOLUME, disk_bus="virtio", uuid="v3"), image=scsi)
    assert devices.name_devices(planned) == ["/dev/sda", "/dev/sdb", "/dev/hda", "/dev/vda"]
    assert devices.root_name(planned) == "/dev/sda"


@pytest.mark.parametrize(("number", "letters"), [(0, "a"), (25, "z"), (26, "aa"), (701, "zz"), (702, "aaa")])
def test_letters_go_on_after_z(number: int, letters: str) -> None:
    assert devices.letters(number) == letters


def test_the_next_name_is_the_first_that_is_free() -> None:
    assert devices.next_name(["/dev/vda", "/dev/vdc"]) == "/dev/vdb"
    assert devices.next_name(["/dev/vda"], "scsi") == "/dev/sda"


@pytest.mark.parametrize(
    ("asked", "image_id", "reason"),
    [
        ((replace(VOLUME, source="tape"),), GUEST.id, "source_type 'tape'"),
        ((replace(VOLUME, destination="cloud"),), GUEST.id, "destination_type"),
        ((replace(VOLUME, uuid=""),), GUEST.id, "needs a uuid"),
        ((replace(VOLUME, destination="local"),), GUEST.id, "can't become a local disk"),
        ((NewDevice(source="blank", destination="volume"),), GUEST.id, "needs a volume_size"),
        ((NewDevice(source="image", destination="local", uuid="i"),), GUEST.id, "image to local"),
        ((VOLUME,), "", "Boot sequence"),
        ((ROOT_VOLUME, replace(VOLUME, boot_index=2, uuid="v2")), "", "Boot sequence"),
        ((ROOT_VOLUME, replace(VOLUME, boot_index=0, uuid="v2")), "", "Boot sequence"),
        ((NewDevice(source="image", destination="local", uuid="other", boot_index=0),), GUEST.id, "Boot sequence"),
        ((NewDevice(source="blank", destination="local", size_gb=1),), GUEST.id, "larger than the instance type"),
        ((NewDevice(source="blank", destination="local", guest_format="swap"),), GUEST.id, "Swap drive"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: tuple[NewDevice, ...], image_id: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        plan(*asked, image_id=image_id)
    assert refused.value.error is BAD_BLOCK_DEVICE
    assert reason in refused.value.message


def test_nothing_to_boot_from() -> None:
    with pytest.raises(Refused) as refused:
        plan(image_id="")
    assert refused.value.error is IMAGE_MISSING
