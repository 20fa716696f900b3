"""`clouds.yaml`: whose eyes it is for, and that passwords stay what they were."""

import stat
from pathlib import Path

import openstack
import pytest

from nephele.client_file import ensure_passwords, read_passwords, write_client_file

URL = "http://127.0.0.1:8774"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clouds.yaml"


def never(user: str, password: str) -> None:
    raise AssertionError(f"{user} has a password")


def test_a_new_cloud_has_new_passwords(file: Path) -> None:
    first = ensure_passwords(file, new=True, reset=never)
    assert first.keys() == {"demo", "admin"}
    assert first != ensure_passwords(file, new=True, reset=never)
    assert min(len(password) for password in first.values()) > 20


def test_a_later_start_keeps_them(file: Path) -> None:
    passwords = ensure_passwords(file, new=True, reset=never)
    write_client_file(file, URL, "RegionOne", passwords)
    assert read_passwords(file) == passwords
    assert ensure_passwords(file, new=False, reset=never) == passwords


def test_a_new_cloud_takes_no_password_of_an_older_one(file: Path) -> None:
    old = ensure_passwords(file, new=True, reset=never)
    write_client_file(file, URL, "RegionOne", old)
    assert not set(old.values()) & set(ensure_passwords(file, new=True, reset=never).values())


@pytest.mark.parametrize("text", [None, "", "clouds: {}", "clouds: {nephele: {auth: {username: demo}}}"])
def test_lost_passwords_are_set_anew(file: Path, text: str | None) -> None:
    if text is not None:
        file.write_text(text)
    reset: dict[str, str] = {}
    passwords = ensure_passwords(file, new=False, reset=reset.__setitem__)
    assert reset == passwords
    assert reset.keys() == {"demo", "admin"}


def test_the_file_is_for_its_owner_and_whole(file: Path) -> None:
    file.write_text("older")
    file.chmod(0o644)
    write_client_file(file, URL, "RegionOne", {"demo": "d", "admin": "a"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file], "no half-written file stays"


def test_clients_understand_it(file: Path) -> None:
    write_client_file(file, URL, "east", {"demo": "d", "admin": "a"})
    config = openstack.config.OpenStackConfig(config_files=[str(file)], load_envvars=False)
    found = {name: config.get_one(name) for name in ("nephele", "nephele-admin")}
    assert {cloud.config["region_name"] for cloud in found.values()} == {"east"}
    auth = found["nephele-admin"].get_auth_args()
    assert (auth["auth_url"], auth["username"], auth["password"]) == (f"{URL}/identity/v3", "admin", "a")
    assert found["nephele"].get_auth_args()["project_name"] == "demo"
