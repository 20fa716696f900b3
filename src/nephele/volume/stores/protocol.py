"""What Cinder asks of a place that keeps backups: named objects, written once, read, deleted by their prefix."""

from collections.abc import Iterator
from typing import Protocol


class BackupStore(Protocol):
    """One place.  Names are paths with slashes; every method may be asked twice.  What fails raises `Refused`."""

    name: str
    """As backups remember it: a record made in one place is not imported in another."""

    def put(self, name: str, data: bytes) -> None:
        """Store an object; one of that name is replaced."""
        ...

    def get(self, name: str) -> bytes:
        """An object's content.  Raises OBJECT_MISSING."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """The names of all objects that begin so, in order."""
        ...

    def delete(self, prefix: str) -> None:
        """Delete all objects whose names begin so.  Nothing there: nothing done."""
        ...
