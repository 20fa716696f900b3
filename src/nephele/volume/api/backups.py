"""Backups over HTTP."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import rows
from nephele.volume.api.bodies import check_uuid, stripped, truth
from nephele.volume.api.links import Links, moment, next_links
from nephele.volume.api.listing import Listed, read_listing
from nephele.volume.backups import SELECT, NewBackup
from nephele.volume.errors import BACKUP_NOT_FOUND
from nephele.volume.model import Backup
from nephele.volume.service import Volumes
from nephele.volume.tables import backups
from nephele.web.call import Call

_c = backups.c
_COLUMNS: dict[str, sa.Column[Any]] = {
    "id": _c.id,
    "name": _c.name,
    "display_name": _c.name,
    "description": _c.description,
    "status": _c.status,
    "volume_id": _c.volume_id,
    "snapshot_id": _c.snapshot_id,
    "size": _c.size_gb,
    "container": _c.container,
    "availability_zone": _c.availability_zone,
    "parent_id": _c.parent_id,
    "project_id": _c.project_id,
    "user_id": _c.user_id,
    "created_at": _c.created_at,
    "updated_at": _c.updated_at,
}
LISTED = Listed(
    table=backups,
    user_filters={"name": (3, 0), "status": (3, 0), "volume_id": (3, 0)},
    admin_filters=frozenset(_COLUMNS),
    columns=_COLUMNS,
    sorts=frozenset(_COLUMNS),
    missing=BACKUP_NOT_FOUND,
    marker_fact="backup_id",
)


class _View:
    def __init__(self, call: Call) -> None:
        self._call = call
        self._links = Links(call, "backups")
        self._sees_project = call.may("backup:backup_project_attribute")

    def summary(self, backup: Backup) -> dict[str, object]:
        return {"id": backup.id, "name": backup.name, "links": self._links(backup.id)}

    def full(self, backup: Backup) -> dict[str, object]:
        view: dict[str, object] = {
            "id": backup.id,
            "status": backup.status,
            "size": backup.size_gb,
            "object_count": backup.objects,
            "availability_zone": backup.availability_zone,
            "container": backup.container,
            "created_at": moment(backup.created_at),
            "updated_at": moment(backup.updated_at),
            "name": backup.name,
            "description": backup.description,
            "fail_reason": backup.fail_reason,
            "volume_id": backup.volume_id,
            "links": self._links(backup.id),
            "is_incremental": backup.parent_id is not None,
            "has_dependent_backups": backup.has_children,
            "snapshot_id": backup.snapshot_id,
            "data_timestamp": moment(backup.data_at),
        }
        version = self._call.version
        if version >= (3, 18) and self._sees_project:
            view["os-backup-project-attr:project_id"] = backup.project_id
        if version >= (3, 43):
            view["metadata"] = backup.metadata
        if version >= (3, 56):
            view["user_id"] = backup.user_id
        return view


def _find(service: Volumes, call: Call, rule: str) -> Backup:
    backup = service.backups.show(call.context, call.path["backup_id"])
    call.enforce(rule, {"project_id": backup.project_id, "user_id": backup.user_id})
    return backup


def show(service: Volumes, call: Call) -> object:
    """One backup."""
    return {"backup": _View(call).full(_find(service, call, "backup:get"))}


def index(service: Volumes, call: Call) -> object:
    """Their names."""
    return _list(service, call, detailed=False)


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return _list(service, call, detailed=True)


def _list(service: Volumes, call: Call, *, detailed: bool) -> object:
    asked = read_listing(call, LISTED)
    with service.parts.store.read() as db:
        found = rows.every(db, Backup, asked.narrow(db)(SELECT))
        total = asked.total(db) if asked.with_count else None
    view = _View(call)
    body: dict[str, object] = {"backups": [view.full(one) if detailed else view.summary(one) for one in found]}
    path = "backups/detail" if detailed else "backups"
    following = next_links(call, path, [one.id for one in found], asked.page.limit)
    if following:
        body["backups_links"] = following
    return body if total is None else {**body, "count": total}


def create(service: Volumes, call: Call) -> object:
    """A new backup, in the making."""
    asked = call.body.backup
    check_uuid("volume_id", asked.volume_id)
    check_uuid("snapshot_id", asked.snapshot_id)
    new = NewBackup(
        volume_id=asked.volume_id,
        name=stripped(asked.name),
        description=stripped(asked.description),
        container=asked.container,
        snapshot_id=asked.snapshot_id,
        incremental=truth(asked.incremental),
        force=truth(asked.force),
        metadata=getattr(asked, "metadata", None) or {},
    )
    return {"backup": _View(call).summary(service.backups.create(call.context, new))}


def update(service: Volumes, call: Call) -> object:
    """Other words for a backup."""
    asked = call.body.backup
    words = {field: getattr(asked, field, None) for field in ("name", "description", "metadata")}
    values = {
        field: stripped(value) if isinstance(value, str) else value
        for field, value in words.items()
        if value is not None
    }
    if not values:
        raise BAD_REQUEST(reason="Invalid input for field/attribute backup. Name one thing to change at least.")
    backup = _find(service, call, "backup:update")
    return {"backup": _View(call).summary(service.backups.update(call.context, backup.id, values))}


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    service.backups.delete(call.context, _find(service, call, "backup:delete").id)


def restore(service: Volumes, call: Call) -> object:
    """To a volume that is there, or a new one."""
    asked = call.body.restore
    volume_id = check_uuid("volume_id", asked.volume_id) if asked is not None else None
    name = stripped(asked.name) if asked is not None else None
    found = _find(service, call, "backup:restore")
    backup, volume = service.backups.restore(call.context, found.id, volume_id, name)
    return {"restore": {"backup_id": backup.id, "volume_id": volume.id, "volume_name": volume.name}}


def export_record(service: Volumes, call: Call) -> object:
    """What another cloud needs to take it over."""
    where, record = service.backups.export(call.context, _find(service, call, "backup:export-import").id)
    return {"backup-record": {"backup_service": where, "backup_url": record}}


def import_record(service: Volumes, call: Call) -> object:
    """Take over what another cloud backed up."""
    asked = call.body.record
    made = service.backups.import_record(call.context, asked.backup_service, asked.backup_url)
    return {"backup": _View(call).summary(made)}


def reset_status(service: Volumes, call: Call) -> None:
    """`os-reset_status`."""
    backup = _find(service, call, "volume_extension:backup_admin_actions:reset_status")
    service.backups.reset_status(call.context, backup.id, call.body.status.lower())


def force_delete(service: Volumes, call: Call) -> None:
    """`os-force_delete`."""
    backup = _find(service, call, "volume_extension:backup_admin_actions:force_delete")
    service.backups.delete(call.context, backup.id, force=True)
