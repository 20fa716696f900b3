"""The demo's cloud: `nephele up` as a process of its own, which the next demo finds again if it was kept."""

import os
import subprocess
import sys
import time

import msgspec

from nephele.demo.errors import CLOUD_FAILED, COMMAND_FAILED
from nephele.demo.folder import HOST, Folder
from nephele.guest import image_path
from nephele.lab import LabHost
from nephele.lab.processes import Process, end, is_alive, process

START_SECONDS = 30.0
STOP_SECONDS = 15.0


def running(folder: Folder) -> Process | None:
    """The cloud that a demo kept, if it still runs."""
    try:
        kept = msgspec.json.decode(folder.process.read_bytes(), type=Process)
    except FileNotFoundError:
        return None
    return kept if is_alive(kept) else None


def start(folder: Folder, host: LabHost) -> None:
    """Start the cloud on this hypervisor host and wait until every API answers."""
    folder.path.mkdir(parents=True, exist_ok=True)
    words = nephele("up", "--state-dir", str(folder.state), "--port", "0", "--driver", "libvirt", "--host", HOST)
    words += ["--libvirt-uri", host.uri, "--host-netns", host.netns, "--guest-image", str(image_path())]
    with folder.log.open("wb") as log:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    started = process(child.pid)
    if started is not None:
        folder.process.write_bytes(msgspec.json.encode(started))
    deadline = time.monotonic() + START_SECONDS
    while "ready" not in folder.log.read_text(errors="replace"):
        if child.poll() is not None or time.monotonic() > deadline:
            raise CLOUD_FAILED(log=log_end(folder))
        time.sleep(0.02)


def stop(folder: Folder) -> None:
    """Stop the cloud, if it runs."""
    kept = running(folder)
    if kept is not None:
        end([kept], grace=STOP_SECONDS)
    folder.process.unlink(missing_ok=True)


def nephele(*words: str) -> list[str]:
    """The `nephele` command that goes with this code."""
    return [sys.executable, "-m", "nephele", *words]


def ask(folder: Folder, *words: str, cloud: str = "nephele") -> str:
    """What a `nephele` command says of this cloud; `cloud` is the entry of clouds.yaml, which is who asks."""
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(folder.clouds), "OS_CLOUD": cloud}
    done = subprocess.run(nephele(*words), env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise COMMAND_FAILED(command=" ".join(("nephele", *words)), output=(done.stderr or done.stdout).strip())
    return done.stdout.rstrip()


def log_end(folder: Folder) -> str:
    """The last that the cloud printed."""
    lines = folder.log.read_text(errors="replace").splitlines() if folder.log.exists() else []
    return "\n".join(lines[-15:]) or "it printed nothing"
