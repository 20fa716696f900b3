"""Attachments: a volume promised to a server, connected to its host, used by its guest, and given back."""

import logging
from collections.abc import Callable, Collection

import msgspec
import sqlalchemy as sa

from nephele.kernel.context import Context
from nephele.kernel.errors import BAD_REQUEST, Refused
from nephele.volume import life, rows
from nephele.volume.errors import (
    ATTACHMENT_NOT_FOUND,
    CONFLICT,
    HELD_BY_SERVER,
    INVALID_MODE,
    INVALID_VOLUME,
    VOLUME_NOT_FOUND,
    WRONG_SERVER,
)
from nephele.volume.messages import CompleteAttachment, ConnectedVolume, Connection, ConnectVolume
from nephele.volume.model import Attachment, AttachStatus, Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.orders import volume_disk
from nephele.volume.parts import Parts
from nephele.volume.tables import attachments, volumes

log = logging.getLogger(__name__)
_RESERVABLE = "Volume {id} status must be {expected} to reserve, but the current status is {status}."


class Attachments:
    """All attachments."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.is_held: Callable[[Attachment], bool] = lambda _attachment: False
        """Whether a server has the volume by this attachment; who has servers says so."""

    def show(self, ctx: Context, attachment_id: str) -> Attachment:
        """One attachment.  Raises ATTACHMENT_NOT_FOUND, also where it is another project's."""
        with self._parts.store.read() as db:
            found = rows.attachment(db, attachment_id)
        if not self._parts.sees(ctx, found.project_id):
            raise ATTACHMENT_NOT_FOUND(attachment_id=attachment_id)
        return found

    def of_servers(self, server_ids: Collection[str]) -> list[Attachment]:
        """The attachments of some servers, oldest first."""
        c = attachments.c
        with self._parts.store.read() as db:
            return rows.list_attachments(
                db, lambda query: query.where(c.server_id.in_(server_ids)).order_by(c.created_at, c.id)
            )

    def to_servers(self) -> list[tuple[str, str, str]]:
        """(attachment, volume, server) of all that are of a server."""
        c = attachments.c
        query = sa.select(c.id, c.volume_id, c.server_id).where(c.server_id.is_not(None)).order_by(c.id)
        with self._parts.store.read() as db:
            return [(row.id, row.volume_id, row.server_id) for row in db.execute(query)]

    def half_attached(self) -> list[tuple[str, str, str]]:
        """(volume, status, server) of all attachments whose volumes are reserved, attaching or detaching."""
        passing = (V.RESERVED, V.ATTACHING, V.DETACHING)
        query = sa.select(volumes.c.id, volumes.c.status, attachments.c.server_id).join(
            attachments, attachments.c.volume_id == volumes.c.id
        )
        query = query.where(volumes.c.status.in_(passing), attachments.c.server_id.is_not(None))
        with self._parts.store.read() as db:
            return [(row[0], row[1], row[2]) for row in db.execute(query)]

    # -- promised ----------------------------------------------------------------------------------------------

    def reserve(self, ctx: Context, volume_id: str, server_id: str | None, mode: str = "") -> Attachment:
        """Promise a volume to a server.

        Args:
            ctx: who asks.
            volume_id: which volume.
            server_id: for which server, if for one at all.
            mode: `rw`, `ro`, or empty for what the volume says.

        Raises:
            VOLUME_NOT_FOUND, INVALID_VOLUME where its status does not let it, INVALID_MODE for a read-only volume.
        """
        parts = self._parts
        with parts.store.write() as db:
            volume = rows.volume(db, volume_id)
            if not parts.sees(ctx, volume.project_id):
                raise VOLUME_NOT_FOUND(volume_id=volume_id)
            self._check_reservable(volume, server_id)
            if volume.readonly and mode == "rw":
                raise INVALID_MODE(mode=mode, volume_id=volume_id)
            now = parts.clock.now()
            made = Attachment(
                id=parts.ids.uuid(),
                volume_id=volume_id,
                project_id=volume.project_id,
                server_id=server_id,
                host=None,
                device=None,
                mode="ro" if volume.readonly else mode or "null",
                status=AttachStatus.RESERVED,
                connector=None,
                connection=None,
                created_at=now,
                attached_at=None,
            )
            db.execute(attachments.insert().values({name: getattr(made, name) for name in made.__struct_fields__}))
            if volume.status != V.IN_USE:
                rows.move(db, volume_id, None, status=V.RESERVED, updated_at=now)
        return made

    def _check_reservable(self, volume: Volume, server_id: str | None) -> None:
        if "error" in volume.status:
            raise INVALID_VOLUME(
                reason="Volume attachments can not be created if the volume is in an error state. "
                f"The Volume {volume.id} currently has a status of: {volume.status}"
            )
        if life.allowed("reserve", volume):
            return
        if volume.status in (V.IN_USE, V.RESERVED) and server_id:
            with self._parts.store.read() as db:
                if any(
                    known.server_id == server_id for known in rows.attachments_of(db, [volume.id]).get(volume.id, [])
                ):
                    return
        raise life.refusal("reserve", volume, _RESERVABLE)

    # -- connected ---------------------------------------------------------------------------------------------

    def connect(self, ctx: Context, attachment_id: str, connector: dict[str, object]) -> Attachment:
        """Connect a promised volume to the host that `connector` describes, and answer how it is reached.

        Raises CONFLICT for a volume in an error state, or one connected elsewhere that may not be shared.
        """
        parts = self._parts
        with parts.store.write() as db:
            attachment = self.show(ctx, attachment_id)
            volume = rows.volume(db, attachment.volume_id)
            if "error" in volume.status:
                raise CONFLICT(
                    reason="Volume attachments can not be updated if the volume is in an error state. "
                    f"The Volume {volume.id} currently has a status of: {volume.status}"
                )
            host = str(connector.get("host") or "")
            if not host:
                raise BAD_REQUEST(reason="Connector doesn't have required information: host")
            self._check_alone(volume, attachment)
            connection = parts.backend_at(volume.host).connection(volume_disk(volume.id), volume.layout)
            values: dict[str, object] = {"connector": connector, "host": host, "connection": connection}
            values["device"] = connector.get("mountpoint") or attachment.device
            if attachment.status == AttachStatus.RESERVED:
                values["status"] = AttachStatus.ATTACHING
            if connector.get("mode") in ("rw", "ro"):
                values["mode"] = connector["mode"]
            elif attachment.mode == "null":
                values["mode"] = "rw"
            db.execute(attachments.update().where(attachments.c.id == attachment_id).values(values))
            if volume.status == V.RESERVED:
                rows.settle(db, volume.id, parts.clock.now())
            return rows.attachment(db, attachment_id)

    def _check_alone(self, volume: Volume, attachment: Attachment) -> None:
        """A volume that is not multiattach is connected once, or for the moves of one server."""
        with self._parts.store.read() as db:
            others = rows.attachments_of(db, [volume.id]).get(volume.id, [])
        connected = [
            other
            for other in others
            if other.id != attachment.id and other.connection is not None and other.server_id != attachment.server_id
        ]
        if connected and not volume.multiattach:
            raise CONFLICT(reason=f"duplicate connectors detected on volume {volume.id}")

    def connect_for_server(self, ctx: Context, ask: ConnectVolume) -> ConnectedVolume:
        """Connect an attachment to the host of the server that a delegated token speaks for.

        Raises WRONG_SERVER where token, attachment and message do not speak of the same server.
        """
        self._check_server(ctx, ask.attachment_id, ask.server_id)
        connector: dict[str, object] = {"host": ask.host, "mountpoint": ask.device_name}
        attachment = self.connect(ctx, ask.attachment_id, connector)
        with self._parts.store.read() as db:
            volume = rows.volume(db, attachment.volume_id)
        assert attachment.connection is not None
        return ConnectedVolume(
            volume_id=volume.id, size_gb=volume.size_gb, bootable=volume.bootable, connection=attachment.connection
        )

    def complete_for_server(self, ctx: Context, ask: CompleteAttachment) -> None:
        """The guest has the volume.  Raises WRONG_SERVER as `connect_for_server`."""
        self._check_server(ctx, ask.attachment_id, ctx.server_id)
        self.complete(ctx, ask.attachment_id)

    def _check_server(self, ctx: Context, attachment_id: str, server_id: str) -> None:
        attachment = self.show(ctx, attachment_id)
        if attachment.server_id != server_id or ctx.server_id not in ("", server_id):
            raise WRONG_SERVER(attachment_id=attachment_id)

    def complete(self, ctx: Context, attachment_id: str) -> Attachment:
        """The guest has the volume: it is in use from now on.  Idempotent."""
        parts = self._parts
        with parts.store.write() as db:
            attachment = self.show(ctx, attachment_id)
            if attachment.status == AttachStatus.ATTACHED:
                return attachment
            now = parts.clock.now()
            update = attachments.update().where(attachments.c.id == attachment_id)
            db.execute(update.values(status=AttachStatus.ATTACHED, attached_at=now))
            rows.settle(db, attachment.volume_id, now)
            return rows.attachment(db, attachment_id)

    # -- given back --------------------------------------------------------------------------------------------

    def remove(self, ctx: Context, attachment_id: str) -> str:
        """Give a volume back; it is what its other attachments say, else available.

        Nothing there: nothing done.

        Returns:
            the volume's id, empty where there was no such attachment.
        """
        with self._parts.store.write() as db:
            row = db.execute(attachments.select().where(attachments.c.id == attachment_id)).one_or_none()
            if row is None or not self._parts.sees(ctx, row.project_id):
                return ""
            db.execute(attachments.delete().where(attachments.c.id == attachment_id))
            volume = rows.volume(db, row.volume_id)
            self._parts.store.after_commit(lambda: self._disconnect(volume))
            if volume.status in (V.RESERVED, V.ATTACHING, V.IN_USE, V.DETACHING):
                rows.settle(db, volume.id, self._parts.clock.now())
            return volume.id

    def _disconnect(self, volume: Volume) -> None:
        """Let the backend forget the way to a volume that no host is connected to."""
        with self._parts.store.read() as db:
            left = rows.attachments_of(db, [volume.id]).get(volume.id, [])
        if any(attachment.connection is not None for attachment in left):
            return
        try:
            self._parts.backend_at(volume.host).disconnect(volume_disk(volume.id))
        except Refused as refused:
            log.warning("volume %s can still be reached by hosts: %s", volume.id, refused.message)

    def check_free(self, attachment: Attachment) -> None:
        """Raise HELD_BY_SERVER where users must not take the attachment from under a server."""
        if self.is_held(attachment):
            raise HELD_BY_SERVER(server_id=attachment.server_id)

    def begin_detach(self, ctx: Context, volume_id: str) -> None:
        """Show that the volume is on its way out of a guest.  Raises INVALID_VOLUME unless it is in use."""
        sentence = (
            "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach."
        )
        self._switch(ctx, volume_id, "begin_detach", sentence)

    def roll_detach(self, ctx: Context, volume_id: str) -> None:
        """The guest did not let go: the volume is in use as before.  Nothing done where it is not detaching."""
        with self._parts.store.write() as db:
            self._volume(ctx, volume_id)
            move = life.LIFE["roll_detach"]
            rows.move(db, volume_id, move.sources, status=move.arrives, updated_at=self._parts.clock.now())

    def _switch(self, ctx: Context, volume_id: str, move: str, sentence: str) -> None:
        with self._parts.store.write() as db:
            life.check(move, self._volume(ctx, volume_id), sentence)
            rows.move(db, volume_id, None, status=life.LIFE[move].arrives, updated_at=self._parts.clock.now())

    def _volume(self, ctx: Context, volume_id: str) -> Volume:
        with self._parts.store.read() as db:
            volume = rows.volume(db, volume_id)
        if not self._parts.sees(ctx, volume.project_id):
            raise VOLUME_NOT_FOUND(volume_id=volume_id)
        return volume

    # -- the old actions ---------------------------------------------------------------------------------------

    def old_reserve(self, ctx: Context, volume_id: str) -> None:
        """`os-reserve`: available → attaching."""
        sentence = "Volume status must be {expected} to reserve, but the status is {status}."
        self._switch(ctx, volume_id, "os-reserve", sentence)

    def old_unreserve(self, ctx: Context, volume_id: str) -> None:
        """`os-unreserve`: attaching → what its attachments say; nothing done in another status."""
        with self._parts.store.write() as db:
            if self._volume(ctx, volume_id).status == V.ATTACHING:
                for attachment in rows.attachments_of(db, [volume_id]).get(volume_id, []):
                    self.check_free(attachment)
                rows.settle(db, volume_id, self._parts.clock.now())

    def old_attach(
        self, ctx: Context, volume_id: str, server_id: str | None, host: str | None, device: str, mode: str
    ) -> Attachment:
        """`os-attach`: note that a server or a host has the volume."""
        parts = self._parts
        with parts.store.write() as db:
            volume = self._volume(ctx, volume_id)
            if volume.readonly and mode != "ro":
                raise INVALID_MODE(mode=mode, volume_id=volume_id)
            known = rows.attachments_of(db, [volume_id]).get(volume_id, [])
            for attachment in known:
                same_host = server_id is None and host is not None and attachment.host == host
                if (server_id and attachment.server_id == server_id) or same_host:
                    return self._attached(attachment.id, volume_id, host, device, mode)
            life.check("attach", volume, "volume is already attached")
            if volume.status in (V.AVAILABLE, V.ATTACHING):
                rows.move(db, volume_id, None, status=V.AVAILABLE)
            made = self.reserve(ctx, volume_id, server_id, mode)
            return self._attached(made.id, volume_id, host, device, mode)

    def _attached(self, attachment_id: str, volume_id: str, host: str | None, device: str, mode: str) -> Attachment:
        now = self._parts.clock.now()
        values = {"status": AttachStatus.ATTACHED, "host": host, "device": device, "mode": mode, "attached_at": now}
        with self._parts.store.write() as db:
            db.execute(attachments.update().where(attachments.c.id == attachment_id).values(values))
            rows.settle(db, volume_id, now)
            return rows.attachment(db, attachment_id)

    def old_detach(self, ctx: Context, volume_id: str, attachment_id: str | None) -> None:
        """`os-detach`: forget an attachment; unnamed, the volume's only one.

        Raises INVALID_VOLUME where several could be meant, or the volume is not attached.
        """
        with self._parts.store.write() as db:
            volume = self._volume(ctx, volume_id)
            known = rows.attachments_of(db, [volume_id]).get(volume_id, [])
            if attachment_id is not None:
                known = [attachment for attachment in known if attachment.id == attachment_id]
                if not known:
                    raise ATTACHMENT_NOT_FOUND(attachment_id=attachment_id)
            if len(known) > 1:
                raise INVALID_VOLUME(
                    reason=f"Detach volume failed: More than one attachment, but no attachment_id provided: {volume_id}"
                )
            if known:
                self.check_free(known[0])
                self.remove(ctx, known[0].id)
            elif volume.status in (V.DETACHING, V.IN_USE, V.ATTACHING):
                rows.settle(db, volume_id, self._parts.clock.now())

    def old_connect(self, ctx: Context, volume_id: str) -> Connection:
        """`os-initialize_connection`: how a host reaches the volume."""
        volume = self._volume(ctx, volume_id)
        return self._parts.backend_at(volume.host).connection(volume_disk(volume_id), volume.layout)

    def forget_all(self, volume_id: str) -> None:
        """Drop every attachment of a volume, as an administrator's reset says."""
        with self._parts.store.write() as db:
            db.execute(attachments.delete().where(attachments.c.volume_id == volume_id))


def connector_of(text: str) -> dict[str, object]:
    """A connector that was sent as JSON text."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise BAD_REQUEST(reason=f"The connector is not a JSON object: {error}") from None
