"""A real `nephele up` for tests that speak to it over HTTP."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class RunningCloud:
    """A cloud in a process of its own."""

    url: str
    state_dir: Path
    process: subprocess.Popen[str]

    @property
    def clouds_yaml(self) -> Path:
        return self.state_dir / "clouds.yaml"

    def environment(self, cloud: str) -> dict[str, str]:
        """The environment of a client of that entry of clouds.yaml."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        return {**kept, "OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml), "OS_CLOUD": cloud}

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()


def start_cloud(
    state_dir: Path, *options: str, port: int = 0, seconds: float = 30, program: tuple[str, ...] = ("-m", "nephele")
) -> RunningCloud:
    """Start a cloud, by `program`, and wait until it is ready."""
    words = [sys.executable, *program, "up", "--state-dir", str(state_dir), "--port", str(port), *options]
    source = str(Path(__file__).parent.parent / "src")
    with (state_dir.parent / f"{state_dir.name}.log").open("a") as log:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "PYTHONPATH": source}
        )
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.1)[0]:
            line = process.stdout.readline()
            found = re.search(r"ready at (\S+)", line)
            if found:
                return RunningCloud(found[1], state_dir, process)
            if not line:
                break
    process.kill()
    process.wait()
    raise AssertionError(f"the cloud did not start; see {log.name}:\n{Path(log.name).read_text()[-2000:]}")


def stop_cloud(cloud: RunningCloud) -> None:
    """SIGTERM, and wait for the clean end."""
    if cloud.process.poll() is None:
        cloud.process.send_signal(signal.SIGTERM)
        try:
            cloud.process.wait(15)
        except subprocess.TimeoutExpired:
            cloud.process.kill()
            cloud.process.wait()
            raise


@contextmanager
def running_cloud(state_dir: Path, *options: str) -> Iterator[RunningCloud]:
    """A cloud for the length of the block."""
    cloud = start_cloud(state_dir, *options)
    try:
        yield cloud
    finally:
        stop_cloud(cloud)
