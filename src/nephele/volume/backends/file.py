"""Volumes as files in a directory: blank ones are sparse raw files, those from images overlays on a shared base.

    DIR/volume-<id>, DIR/snapshot-<id>    disks
    DIR/manageable/<name>                 raw disks that are nobody's: what is put here can be managed
    DIR/bases/<image id>.<format>         hard links to images' data, which live on when the image is deleted

Needs no program for raw and qcow2 images; other formats are converted with `qemu-img` where it is installed.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nephele.kernel.errors import Refused
from nephele.volume.backends import qcow2
from nephele.volume.backends.blocks import Block, blocks, write_blocks
from nephele.volume.backends.copying import copy_file
from nephele.volume.backends.protocol import Capacity, Found, ImageFile
from nephele.volume.errors import (
    BACKEND_FAILED,
    FORMAT_UNSUPPORTED,
    IMAGE_UNACCEPTABLE,
    NO_SPACE,
    NOT_MANAGEABLE,
)
from nephele.volume.messages import Connection, FileConnection
from nephele.volume.model import Layout

GB = 1 << 30
_RAW = frozenset({"raw", "iso", "ami", "ari", "aki"})
"""Image formats whose bytes are the disk's bytes."""
_CONVERTED = {"vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx", "ploop": "parallels"}
"""Image formats that qemu-img reads, by its names."""


class FileBackend:
    """Volumes in the directory `root`, which all hosts share where there are several."""

    protocol = "file"
    extends_attached = True

    def __init__(self, root: Path, name: str = "file") -> None:
        self.name = name
        self.root = root.absolute()
        self._bases = self.root / "bases"
        self._free = self.root / "manageable"
        for directory in (self._bases, self._free):
            directory.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """A directory is ready as it is."""

    def capacity(self) -> Capacity:
        found = shutil.disk_usage(self.root)
        return Capacity(round(found.total / GB, 2), round(found.free / GB, 2))

    def create_blank(self, disk: str, size_gb: int) -> Layout:
        with self._making(disk) as path, path.open("wb") as file:
            file.truncate(size_gb * GB)
        return Layout("raw")

    def create_from_image(self, disk: str, size_gb: int, image: ImageFile) -> Layout:
        base = self.base_of(image)
        with self._locked():
            if not (self._bases / base).exists():
                self._make_base(base, image)
        kind = base.rpartition(".")[2]
        content = _size_of(self._bases / base, kind)
        if content > size_gb * GB:
            raise IMAGE_UNACCEPTABLE(
                image_id=image.id, reason=f"its {content} bytes do not fit into a volume of {size_gb} GB"
            )
        with self._making(disk) as path:
            qcow2.create_overlay(path, size_gb * GB, Path("bases", base), kind)
        return Layout("qcow2", base)

    def base_of(self, image: ImageFile) -> str:
        return f"{image.id}.{'qcow2' if image.format == 'qcow2' else 'raw'}"

    def copy(self, source: str, layout: Layout, disk: str, size_gb: int) -> Layout:
        with self._making(disk) as path:
            copy_file(self.root / source, path)
            self._grow(path, layout, size_gb)
        return layout

    def create_from_blocks(self, disk: str, size_gb: int, content: Iterable[Block]) -> Layout:
        with self._making(disk) as path, path.open("wb") as file:
            file.truncate(size_gb * GB)
            write_blocks(file.fileno(), content)
        return Layout("raw")

    def extend(self, disk: str, layout: Layout, size_gb: int) -> None:
        with _failing(self.root):
            self._grow(self.root / disk, layout, size_gb)

    def _grow(self, path: Path, layout: Layout, size_gb: int) -> None:
        if layout.format == "qcow2":
            qcow2.grow(path, size_gb * GB)
        elif path.stat().st_size < size_gb * GB:
            os.truncate(path, size_gb * GB)

    def delete(self, disk: str) -> None:
        with _failing(self.root):
            for path in (self.root / disk, *self.root.glob(f".{disk}*")):
                path.unlink(missing_ok=True)

    def manageable(self) -> list[Found]:
        found = sorted(path for path in self._free.iterdir() if path.is_file() and not path.name.startswith("."))
        return [Found(path.name, path.stat().st_size) for path in found]

    def adopt(self, name: str, disk: str) -> Layout:
        path = self._free / name
        if path.parent != self._free or name.startswith("."):
            raise NOT_MANAGEABLE(name=name)
        with _failing(self.root):
            if path.is_file():
                path.rename(self.root / disk)
            elif not (self.root / disk).is_file():
                raise NOT_MANAGEABLE(name=name)
        return Layout("raw")

    def release(self, disk: str, layout: Layout, name: str) -> None:
        """A raw disk is moved; an overlay is copied with what is below it, and then deleted."""
        with _failing(self.root):
            if not (self.root / disk).exists() and (self._free / name).exists():
                return
            if layout.format == "raw":
                (self.root / disk).rename(self._free / name)
                return
            unfinished = self._free / f".{name}"
            reader = self._reader(disk, layout)
            with unfinished.open("wb") as file:
                file.truncate(reader.size)
                write_blocks(file.fileno(), blocks(_pieces(reader)))
            unfinished.rename(self._free / name)
        self.delete(disk)

    def connection(self, disk: str, layout: Layout) -> Connection:
        return FileConnection(path=str(self.root / disk), format=layout.format)

    def disconnect(self, disk: str) -> None:
        """A file that lies there costs nobody anything."""

    def exports(self) -> frozenset[str]:
        return frozenset({"raw", *(("qcow2", *_CONVERTED) if shutil.which("qemu-img") else ())})

    def export(self, disk: str, layout: Layout, format: str) -> Iterator[bytes]:
        if format == "raw":
            yield from _pieces(self._reader(disk, layout))
            return
        converted = self.root / f".{disk}.{format}"
        words = ["-f", layout.format, "-O", _CONVERTED.get(format, format), str(self.root / disk), str(converted)]
        try:
            _qemu_img("convert", words, format)
            yield from _pieces(qcow2.RawReader(converted))
        finally:
            converted.unlink(missing_ok=True)

    def _reader(self, disk: str, layout: Layout) -> qcow2.Reader | qcow2.RawReader:
        path = self.root / disk
        if layout.format == "raw":
            return qcow2.RawReader(path)
        base = self._bases / layout.base
        below: qcow2.Reader | qcow2.RawReader | None = None
        if layout.base:
            below = qcow2.Reader(base) if base.suffix == ".qcow2" else qcow2.RawReader(base)
        return qcow2.Reader(path, below)

    def release_base(self, base: str, is_used: Callable[[], bool]) -> None:
        with self._locked():
            if not is_used():
                for name in (base, f".{base}"):
                    (self._bases / name).unlink(missing_ok=True)

    def disks(self) -> set[str]:
        names = [path.name for path in self.root.iterdir() if path.is_file()]
        return {name.removeprefix(".").partition(".")[0] for name in names}

    def bases(self) -> set[str]:
        return {path.name.removeprefix(".") for path in self._bases.iterdir() if path.name != ".lock"}

    def _make_base(self, base: str, image: ImageFile) -> None:
        target = self._bases / base
        unfinished = self._bases / f".{base}"
        with _failing(self.root):
            unfinished.unlink(missing_ok=True)
            if image.format in _CONVERTED:
                _convert(image, unfinished)
            elif image.format == "qcow2" or image.format in _RAW:
                _link(image.path, unfinished)
            else:
                raise FORMAT_UNSUPPORTED(format=image.format, reason="it is not a disk image")
            unfinished.chmod(0o644)  # QEMU reads it, as a user of its own
            unfinished.rename(target)

    def _unfinished(self, disk: str) -> Path:
        return self.root / f".{disk}"

    @contextmanager
    def _making(self, disk: str) -> Iterator[Path]:
        """A path to write to, which becomes the disk when the block ends well and vanishes when not."""
        path = self._unfinished(disk)
        with _failing(self.root):
            try:
                yield path
                path.rename(self.root / disk)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, over all processes, for what touches the bases."""
        with (self._bases / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def _failing(root: Path) -> Iterator[None]:
    """Turn the operating system's complaints into refusals."""
    try:
        yield
    except Refused:
        raise
    except FileNotFoundError as error:
        raise BACKEND_FAILED(reason=f"{Path(str(error.filename)).name} is missing") from error
    except OSError as error:
        if error.errno in (28, 122):
            free = shutil.disk_usage(root).free / GB
            raise NO_SPACE(free_gb=free, needed_gb=free) from error
        raise BACKEND_FAILED(reason=error.strerror or str(error)) from error


def _link(source: Path, target: Path) -> None:
    """Let `target` be the same file as `source`, or a copy where that is on another file system."""
    try:
        target.hardlink_to(source)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        copy_file(source, target)


def _convert(image: ImageFile, target: Path) -> None:
    words = ["-f", _CONVERTED[image.format], "-O", "raw", str(image.path), str(target)]
    _qemu_img("convert", words, image.format)


def _qemu_img(command: str, words: list[str], format: str) -> None:
    program = shutil.which("qemu-img")
    if program is None:
        raise FORMAT_UNSUPPORTED(format=format, reason="qemu-img is not installed")
    done = subprocess.run([program, command, *words], capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode:
        raise FORMAT_UNSUPPORTED(format=format, reason=done.stderr.strip() or "qemu-img failed")


def _pieces(reader: qcow2.Reader | qcow2.RawReader) -> Iterator[bytes]:
    try:
        yield from reader.pieces()
    finally:
        reader.close()


def _size_of(path: Path, kind: str) -> int:
    """Bytes that a guest sees of a base."""
    return qcow2.virtual_size(path) if kind == "qcow2" else path.stat().st_size
