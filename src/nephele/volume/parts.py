"""What all of Cinder's classes and steps share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from nephele.image.messages import ImageAnswer
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.volume.backends.protocol import Backend
from nephele.volume.errors import BACKEND_GONE, NO_BACKUP_STORE
from nephele.volume.stores.protocol import BackupStore


class Images(Protocol):
    """What Cinder asks of Glance, with the caller's context."""

    def describe(self, ctx: Context, image_id: str) -> ImageAnswer:
        """The image's metadata and where its data is.  Raises Refused where the caller can't see it."""
        ...

    def create_for_upload(
        self,
        ctx: Context,
        *,
        name: str,
        disk_format: str,
        container_format: str,
        visibility: str,
        protected: bool,
        min_disk: int,
        properties: dict[str, str],
    ) -> str:
        """A new queued image; answers its id."""
        ...

    def upload(self, ctx: Context, image_id: str, pieces: Iterator[bytes]) -> None:
        """Store its data; the image is active afterwards.  Runs in a thread."""
        ...

    def discard(self, ctx: Context, image_id: str) -> None:
        """Delete an image whose upload failed.  Nothing there: nothing done."""
        ...


@dataclass(frozen=True)
class Parts:
    """What the cloud gives to Cinder.

    Args:
        backends: where volumes can be; the first is that of what was never placed.
        host: where the backends are, as in `host@backend#pool`.
        zone: the availability zone that all volumes are in.
    """

    store: Store
    clock: Clock
    ids: Ids
    engine: Engine
    images: Images
    backends: tuple[Backend, ...]
    host: str = "nephele"
    zone: str = "nova"
    cluster: str = ""
    """The cluster that the services of all backends are part of; empty: none."""
    backup_store: BackupStore | None = None

    tell_grown: list[Callable[[Context, str], None]] = field(default_factory=list)
    """Called, in the transaction that says so, when a volume that servers have has grown."""

    @property
    def backups(self) -> BackupStore:
        """Where backups are kept.  Raises NO_BACKUP_STORE."""
        if self.backup_store is None:
            raise NO_BACKUP_STORE()
        return self.backup_store

    def pool_of(self, backend: Backend) -> str:
        """A backend's only pool, with its full name."""
        return f"{self.service_of(backend)}#{backend.name}"

    def service_of(self, backend: Backend) -> str:
        """The host of the service that has a backend: `host@backend`."""
        return f"{self.host}@{backend.name}"

    def find_backend(self, host: str | None) -> Backend | None:
        """The backend that `host@backend#pool`, or `host@backend`, names."""
        return next((one for one in self.backends if (host or "").partition("#")[0] == self.service_of(one)), None)

    def backend_at(self, host: str | None) -> Backend:
        """The backend of what is at `host@backend#pool`; what was never placed is on none: the first.

        Raises BACKEND_GONE where this cloud has no such backend any more.
        """
        if not host:
            return self.backends[0]
        found = self.find_backend(host)
        if found is None:
            raise BACKEND_GONE(host=host)
        return found

    def sees(self, ctx: Context, project_id: str) -> bool:
        """Whether what belongs to a project is there at all for the caller."""
        return ctx.is_admin or ctx.project_id == project_id
