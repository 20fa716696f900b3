"""Consoles over websockets: typed at, looked at, and closed to those who have no business there."""

import sqlite3
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from openstack import exceptions
from tests.flows.test_around_servers import call
from tests.flows.test_launch import launch
from tests.flows.test_plugging import act
from tests.running import RunningCloud
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as dial
from websockets.typing import Origin


def address(demo: Any, server: Any, protocol: str, kind: str, version: str = "2.6") -> str:
    body = {"remote_console": {"protocol": protocol, "type": kind}}
    answer = call(demo, "POST", f"/servers/{server.id}/remote-consoles", version, json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()["remote_console"]
    assert (found["protocol"], found["type"]) == (protocol, kind)
    return str(found["url"])


def socket_of(page: str) -> str:
    """Where a noVNC client connects that is given the page's address."""
    parts = urlsplit(page)
    (path,) = parse_qs(parts.query)["path"]
    return f"ws://{parts.netloc}/{path}"


def read(line: ClientConnection, awaited: bytes) -> bytes:
    text = b""
    while awaited not in text:
        data = line.recv(timeout=5)
        text += data if isinstance(data, bytes) else data.encode()
    return text


def test_one_types_on_a_serial_console(demo: Any, server: Any) -> None:
    url = address(demo, server, "serial", "serial")
    with dial(url, subprotocols=["binary"]) as line:  # type: ignore[list-item]
        assert line.subprotocol == "binary"
        assert b"simulated guest" in read(line, b"> ")
        line.send(b"hello\r")
        assert read(line, b"> ").count(b"hello") == 2
        with dial(url) as later:
            read(later, b"> ")
            with pytest.raises(ConnectionClosed) as closed:
                line.recv(timeout=5)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4409
            later.send("as text\n")
            read(later, b"as text\r\n> ")
    assert "typed: hello" in demo.compute.get_server_console_output(server)["output"]


def test_one_looks_at_a_screen(demo: Any, server: Any) -> None:
    page = address(demo, server, "vnc", "novnc")
    shown = demo.session.get(page, authenticated=False)
    assert shown.headers["Content-Type"].startswith("text/html")
    assert "noVNC" in shown.text
    for url in (socket_of(page), socket_of(page).replace("/console", "//console")):
        with dial(url) as line:
            assert line.recv(timeout=5) == b"RFB 003.008\n"
            line.send(b"RFB 003.008\n")
            assert line.recv(timeout=5) == b"\x01\x01"
            line.send(b"\x01")
            assert line.recv(timeout=5) == bytes(4)
            line.send(b"\x01")
            start = line.recv(timeout=5)
            assert isinstance(start, bytes)
            assert start[24:].endswith(b", simulated")
            line.send(bytes([3, 0, 0, 0, 0, 0, 0, 16, 0, 16]))
            pixels = b""
            while len(pixels) < 16 + 320 * 200 * 4:
                pixels += line.recv(timeout=5)  # type: ignore[operator]
    with dial(socket_of(page)) as line, dial(socket_of(page)) as other:
        assert line.recv(timeout=5) == other.recv(timeout=5)


def refused(url: str, **more: Any) -> None:
    with pytest.raises(InvalidStatus) as answer, dial(url, **more):
        pass
    assert answer.value.response.status_code == 403


def test_who_has_no_business_there(cloud: RunningCloud, demo: Any, admin: Any, server: Any) -> None:
    url = address(demo, server, "serial", "serial")
    base, _, token = url.partition("token=")
    refused(f"{base}token=bad{token}")
    refused(base)
    refused(url.replace("/console", "/elsewhere"))
    refused(url, origin="http://evil.example")
    with dial(url, origin=Origin(cloud.url)) as line:
        read(line, b"> ")
    path = f"/os-console-auth-tokens/{token}"
    shown = call(admin, "GET", path, "2.31").json()["console"]
    assert (shown["instance_uuid"], shown["host"]) == (server.id, admin.compute.get_server(server.id).compute_host)
    assert call(demo, "GET", path, "2.31").status_code == 403
    assert call(admin, "GET", path, "2.30").status_code == 400
    assert call(admin, "GET", f"{path}x", "2.31").status_code == 404
    with sqlite3.connect(cloud.state_dir / "nephele.db") as db:
        assert token not in str(db.execute("SELECT * FROM console_tokens").fetchall())
        db.execute("UPDATE console_tokens SET expires_at = 1")
    refused(url)
    assert call(admin, "GET", path, "2.31").status_code == 404


def test_what_there_is_no_console_of(demo: Any, server: Any) -> None:
    def asked(protocol: str, kind: str, version: str = "2.8") -> int:
        body = {"remote_console": {"protocol": protocol, "type": kind}}
        return int(call(demo, "POST", f"/servers/{server.id}/remote-consoles", version, json=body).status_code)

    kinds = [("spice", "spice-html5"), ("rdp", "rdp-html5"), ("mks", "webmks"), ("vnc", "xvpvnc"), ("vnc", "serial")]
    assert [asked(*kind) for kind in kinds] == [400] * 5
    assert asked("mks", "webmks", "2.7") == 400
    assert asked("spice", "spice-direct", "2.99") == 400
    assert asked("serial", "serial", "2.5") == 404
    act(demo, server, "SHUTOFF", {"os-stop": None})
    assert asked("serial", "serial") == 409
    act(demo, server, "ACTIVE", {"os-start": None})


def test_the_old_actions(demo: Any, server: Any) -> None:
    path = f"/servers/{server.id}/action"
    for action, kind, start in (("os-getVNCConsole", "novnc", "http://"), ("os-getSerialConsole", "serial", "ws://")):
        found = call(demo, "POST", path, "2.5", json={action: {"type": kind}}).json()["console"]
        assert found["type"] == kind
        assert found["url"].startswith(start)
        assert call(demo, "POST", path, "2.6", json={action: {"type": kind}}).status_code == 404
    assert call(demo, "POST", path, "2.5", json={"os-getSPICEConsole": {"type": "spice-html5"}}).status_code == 400
    assert call(demo, "POST", path, "2.5", json={"os-getRDPConsole": {"type": "rdp-html5"}}).status_code == 400


def test_a_deleted_server_s_console_ends(demo: Any) -> None:
    server = launch(demo)
    url = address(demo, server, "serial", "serial")
    demo.compute.delete_server(server)
    demo.compute.wait_for_delete(server, interval=0.05, wait=10)
    refused(url)
    with pytest.raises(exceptions.NotFoundException):
        demo.compute.create_console(server, console_type="serial")
