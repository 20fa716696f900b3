"""Imports: data that comes in by a task, after the request that asked for it was accepted.

    glance-direct   uploading → importing → active   the client staged the data before
    web-download    queued    → importing → active   we fetch it
    copy-image      active                           from one store to others

An image has at most one import at a time: its property `os_glance_import_task` names it.  A failed one gives the
image back to queued and says so in the task and in `os_glance_failed_import`.
"""

import logging
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from nephele.image import rows, tasks
from nephele.image.errors import (
    BAD_IMPORT,
    IMPORT_CONFLICT,
    LAST_STORE,
    NOT_ACTIVE_IN_STORE,
    STORE_UNKNOWN,
    TASK_NOT_FOUND,
)
from nephele.image.fetch import Web
from nephele.image.model import STORE_ID, Image, ImportMethod, Status, Task, TaskStatus
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.web.paging import MARKER_NOT_FOUND, Page

if TYPE_CHECKING:
    from nephele.image.service import Images

log = logging.getLogger(__name__)
LOCK, IMPORTING, FAILED = "os_glance_import_task", "os_glance_importing_to_stores", "os_glance_failed_import"
"""Properties that show an import's progress, as clients know them."""
_STARTS_FROM = {
    ImportMethod.GLANCE_DIRECT: Status.UPLOADING,
    ImportMethod.WEB_DOWNLOAD: Status.QUEUED,
    ImportMethod.COPY_IMAGE: Status.ACTIVE,
}


class Method(msgspec.Struct, frozen=True):
    """How the data comes in."""

    name: ImportMethod
    uri: str = ""


class ImportRequest(msgspec.Struct, frozen=True):
    """The body of an import."""

    method: Method
    stores: tuple[str, ...] = ()
    all_stores: bool = False
    all_stores_must_succeed: bool = True


class Imports:
    """Takes imports in and runs them in this server's threads."""

    def __init__(self, images: "Images", server: str, web: Web) -> None:
        self._images = images
        self._server = server
        self._web = web

    def start(self, caller: Context, image_id: str, asked: ImportRequest) -> None:
        """Accept an import.  Raises BAD_IMPORT, BAD_URI, IMPORT_CONFLICT, FORMATS_MISSING, QUOTA_FULL, FORBIDDEN."""
        if asked.method.name == ImportMethod.WEB_DOWNLOAD:
            self._web.check(asked.method.uri)
        images = self._images
        with images.store.write() as db:
            image = images.access.find(db, caller, image_id)
            self._check(caller, image, asked)
            images.transfer.check_quota(db, image, 0)
            if asked.method.name == ImportMethod.COPY_IMAGE:
                return  # there is one store, and an active image is in it
            task = self._task(caller, image, asked)
            tasks.insert(db, task, self._server)
            properties = {**image.properties, LOCK: task.id, IMPORTING: STORE_ID, FAILED: ""}
            rows.update(db, rows.changed(image, images.clock.now(), properties=properties))
            images.store.after_commit(partial(self._submit, task, image))

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
            if store != STORE_ID:
                raise STORE_UNKNOWN(store=store)
        if method == ImportMethod.COPY_IMAGE and not asked.all_stores:
            raise BAD_IMPORT(reason=f"Image is already present at store '{STORE_ID}'")

    def _task(self, caller: Context, image: Image, asked: ImportRequest) -> Task:
        now = self._images.clock.now()
        return Task(
            id=self._images.ids.uuid(),
            type="api_image_import",
            status=TaskStatus.PENDING,
            owner=caller.project_id,
            image_id=image.id,
            user_id=caller.user_id,
            request_id=caller.request_id,
            input={"image_id": image.id, "import_req": msgspec.to_builtins(asked), "backend": [STORE_ID]},
            result=None,
            message="",
            expires_at=None,
            created_at=now,
            updated_at=now,
        )

    def _submit(self, task: Task, image: Image) -> None:
        self._images.pool.submit(self.run, task, image)

    def run(self, task: Task, image: Image) -> None:
        """Do the work of a task; whatever goes wrong ends in the task and gives the image back."""
        try:
            self._import(task, image)
        except Refused as refused:
            self._fail(task, refused.message)
        except Exception:
            log.exception("task %s failed", task.id)
            self._fail(task, "An unexpected error; the log has it under this task's id.")

    def _import(self, task: Task, image: Image) -> None:
        images = self._images
        with images.store.write() as db:
            now = images.clock.now()
            tasks.start(db, task.id, now)
            if not rows.move(db, image.id, image.status, Status.IMPORTING, now, writer=self._server):
                raise IMPORT_CONFLICT(reason="The image was deleted or changed before its import began")
        writer = images.transfer.open(image)
        try:
            if image.status == Status.UPLOADING:
                writer.take(images.files.staged(image.id), move=True)
            else:
                for chunk in self._web.fetch(task.input["import_req"]["method"]["uri"]):
                    writer.store(chunk)
                    writer.hash(chunk)
            written = writer.finish()
            with images.store.write() as db:
                images.transfer.activate(image.id, Status.IMPORTING, writer, written)
                self._unlock(db, image.id, failed="")
                tasks.finish(db, task.id, images.clock.now(), result={"image_id": image.id})
        finally:
            writer.discard()

    def _unlock(self, db: sa.Connection, image_id: str, failed: str) -> None:
        image = rows.find(db, image_id)
        if image is not None:
            properties = {key: value for key, value in image.properties.items() if key != LOCK}
            properties |= {IMPORTING: "", FAILED: failed}
            rows.update(db, rows.changed(image, self._images.clock.now(), properties=properties))

    def _fail(self, task: Task, message: str) -> None:
        images = self._images
        with images.store.write() as db:
            now = images.clock.now()
            tasks.finish(db, task.id, now, failed=message)
            for status in (Status.IMPORTING, Status.UPLOADING):
                rows.move(db, task.image_id, status, Status.QUEUED, now, size=None, virtual_size=None)
            self._unlock(db, task.image_id, failed=STORE_ID)
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

        Raises STORE_UNKNOWN, NOT_ACTIVE_IN_STORE, FORBIDDEN or LAST_STORE.
        """
        if store != STORE_ID:
            raise STORE_UNKNOWN(store=store)
        with self._images.store.read() as db:
            image = self._images.access.find(db, caller, image_id, "delete_image_location")
        if image.status != Status.ACTIVE:
            raise NOT_ACTIVE_IN_STORE()
        raise LAST_STORE()
