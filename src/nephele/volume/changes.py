"""What can be changed of a volume that is there."""

from msgspec import UNSET, Struct, UnsetType

from nephele.kernel.context import Context
from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import life, rows
from nephele.volume.accept import check_image, describe_image, image_file, image_words
from nephele.volume.attachments import Attachments
from nephele.volume.encryption import Encryptions
from nephele.volume.errors import (
    CONFLICT,
    FORMAT_UNSUPPORTED,
    IMAGE_METADATA_NOT_FOUND,
    INVALID_INPUT,
    INVALID_VOLUME,
    METADATA_NOT_FOUND,
    VOLUME_NOT_FOUND,
)
from nephele.volume.model import Volume
from nephele.volume.model import VolumeStatus as V
from nephele.volume.moving import Moving
from nephele.volume.orders import Extend, Reimage, SourceImage, Upload
from nephele.volume.parts import Parts
from nephele.volume.quotas import Quotas
from nephele.volume.scheduling import misfit
from nephele.volume.types import Types
from nephele.volume.work import EXTEND, REIMAGE, UPLOAD

_STATUS = "Volume {id} status must be {expected}, but current status is: {status}."
GLANCE_OWN = frozenset(
    {"image_id", "image_name", "checksum", "container_format", "disk_format", "min_disk", "min_ram", "size"}
)
"""Image metadata that is not a property of the image."""


class VolumeChange(Struct, frozen=True):
    """What a user may say anew."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


class Reset(Struct, frozen=True):
    """What an administrator declares; empty: as it is."""

    status: str = ""
    attach_status: str = ""
    migration_status: str = ""


class UploadWish(Struct, frozen=True):
    """The image that a volume is to become."""

    name: str
    disk_format: str
    container_format: str
    visibility: str
    protected: bool


class Changes:
    """Changes of volumes."""

    def __init__(self, parts: Parts, quotas: Quotas, types: Types, moving: Moving, encryptions: Encryptions) -> None:
        self._parts = parts
        self._moving = moving
        self._encryptions = encryptions
        self._quotas = quotas
        self._types = types

    def _volume(self, ctx: Context, volume_id: str) -> Volume:
        with self._parts.store.read() as db:
            found = rows.volume(db, volume_id)
        if not self._parts.sees(ctx, found.project_id):
            raise VOLUME_NOT_FOUND(volume_id=volume_id)
        return found

    def _put(self, ctx: Context, volume_id: str, **values: object) -> Volume:
        with self._parts.store.write() as db:
            rows.move(db, volume_id, None, updated_at=self._parts.clock.now(), **values)
            return self._volume(ctx, volume_id)

    def update(self, ctx: Context, volume_id: str, change: VolumeChange) -> Volume:
        """Name, description, metadata.  Raises INVALID_VOLUME during maintenance."""
        with self._parts.store.write():
            if self._volume(ctx, volume_id).status == V.MAINTENANCE:
                raise INVALID_VOLUME(reason="The volume cannot be updated during maintenance.")
            values = {field: getattr(change, field) for field in change.__struct_fields__}
            return self._put(ctx, volume_id, **{field: value for field, value in values.items() if value is not UNSET})

    # -- metadata ----------------------------------------------------------------------------------------------

    def set_metadata(self, ctx: Context, volume_id: str, metadata: dict[str, str], *, replace: bool) -> dict[str, str]:
        """Add to the volume's metadata, or replace it; answers what it is now."""
        with self._parts.store.write():
            old = self._volume(ctx, volume_id).metadata
            return self._put(ctx, volume_id, metadata=metadata if replace else {**old, **metadata}).metadata

    def delete_metadata(self, ctx: Context, volume_id: str, key: str) -> None:
        """Forget one key.  Raises METADATA_NOT_FOUND."""
        with self._parts.store.write():
            old = self._volume(ctx, volume_id).metadata
            if key not in old:
                raise METADATA_NOT_FOUND(what="Volume", id=volume_id, key=key)
            self._put(ctx, volume_id, metadata={name: value for name, value in old.items() if name != key})

    def set_image_metadata(self, ctx: Context, volume_id: str, metadata: dict[str, str]) -> dict[str, str]:
        """Add to what the volume remembers of its image."""
        with self._parts.store.write():
            old = self._volume(ctx, volume_id).image_metadata
            return self._put(ctx, volume_id, image_metadata={**old, **metadata}).image_metadata

    def delete_image_metadata(self, ctx: Context, volume_id: str, key: str) -> None:
        """Forget one key of it.  Raises IMAGE_METADATA_NOT_FOUND."""
        with self._parts.store.write():
            old = self._volume(ctx, volume_id).image_metadata
            if key not in old:
                raise IMAGE_METADATA_NOT_FOUND(id=volume_id)
            self._put(ctx, volume_id, image_metadata={name: value for name, value in old.items() if name != key})

    # -- flags -------------------------------------------------------------------------------------------------

    def set_bootable(self, ctx: Context, volume_id: str, bootable: bool) -> None:
        """Say whether servers may boot from the volume."""
        with self._parts.store.write():
            self._volume(ctx, volume_id)
            self._put(ctx, volume_id, bootable=bootable)

    def set_readonly(self, ctx: Context, volume_id: str, readonly: bool) -> None:
        """Say whether the volume may only be read.  Raises INVALID_VOLUME unless it is available."""
        with self._parts.store.write():
            life.check("set_readonly", self._volume(ctx, volume_id), _STATUS)
            self._put(ctx, volume_id, readonly=readonly)

    def reset(self, ctx: Context, volume_id: str, reset: Reset, attachments: Attachments) -> None:
        """Let an administrator declare how the volume is."""
        with self._parts.store.write() as db:
            self._volume(ctx, volume_id)
            if reset.status in (V.DELETING, V.ERROR_DELETING, V.DETACHING):
                raise BAD_REQUEST(reason=f"Cannot reset-state to {reset.status}")
            if reset.status == V.IN_USE and not rows.attachments_of(db, [volume_id]):
                raise BAD_REQUEST(reason="Cannot reset-state to in-use because volume does not have any attachments.")
            values: dict[str, object] = {"status": reset.status} if reset.status else {}
            if reset.migration_status:
                values["migration_status"] = None if reset.migration_status == "none" else reset.migration_status
            if reset.attach_status == "detached":
                attachments.forget_all(volume_id)
            self._put(ctx, volume_id, **values)

    # -- size and type -----------------------------------------------------------------------------------------

    def extend(self, ctx: Context, volume_id: str, size_gb: int, *, attached: bool) -> None:
        """Let a volume grow; `attached` accepts one that is in use.

        Raises INVALID_INPUT unless it is larger than now, INVALID_VOLUME by status, VOLUME_TOO_LARGE,
        TOO_MANY_GIGABYTES.
        """
        parts = self._parts
        with parts.store.write() as db:
            volume = self._volume(ctx, volume_id)
            if size_gb <= volume.size_gb:
                raise INVALID_INPUT(
                    reason="New size for extend must be greater than current size. "
                    f"(current: {volume.size_gb}, extended: {size_gb})."
                )
            move = "extend_attached" if attached and volume.status == V.IN_USE else "extend"
            life.check(move, volume, "Volume {id} status must be '{expected}' to extend, currently {status}.")
            backend = parts.backend_at(volume.host)
            if move == "extend_attached" and not backend.extends_attached:
                raise INVALID_VOLUME(
                    reason=f"Volume {volume_id} is attached, and {backend.protocol} does not let it grow meanwhile."
                )
            if move == "extend_attached" and not parts.tell_grown:
                raise INVALID_VOLUME(reason=f"Volume {volume_id} is attached, and no server can be told that it grew.")
            self._quotas.check_size(volume.project_id, size_gb)
            kind = self._types.get(db, volume.type_id)
            self._quotas.take_gigabytes(volume.project_id, kind, size_gb - volume.size_gb)
            self._put(ctx, volume_id, status=V.EXTENDING, previous_status=volume.status, size_gb=size_gb)
            data = Extend(volume_id, volume.project_id, size_gb, volume.size_gb, volume.status, volume.host or "")
            parts.engine.begin(EXTEND.kind, data, ctx, volume_id)

    def complete_extension(self, ctx: Context, volume_id: str) -> None:
        """Somebody says that he has extended a volume for us: nobody is ever asked to.

        Raises INVALID_VOLUME: a guest that has the volume is told of its size after the volume has grown.
        """
        volume = self._volume(ctx, volume_id)
        if volume.status != V.EXTENDING:
            raise INVALID_VOLUME(
                reason=f"Volume {volume_id} status must be extending to complete an extension; it is {volume.status}."
            )
        raise INVALID_VOLUME(reason=f"Volume {volume_id} is being extended here, and waits for nobody else to do it.")

    def retype(self, ctx: Context, volume_id: str, new_type: str, *, may_move: bool = False) -> None:
        """Give a volume another type; its data stays where it is, unless its backend does not fit the type.

        Args:
            ctx: who asks.
            volume_id: which volume.
            new_type: id or name of the type.
            may_move: it may move to another backend.

        Raises TYPE_NAME_NOT_FOUND for an unknown type, INVALID_VOLUME by status, group, or where it has that type
        already, or would have to move and may not.
        """
        with self._parts.store.write():
            volume = self._volume(ctx, volume_id)
            kind = self._types.find(ctx, new_type)
            if kind.id == volume.type_id or volume.group_id or not life.allowed("retype", volume):
                raise INVALID_VOLUME(
                    reason="Retype needs volume to be in available or in-use state, not be part of an active migration "
                    "or a consistency group, requested type has to be different that the one from the volume, "
                    "and for in-use volumes front-end qos specs cannot change."
                )
            if kind.multiattach != volume.multiattach and volume.status != V.AVAILABLE:
                raise INVALID_INPUT(
                    reason="Invalid volume_type passed, retypes affecting multiattach are only allowed on available "
                    f"volumes, the specified volume however currently has a status of: {volume.status}."
                )
            self._encryptions.check_plain(kind)
            unfit = misfit(self._parts, self._parts.backend_at(volume.host), kind, 0)
            if unfit and not may_move:
                raise INVALID_VOLUME(
                    reason=f"Retype requires migration but the migration policy does not allow it: {unfit}"
                )
            if unfit:
                self._moving.retype(ctx, volume, kind)
            else:
                self._put(ctx, volume_id, type_id=kind.id, multiattach=kind.multiattach)

    # -- images ------------------------------------------------------------------------------------------------

    def reimage(self, ctx: Context, volume_id: str, image_id: str, *, reserved: bool) -> None:
        """Let a volume begin anew with an image's content; `reserved` accepts one that is reserved.

        Raises CONFLICT by status, INVALID_IMAGE, INVALID_INPUT for an image that does not fit.
        """
        parts = self._parts
        image = describe_image(parts, ctx, image_id)
        with parts.store.write():
            volume = self._volume(ctx, volume_id)
            move = "reimage_reserved" if reserved else "reimage"
            life.check(move, volume, "Volume {id} status must be {expected} to re-image, but it is {status}.", CONFLICT)
            check_image(image, volume.size_gb)
            arrives = V.RESERVED if volume.status == V.RESERVED else V.AVAILABLE
            self._put(ctx, volume_id, status=V.DOWNLOADING, previous_status=volume.status)
            source = SourceImage(image.id, image.path, image.disk_format)
            base = parts.backend_at(volume.host).base_of(image_file(image))
            size, words = volume.size_gb, image_words(image)
            data = Reimage(
                volume_id, volume.project_id, size, source, words, base, volume.base, arrives, host=volume.host or ""
            )
            parts.engine.begin(REIMAGE.kind, data, ctx, volume_id)

    def upload(self, ctx: Context, volume_id: str, wish: UploadWish) -> tuple[Volume, str]:
        """Make an image of a volume; answers the volume and the image's id.

        Raises INVALID_VOLUME by status, FORMAT_UNSUPPORTED, and what Glance says of the image.
        """
        parts = self._parts
        with parts.store.write():
            volume = self._volume(ctx, volume_id)
            if wish.disk_format not in parts.backend_at(volume.host).exports():
                raise FORMAT_UNSUPPORTED(format=wish.disk_format, reason="qemu-img is not installed")
            life.check("upload", volume, "Volume {id} status must be {expected}, but current status is: {status}.")
            properties = {key: value for key, value in volume.image_metadata.items() if key not in GLANCE_OWN}
            image_id = parts.images.create_for_upload(
                ctx,
                name=wish.name,
                disk_format=wish.disk_format,
                container_format=wish.container_format,
                visibility=wish.visibility,
                protected=wish.protected,
                min_disk=int(volume.image_metadata.get("min_disk", "0") or 0),
                properties=properties,
            )
            changed = self._put(ctx, volume_id, status=V.UPLOADING, previous_status=volume.status)
            data = Upload(
                *(volume_id, volume.project_id, image_id, volume.layout, wish.disk_format, volume.status),
                host=volume.host or "",
            )
            parts.engine.begin(UPLOAD.kind, data, ctx, volume_id)
        return changed, image_id
