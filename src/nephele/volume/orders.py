"""What Cinder's operations carry from step to step, and how disks are named."""

from msgspec import Struct

from nephele.volume.model import Layout


def volume_disk(volume_id: str) -> str:
    """The name of a volume's disk."""
    return f"volume-{volume_id}"


def snapshot_disk(snapshot_id: str) -> str:
    """The name of a snapshot's disk."""
    return f"snapshot-{snapshot_id}"


class SourceImage(Struct, frozen=True):
    """An image's data as it was when the request was accepted."""

    id: str
    path: str
    format: str


class Create(Struct):
    """A volume's disk: blank, from an image, or a copy of another disk."""

    volume_id: str
    project_id: str
    size_gb: int
    image: SourceImage | None = None
    source: str = ""
    source_layout: Layout | None = None
    misfit: str = ""
    layout: Layout | None = None
    host: str = ""


class Doomed(Struct, frozen=True):
    """A disk to delete."""

    disk: str
    base: str


class Delete(Struct):
    """A volume's disk, and with `cascade` those of its snapshots."""

    volume_id: str
    project_id: str
    disks: list[Doomed]
    snapshot_ids: list[str]
    host: str = ""


class Extend(Struct):
    """A volume that grows; `size_gb` is already what its row says."""

    volume_id: str
    project_id: str
    size_gb: int
    old_size_gb: int
    before: str
    host: str = ""


class TakeSnapshot(Struct):
    """A snapshot's disk."""

    snapshot_id: str
    volume_id: str
    project_id: str
    size_gb: int
    layout: Layout
    host: str = ""


class DropSnapshot(Struct):
    """A snapshot's disk to delete."""

    snapshot_id: str
    project_id: str
    base: str
    host: str = ""


class Upload(Struct):
    """A volume's content on its way to an image."""

    volume_id: str
    project_id: str
    image_id: str
    layout: Layout
    format: str
    before: str
    host: str = ""


class Revert(Struct):
    """A volume that gets a snapshot's content back."""

    volume_id: str
    project_id: str
    snapshot_id: str
    layout: Layout
    size_gb: int
    host: str = ""


class Reimage(Struct):
    """A volume that begins anew with an image's content."""

    volume_id: str
    project_id: str
    size_gb: int
    image: SourceImage
    words: dict[str, str]
    base: str
    old_base: str
    arrives: str
    layout: Layout | None = None
    host: str = ""
