"""`DIR/clouds.yaml`: how clients find the cloud, with the passwords that a new cloud was given."""

import secrets
from collections.abc import Callable
from pathlib import Path

import yaml
from msgspec import Struct


class Entry(Struct, frozen=True):
    """One cloud of the file: the user and the project that it stands for."""

    cloud: str
    user: str
    project: str


ENTRIES = (Entry("nephele", "demo", "demo"), Entry("nephele-admin", "admin", "admin"))


def read_passwords(path: Path) -> dict[str, str]:
    """The passwords by user that an earlier start wrote; none where there is no such file."""
    if not path.exists():
        return {}
    clouds = (yaml.safe_load(path.read_text()) or {}).get("clouds", {})
    auths = [clouds.get(entry.cloud, {}).get("auth", {}) for entry in ENTRIES]
    return {auth["username"]: auth["password"] for auth in auths if "username" in auth and "password" in auth}


def ensure_passwords(path: Path, *, new: bool, reset: Callable[[str, str], None]) -> dict[str, str]:
    """The password of each user: what the file says, or new ones.

    Args:
        path: of the file.
        new: the cloud is new, so whatever the file says is of another.
        reset: sets a user's password, where the cloud has the user and the file was lost.
    """
    known = {} if new else read_passwords(path)
    passwords = {entry.user: known.get(entry.user) or secrets.token_urlsafe(16) for entry in ENTRIES}
    if not new:
        for user in passwords.keys() - known.keys():
            reset(user, passwords[user])
    return passwords


def write_client_file(path: Path, url: str, region: str, passwords: dict[str, str]) -> None:
    """Write the file for its owner's eyes only, in one step."""
    clouds = {entry.cloud: _cloud(entry, url, region, passwords[entry.user]) for entry in ENTRIES}
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text("# Written by nephele at every start.\n" + yaml.safe_dump({"clouds": clouds}, sort_keys=False))
    part.rename(path)


def _cloud(entry: Entry, url: str, region: str, password: str) -> dict[str, object]:
    return {
        "auth": {
            "auth_url": f"{url}/identity/v3",
            "username": entry.user,
            "password": password,
            "project_name": entry.project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": region,
        "interface": "public",
        "identity_api_version": 3,
    }
