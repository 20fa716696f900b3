"""Imports: data that comes in by a task, after the request that asked for it was accepted.

    glance-direct   uploading → importing → active   the client staged the data before
    web-download    queued    → importing → active   we fetch it
    glance-download queued    → importing → active   we fetch it from a Glance, with what is said of it
    copy-image      active                           from one store to others

An image has at most one import at a time: its property `os_glance_import_task` names it.  A failed one gives the
image back to queued and says so in the task and in `os_glance_failed_import`.
"""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from nephele.image import rows, tasks
from nephele.image.errors import (
    BAD_IMPORT,
    IMPORT_CONFLICT,
    LAST_STORE,
    NOT_ACTIVE_IN_STORE,
    NOT_IN_STORE,
    STORE_UNKNOWN,
    TASK_NOT_FOUND,
)
from nephele.image.model import STORE_ID, Image, ImportMethod, NewImage, Status, Task, TaskStatus
from nephele.image.sources import Source, Sources
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import is_uuid
from nephele.web.paging import MARKER_NOT_FOUND, Page

if TYPE_CHECKING:
    from nephele.image.service import Images

log = logging.getLogger(__name__)
LOCK, IMPORTING, FAILED = "os_glance_import_task", "os_glance_importing_to_stores", "os_glance_failed_import"
"""Properties that show an import's progress, as clients know them."""
_STARTS_FROM = {
    ImportMethod.GLANCE_DIRECT: Status.UPLOADING,
    ImportMethod.WEB_DOWNLOAD: Status.QUEUED,
    ImportMethod.GLANCE_DOWNLOAD: Status.QUEUED,
    ImportMethod.COPY_IMAGE: Status.ACTIVE,
}


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the data comes in."""

    name: ImportMethod
    uri: str = ""
    glance_region: str = ""
    glance_image_id: str = ""
    glance_service_interface: str = "public"


class ImportRequest(msgspec.Struct, frozen=True):
    """The body of an import."""

    method: Method
    stores: tuple[str, ...] = ()
    all_stores: bool = False
    all_stores_must_succeed: bool = True


class Imports:
    """Takes imports in and runs them in this server's threads."""

    def __init__(self, images: "Images", server: str, sources: Sources) -> None:
        self._images = images
        self._server = server
        self._sources = sources

    def start(self, caller: Context, image_id: str, asked: ImportRequest) -> None:
        """Accept an import.  Raises BAD_IMPORT, BAD_URI, IMPORT_CONFLICT, FORMATS_MISSING, QUOTA_FULL, FORBIDDEN."""
        self._check_method(asked.method)
        images = self._images
        with images.store.write() as db:
            image = images.access.find(db, caller, image_id)
            self._check(caller, image, asked)
            images.transfer.check_quota(db, image, 0)
            task = self._task(caller, image, asked)
            tasks.insert(db, task, self._server)
            targets = self._targets(image, asked)
            if not targets:  # a copy to stores that all have it
                self._unlock(db, image_id)
                tasks.finish(db, task.id, images.clock.now(), result={"image_id": image_id})
                return
            properties = {**image.properties, LOCK: task.id, IMPORTING: ",".join(targets), FAILED: ""}
            rows.update(db, rows.changed(image, images.clock.now(), properties=properties))
            images.store.after_commit(partial(self._submit, caller, task, image))

    def start_new(self, caller: Context, new: NewImage, asked: dict[str, Any]) -> Task:
        """An image made by a task (Glance's own, older way): it appears with its data, or not at all.

        `asked` is the task's input, with the URI as `import_from`.  Raises BAD_URI and what `Images.create` raises.
        """
        images = self._images
        images.access.policy.enforce("tasks_api_access", caller)
        images.access.policy.enforce("add_task", caller)
        method = Method(ImportMethod.WEB_DOWNLOAD, str(asked["import_from"]))
        self._check_method(method)
        with images.store.write() as db:
            image = images.create(caller, new)
            task = self._task(caller, image, ImportRequest(method))
            given = {**task.input, "image_id": image.id, **asked}
            task = msgspec.structs.replace(task, type="import", input=given)
            tasks.insert(db, task, self._server)
            images.store.after_commit(partial(self._submit, caller, task, image))
        return task

    def _check_method(self, method: Method) -> None:
        if method.name == ImportMethod.WEB_DOWNLOAD:
            self._sources.web.check(method.uri)
        if method.name == ImportMethod.GLANCE_DOWNLOAD:
            if not method.glance_region or not method.glance_image_id:
                raise BAD_IMPORT(reason="'glance_region' and 'glance_image_id' need to be set for glance-download")
            if not is_uuid(method.glance_image_id):
                raise BAD_IMPORT(reason=f"Remote image id does not look like a UUID: {method.glance_image_id}")

    def _check(self, caller: Context, image: Image, asked: ImportRequest) -> None:
        method = asked.method.name
        if image.status == Status.ACTIVE and method != ImportMethod.COPY_IMAGE:
            raise IMPORT_CONFLICT(reason="Image with status active cannot be target for import")
        if image.status != _STARTS_FROM[method]:
            wanted = _STARTS_FROM[method]
            raise IMPORT_CONFLICT(reason=f"Image needs to be {wanted} for '{method}', and is {image.status}")
        for name in ("container_format", "disk_format"):
            if not getattr(image, name):
                raise IMPORT_CONFLICT(reason=f"'{name}' needs to be set before import")
        self._images.access.check(caller, image, "copy_image" if method == "copy-image" else "modify_image")
        if LOCK in image.properties:
            raise IMPORT_CONFLICT(reason="Image has active task")
        if method == ImportMethod.GLANCE_DIRECT and not self._images.files.staged(image.id).exists():
            raise IMPORT_CONFLICT(reason="The data of the image is still being staged")
        for store in asked.stores:
            if store not in self._images.files.stores:
                raise STORE_UNKNOWN(store=store)
        if method == ImportMethod.COPY_IMAGE and not asked.all_stores:
            there = sorted({*asked.stores} & {*image.stores.split(",")})
            if there or not asked.stores:
                raise BAD_IMPORT(reason=f"Image is already present at store '{there[0] if there else image.stores}'")

    def _targets(self, image: Image, asked: ImportRequest) -> list[str]:
        """The stores that are to get the data."""
        known = self._images.files.stores
        wanted = list(known) if asked.all_stores else list(dict.fromkeys(asked.stores)) or [known[0]]
        if asked.method.name == ImportMethod.COPY_IMAGE:
            return [store for store in wanted if store not in image.stores.split(",")]
        return wanted

    def _task(self, caller: Context, image: Image, asked: ImportRequest) -> Task:
        backend = self._targets(image, asked)
        now = self._images.clock.now()
        return Task(
            id=self._images.ids.uuid(),
            type="api_image_import",
            status=TaskStatus.PENDING,
            owner=caller.project_id,
            image_id=image.id,
            user_id=caller.user_id,
            request_id=caller.request_id,
            input={"image_id": image.id, "import_req": msgspec.to_builtins(asked), "backend": backend},
            result=None,
            message="",
            expires_at=None,
            created_at=now,
            updated_at=now,
        )

    def _submit(self, caller: Context, task: Task, image: Image) -> None:
        self._images.workers.submit(self.run, caller, task, image)

    def run(self, caller: Context, task: Task, image: Image) -> None:
        """Do the work of a task; whatever goes wrong ends in the task and gives the image back."""
        try:
            self._import(caller, task, image)
        except Refused as refused:
            self._fail(task, refused.message)
        except Exception:
            log.exception("task %s failed", task.id)
            self._fail(task, "An unexpected error; the log has it under this task's id.")

    def _import(self, caller: Context, task: Task, image: Image) -> None:
        images = self._images
        asked = msgspec.convert(task.input["import_req"], ImportRequest)
        targets: list[str] = task.input["backend"]
        if asked.method.name == ImportMethod.COPY_IMAGE:
            self._copy_existing(task, targets, must=asked.all_stores_must_succeed)
            return
        with images.store.write() as db:
            now = images.clock.now()
            tasks.start(db, task.id, now)
            if not rows.move(db, image.id, image.status, Status.IMPORTING, now, writer=self._server):
                raise IMPORT_CONFLICT(reason="The image was deleted or changed before its import began")
        source = self._sources.find(caller, image, asked.method)
        writer = images.transfer.open(msgspec.structs.replace(image, **source.attributes))
        try:
            source.pour(writer)
            written = writer.finish()
            images.files.place(writer.path, image.id, targets[0])
            must = asked.all_stores_must_succeed
            done, failed = self._copy(image.id, targets[0], targets[1:], must=must)
            with images.store.write() as db:
                images.transfer.mark_active(image.id, Status.IMPORTING, written, [targets[0], *done])
                self._unlock(db, image.id, failed=",".join(failed), source=source)
                tasks.finish(db, task.id, images.clock.now(), result={"image_id": image.id})
        finally:
            writer.discard()

    def _copy_existing(self, task: Task, targets: list[str], *, must: bool) -> None:
        """Copy an active image's data to more stores."""
        images = self._images
        with images.store.write() as db:
            tasks.start(db, task.id, images.clock.now())
            image = rows.find(db, task.image_id)
        if image is None:
            raise IMPORT_CONFLICT(reason="The image was deleted before its import began")
        done, failed = self._copy(image.id, image.stores.split(",")[0], targets, must=must)
        with images.store.write() as db:
            image = rows.find(db, task.image_id)
            if image is None:
                images.store.after_commit(lambda: images.files.remove(task.image_id))
                raise IMPORT_CONFLICT(reason="The image was deleted meanwhile")
            there = list(dict.fromkeys([*image.stores.split(","), *done]))
            rows.update(db, rows.changed(image, images.clock.now(), stores=",".join(there)))
            self._unlock(db, image.id, failed=",".join(failed))
            tasks.finish(db, task.id, images.clock.now(), result={"image_id": image.id})

    def _copy(self, image_id: str, source: str, targets: list[str], *, must: bool) -> tuple[list[str], list[str]]:
        """Copy data from one store to others; answers where it is now, and where it could not be stored.

        With `must` it is in all of them, or BAD_IMPORT is raised and it is in none.
        """
        files = self._images.files
        done: list[str] = []
        failed: list[str] = []
        for store in targets:
            try:
                files.copy(image_id, source, store)
            except (OSError, Refused) as error:
                log.warning("image %s was not copied to store %s: %s", image_id, store, error)
                failed.append(store)
                if must:
                    for copy in done:
                        files.path(image_id, copy).unlink(missing_ok=True)
                    raise BAD_IMPORT(reason=f"The data could not be stored in {store}") from error
            else:
                done.append(store)
        return done, failed

    def _unlock(self, db: sa.Connection, image_id: str, *, failed: str = "", source: Source | None = None) -> None:
        """No import works on the image any more; what its source said of it is true of it now."""
        image = rows.find(db, image_id)
        if image is None:
            return
        properties = {key: value for key, value in image.properties.items() if key != LOCK}
        properties |= {IMPORTING: "", FAILED: failed, **(source.properties if source else {})}
        attributes = source.attributes if source else {}
        rows.update(db, rows.changed(image, self._images.clock.now(), properties=properties, **attributes))

    def _fail(self, task: Task, message: str) -> None:
        images = self._images
        with images.store.write() as db:
            now = images.clock.now()
            tasks.finish(db, task.id, now, failed=message)
            if task.type == "import":
                rows.delete(db, task.image_id)
            for status in (Status.IMPORTING, Status.UPLOADING):
                rows.move(db, task.image_id, status, Status.QUEUED, now, size=None, virtual_size=None)
            self._unlock(db, task.image_id, failed=",".join(task.input.get("backend", [STORE_ID])))
            image = rows.find(db, task.image_id)
            if image is None or image.status == Status.QUEUED:
                images.store.after_commit(lambda: images.files.remove(task.image_id))

    def recover(self) -> None:
        """After a crash: the tasks that this server was running have failed."""
        with self._images.store.read() as db:
            left = tasks.interrupted(db, self._server)
        for task in left:
            self._fail(task, "The server that ran this task stopped.")

    def of_image(self, caller: Context, image_id: str) -> tuple[Task, ...]:
        """The tasks that worked on an image.  Raises IMAGE_NOT_FOUND."""
        with self._images.store.read() as db:
            return tasks.of_image(db, self._images.access.find(db, caller, image_id).id)

    def show(self, caller: Context, task_id: str) -> Task:
        """One task, to administrators.  Raises FORBIDDEN or TASK_NOT_FOUND."""
        policy = self._images.access.policy
        policy.enforce("tasks_api_access", caller)
        policy.enforce("get_task", caller)
        with self._images.store.read() as db:
            task = tasks.find(db, task_id)
        if task is None:
            raise TASK_NOT_FOUND(task_id=task_id)
        return task

    def list(self, caller: Context, page: Page, filters: dict[str, str]) -> tuple[Task, ...]:
        """One page of all tasks, to administrators.  Raises FORBIDDEN or MARKER_NOT_FOUND."""
        self._images.access.policy.enforce("get_tasks", caller)
        with self._images.store.read() as db:
            marker = tasks.row(db, page.marker) if page.marker else None
            if page.marker and marker is None:
                raise MARKER_NOT_FOUND(marker=page.marker)
            return tuple(map(tasks.from_row, db.execute(tasks.select(page, filters, marker)).all()))

    def remove_from_store(self, caller: Context, image_id: str, store: str) -> None:
        """Remove an image's data from one of its stores, never from the last one.

        Raises STORE_UNKNOWN, NOT_ACTIVE_IN_STORE, FORBIDDEN, NOT_IN_STORE or LAST_STORE.
        """
        images = self._images
        if store not in images.files.stores:
            raise STORE_UNKNOWN(store=store)
        with images.store.write() as db:
            image = images.access.find(db, caller, image_id, "delete_image_location")
            if image.status != Status.ACTIVE:
                raise NOT_ACTIVE_IN_STORE()
            there = image.stores.split(",")
            if store not in there:
                raise NOT_IN_STORE(image_id=image_id, store=store)
            if len(there) == 1:
                raise LAST_STORE()
            there.remove(store)
            rows.update(db, rows.changed(image, images.clock.now(), stores=",".join(there)))
            images.store.after_commit(lambda: images.files.path(image_id, store).unlink(missing_ok=True))
