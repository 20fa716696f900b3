"""Transfers: a volume changes hands, from the project that offers it to whoever shows the key."""

import hashlib
import hmac
import secrets

import sqlalchemy as sa

from nephele.kernel.context import Context
from nephele.volume import life, rows
from nephele.volume.errors import INVALID_KEY, INVALID_VOLUME, TRANSFER_NOT_FOUND, VOLUME_NOT_FOUND
from nephele.volume.model import Transfer
from nephele.volume.model import VolumeStatus as V
from nephele.volume.parts import Parts
from nephele.volume.quotas import Quotas
from nephele.volume.tables import snapshots, transfers, volumes
from nephele.volume.types import Types

_columns = [transfers.c[name] for name in Transfer.__struct_fields__]


class Transfers:
    """All transfers."""

    def __init__(self, parts: Parts, quotas: Quotas) -> None:
        self._parts = parts
        self._quotas = quotas

    def show(self, ctx: Context, transfer_id: str) -> Transfer:
        """One transfer of the caller's project.  Raises TRANSFER_NOT_FOUND."""
        found = self._get(transfer_id)
        if not self._parts.sees(ctx, found.source_project_id):
            raise TRANSFER_NOT_FOUND(transfer_id=transfer_id)
        return found

    def _get(self, transfer_id: str) -> Transfer:
        with self._parts.store.read() as db:
            row = db.execute(sa.select(*_columns).where(transfers.c.id == transfer_id)).one_or_none()
        if row is None:
            raise TRANSFER_NOT_FOUND(transfer_id=transfer_id)
        return Transfer(*row)

    def offer(self, ctx: Context, volume_id: str, name: str | None, *, no_snapshots: bool) -> tuple[Transfer, str]:
        """Offer a volume; answers the transfer and its key, which is shown only now.

        Raises INVALID_VOLUME unless the volume is available.
        """
        parts = self._parts
        with parts.store.write() as db:
            volume = rows.volume(db, volume_id)
            if not parts.sees(ctx, volume.project_id):
                raise VOLUME_NOT_FOUND(volume_id=volume_id)
            life.check("transfer", volume, "status must be available")
            if no_snapshots and db.execute(sa.select(snapshots.c.id).where(snapshots.c.volume_id == volume_id)).first():
                raise INVALID_VOLUME(reason=f"Volume {volume_id} has snapshots, which are not transferred with it.")
            key, salt = secrets.token_hex(8), secrets.token_hex(8)
            made = Transfer(
                parts.ids.uuid(), volume_id, name, no_snapshots, volume.project_id, None, False, parts.clock.now()
            )
            values = {field: getattr(made, field) for field in made.__struct_fields__}
            db.execute(transfers.insert().values({**values, "salt": salt, "key_hash": _hash(salt, key)}))
            rows.move(db, volume_id, None, status=V.AWAITING_TRANSFER, updated_at=parts.clock.now())
        return made, key

    def withdraw(self, ctx: Context, transfer_id: str) -> None:
        """Take an offer back: the volume is available again."""
        with self._parts.store.write() as db:
            found = self.show(ctx, transfer_id)
            db.execute(transfers.delete().where(transfers.c.id == transfer_id))
            if not found.accepted:
                rows.move(
                    db,
                    found.volume_id,
                    (V.AWAITING_TRANSFER,),
                    status=V.AVAILABLE,
                    updated_at=self._parts.clock.now(),
                )

    def accept(self, ctx: Context, transfer_id: str, key: str) -> Transfer:
        """Take over a volume, which is counted against the new project's quotas.

        Raises TRANSFER_NOT_FOUND, INVALID_KEY, INVALID_VOLUME, and what the quotas refuse.
        """
        parts = self._parts
        with parts.store.write() as db:
            found = self._get(transfer_id)
            secret = sa.select(transfers.c.salt, transfers.c.key_hash).where(transfers.c.id == transfer_id)
            salt, expected = db.execute(secret).one()
            if not hmac.compare_digest(_hash(salt, key), expected):
                raise INVALID_KEY(transfer_id=transfer_id)
            volume = rows.volume(db, found.volume_id)
            if volume.status != V.AWAITING_TRANSFER:
                raise INVALID_VOLUME(
                    reason=f"Transfer {transfer_id}: Volume id {volume.id} expected in awaiting-transfer state."
                )
            self._take(db, ctx, volume.id, volume.type_id, volume.size_gb)
            db.execute(transfers.delete().where(transfers.c.id == transfer_id))
        return Transfer(
            found.id,
            found.volume_id,
            found.name,
            found.no_snapshots,
            found.source_project_id,
            ctx.project_id,
            True,
            found.created_at,
        )

    def _take(self, db: sa.Connection, ctx: Context, volume_id: str, type_id: str, size_gb: int) -> None:
        kind = Types.get(db, type_id)
        self._quotas.take_volume(ctx.project_id, kind, size_gb)
        owner = {"project_id": ctx.project_id, "user_id": ctx.user_id}
        db.execute(volumes.update().where(volumes.c.id == volume_id).values(**owner, status=V.AVAILABLE))
        for snapshot in rows.list_snapshots(db, lambda query: query.where(snapshots.c.volume_id == volume_id)):
            self._quotas.take_snapshot(ctx.project_id, kind, snapshot.size_gb)
            db.execute(snapshots.update().where(snapshots.c.id == snapshot.id).values(**owner))


def _hash(salt: str, key: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", key.encode(), salt.encode(), 10_000).hex()
