"""`openstack volume …` does what it does on OpenStack."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.clients.conftest import CliError

pytestmark = pytest.mark.clients
Cli = Callable[..., Any]


def settled(cli: Cli, *words: str) -> str:
    """The status of what `words show` shows, once it is at rest; empty once it is gone."""
    for _try in range(40):
        try:
            shown = cli(*words)
            status = str(shown.get("status") or shown["Status"])
        except CliError:
            return ""
        if not status.endswith("ing"):
            return status
        time.sleep(0.1)
    raise AssertionError(f"{words} stays {status}")


def test_volumes_come_change_and_go(demo: Cli) -> None:
    made = demo("volume", "create", "--size", "1", "--property", "purpose=test", "first")
    assert (made["status"], made["size"], made["type"]) == ("creating", 1, "__DEFAULT__")
    assert settled(demo, "volume", "show", "first") == "available"
    assert [found["Name"] for found in demo("volume", "list", "--name", "first")] == ["first"]
    demo("volume", "set", "--name", "second", "--size", "2", "--bootable", made["id"], parse=False)
    assert settled(demo, "volume", "show", "second") == "available"
    shown = demo("volume", "show", "second")
    assert (shown["size"], shown["properties"]) == (2, {"purpose": "test"})
    demo("volume", "snapshot", "create", "--volume", "second", "then")
    assert settled(demo, "volume", "snapshot", "show", "then") == "available"
    demo("volume", "create", "--snapshot", "then", "third")
    assert settled(demo, "volume", "show", "third") == "available"
    with pytest.raises(CliError, match="snapshots"):
        demo("volume", "delete", "second", parse=False)
    demo("volume", "snapshot", "delete", "then", parse=False)
    assert settled(demo, "volume", "snapshot", "show", "then") == ""
    demo("volume", "delete", "second", "third", parse=False)
    assert settled(demo, "volume", "show", "second") == ""
    assert settled(demo, "volume", "show", "third") == ""


def test_from_an_image_and_back(demo: Cli) -> None:
    demo("volume", "create", "--size", "1", "--image", "nephele-guest", "boot")
    assert settled(demo, "volume", "show", "boot") == "available"
    shown = demo("volume", "show", "boot")
    assert shown["bootable"] in (True, "true")
    assert shown["volume_image_metadata"]["image_name"] == "nephele-guest"
    demo("image", "create", "--volume", "boot", "--disk-format", "raw", "from-boot")
    assert settled(demo, "volume", "show", "boot") == "available"
    image = demo("image", "show", "from-boot")
    assert (image["status"], image["size"], image["disk_format"]) == ("active", 1 << 30, "raw")
    demo("image", "delete", "from-boot", parse=False)
    demo("volume", "delete", "boot", parse=False)
    assert settled(demo, "volume", "show", "boot") == ""


def test_what_administrators_offer(admin: Cli, demo: Cli) -> None:
    admin("volume", "type", "create", "--property", "volume_backend_name=nowhere", "impossible")
    demo("volume", "create", "--size", "1", "--type", "impossible", "never")
    assert settled(demo, "volume", "show", "never") == "error"
    (message,) = demo("--os-volume-api-version", "3.3", "volume", "message", "list")
    assert "nowhere" in message["User Message"]
    demo("volume", "delete", "never", parse=False)
    assert settled(demo, "volume", "show", "never") == ""
    admin("volume", "type", "delete", "impossible", parse=False)
    binaries = [found["Binary"] for found in admin("volume", "service", "list")]
    assert binaries == ["cinder-backup", "cinder-scheduler", "cinder-volume"]
    assert admin("volume", "backend", "pool", "list")[0]["Name"] == "nephele@file#file"


def test_a_volume_changes_hands(admin: Cli, demo: Cli) -> None:
    made = demo("volume", "create", "--size", "1", "gift")
    assert settled(demo, "volume", "show", "gift") == "available"
    offer = demo("volume", "transfer", "request", "create", "gift")
    admin("volume", "transfer", "request", "accept", "--auth-key", offer["auth_key"], offer["id"])
    with pytest.raises(CliError):
        demo("volume", "show", made["id"])
    admin("volume", "delete", made["id"], parse=False)


def test_quota(admin: Cli, demo: Cli) -> None:
    admin("quota", "set", "--volumes", "0", "--volume-type", "__DEFAULT__", "demo", parse=False)
    admin("quota", "set", "--volumes", "0", "demo", parse=False)
    try:
        with pytest.raises(CliError, match="Maximum number of volumes allowed"):
            demo("volume", "create", "--size", "1", "one-too-many")
    finally:
        admin("quota", "set", "--volumes", "10", "demo", parse=False)
        admin("quota", "set", "--volumes", "-1", "--volume-type", "__DEFAULT__", "demo", parse=False)


def test_backups_groups_and_types_of_them(demo: Cli, admin: Cli) -> None:
    demo("volume", "create", "--size", "1", "kept")
    assert settled(demo, "volume", "show", "kept") == "available"
    for name, words in (("whole", ()), ("more", ("--incremental",))):
        made = demo("volume", "backup", "create", "--name", name, *words, "kept")
        assert made["name"] == name
        assert settled(demo, "volume", "backup", "show", name) == "available"
    demo("volume", "backup", "restore", "more", "again")
    assert settled(demo, "volume", "show", "again") == "available"
    record = admin("volume", "backup", "record", "export", made["id"])
    assert record["backup_service"].endswith("PosixBackupDriver")
    demo("volume", "backup", "delete", "more", parse=False)
    assert settled(demo, "volume", "backup", "show", "more") == ""
    demo("volume", "backup", "delete", "whole", parse=False)
    newer = ("--os-volume-api-version", "3.71")
    admin(*newer, "volume", "group", "type", "create", "together")
    group = demo(*newer, "volume", "group", "create", "--name", "pair", "together", "__DEFAULT__")
    assert settled(demo, *newer, "volume", "group", "show", group["ID"]) == "available"
    demo(*newer, "volume", "group", "delete", group["ID"], parse=False)
    for name in ("kept", "again"):
        demo("volume", "delete", name, parse=False)
        assert settled(demo, "volume", "show", name) == ""


def test_services_pools_and_what_is_managed(admin: Cli) -> None:
    newer = ("--os-volume-api-version", "3.71")
    binaries = {row["Binary"] for row in admin("volume", "service", "list")}
    assert binaries == {"cinder-volume", "cinder-scheduler", "cinder-backup"}
    assert admin("volume", "backend", "pool", "list")[0]["Name"].endswith("@file#file")
    assert admin(*newer, "block", "storage", "cluster", "list") == []
    made = admin("volume", "create", "--size", "1", "given")
    assert settled(admin, "volume", "show", "given") == "available"
    host = admin("volume", "show", "given")["os-vol-host-attr:host"]
    listed = admin(*newer, "block", "storage", "volume", "manageable", "list", host)
    assert any(made["id"] in str(row) for row in listed)
    admin("volume", "delete", "given", parse=False)
    assert settled(admin, "volume", "show", "given") == ""
