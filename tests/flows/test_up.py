"""`nephele up`, as the contract has it."""

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.flows.conftest import connect
from tests.running import RunningCloud, running_cloud, start_cloud, stop_cloud


def test_clouds_yaml_is_for_its_owner_only(cloud: RunningCloud) -> None:
    assert stat.S_IMODE(cloud.clouds_yaml.stat().st_mode) == 0o600
    assert set(yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"]) == {"nephele", "nephele-admin"}


def test_a_second_up_on_the_same_state_is_refused(cloud: RunningCloud) -> None:
    words = [sys.executable, "-m", "nephele", "up", "--state-dir", str(cloud.state_dir), "--port", "0"]
    second = subprocess.run(words, capture_output=True, text=True, timeout=20, cwd=Path(__file__).parents[2] / "src")
    assert second.returncode == 1
    assert f"in use by another nephele (process {cloud.process.pid})" in second.stderr


def test_it_stops_cleanly_and_resumes_with_the_same_passwords(tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path / "state")
    before = connect(cloud, "nephele-admin").current_user_id
    stop_cloud(cloud)
    assert cloud.process.returncode == 0
    with running_cloud(tmp_path / "state") as again:
        assert connect(again, "nephele-admin").current_user_id == before


def test_a_lost_clouds_yaml_is_written_anew(tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path / "state")
    stop_cloud(cloud)
    cloud.clouds_yaml.unlink()
    with running_cloud(tmp_path / "state") as again:
        assert connect(again, "nephele").current_project_id


def test_the_first_image_is_there(demo: Any) -> None:
    assert demo.image.find_image("nephele-guest").status == "active"


def test_health_and_metrics_need_no_token(cloud: RunningCloud, demo: Any) -> None:
    health = httpx.get(f"{cloud.url}/healthz")
    assert (health.status_code, health.json()) == (200, {"store": True, "conductor": True})
    demo.list_flavors()
    metrics = httpx.get(f"{cloud.url}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'nephele_http_requests_total{service="compute",method="GET",status="200"}' in metrics.text
    assert "# TYPE nephele_operations_open gauge" in metrics.text
