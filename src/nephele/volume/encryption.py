"""Encryption types: how volumes of a type are to be encrypted.

They can be described, and no volume of such a type is made: there is no key store here yet.
"""

import sqlalchemy as sa

from nephele.volume.errors import ENCRYPTED, ENCRYPTION_EXISTS, ENCRYPTION_NOT_FOUND, TYPE_HAS_VOLUMES
from nephele.volume.model import Encryption, VolumeType
from nephele.volume.parts import Parts
from nephele.volume.tables import encryptions, volumes
from nephele.volume.types import Types

_c = encryptions.c


class Encryptions:
    """All encryption types."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def find(self, type_id: str) -> Encryption | None:
        """That of a volume type; None: its volumes are not encrypted.  Raises TYPE_NOT_FOUND."""
        with self._parts.store.read() as db:
            Types.get(db, type_id)
            row = db.execute(sa.select(*_c).where(_c.type_id == type_id)).one_or_none()
        return None if row is None else Encryption(*row)

    def create(self, type_id: str, values: dict[str, object]) -> Encryption:
        """Say how volumes of a type are encrypted.  Raises TYPE_NOT_FOUND, ENCRYPTION_EXISTS, TYPE_HAS_VOLUMES."""
        parts = self._parts
        with parts.store.write() as db:
            if self.find(type_id) is not None:
                raise ENCRYPTION_EXISTS(type_id=type_id)
            self._check_unused(db, type_id)
            row = {"type_id": type_id, "encryption_id": parts.ids.uuid(), "created_at": parts.clock.now(), **values}
            db.execute(encryptions.insert().values(row))
        return self._get(type_id)

    def _get(self, type_id: str, encryption_id: str = "") -> Encryption:
        found = self.find(type_id)
        if found is None or encryption_id not in ("", found.encryption_id):
            raise ENCRYPTION_NOT_FOUND(type_id=type_id)
        return found

    @staticmethod
    def _check_unused(db: sa.Connection, type_id: str) -> None:
        if db.execute(sa.select(volumes.c.id).where(volumes.c.type_id == type_id).limit(1)).first() is not None:
            raise TYPE_HAS_VOLUMES()

    def update(self, type_id: str, encryption_id: str, values: dict[str, object]) -> Encryption:
        """Say it anew.  Raises TYPE_NOT_FOUND, ENCRYPTION_NOT_FOUND, TYPE_HAS_VOLUMES."""
        with self._parts.store.write() as db:
            self._get(type_id, encryption_id)
            self._check_unused(db, type_id)
            update = encryptions.update().where(_c.type_id == type_id)
            db.execute(update.values(**values, updated_at=self._parts.clock.now()))
            return self._get(type_id)

    def delete(self, type_id: str, encryption_id: str) -> None:
        """Let volumes of a type no longer be encrypted.  Raises as `update`."""
        with self._parts.store.write() as db:
            self._get(type_id, encryption_id)
            self._check_unused(db, type_id)
            db.execute(encryptions.delete().where(_c.type_id == type_id))

    def check_plain(self, kind: VolumeType) -> None:
        """Refuse to make a volume of a type that asks for encryption.  Raises ENCRYPTED."""
        if self.find(kind.id) is not None:
            raise ENCRYPTED(name=kind.name)
