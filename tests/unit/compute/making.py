"""Servers, flavors and hosts for tests of Compute's parts."""

import uuid
from typing import Any

from msgspec.structs import replace

from nephele.compute.model import FlavorInfo, ImageInfo, Server, Task, Vm
from nephele.compute.rows import insert_servers
from nephele.kernel.store import Store

PROJECT, USER = "1" * 32, "b" * 32
NANO = FlavorInfo(id="42", name="m1.nano", vcpus=1, ram=64, disk=1)
GUEST = ImageInfo(id="11111111-2222-4333-8444-555555555555", name="guest", disk_format="qcow2", container_format="bare")

_PLAIN = Server(
    id="",
    number=0,
    project_id=PROJECT,
    user_id=USER,
    name="first",
    hostname="first",
    description=None,
    vm_state=Vm.ACTIVE,
    task_state=Task.NONE,
    power_state=1,
    progress=0,
    host="",
    node="",
    availability_zone="nova",
    pinned_zone=None,
    flavor=NANO,
    vcpus=1,
    ram=64,
    image_id=GUEST.id,
    image=GUEST,
    key_name=None,
    key_data=None,
    key_type="ssh",
    config_drive=False,
    user_data=None,
    access_ip_v4="",
    access_ip_v6="",
    metadata={},
    tags=(),
    locked=False,
    locked_by="",
    locked_reason=None,
    fault=None,
    nics=(),
    security_groups=(),
    group_id="",
    hints={},
    disk_config="AUTO",
    reservation_id="r-12345678",
    launch_index=0,
    root_device_name="/dev/vda",
    created_at=1,
    updated_at=1,
    launched_at=None,
    terminated_at=None,
    deleted_at=None,
)
_numbers = iter(range(1, 1_000_000))


def a_server(**changes: Any) -> Server:
    """An active server of its own id."""
    return replace(_PLAIN, **({"id": str(uuid.uuid4()), "number": next(_numbers)} | changes))


def add_servers(store: Store, *new: Server) -> None:
    """Write servers as they are."""
    with store.write() as db:
        insert_servers(db, new, [])
