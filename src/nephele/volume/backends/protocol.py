"""What Cinder asks of a storage backend.

A disk is named by its owner, `volume-<id>` or `snapshot-<id>`; how it is laid out is told by the
`Layout` that making it gave back, which is stored with the owner.  Every method is idempotent: asked twice, the
outcome is the same; a half-made disk of an interrupted try is made anew.  What can't be done raises `Refused`.
No method ever guesses a format from content.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from nephele.volume.backends.blocks import Block
from nephele.volume.messages import Connection
from nephele.volume.model import Layout


class ImageFile(Struct, frozen=True):
    """An image's data, as Glance describes it after having inspected it."""

    id: str
    path: Path
    format: str
    """Glance's `disk_format`."""


class Capacity(Struct, frozen=True):
    """How much room there is, in GB."""

    total_gb: float
    free_gb: float


class Found(Struct, frozen=True):
    """A disk that could be managed."""

    name: str
    size: int
    """Bytes."""


class Backend(Protocol):
    """One place where volumes are kept."""

    name: str
    """As in `host@NAME#pool`."""
    protocol: str
    """As pools show it: `file`, `nbd`, `ceph`."""
    extends_attached: bool
    """Whether a disk that a host is connected to may grow."""

    def prepare(self) -> None:
        """Start what it needs, before anybody waits for it.  Asked again: nothing done."""
        ...

    def capacity(self) -> Capacity:
        """The room there is now."""
        ...

    def create_blank(self, disk: str, size_gb: int) -> Layout:
        """A disk that reads as zeros."""
        ...

    def base_of(self, image: ImageFile) -> str:
        """The name of the base that disks from this image share; empty: they stand alone."""
        ...

    def create_from_image(self, disk: str, size_gb: int, image: ImageFile) -> Layout:
        """A disk that begins with the image's content; the image may be deleted afterwards."""
        ...

    def copy(self, source: str, layout: Layout, disk: str, size_gb: int) -> Layout:
        """A disk of its own that begins with `source`'s content as it is at one moment, though it be in use."""
        ...

    def create_from_blocks(self, disk: str, size_gb: int, content: Iterable[Block]) -> Layout:
        """A disk with these blocks; everything else reads as zeros.  An older disk of that name is replaced at once."""
        ...

    def extend(self, disk: str, layout: Layout, size_gb: int) -> None:
        """Let the disk be `size_gb` GB; what is added reads as zeros."""
        ...

    def delete(self, disk: str) -> None:
        """Forget the disk.  Nothing there: nothing done."""
        ...

    def manageable(self) -> list[Found]:
        """The disks that are there for the taking: put there by an administrator, or given up by `release`."""
        ...

    def adopt(self, name: str, disk: str) -> Layout:
        """Make a manageable disk one of ours.  Asked again: nothing done.  Raises NOT_MANAGEABLE."""
        ...

    def release(self, disk: str, layout: Layout, name: str) -> None:
        """Make one of our disks a manageable one, which stands alone."""
        ...

    def connection(self, disk: str, layout: Layout) -> Connection:
        """How a host reaches the disk; from now on it does.  Asked again: the same answer."""
        ...

    def disconnect(self, disk: str) -> None:
        """No host needs to reach the disk any more.  Asked again: nothing done."""
        ...

    def exports(self) -> frozenset[str]:
        """The image formats that `export` can give."""
        ...

    def export(self, disk: str, layout: Layout, format: str) -> Iterator[bytes]:
        """The disk as an image file of that format, from its first byte to its last, in pieces."""
        ...

    def release_base(self, base: str, is_used: Callable[[], bool]) -> None:
        """Forget a shared base unless `is_used()`, asked while nobody can begin to use it."""
        ...

    def disks(self) -> set[str]:
        """The names of all disks that are there, those half made too."""
        ...

    def bases(self) -> set[str]:
        """The names of all shared bases that are there."""
        ...
