"""Snapshots over HTTP."""

from typing import Any

import sqlalchemy as sa
from msgspec import UNSET

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import rows
from nephele.volume.api.bodies import check_uuid, stripped, truth
from nephele.volume.api.links import moment, next_links
from nephele.volume.api.listing import Listed, read_listing
from nephele.volume.api.volumes import check_pair, target
from nephele.volume.errors import METADATA_NOT_FOUND, SNAPSHOT_NOT_FOUND
from nephele.volume.model import Snapshot, SnapshotStatus
from nephele.volume.service import Volumes
from nephele.volume.tables import snapshots
from nephele.web.call import Call

_c = snapshots.c
_COLUMNS: dict[str, sa.Column[Any]] = {
    "name": _c.name,
    "display_name": _c.name,
    "description": _c.description,
    "status": _c.status,
    "volume_id": _c.volume_id,
    "id": _c.id,
    "created_at": _c.created_at,
    "updated_at": _c.updated_at,
    "size": _c.size_gb,
    "volume_size": _c.size_gb,
    "project_id": _c.project_id,
    "user_id": _c.user_id,
}
LISTED = Listed(
    table=snapshots,
    user_filters={
        "name": (3, 0),
        "status": (3, 0),
        "volume_id": (3, 0),
        "metadata": (3, 22),
        "availability_zone": (3, 31),
        "consumes_quota": (3, 65),
    },
    admin_filters=frozenset(_COLUMNS),
    columns=_COLUMNS,
    sorts=frozenset(_COLUMNS),
    missing=SNAPSHOT_NOT_FOUND,
    marker_fact="snapshot_id",
)


def view(call: Call, snapshot: Snapshot, *, detailed: bool = True) -> dict[str, object]:
    """A snapshot as clients see it."""
    found: dict[str, object] = {
        "id": snapshot.id,
        "created_at": moment(snapshot.created_at),
        "updated_at": moment(snapshot.updated_at),
        "name": snapshot.name,
        "description": snapshot.description,
        "volume_id": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size_gb,
        "metadata": snapshot.metadata,
    }
    if not detailed:
        return found
    if call.version >= (3, 14):
        found["group_snapshot_id"] = snapshot.group_snapshot_id
    if call.version >= (3, 41):
        found["user_id"] = snapshot.user_id
    if call.version >= (3, 65):
        found["consumes_quota"] = True
    return found


def full(call: Call, snapshot: Snapshot) -> dict[str, object]:
    """All of it, as showing and listing give it."""
    found = view(call, snapshot)
    if call.may("volume_extension:extended_snapshot_attributes", {"project_id": snapshot.project_id}):
        found["os-extended-snapshot-attributes:progress"] = snapshot.progress
        found["os-extended-snapshot-attributes:project_id"] = snapshot.project_id
    return found


def find(service: Volumes, call: Call, rule: str) -> Snapshot:
    """The snapshot that the path names, if the caller may do with it what the rule says."""
    snapshot = service.snapshots.show(call.context, call.path["snapshot_id"])
    call.enforce(rule, {"project_id": snapshot.project_id, "user_id": snapshot.user_id})
    return snapshot


def show(service: Volumes, call: Call) -> object:
    """One snapshot."""
    return {"snapshot": full(call, find(service, call, "volume:get_snapshot"))}


def index(service: Volumes, call: Call) -> object:
    """All of them, in short."""
    return _list(service, call, detailed=False)


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return _list(service, call, detailed=True)


def _list(service: Volumes, call: Call, *, detailed: bool) -> object:
    asked = read_listing(call, LISTED)
    with service.parts.store.read() as db:
        found = rows.list_snapshots(db, asked.narrow(db))
        total = asked.total(db) if asked.with_count else None
    body: dict[str, object] = {
        "snapshots": [full(call, snapshot) if detailed else view(call, snapshot, detailed=False) for snapshot in found]
    }
    path = "snapshots/detail" if detailed else "snapshots"
    following = next_links(call, path, [snapshot.id for snapshot in found], asked.page.limit)
    if following:
        body["snapshots_links"] = following
    if total is not None:
        body["count"] = total
    return body


def create(service: Volumes, call: Call) -> object:
    """A new snapshot, in the making."""
    asked = call.body.snapshot
    check_uuid("volume_id", asked.volume_id)
    volume = service.show(call.context, asked.volume_id or "None")
    call.enforce("volume:create_snapshot", target(volume))
    newer = call.version >= (3, 66)
    if newer and asked.force is not None and not truth(asked.force):
        raise BAD_REQUEST(
            reason="Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, "
            "however, when the 'force' flag is passed with a value evaluating to True, it is silently ignored."
        )
    name = asked.name if asked.name is not None else asked.display_name
    made = service.snapshots.create(
        call.context,
        volume,
        stripped(name),
        stripped(asked.description),
        asked.metadata or {},
        in_use=newer or truth(asked.force),
    )
    return {"snapshot": view(call, made)}


def update(service: Volumes, call: Call) -> object:
    """Other words for a snapshot."""
    asked = call.body.snapshot
    name = asked.name if asked.name is not UNSET else asked.display_name
    description = asked.description if asked.description is not UNSET else asked.display_description
    values = {
        key: stripped(value) for key, value in (("name", name), ("description", description)) if value is not UNSET
    }
    if not values:
        raise BAD_REQUEST(reason="Invalid input for field/attribute snapshot. Name one thing to change at least.")
    snapshot = find(service, call, "volume:update_snapshot")
    return {"snapshot": view(call, service.snapshots.update(call.context, snapshot.id, values))}


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    service.snapshots.delete(call.context, find(service, call, "volume:delete_snapshot").id)


# -- actions -------------------------------------------------------------------------------------------------------


def reset_status(service: Volumes, call: Call) -> None:
    """`os-reset_status`."""
    snapshot = find(service, call, "volume_extension:snapshot_admin_actions:reset_status")
    status = call.body.status.lower()
    if status not in list(SnapshotStatus):
        raise BAD_REQUEST(reason=f"Invalid input for field/attribute status. Value: {call.body.status}.")
    service.snapshots.reset_status(call.context, snapshot.id, status)


def force_delete(service: Volumes, call: Call) -> None:
    """`os-force_delete`."""
    snapshot = find(service, call, "volume_extension:snapshot_admin_actions:force_delete")
    service.snapshots.delete(call.context, snapshot.id, force=True)


_PROGRESSED = {
    "creating": frozenset({"creating", "available", "error"}),
    "deleting": frozenset({"deleting", "error_deleting"}),
}
"""What who works on a snapshot may declare while it is being made or deleted."""


def update_status(service: Volumes, call: Call) -> None:
    """`os-update_snapshot_status`."""
    snapshot = find(service, call, "snapshot_extension:snapshot_actions:update_snapshot_status")
    known = _PROGRESSED.get(snapshot.status)
    if known is None:
        raise BAD_REQUEST(reason=f"Snapshot status {snapshot.status} not allowed for update_snapshot_status")
    if call.body.status not in known:
        raise BAD_REQUEST(
            reason=f"Provided snapshot status {call.body.status} not allowed for snapshot "
            f"with status {snapshot.status}."
        )
    service.snapshots.reset_status(call.context, snapshot.id, call.body.status, call.body.progress)


# -- metadata ------------------------------------------------------------------------------------------------------


def show_metadata(service: Volumes, call: Call) -> object:
    """A snapshot's metadata."""
    return {"metadata": find(service, call, "volume:get_snapshot_metadata").metadata}


def add_metadata(service: Volumes, call: Call) -> object:
    """More of it."""
    snapshot = find(service, call, "volume:update_snapshot_metadata")
    return {"metadata": _put(service, call, snapshot, {**snapshot.metadata, **call.body.metadata})}


def replace_metadata(service: Volumes, call: Call) -> object:
    """Other metadata in its place."""
    snapshot = find(service, call, "volume:update_snapshot_metadata")
    return {"metadata": _put(service, call, snapshot, call.body.metadata)}


def show_metadata_key(service: Volumes, call: Call) -> object:
    """One pair of it."""
    snapshot, key = find(service, call, "volume:get_snapshot_metadata"), call.path["key"]
    _check_key(snapshot, key)
    return {"meta": {key: snapshot.metadata[key]}}


def set_metadata_key(service: Volumes, call: Call) -> object:
    """Another value for one key."""
    pair = check_pair(call)
    snapshot = find(service, call, "volume:update_snapshot_metadata")
    _put(service, call, snapshot, {**snapshot.metadata, **pair})
    return {"meta": pair}


def delete_metadata_key(service: Volumes, call: Call) -> None:
    """One pair less."""
    snapshot, key = find(service, call, "volume:delete_snapshot_metadata"), call.path["key"]
    _check_key(snapshot, key)
    _put(service, call, snapshot, {name: value for name, value in snapshot.metadata.items() if name != key})


def _check_key(snapshot: Snapshot, key: str) -> None:
    if key not in snapshot.metadata:
        raise METADATA_NOT_FOUND(what="Snapshot", id=snapshot.id, key=key)


def _put(service: Volumes, call: Call, snapshot: Snapshot, metadata: dict[str, str]) -> dict[str, str]:
    return service.snapshots.update(call.context, snapshot.id, {"metadata": metadata}).metadata
