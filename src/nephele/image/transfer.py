"""How data gets into images: claimed, written, placed; or undone.

An upload claims the image (queued → saving) with this server's name, writes to a file of its own, then renames
the file and makes the row active.  A failure gives the row back to queued and removes the file; a server that
dies finds both again when it starts.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nephele.image import rows
from nephele.image.errors import FORMATS_MISSING, IMAGE_GONE, NO_SUCH_STORE, QUOTA_FULL, WRONG_STATUS
from nephele.image.files import Writer
from nephele.image.formats import Inspection
from nephele.image.model import STORE_ID, Image, Status, Written
from nephele.kernel import qcow2
from nephele.kernel.clock import seconds
from nephele.kernel.context import Context

if TYPE_CHECKING:
    import sqlalchemy as sa

    from nephele.image.service import Images

HASH_ALGORITHM = "sha512"
STAGED_FOR = seconds(48 * 3600)
"""How long staged data waits for its import."""


class Arrival:
    """One image's data on its way in: to become the image's (`SAVING`), or to be staged for an import (`UPLOADING`).

    `writer` takes the chunks; then `complete` or `abandon`.
    """

    def __init__(
        self, image: Image, writer: Writer, transfer: "Transfer", status: Status, store: str = STORE_ID
    ) -> None:
        self.image = image
        self.store = store
        self.writer = writer
        self._transfer = transfer
        self._status = status

    def complete(self) -> None:
        """All data is there: the image is active, or its data staged.

        Raises WRONG_FORMAT, UNSAFE, NOT_A_DISK or DISK_TOO_LARGE (then `abandon`), or IMAGE_GONE.
        """
        written = self.writer.finish()
        if self._status == Status.UPLOADING:
            self._transfer.keep_staged(self.image.id, self.writer, written.size)
        else:
            self._transfer.activate(self.image.id, Status.SAVING, self.writer, written, self.store)

    def abandon(self) -> None:
        """Nothing of it stays; the image is queued again.  Idempotent."""
        self.writer.discard()
        self._transfer.give_back(self.image.id, self._status)


class Transfer:
    """Uploads to the image directory, for `Images`."""

    def __init__(self, images: "Images", server: str) -> None:
        self._images = images
        self._server = server

    def recover(self) -> None:
        """After a crash: what this server was writing goes back to queued, what nobody knows is removed."""
        images = self._images
        with images.store.write() as db:
            now = images.clock.now()
            left = rows.abandoned(db, self._server)
            for image_id in left:
                for status in (Status.SAVING, Status.UPLOADING, Status.IMPORTING):
                    rows.move(db, image_id, status, Status.QUEUED, now, size=None, virtual_size=None)
        for image_id in left:
            images.files.remove(image_id)
        images.files.sweep()
        self.expire()

    def expire(self) -> None:
        """Staged data that nobody imported for STAGED_FOR goes; its image is queued again."""
        images = self._images
        with images.store.write() as db:
            now = images.clock.now()
            stale = rows.stale(db, now - STAGED_FOR)
            for image_id in stale:
                rows.move(db, image_id, Status.UPLOADING, Status.QUEUED, now, size=None, virtual_size=None)
        for image_id in stale:
            images.files.remove(image_id)

    def begin(self, caller: Context, image_id: str, expected_size: int = 0, *, store: str = STORE_ID) -> Arrival:
        """Claim a queued image for an upload by the caller, to one of the stores.

        Raises FORBIDDEN, FORMATS_MISSING, WRONG_STATUS, QUOTA_FULL or NO_SUCH_STORE.
        """
        images = self._images
        if store not in images.files.stores:
            raise NO_SUCH_STORE(store=store)
        with images.store.write() as db:
            image = images.access.find(db, caller, image_id)
            images.access.check(caller, image, "upload_image")
            self.check_quota(db, image, expected_size)
            self._claim(db, image, Status.SAVING)
        return Arrival(image, self.open(image), self, Status.SAVING, store)

    def begin_staging(self, caller: Context, image_id: str) -> Arrival:
        """Claim a queued image for data that an import will inspect and take over.

        Raises FORBIDDEN, WRONG_STATUS or QUOTA_FULL.
        """
        images = self._images
        self.expire()
        with images.store.write() as db:
            image = images.access.find(db, caller, image_id, "modify_image")
            self.check_quota(db, image, 0)
            self._claim(db, image, Status.UPLOADING)
        writer = Writer(images.files.incoming(image.id), None, images.limits)
        return Arrival(image, writer, self, Status.UPLOADING)

    def keep_staged(self, image_id: str, writer: Writer, size: int) -> None:
        """Place the finished file where the import finds it.  Raises IMAGE_GONE, and leaves nothing then."""
        images = self._images
        path = images.files.staged(image_id)
        writer.place(path)
        with images.store.write() as db:
            there = rows.set_staged(db, image_id, size, images.clock.now())
        if not there:
            path.unlink(missing_ok=True)
            raise IMAGE_GONE(image_id=image_id)

    def check_quota(self, db: "sa.Connection", image: Image, more: int) -> None:
        """Refuse data that the owner has no room for.  Raises QUOTA_FULL."""
        limit = self._images.limits.total_size
        if limit < 0 or image.owner is None:
            return
        have = rows.usage(db, image.owner)[1]
        if have + more > limit:
            raise QUOTA_FULL(project_id=image.owner, what="image_size_total", have=have, limit=limit)

    def _claim(self, db: "sa.Connection", image: Image, goal: Status) -> None:
        missing = [name for name in ("disk_format", "container_format") if not getattr(image, name)]
        if goal == Status.SAVING and image.status == Status.QUEUED and missing:
            raise FORMATS_MISSING(names=", ".join(missing))
        if not rows.move(db, image.id, Status.QUEUED, goal, self._images.clock.now(), writer=self._server):
            raise WRONG_STATUS(have=image.status, wanted=goal)

    def open(self, image: Image) -> Writer:
        """A file of this server's own for the image's data, inspected as it comes."""
        images = self._images
        watch = Inspection(image.disk_format or "", image.container_format or "")
        return Writer(images.files.incoming(image.id), watch, images.limits)

    def fill(self, caller: Context, image_id: str, source: Path | Iterable[bytes], *, move: bool) -> None:
        """Upload from this machine: a file, or chunks.  Raises as `begin` and `Arrival.complete` do."""
        arrival = self.begin(caller, image_id)
        try:
            if isinstance(source, Path):
                arrival.writer.take(source, move=move)
            else:
                for chunk in source:
                    arrival.writer.store(chunk)
                    arrival.writer.hash(chunk)
            arrival.complete()
        except BaseException:
            arrival.abandon()
            raise

    def seed(self, image: Image, source: Path | None) -> None:
        """Fill an image with a qcow2 of our own making, which needs no inspection."""
        images = self._images
        with images.store.write() as db:
            self._claim(db, image, Status.SAVING)
        writer = Writer(images.files.incoming(image.id), None, images.limits)
        if source is not None:
            writer.take(source, move=False)
        else:
            writer.store(qcow2.EMPTY)
            writer.hash(qcow2.EMPTY)
        with writer.path.open("rb") as file:
            size = qcow2.virtual_size(file.read(qcow2.HEADER_SIZE))
        written = msgspec.structs.replace(writer.finish(), virtual_size=size)
        self.activate(image.id, Status.SAVING, writer, written)

    def activate(self, image_id: str, status: Status, writer: Writer, written: Written, store: str = STORE_ID) -> None:
        """Place the finished file and make the image active.  Raises IMAGE_GONE, and leaves nothing then."""
        self._images.files.place(writer.path, image_id, store)
        self.mark_active(image_id, status, written, [store])

    def mark_active(self, image_id: str, status: Status, written: Written, stores: list[str]) -> None:
        """The data is in these stores: the image is active.  Raises IMAGE_GONE, and leaves nothing then."""
        images = self._images
        with images.store.write() as db:
            there = rows.move(
                db,
                image_id,
                status,
                Status.ACTIVE,
                images.clock.now(),
                size=written.size,
                virtual_size=written.virtual_size or None,
                checksum=written.checksum,
                os_hash_algo=HASH_ALGORITHM,
                os_hash_value=written.sha512,
                stores=",".join(stores),
            )
        if not there:
            images.files.remove(image_id)
            raise IMAGE_GONE(image_id=image_id)

    def give_back(self, image_id: str, status: Status) -> None:
        """A failed upload's image is queued again."""
        images = self._images
        with images.store.write() as db:
            rows.move(db, image_id, status, Status.QUEUED, images.clock.now(), size=None, virtual_size=None)
