"""What a pause costs on a real guest, against libvirt alone.

    sudo PYTHONPATH=src:. python -m benchmarks.pause_vs_libvirt [how many]

A cloud in this process has one server on a lab host.  In turns it is paused and unpaused by the cloud, from the
command's acceptance until the server shows it, and by libvirt's own calls.  Prints medians in milliseconds, and ends
with 1 where the cloud adds more than 30 ms.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import libvirt
import sqlalchemy as sa

from nephele.cloud import Cloud
from nephele.compute.requests import NewServer
from nephele.config import Settings
from nephele.kernel.context import Context
from nephele.lab import LabHost, start_host

LIMIT_MS = 30


def main(count: int) -> int:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="nephele-b-"))
    try:
        with start_host("bench-pause", folder / "host") as host:
            found = measure(host, folder, count)
    finally:
        shutil.rmtree(folder)
    worst = 0.0
    for name, (ours, theirs) in found.items():
        added = (median(ours) - median(theirs)) * 1000
        worst = max(worst, added)
        words = f"{name:8} cloud {median(ours) * 1000:5.1f} ms  libvirt {median(theirs) * 1000:5.1f} ms"
        print(f"{words}  added {added:5.1f} ms")
    return int(worst > LIMIT_MS)


def measure(host: LabHost, folder: Path, count: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of each round: the cloud's, and libvirt's."""
    settings = Settings(
        state_dir=folder / "state", driver="libvirt", host=host.name, libvirt_uri=host.uri, host_netns=host.netns
    )
    settings.state_dir.mkdir()
    cloud = Cloud(settings, "http://127.0.0.1")
    cloud.start()
    found: dict[str, tuple[list[float], list[float]]] = {"pause": ([], []), "unpause": ([], [])}
    try:
        caller = _caller(cloud)
        server_id = _launch(cloud, caller)
        domain = libvirt.open(host.uri).lookupByUUIDString(server_id)
        direct: dict[str, Callable[[], object]] = {"pause": domain.suspend, "unpause": domain.resume}
        for _ in range(count):
            for name, (ours, _) in found.items():
                ours.append(_timed(lambda name=name: _command(cloud, caller, server_id, name)))  # type: ignore[misc]
            for name, (_, theirs) in found.items():
                theirs.append(_timed(direct[name]))
            time.sleep(0.1)  # the cloud hears of it, too
            _settle(cloud, caller, server_id)
        cloud.compute.servers.delete(caller, server_id)
        _settle(cloud, caller, server_id)
    finally:
        cloud.stop()
    return found


def _timed(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


def _command(cloud: Cloud, caller: Context, server_id: str, command: str) -> None:
    cloud.compute.servers.command(caller, server_id, command)
    _settle(cloud, caller, server_id)


def _settle(cloud: Cloud, caller: Context, server_id: str) -> None:
    query = sa.text("SELECT task_state, vm_state = 'building', deleted_at FROM servers WHERE id = :id")
    while True:
        with cloud.store.read() as db:
            task, builds, deleted_at = db.execute(query, {"id": server_id}).one()
        if not (task or builds) or deleted_at:
            return
        time.sleep(0.0005)


def _caller(cloud: Cloud) -> Context:
    project = cloud.identity.projects.named("demo", "default")
    user = cloud.identity.users.named("demo", "default")
    assert user is not None
    assert project is not None
    return Context(
        request_id="req-bench",
        user_id=user.id,
        user_name=user.name,
        project_id=project.id,
        project_name=project.name,
        roles=frozenset({"member", "reader"}),
    )


def _launch(cloud: Cloud, caller: Context) -> str:
    with cloud.store.read() as db:
        image_id = db.execute(sa.text("SELECT id FROM images")).scalars().first()
    assert image_id is not None
    wanted = NewServer(name="bench", flavor_id="42", image_id=image_id, nics=())
    server_id = cloud.compute.launching.launch(caller, wanted)[0].id
    _settle(cloud, caller, server_id)
    server = cloud.compute.servers.show(caller, server_id)
    assert server.vm_state == "active", server.fault
    return server_id


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
