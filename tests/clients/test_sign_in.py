"""Every way to sign in, with the `openstack` command: by an identity provider, passcodes, application credentials."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.clients.command import openstack
from tests.clients.conftest import CliError, run
from tests.identity_provider import CLIENT, FOLDER, SECRET
from tests.running import RunningCloud, running_cloud

from nephele.identity.proving import passcode

pytestmark = pytest.mark.clients
Command = Callable[..., Any]
MAPPING = """[{
    "local": [{"user": {"name": "{0}", "email": "{1}"}},
              {"groups": "{2}", "domain": {"name": "Default"}},
              {"projects": [{"name": "sandbox of {0}", "roles": [{"name": "member"}]}]}],
    "remote": [{"type": "OIDC-sub"}, {"type": "OIDC-email"}, {"type": "OIDC-groups", "whitelist": ["operators"]},
               {"type": "HTTP_OIDC_ISS", "any_one_of": ["http://127\\\\.0\\\\.0\\\\.1:"], "regex": true},
               {"type": "OIDC-groups", "not_any_of": ["guests"]}]
}]"""


@contextmanager
def identity_provider() -> Iterator[str]:
    """A real one; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(__file__).parent.parent / "identity_provider.py"
    process = subprocess.Popen(
        [sys.executable, str(program), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
    )
    try:
        assert process.stdout is not None
        deadline = time.monotonic() + 60
        while not select.select([process.stdout], [], [], 1)[0]:
            assert time.monotonic() < deadline
        assert process.stdout.readline() == "ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with identity_provider() as address:
        yield address


@pytest.fixture(scope="module")
def cloud(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud that believes the identity provider `corp`."""
    folder = Path(tmp_path_factory.mktemp("federated"))
    settings = folder / "nephele.toml"
    settings.write_text(f'[identity.oidc.corp]\nissuer = "{issuer}"\naudiences = ["{CLIENT}"]\n')
    with running_cloud(folder / "state", "--hosts", "0", "--config", str(settings)) as running:
        admin: Command = lambda *words, **options: run(running, "nephele-admin", *words, **options)  # noqa: E731
        (folder / "rules.json").write_text(MAPPING)
        admin("group", "create", "operators")
        admin("role", "add", "--group", "operators", "--project", "demo", "reader", parse=False)
        admin("mapping", "create", "corp-rules", "--rules", str(folder / "rules.json"))
        admin("identity", "provider", "create", "corp", "--remote-id", issuer)
        admin(
            *("federation", "protocol", "create", "openid"),
            *("--identity-provider", "corp", "--mapping", "corp-rules"),
        )
        yield running


def as_somebody(cloud: RunningCloud, *words: str, **auth: str) -> Any:
    """Run `openstack WORDS` with nothing but these `--os-…` options; fails as the command does."""
    environment = {name: value for name, value in cloud.environment("").items() if not name.startswith("OS_")}
    options = [f"--os-{name.replace('_', '-')}={value}" for name, value in auth.items()]
    done = openstack([f"--os-auth-url={cloud.url}/identity/v3", *options, *words, "-f", "json"], environment)
    if done.status != 0:
        raise CliError(done.errors or done.output)
    return json.loads(done.output)


def by_provider(issuer: str, name: str, client: str = CLIENT, **more: str) -> dict[str, str]:
    return {
        "auth_type": "v3oidcpassword",
        "identity_provider": "corp",
        "protocol": "openid",
        "discovery_endpoint": f"{issuer}/.well-known/openid-configuration",
        "client_id": client,
        "client_secret": SECRET,
        "openid_scope": "openid profile email groups",
        "username": name,
        "password": f"{name}-secret",
        **more,
    }


def test_an_identity_provider_vouches_for_people(cloud: RunningCloud, issuer: str) -> None:
    on_demo = {"project_name": "demo", "project_domain_name": "Default"}
    token = as_somebody(cloud, "token", "issue", **by_provider(issuer, "ann", **on_demo))
    user = run(cloud, "nephele-admin", "user", "show", token["user_id"])
    assert (user["name"], user["email"]) == ("ann", "ann@example.org")
    projects = as_somebody(cloud, "federation", "project", "list", **by_provider(issuer, "ann", **on_demo))
    assert {project["Name"] for project in projects} == {"demo", "sandbox of ann"}
    again = as_somebody(cloud, "token", "issue", **by_provider(issuer, "ann", **on_demo))
    assert again["user_id"] == token["user_id"], "the same user each time"


def test_whom_no_rule_is_for_and_who_is_not_known_stay_out(cloud: RunningCloud, issuer: str) -> None:
    for auth in (by_provider(issuer, "eve"), by_provider(issuer, "ann", client="somebody-else")):
        with pytest.raises(CliError, match="401"):
            as_somebody(cloud, "token", "issue", **auth)
    with pytest.raises(CliError):
        as_somebody(cloud, "token", "issue", **by_provider(issuer, "ann", password="wrong"))


def access_token(issuer: str, name: str = "ann") -> str:
    form = {"grant_type": "password", "username": name, "password": f"{name}-secret"}
    answer = httpx.post(f"{issuer}/oauth/token", data={**form, "scope": "openid groups email"}, auth=(CLIENT, SECRET))
    found: str = answer.json()["access_token"]
    return found


def test_what_a_federated_token_says_and_when_it_ends(cloud: RunningCloud, issuer: str) -> None:
    at = f"{cloud.url}/identity/v3/OS-FEDERATION/identity_providers/corp/protocols/openid/auth"
    answer = httpx.post(at, headers={"Authorization": f"Bearer {access_token(issuer)}"})
    token, federation = answer.json()["token"], answer.json()["token"]["user"]["OS-FEDERATION"]
    assert (answer.status_code, token["methods"], "project" in token) == (201, ["openid"], False)
    assert (federation["identity_provider"], federation["protocol"]) == ({"id": "corp"}, {"id": "openid"})
    assert len(federation["groups"]) == 1
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    mine = f"{cloud.url}/identity/v3/auth/projects"
    assert httpx.get(mine, headers=headers).status_code == 200
    run(cloud, "nephele-admin", "identity", "provider", "set", "corp", "--disable", parse=False)
    assert httpx.get(mine, headers=headers).status_code == 401
    assert httpx.post(at, headers={"Authorization": f"Bearer {access_token(issuer)}"}).status_code == 401
    run(cloud, "nephele-admin", "identity", "provider", "set", "corp", "--enable", parse=False)


@pytest.mark.parametrize("spoil", ["x", "a.b.c", "cut", "swap", "none"])
def test_a_forged_provider_token_never_passes(cloud: RunningCloud, issuer: str, spoil: str) -> None:
    good = access_token(issuer)
    head, body, signature = good.split(".")
    none = "eyJhbGciOiJub25lIn0"
    wrong = {"cut": good[:-8], "swap": f"{head}.{body[:-6]}AAAAAA.{signature}", "none": f"{none}.{body}."}
    at = f"{cloud.url}/identity/v3/OS-FEDERATION/identity_providers/corp/protocols/openid/auth"
    answer = httpx.post(at, headers={"Authorization": f"Bearer {wrong.get(spoil, spoil)}"})
    assert answer.status_code == 401, answer.text


def test_by_application_credential(cloud: RunningCloud) -> None:
    made = run(cloud, "nephele", "application", "credential", "create", "app")
    auth = {"application_credential_id": made["ID"], "application_credential_secret": made["Secret"]}
    token = as_somebody(cloud, "token", "issue", auth_type="v3applicationcredential", **auth)
    assert token["project_id"] == made["Project ID"]


def test_by_passcode(cloud: RunningCloud) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    run(cloud, "nephele-admin", "credential", "create", "--type", "totp", "demo", secret)
    auth = {"username": "demo", "user_domain_name": "Default", "passcode": passcode(secret, time.time_ns() // 1000)}
    scope = {"project_name": "demo", "project_domain_name": "Default"}
    assert as_somebody(cloud, "token", "issue", auth_type="v3totp", **auth, **scope)["project_id"]
