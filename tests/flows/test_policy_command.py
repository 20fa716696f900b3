"""`nephele policy` and `nephele identity` against a running cloud, and a policy file that comes while it runs."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.running import RunningCloud, running_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("policy")) / "state", "--hosts", "0") as running:
        yield running


def nephele(cloud: RunningCloud, *words: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "nephele", *words, "--state-dir", str(cloud.state_dir), "--json"]
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**cloud.environment("nephele"), "PYTHONPATH": source}
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def explain(cloud: RunningCloud, rule: str, *words: str) -> tuple[int, Any]:
    return nephele(cloud, "policy", "explain", rule, *words)


def test_why_a_user_may_or_may_not(cloud: RunningCloud) -> None:
    rule = "os_compute_api:servers:delete"
    assert explain(cloud, rule)[0] == 0, "an administrator may"
    status, told = explain(cloud, rule, "--user", "demo", "--project", "demo", "--target", "project_id=other")
    assert (status, told["allowed"], told["roles_that_pass"]) == (1, False, ["admin"])
    assert told["caller"]["roles"] == ["member", "reader"]
    status, told = explain(cloud, rule, "--user", "demo", "--system")
    assert (status, "gets no token" in told["reason"]) == (1, True)
    assert "Is it one of" in explain(cloud, "servers:delete")[1]


def wait_for(cloud: RunningCloud, found: Any) -> Any:
    deadline = time.monotonic() + 10
    while not found(shown := nephele(cloud, "policy", "show", "os_compute_api:limits")[1]):
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)
    return shown


def test_a_file_holds_at_once_and_a_broken_one_does_not(cloud: RunningCloud) -> None:
    file = cloud.state_dir / "policy" / "compute.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text('"os_compute_api:limits": "role:nobody"\n')
    wait_for(cloud, lambda shown: any(rule["check"] == "role:nobody" for rule in shown["rules"]))
    file.write_text('\n"os_compute_api:limits": "role:nobody or"\n')
    shown = wait_for(cloud, lambda shown: any(one["refused"] for one in shown["files"]))
    refused = next(one["refused"] for one in shown["files"] if one["refused"])
    assert f"{file}, line 2: " in refused
    assert any(rule["check"] == "role:nobody" for rule in shown["rules"]), "the last good one stays"
    file.unlink()
    wait_for(cloud, lambda shown: all(rule["check"] == rule["default"] for rule in shown["rules"]))


def test_keys_rotate_while_tokens_stay_good(cloud: RunningCloud) -> None:
    from yaml import safe_load

    auth = safe_load(cloud.clouds_yaml.read_text())["clouds"]["nephele"]["auth"]
    user = {"name": auth["username"], "domain": {"id": "default"}, "password": auth["password"]}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    answer = httpx.post(f"{cloud.url}/identity/v3/auth/tokens", json=body)
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    before = nephele(cloud, "identity", "keys")[1]["keys"]
    after = nephele(cloud, "identity", "rotate-keys")[1]["keys"]
    assert [key["signs"] for key in after] == [True, *(False for _ in before)]
    assert httpx.get(f"{cloud.url}/identity/v3/auth/projects", headers=headers).status_code == 200


def test_what_was_done_is_recorded(cloud: RunningCloud) -> None:
    events = [json.loads(line) for line in (cloud.state_dir / "audit.log").read_text().splitlines()]
    assert {"authenticate"} <= {event["action"] for event in events}
    assert (cloud.state_dir / "audit.log").stat().st_mode & 0o077 == 0
    password = cloud.clouds_yaml.read_text().split("password: ")[1].split("\n")[0]
    assert password not in (cloud.state_dir / "audit.log").read_text()
