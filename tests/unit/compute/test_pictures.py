"""Pictures: a server's row as one text."""

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.unit.compute.making import a_server, add_servers

from nephele.compute.api.server_views import Around, Look, render
from nephele.compute.model import Fault, Task, Vm
from nephele.compute.pictures import PICTURE, read_picture
from nephele.compute.rows import server_row
from nephele.compute.tables import servers
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store
from nephele.network.messages import NicRequest
from nephele.network.model import ShownAddress

LOOK = Look("http://cloud/compute", (2, 100), single=True, extended=True, host_status_shown=True)
NOTHING = Around((), (), "")
RICH: dict[str, Any] = {
    "name": 'é "quoted" \\ \u2028',
    "metadata": {"a": '"b"', "ü": ""},
    "tags": ("x", 'y"'),
    "hints": {"group": ["g"]},
    "nics": (NicRequest(network_id="n"),),
    "security_groups": ("default",),
    "locked": True,
    "config_drive": True,
    "user_data": "QUJD",
    "fault": Fault(code=500, message="broken", created_at=5),
    "vm_state": Vm.ERROR,
    "task_state": Task.DELETING,
}


_PICTURE = Statement(sa.select(*PICTURE).where(servers.c.id == sa.bindparam("server")))
CHANGED = {name: value for name, value in RICH.items() if name not in ("nics", "security_groups", "vm_state")}


def _text(store: Store, server_id: str) -> str:
    with store.read() as db:
        row = _PICTURE.row(db, server=server_id)
    assert row is not None
    return str(row[2])


def test_a_picture_is_read_as_the_row_is(store: Store) -> None:
    rich = a_server(**RICH)
    add_servers(store, rich)
    assert read_picture(_text(store, rich.id)) == rich
    with store.read() as db:
        assert server_row(db, rich.id) == rich


@pytest.mark.parametrize("column", CHANGED)
def test_what_changed_is_rendered_anew(store: Store, column: str) -> None:
    one = a_server(vm_state=Vm.ERROR)
    add_servers(store, one)
    before = msgspec.json.decode(render(LOOK, _text(store, one.id), NOTHING))
    with store.write() as db:
        db.execute(servers.update().where(servers.c.id == one.id).values({column: CHANGED[column]}))
    assert msgspec.json.decode(render(LOOK, _text(store, one.id), NOTHING)) != before


def test_each_address_and_group_of_a_port_shows_once(store: Store) -> None:
    one = a_server()
    add_servers(store, one)
    rows = [
        ShownAddress(port, "net", f"mac-{port}", ip, floating, group)
        for port in ("p1", "p2")
        for ip, floating in ((f"10.0.0.{port[1]}", "172.24.4.9" if port == "p1" else None), (f"fd::{port[1]}", None))
        for group in ("default", "web")
    ]
    body = msgspec.json.decode(render(LOOK, _text(store, one.id), Around(tuple(rows), (), "")))
    shown = [(each["addr"], each["OS-EXT-IPS:type"], each["version"]) for each in body["addresses"]["net"]]
    assert shown == [
        ("10.0.0.1", "fixed", 4),
        ("fd::1", "fixed", 6),
        ("172.24.4.9", "floating", 4),
        ("10.0.0.2", "fixed", 4),
        ("fd::2", "fixed", 6),
    ]
    assert [group["name"] for group in body["security_groups"]] == ["default", "web"] * 2


def test_a_port_without_address_or_group_shows_its_network(store: Store) -> None:
    one = a_server()
    add_servers(store, one)
    bare = Around((ShownAddress("p", "net", "mac", None, None, None),), (), "")
    body = msgspec.json.decode(render(LOOK, _text(store, one.id), bare))
    assert body["addresses"] == {"net": []}
    assert "security_groups" not in body
