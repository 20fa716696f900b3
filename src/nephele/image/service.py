"""Glance: images and their data.

Other parts call `Images` with the context of the user they work for; a compute agent asks over the bus.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import msgspec

from nephele.image import listing, patch, rows
from nephele.image.access import Access, target
from nephele.image.errors import (
    BAD_IMPORT,
    DATA_DEACTIVATED,
    IMAGE_EXISTS,
    IMAGE_NOT_FOUND,
    IMAGE_PROTECTED,
    NOT_ACTIVE,
    NOT_YOUR_IMAGE,
    QUOTA_FULL,
    STATUS_REFUSES,
    TOO_MANY,
    WRONG_STATUS,
)
from nephele.image.fetch import Web
from nephele.image.files import Files
from nephele.image.imports import Imports
from nephele.image.listing import Listing
from nephele.image.members import Members
from nephele.image.messages import ASK_IMAGE, AskImage, ImageAnswer
from nephele.image.metadefs.service import Metadefs
from nephele.image.model import STORE_ID, Change, Image, Limits, NewImage, Status, Visibility
from nephele.image.sources import Regions, Sources
from nephele.image.transfer import Transfer
from nephele.kernel.bus import Bus
from nephele.kernel.clock import SECOND, Clock, Instant
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.kernel.trace import Recorder
from nephele.web.paging import MARKER_NOT_FOUND, Page

YOUNG = 3600
"""Seconds within which a file without an image is not taken for an orphan."""


def stores_of(image: Image) -> tuple[str, ...]:
    """The names of the stores that have an image's data."""
    return tuple(image.stores.split(",")) if image.stores else ()


class Images:
    """The image service.

    Args:
        store: the database.
        clock: the time.
        ids: where ids come from.
        data_dir: the image directory.
        policy: `policy.RULES`, or an operator's.
        server: this process's name among those that share database and directory.
        limits: how much is accepted.
        stores: directories of more stores, by name, besides the image directory, which is `local`.
        web: what imports may fetch from.
        regions: where other Glances are.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        data_dir: Path,
        policy: Policy,
        *,
        server: str = "local",
        limits: Limits | None = None,
        stores: dict[str, Path] | None = None,
        web: Web | None = None,
        regions: Regions | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.limits = limits or Limits()
        self.access = Access(policy)
        self.members = Members(store, clock, self.access, self.limits)
        self.metadefs = Metadefs(store, clock, policy)
        self.files = Files(data_dir, server, stores)
        self.pool = ThreadPoolExecutor(8, thread_name_prefix="image-data")
        self.workers = ThreadPoolExecutor(4, thread_name_prefix="image-task")
        self.web = web or Web()
        self.transfer = Transfer(self, server)
        self.imports = Imports(self, server, Sources(self, self.web, regions or Regions()))

    def start(self) -> None:
        """Undo what this server left half done when it died last."""
        self.imports.recover()
        self.transfer.recover()

    def close(self) -> None:
        """End what is fetched, let the rest end by itself."""
        self.web.close()
        self.workers.shutdown(wait=True, cancel_futures=True)
        self.pool.shutdown(wait=True, cancel_futures=True)

    def serve(self, bus: Bus, verify: Callable[[str], Context]) -> None:
        """Answer compute agents; `verify` makes a caller of a token, or raises UNAUTHORIZED."""

        def answer(asked: AskImage) -> ImageAnswer:
            trace = Recorder()
            with trace.span("glance", "validates the token; answers metadata and where the data is", 13) as span:
                caller = msgspec.structs.replace(verify(asked.token), request_id=asked.request_id)
                image = self.show(caller, asked.image_id)
                if image.status != Status.ACTIVE:
                    raise NOT_ACTIVE(image_id=image.id, status=image.status)
                found = self.describe(image)
                span.detail |= {"user": caller.user_name, "image": found.id, "bytes": found.size}
            return msgspec.structs.replace(found, spans=trace.take())

        bus.serve(ASK_IMAGE, answer)

    def describe(self, image: Image) -> ImageAnswer:
        """An image as hosts and volumes want to know it, whatever its status."""
        return ImageAnswer(
            id=image.id,
            name=image.name or "",
            status=image.status,
            owner=image.owner or "",
            disk_format=image.disk_format or "",
            container_format=image.container_format or "",
            size=image.size or 0,
            virtual_size=image.virtual_size or 0,
            checksum=image.checksum or "",
            os_hash_algo=image.os_hash_algo or "",
            os_hash_value=image.os_hash_value or "",
            min_disk=image.min_disk,
            min_ram=image.min_ram,
            properties=image.properties,
            path=str(self.data_path(image)),
        )

    def show(self, caller: Context, image_id: str) -> Image:
        """One image.  Raises IMAGE_NOT_FOUND."""
        with self.store.read() as db:
            return self.access.find(db, caller, image_id)

    def create(self, caller: Context, new: NewImage) -> Image:
        """A new image, without data.  Raises NOT_YOUR_IMAGE, FORBIDDEN, IMAGE_EXISTS, TOO_MANY or QUOTA_FULL."""
        owner = new.owner or caller.project_id
        if not self.access.policy.allows("add_image", caller, target(owner, new.visibility)):
            if owner != caller.project_id:
                raise NOT_YOUR_IMAGE(owner=owner)
            self.access.policy.enforce("add_image", caller, target(owner, new.visibility))
        self.access.check_visibility(caller, owner, new.visibility)
        self._check_counts(len(new.properties), len(new.tags))
        image = self._described(new, owner)
        with self.store.write() as db:
            if rows.find(db, image.id) is not None:
                raise IMAGE_EXISTS(image_id=image.id)
            if self.limits.images >= 0:
                self.store.lock(f"images of {owner}")
                have = rows.usage(db, owner)[0]
                if have >= self.limits.images:
                    raise QUOTA_FULL(project_id=owner, what="image_count_total", have=have, limit=self.limits.images)
            rows.insert(db, image)
        return image

    def _described(self, new: NewImage, owner: str) -> Image:
        now = self.clock.now()
        return Image(
            id=new.id or self.ids.uuid(),
            name=new.name,
            status=Status.QUEUED,
            visibility=new.visibility,
            owner=owner,
            protected=new.protected,
            os_hidden=new.os_hidden,
            disk_format=new.disk_format,
            container_format=new.container_format,
            min_disk=new.min_disk,
            min_ram=new.min_ram,
            size=None,
            virtual_size=None,
            checksum=None,
            os_hash_algo=None,
            os_hash_value=None,
            stores="",
            created_at=now,
            updated_at=now,
            tags=sorted(set(new.tags)),
            properties=dict(new.properties),
        )

    def _check_counts(self, properties: int, tags: int) -> None:
        if properties > self.limits.properties:
            raise TOO_MANY(what="image properties", have=properties, limit=self.limits.properties)
        if tags > self.limits.tags:
            raise TOO_MANY(what="image tags", have=tags, limit=self.limits.tags)

    def create_with_data(
        self, caller: Context, new: NewImage, source: Path | Iterable[bytes], *, move: bool = False
    ) -> Image:
        """A new image with its data, active; nothing is left if that fails.

        Args:
            caller: for whom.
            new: with its formats.
            source: a file of this machine, or the data in chunks.
            move: the file is given away; else its blocks are shared where the file system can, or copied.

        Raises:
            Whatever `create` raises, and WRONG_FORMAT, UNSAFE, NOT_A_DISK, DATA_TOO_LARGE, DISK_TOO_LARGE, DISK_FULL.
        """
        image = self.create(caller, new)
        try:
            self.transfer.fill(caller, image.id, source, move=move)
        except BaseException:
            with self.store.write() as db:
                rows.delete(db, image.id)
            raise
        return self.show(caller, image.id)

    def receive(self, caller: Context, image_id: str, chunks: Iterable[bytes]) -> None:
        """Give a queued image its data.  Done where it is active already: whoever sends may ask twice.

        Raises IMAGE_NOT_FOUND, IMAGE_GONE where it is deleted meanwhile, and what `Transfer.fill` raises.
        """
        if self.show(caller, image_id).status != Status.ACTIVE:
            self.transfer.fill(caller, image_id, chunks, move=False)

    def seed(self, name: str, owner: str, source: Path | None = None) -> str:
        """The id of the public image of that name in a new cloud, made where it is not there.  Idempotent.

        Args:
            name: such as `nephele-guest`.
            owner: the project that it belongs to.
            source: a qcow2 file that we built ourselves; None: a placeholder, an empty disk.
        """
        with self.store.read() as db:
            found = rows.find_public(db, name)
        if found:
            return found
        new = NewImage(name=name, visibility=Visibility.PUBLIC, disk_format="qcow2", container_format="bare")
        image = self._described(new, owner)
        with self.store.write() as db:
            rows.insert(db, image)
        self.transfer.seed(image, source)
        return image.id

    def data_path(self, image: Image) -> Path:
        """Where an image's data is, or will be: in the first of its stores that is configured."""
        known = (store for store in stores_of(image) if store in self.files.stores)
        return self.files.path(image.id, next(known, STORE_ID))

    def open_data(self, image: Image) -> Path:
        """The file with an active image's data.  Raises NOT_ACTIVE."""
        if image.status not in (Status.ACTIVE, Status.DEACTIVATED):
            raise NOT_ACTIVE(image_id=image.id, status=image.status)
        return self.data_path(image)

    def locations(self, caller: Context, image_id: str) -> tuple[tuple[str, str], ...]:
        """Store and URL of each place where the data is, to other services.  Raises FORBIDDEN."""
        with self.store.read() as db:
            image = self.access.find(db, caller, image_id, "fetch_image_location")
        return tuple((store, self.files.path(image.id, store).as_uri()) for store in stores_of(image))

    def add_location(self, caller: Context, image_id: str, url: str) -> None:
        """Name a place where an image's data is already; none of our stores is one that others write to.

        Raises FORBIDDEN, WRONG_STATUS or BAD_IMPORT.
        """
        with self.store.read() as db:
            image = self.access.find(db, caller, image_id, "add_image_location")
        if image.status != Status.QUEUED:
            raise WRONG_STATUS(have=image.status, wanted=Status.IMPORTING)
        raise BAD_IMPORT(reason=f"No store of this cloud takes its data from {url}: upload or import it.")

    def for_download(self, caller: Context, image_id: str) -> Image:
        """The image whose data the caller wants.  Raises DATA_DEACTIVATED, IMAGE_NOT_FOUND or FORBIDDEN."""
        image = self.show(caller, image_id)
        if image.status == Status.DEACTIVATED and not caller.is_admin:
            raise DATA_DEACTIVATED()
        self.access.check(caller, image, "download_image")
        return image

    def update(self, caller: Context, image_id: str, changes: list[Change]) -> Image:
        """Change attributes and properties, all or none.  Raises what `patch.apply` raises, FORBIDDEN, TOO_MANY."""
        with self.store.write() as db:
            image = self.access.find(db, caller, image_id)
            for change in changes:
                if change.name == "visibility" and change.operation != "remove":
                    self.access.check_visibility(caller, image.owner, Visibility(change.value))
                self.access.check(caller, image, "modify_image")
            if not changes:
                return image
            after = rows.changed(patch.apply(image, changes, is_admin=caller.is_admin), self.clock.now())
            self._check_counts(len(after.properties), len(after.tags))
            rows.update(db, after)
            return after

    def delete(self, caller: Context, image_id: str) -> None:
        """Forget an image and its data.  Raises IMAGE_PROTECTED or FORBIDDEN."""
        with self.store.write() as db:
            image = self.access.find(db, caller, image_id)
            self.access.check(caller, image, "delete_image")
            if image.protected:
                raise IMAGE_PROTECTED(image_id=image_id)
            rows.delete(db, image_id)
            self.store.after_commit(lambda: self.files.remove(image_id))

    def deactivate(self, caller: Context, image_id: str) -> None:
        """Keep an image's data from its users.  Raises STATUS_REFUSES or FORBIDDEN.  Idempotent."""
        self._switch(caller, image_id, "deactivate", Status.ACTIVE, Status.DEACTIVATED)

    def reactivate(self, caller: Context, image_id: str) -> None:
        """Give it back to them.  Raises STATUS_REFUSES or FORBIDDEN.  Idempotent."""
        self._switch(caller, image_id, "reactivate", Status.DEACTIVATED, Status.ACTIVE)

    def _switch(self, caller: Context, image_id: str, verb: str, source: Status, goal: Status) -> None:
        with self.store.write() as db:
            image = self.access.find(db, caller, image_id)
            self.access.check(caller, image, verb)
            if image.status not in (source, goal):
                raise STATUS_REFUSES(verb=verb, status=image.status)
            if image.status == source:
                rows.move(db, image_id, source, goal, self.clock.now())

    def add_tag(self, caller: Context, image_id: str, tag: str) -> None:
        """Tag an image.  Raises FORBIDDEN or TOO_MANY.  Idempotent."""
        with self.store.write() as db:
            image = self.access.find(db, caller, image_id, "modify_image")
            tags = sorted({*image.tags, tag})
            self._check_counts(0, len(tags))
            rows.update(db, rows.changed(image, self.clock.now(), tags=tags))

    def remove_tag(self, caller: Context, image_id: str, tag: str) -> None:
        """Take a tag off.  Raises IMAGE_NOT_FOUND where the image has no such tag, or FORBIDDEN."""
        with self.store.write() as db:
            image = self.access.find(db, caller, image_id, "modify_image")
            if tag not in image.tags:
                raise IMAGE_NOT_FOUND(image_id=image_id)
            rows.update(db, rows.changed(image, self.clock.now(), tags=[each for each in image.tags if each != tag]))

    def orphans(self) -> tuple[Path, ...]:
        """Files of the image directory that belong to no image; young ones may yet get theirs."""
        with self.store.read() as db:
            known = rows.with_files(db)
        return self.files.of_others(known, self.clock.now() / SECOND - YOUNG)

    def reap(self, name: str = "") -> tuple[Path, ...]:
        """Remove the orphans, or the one of that name; says which."""
        found = tuple(path for path in self.orphans() if name in ("", path.name))
        for path in found:
            path.unlink(missing_ok=True)
        return found

    def usage(self, caller: Context) -> dict[str, tuple[int, int]]:
        """What the caller's project uses, with its limit (-1: none), by upstream's quota names; sizes in MiB."""
        with self.store.read() as db:
            count, size, arriving, staged = rows.usage(db, caller.project_id)
        total = self.limits.total_size
        return {
            "image_size_total": (size >> 20, total >> 20 if total >= 0 else -1),
            "image_stage_total": (staged >> 20, total >> 20 if total >= 0 else -1),
            "image_count_total": (count, self.limits.images),
            "image_count_uploading": (arriving, self.limits.images),
        }

    def list(self, caller: Context, asked: Listing) -> tuple[Image, ...]:
        """One page of the images that the caller sees.  Raises MARKER_NOT_FOUND, BAD_REQUEST or FORBIDDEN."""
        self.access.policy.enforce("get_images", caller)
        with self.store.read() as db:
            marker = None
            if asked.page.marker:
                found = rows.find(db, asked.page.marker)
                if found is None or not rows.is_visible(db, caller, found):
                    raise MARKER_NOT_FOUND(marker=asked.page.marker)
                marker = rows.row(db, asked.page.marker)
            chosen = db.execute(*listing.select(caller, asked, marker, sqlite=self.store.is_sqlite)).all()
        shown: dict[tuple[str | None, str], bool] = {}
        return tuple(each for each in map(rows.from_row, chosen) if self._shows(caller, each, shown))

    def newest(
        self,
        caller: Context,
        limit: int,
        marker: str = "",
        *,
        columns: Mapping[str, str | int] = MappingProxyType({}),
        properties: Mapping[str, str] = MappingProxyType({}),
        since: Instant = 0,
    ) -> tuple[Image, ...]:
        """At most `limit` images that the caller sees, newest first, behind `marker`.

        Those with exactly these values of columns and properties, changed at or after an instant.
        """
        wanted = [listing.Compare(name, "eq", value) for name, value in columns.items()]
        if since:
            wanted.append(listing.Compare("updated_at", "gte", since))
        page = Page(limit, marker, listing.NEWEST_FIRST)
        return self.list(caller, Listing(page, compares=tuple(wanted), properties=dict(properties)))

    def alike(self, caller: Context, properties: Mapping[str, str]) -> tuple[Image, ...]:
        """The newest 1,000 images that the caller sees and that have these properties, newest first."""
        return self.newest(caller, 1000, properties=properties)

    def _shows(self, caller: Context, image: Image, known: dict[tuple[str | None, str], bool]) -> bool:
        """Whether the policy shows the image; asked once for each owner and visibility."""
        about = image.owner, image.visibility
        if about not in known:
            known[about] = self.access.allows(caller, image, "get_image")
        return known[about]
