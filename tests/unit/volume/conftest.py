"""Cinder on an engine of its own, with a Glance that the test writes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import CALLERS, Http

from nephele.image.messages import ImageAnswer
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import SystemClock
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.errors import NOT_FOUND
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.volume.backends.file import FileBackend
from nephele.volume.policy import RULES
from nephele.volume.routes import api
from nephele.volume.service import Volumes
from nephele.volume.stores.file import FileStore

UNDER_WAY = (
    "creating",
    "downloading",
    "deleting",
    "extending",
    "uploading",
    "reverting",
    "maintenance",
    "retyping",
    "backing-up",
    "restoring",
    "restoring-backup",
    "managing",
    "unmanaging",
)


class FakeGlance:
    """Images that tests put here, and those that volumes became."""

    def __init__(self) -> None:
        self.images: dict[str, ImageAnswer] = {}
        self.uploaded: dict[str, tuple[bytes, int]] = {}
        """The first MiB of what came, and how many bytes there were."""
        self.fail_uploads = False

    def add(self, path: Path, format: str = "raw", **more: Any) -> ImageAnswer:
        """An active image whose data is the file."""
        known: dict[str, Any] = {
            "id": Ids().uuid(),
            "name": "an image",
            "status": "active",
            "owner": "",
            "disk_format": format,
            "container_format": "bare",
            "size": path.stat().st_size,
            "virtual_size": 0,
            "checksum": "c" * 32,
            "os_hash_algo": "",
            "os_hash_value": "",
            "min_disk": 0,
            "min_ram": 0,
            "properties": {"os_distro": "debian"},
            "path": str(path),
        }
        image = ImageAnswer(**{**known, **more})
        self.images[image.id] = image
        return image

    def describe(self, ctx: Context, image_id: str) -> ImageAnswer:
        if image_id not in self.images:
            raise NOT_FOUND()
        return self.images[image_id]

    def create_for_upload(self, ctx: Context, **words: Any) -> str:
        return Ids().uuid()

    def upload(self, ctx: Context, image_id: str, pieces: Iterator[bytes]) -> None:
        if self.fail_uploads:
            raise NOT_FOUND()
        first, size = b"", 0
        for piece in pieces:
            first += piece if size < 1 << 20 else b""
            size += len(piece)
        self.uploaded[image_id] = (first[: 1 << 20], size)

    def discard(self, ctx: Context, image_id: str) -> None:
        self.uploaded.pop(image_id, None)


class Cinder:
    """A running Cinder and its HTTP client."""

    def __init__(self, volumes: Volumes, http: Http, glance: FakeGlance, backend: FileBackend) -> None:
        self.volumes = volumes
        self.http = http
        self.glance = glance
        self.backend = backend

    def __call__(self, method: str, path: str, version: str = "3.71", **options: Any) -> Any:
        """Ask `/volume/v3…` in a microversion."""
        headers = {"OpenStack-API-Version": f"volume {version}", **options.pop("headers", {})}
        return self.http(method, f"/volume/v3{path}", headers=headers, **options)

    def settled(self, path: str, as_: str = "member") -> dict[str, Any]:
        """The volume or snapshot at the path once nothing is under way with it; empty once it is gone."""
        for _try in range(400):
            answer = self("GET", path, as_=as_)
            if answer.status_code == 404:
                return {}
            found: dict[str, Any] = next(iter(answer.json().values()))
            if found["status"] not in UNDER_WAY and found.get("migration_status") != "migrating":
                return found
            time.sleep(0.01)
        raise AssertionError(f"{path} did not settle: {found}")

    def volume(self, as_: str = "member", **words: Any) -> dict[str, Any]:
        """A new volume, settled."""
        answer = self("POST", "/volumes", as_=as_, json={"volume": {"size": 1, **words}})
        assert answer.status_code == 202, answer.text
        return self.settled(f"/volumes/{answer.json()['volume']['id']}", as_)

    def act(self, volume_id: str, action: str, body: Any = None, **options: Any) -> Any:
        """`POST …/action`."""
        return self("POST", f"/volumes/{volume_id}/action", json={action: body}, **options)

    def snapshot(self, volume_id: str, **words: Any) -> dict[str, Any]:
        """A new snapshot, settled."""
        answer = self("POST", "/snapshots", json={"snapshot": {"volume_id": volume_id, **words}})
        assert answer.status_code == 202, answer.text
        return self.settled(f"/snapshots/{answer.json()['snapshot']['id']}")


@pytest.fixture
def cinder(store: Store, bus: LocalBus, ids: Ids, http: Callable[..., Http], tmp_path: Path) -> Iterator[Cinder]:
    with _running(store, bus, ids, http, [FileBackend(tmp_path / "volumes")]) as running:
        yield running


@pytest.fixture
def two(store: Store, bus: LocalBus, ids: Ids, http: Callable[..., Http], tmp_path: Path) -> Iterator[Cinder]:
    """Cinder with two backends, `file` and `other`, in the cluster `both`."""
    backends = [FileBackend(tmp_path / "volumes"), FileBackend(tmp_path / "other", "other")]
    with _running(store, bus, ids, http, backends, cluster="both") as running:
        yield running


@contextmanager
def _running(
    store: Store, bus: LocalBus, ids: Ids, http: Callable[..., Http], backends: list[FileBackend], cluster: str = ""
) -> Iterator[Cinder]:
    store_of_backups = FileStore(backends[0].root.parent / "backups")
    engine, glance = Engine(store, bus, SystemClock(), ids, threads=4), FakeGlance()
    volumes = Volumes(
        store, SystemClock(), ids, engine, glance, backends, cluster=cluster, backup_store=store_of_backups
    )
    volumes.seed()
    engine.start()
    yield Cinder(volumes, http(api(volumes, Policy(RULES))), glance, backends[0])
    engine.stop()


@pytest.fixture
def member() -> Context:
    return CALLERS["member"]
