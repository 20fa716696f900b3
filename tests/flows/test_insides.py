"""Passwords, crash dumps and the actions of administrators on simulated hosts, seen through the public API."""

import base64
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.flows.living import act, actions, command, made, settled, show


@pytest.fixture(scope="module")
def server(demo: Any) -> Iterator[str]:
    server_id = made(demo)
    yield server_id
    demo.compute.delete(f"/servers/{server_id}")


def console(demo: Any, server_id: str) -> str:
    return str(act(demo, server_id, {"os-getConsoleOutput": {}}).json()["output"])


def test_a_password_is_set_inside_the_guest(demo: Any, server: str) -> None:
    assert act(demo, server, {"changePassword": {"adminPass": "n3w"}}).status_code == 202
    assert show(demo, server)["OS-EXT-STS:task_state"] is None
    assert "password of root set" in console(demo, server)
    assert "n3w" not in console(demo, server)
    assert actions(demo, server)[0] == "changePassword"
    assert demo.compute.get(f"/servers/{server}/os-server-password").json() == {"password": ""}
    for asked in ({}, {"adminPass": 7}, {"adminPass": "x", "user": "y"}, None):
        assert act(demo, server, {"changePassword": asked}).status_code == 400


def test_a_server_that_is_off_takes_no_password(demo: Any, server: str) -> None:
    command(demo, server, "os-stop", "SHUTOFF")
    answer = act(demo, server, {"changePassword": {"adminPass": "n3w"}})
    assert answer.status_code == 409
    assert "changePassword" in answer.text
    command(demo, server, "os-start", "ACTIVE")


def test_an_image_without_an_agent_takes_no_password(demo: Any) -> None:
    image = demo.image.create_image(
        name=f"deaf-{uuid.uuid4()}",
        container_format="bare",
        disk_format="raw",
        data=b"deaf",
        hw_qemu_guest_agent="no",
    )
    server = made(demo, image_id=image.id)
    answer = act(demo, server, {"changePassword": {"adminPass": "n3w"}})
    assert (answer.status_code, "agent is not enabled" in answer.text) == (409, True)
    assert show(demo, server)["OS-EXT-STS:task_state"] is None
    demo.compute.delete(f"/servers/{server}")


def test_who_has_the_key_reads_the_password(demo: Any, tmp_path: Path) -> None:
    key = tmp_path / "key"
    words = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", str(key)]
    subprocess.run(words, check=True, timeout=30)
    name = f"key-{uuid.uuid4()}"
    demo.compute.create_keypair(name=name, public_key=key.with_suffix(".pub").read_text())
    server = made(demo, key_name=name)
    command(demo, server, {"changePassword": {"adminPass": "s3cret"}}, "ACTIVE")
    url = f"/servers/{server}/os-server-password"
    sealed = base64.b64decode(demo.compute.get(url).json()["password"])
    opened = subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-inkey", str(key)], input=sealed, capture_output=True, check=True
    )
    assert opened.stdout == b"s3cret"
    assert demo.compute.delete(url).status_code == 204
    assert demo.compute.get(url).json() == {"password": ""}
    demo.compute.delete(f"/servers/{server}")


def test_a_crash_dump_is_triggered_since_2_17(demo: Any, server: str) -> None:
    assert act(demo, server, "trigger_crash_dump", "2.16").status_code == 404
    assert act(demo, server, {"trigger_crash_dump": {}}).status_code == 400
    command(demo, server, "trigger_crash_dump", "ACTIVE")
    assert "non-maskable interrupt received" in console(demo, server)
    assert actions(demo, server)[0] == "trigger_crash_dump"
    command(demo, server, "os-stop", "SHUTOFF")
    assert act(demo, server, "trigger_crash_dump").status_code == 409
    command(demo, server, "os-start", "ACTIVE")


@pytest.mark.parametrize(("body", "status"), [("pause", "PAUSED"), ("suspend", "SUSPENDED"), ("os-stop", "SHUTOFF")])
def test_an_administrator_says_the_state(demo: Any, admin: Any, body: Any, status: str, server: str) -> None:
    command(demo, server, body, status)
    assert act(demo, server, {"os-resetState": {"state": "error"}}).status_code == 403
    assert act(admin, server, {"os-resetState": {"state": "error"}}).status_code == 202
    assert show(demo, server)["status"] == "ERROR"
    assert actions(demo, server)[0] == "resetState"
    assert act(admin, server, {"os-resetState": {"state": "active"}}).status_code == 202
    assert show(demo, server)["status"] == "ACTIVE"
    command(demo, server, {"reboot": {"type": "HARD"}}, "ACTIVE")


def test_states_that_are_none_are_refused(admin: Any, server: str) -> None:
    for state in ("stopped", 1, None):
        assert act(admin, server, {"os-resetState": {"state": state}}).status_code == 400
    assert act(admin, str(uuid.uuid4()), {"os-resetState": {"state": "error"}}).status_code == 404


def test_old_network_actions_answer_as_upstream(demo: Any, admin: Any, server: str) -> None:
    assert act(admin, server, "resetNetwork").status_code == 410
    assert act(demo, server, "injectNetworkInfo").status_code == 403
    assert act(admin, server, "injectNetworkInfo").status_code == 202
    assert act(admin, str(uuid.uuid4()), "injectNetworkInfo").status_code == 404


def test_locks_are_actions(demo: Any, server: str) -> None:
    for body in ("lock", "unlock"):
        assert act(demo, server, body).status_code == 202
        assert actions(demo, server)[0] == body
    (first, *_) = demo.compute.get(f"/servers/{server}/os-instance-actions").json()["instanceActions"]
    path = f"/servers/{server}/os-instance-actions/{first['request_id']}"
    events = demo.compute.get(path, microversion="2.51").json()["instanceAction"]["events"]
    assert [event["event"] for event in events] == ["api_unlock"]
    assert settled(demo, server)["status"] == "ACTIVE"
