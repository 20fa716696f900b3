"""`openstack image …` as its users type it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.clients.conftest import CliError
from tests.unit.image import samples

pytestmark = pytest.mark.clients
Cli = Callable[..., Any]


def names(cli: Cli, *options: str) -> list[str]:
    return [image["Name"] for image in cli("image", "list", *options)]


def test_a_new_cloud_has_an_image(demo: Cli) -> None:
    guest = demo("image", "show", "nephele-guest")
    assert (guest["status"], guest["visibility"], guest["disk_format"]) == ("active", "public", "qcow2")


def test_an_images_life(demo: Cli, tmp_path: Path) -> None:
    data, saved = tmp_path / "data", tmp_path / "saved"
    data.write_bytes(samples.RAW * 2000)
    made = demo(
        *("image", "create", "--file", str(data), "--disk-format", "raw", "--container-format", "bare"),
        *("--property", "os_distro=debian", "--tag", "blue", "--min-disk", "1", "life"),
    )
    assert (made["status"], made["size"], made["properties"]["os_distro"]) == ("active", 4_096_000, "debian")
    assert "life" in names(demo, "--property", "os_distro=debian")
    assert "life" in names(demo, "--tag", "blue", "--status", "active")
    assert "life" not in names(demo, "--tag", "red")
    demo("image", "save", "--file", str(saved), "life", parse=False)
    assert saved.read_bytes() == data.read_bytes()
    demo("image", "set", "--name", "afterlife", "--property", "os_version=13", "--min-ram", "64", "life", parse=False)
    demo("image", "unset", "--property", "os_distro", "--tag", "blue", "afterlife", parse=False)
    shown = demo("image", "show", "afterlife")
    assert (shown["min_ram"], shown["tags"], shown["properties"]["os_version"]) == (64, [], "13")
    assert "os_distro" not in shown["properties"]
    demo("image", "set", "--protected", "afterlife", parse=False)
    with pytest.raises(CliError, match="protected"):
        demo("image", "delete", "afterlife", parse=False)
    demo("image", "set", "--unprotected", "afterlife", parse=False)
    demo("image", "delete", "afterlife", parse=False)
    assert "afterlife" not in names(demo)


def test_an_image_that_lies_is_refused(demo: Cli, tmp_path: Path) -> None:
    lie = tmp_path / "lie"
    lie.write_bytes(samples.with_backing_file())
    with pytest.raises(CliError, match="backing file"):
        demo("image", "create", "--file", str(lie), "--disk-format", "qcow2", "lie")
    assert "lie" not in names(demo)


def test_sharing(demo: Cli, admin: Cli) -> None:
    admin("image", "create", "--shared", "shared")
    project = admin("project", "show", "demo")["id"]
    admin("image", "add", "project", "shared", project)
    assert "shared" not in names(demo)
    assert "shared" in names(demo, "--shared", "--member-status", "pending")
    image_id = admin("image", "show", "shared")["id"]
    demo("image", "set", "--accept", image_id, parse=False)
    assert "shared" in names(demo)
    assert admin("image", "member", "list", "shared")[0]["Status"] == "accepted"
    admin("image", "remove", "project", "shared", project, parse=False)
    assert "shared" not in names(demo)


def test_an_import(demo: Cli, admin: Cli, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(samples.QCOW2)
    assert "glance-direct" in demo("image", "import", "info")["import-methods"]
    made = demo("image", "create", "--import", "--file", str(data), "--disk-format", "qcow2", "imported")
    tasks = admin("image", "task", "list")
    assert len(tasks) >= 1
    assert made["name"] == "imported"
    demo("image", "delete", "imported", parse=False)


def test_metadata_definitions(demo: Cli, admin: Cli) -> None:
    admin("image", "metadef", "namespace", "create", "--public", "Dogs")
    assert "Dogs" in [each["namespace"] for each in demo("image", "metadef", "namespace", "list")]
    admin(
        *("image", "metadef", "property", "create", "--name", "age", "--title", "Age", "--type", "integer"),
        *("--schema", "{}", "Dogs"),
    )
    assert demo("image", "metadef", "property", "list", "Dogs")[0]["name"] == "age"
    admin("image", "metadef", "namespace", "delete", "Dogs", parse=False)
