"""Backups in a directory, which may be a file system shared by many machines."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nephele.volume.errors import BACKUP_STORE_FAILED, OBJECT_MISSING


class FileStore:
    """Objects as files below `root`."""

    name = "file"

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.root.mkdir(parents=True, exist_ok=True)

    def _path(self, name: str) -> Path:
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise OBJECT_MISSING(name=name)
        return path

    def put(self, name: str, data: bytes) -> None:
        path = self._path(name)
        unfinished = path.with_name(f".{path.name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise BACKUP_STORE_FAILED(reason=error.strerror or str(error)) from error

    def get(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise OBJECT_MISSING(name=name) from None
        except OSError as error:
            raise BACKUP_STORE_FAILED(reason=error.strerror or str(error)) from error

    def names(self, prefix: str) -> Iterator[str]:
        found = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        yield from sorted(name for name in found if name.startswith(prefix))

    def delete(self, prefix: str) -> None:
        directory = self._path(prefix)
        if not prefix.endswith("/") or directory == self.root.resolve():
            raise BACKUP_STORE_FAILED(reason=f"{prefix!r} is not the prefix of one backup")
        try:
            shutil.rmtree(directory)
            if directory.parent != self.root and not any(directory.parent.iterdir()):
                directory.parent.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            raise BACKUP_STORE_FAILED(reason=error.strerror or str(error)) from error
