"""The host's cache of base images: each fetched and verified once, shared by all guests that boot from it."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nephele.compute.agent.cache import Base, Limits, sweep
from nephele.compute.errors import IMAGE_CORRUPT
from nephele.compute.messages import BaseImage
from nephele.compute.virt.driver import DiskFormat
from nephele.image.messages import ImageAnswer
from nephele.kernel.locks import KeyedLocks
from nephele.kernel.trace import Span

_CHUNK = 1 << 20
Download = Callable[[str, str], Iterator[bytes]]
"""From image id and token to the image's bytes."""
Upload = Callable[[str, str, Iterator[bytes]], None]
"""With image id, token and bytes: gives a queued image its data; done where it has them already."""


class BaseImages:
    """A directory of base images, named by their checksum.

    Args:
        directory: where they are; on the file system of the guests' disks.
        host: this host's name, for errors.
        download: fetches an image whose file this host cannot reach.
        upload: sends the data of an image that was made here.
    """

    def __init__(self, directory: Path, host: str, download: Download, upload: Upload) -> None:
        self.directory = directory
        self.host = host
        self.download = download
        self.upload = upload
        self._locks = KeyedLocks()
        directory.mkdir(parents=True, exist_ok=True)

    def fetch(self, image: ImageAnswer, token: str, span: Span, check: Callable[[], None] = lambda: None) -> BaseImage:
        """The image in the cache, brought there first if need be; `check` may raise to give up meanwhile.

        Says in the span's detail whether it was there and how many bytes moved.  Raises IMAGE_CORRUPT.
        """
        path = self.directory / (image.os_hash_value[:40] or image.id)
        with self._locks.holding(path.name):
            if path.exists():
                span.detail |= {"cache": "hit", "bytes": 0}
                _note_use(path)
            else:
                self._bring(image, token, path, span, check)
        disk_format = DiskFormat.QCOW2 if image.disk_format == "qcow2" else DiskFormat.RAW
        return BaseImage(
            path=str(path), format=disk_format, size=image.size, virtual_size=image.virtual_size or image.size
        )

    def _bring(self, image: ImageAnswer, token: str, path: Path, span: Span, check: Callable[[], None]) -> None:
        """Link the image's own file where that is possible, or else copy it; verify what arrived."""
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        try:
            os.link(image.path, part)
            way, chunks = "link", _read(part)
        except OSError:
            way, chunks = "download", self._save(self.download(image.id, token), part)
        digest = hashlib.new(image.os_hash_algo or "sha512")
        size = 0
        try:
            for chunk in chunks:
                check()
                digest.update(chunk)
                size += len(chunk)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        if image.os_hash_value and digest.hexdigest() != image.os_hash_value:
            part.unlink()
            raise IMAGE_CORRUPT(image_id=image.id, host=self.host)
        part.chmod(0o644)  # QEMU reads it, as a user of its own
        _note_use(part)
        part.rename(path)
        span.detail |= {"cache": "miss", "way": way, "bytes": size, "verified": image.os_hash_algo or "size"}

    def sweep(self, limits: Limits) -> list[Base]:
        """Remove bases that nobody uses and that are too old or too much; answers what went."""
        return sweep(self.directory, self.directory.parent, limits, hold=self._locks.holding)

    @staticmethod
    def _save(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                yield chunk


def _note_use(path: Path) -> None:
    """Somebody asked for a base now: its access time says so; its other times stay, as the file may be Glance's too."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
