"""Consistency groups over HTTP: the older words for groups of the type that is kept for them."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import rows
from nephele.volume.api.bodies import check_uuid, stripped, truth
from nephele.volume.api.groups import GROUPS, RESERVED, SNAPSHOTS, ids
from nephele.volume.api.links import moment
from nephele.volume.api.listing import read_listing
from nephele.volume.errors import GROUP_NOT_FOUND, GROUP_SNAPSHOT_NOT_FOUND
from nephele.volume.group_types import FOR_CONSISTENCY_GROUPS
from nephele.volume.groups import GroupChange, NewGroup
from nephele.volume.model import Group, GroupSnapshot
from nephele.volume.service import Volumes
from nephele.volume.tables import group_snapshots, groups
from nephele.web.call import Call


def _view(group: Group, *, detailed: bool = True) -> dict[str, object]:
    view: dict[str, object] = {"id": group.id, "name": group.name}
    if detailed:
        view |= {
            "status": group.status,
            "availability_zone": group.availability_zone,
            "created_at": moment(group.created_at),
            "description": group.description,
            "volume_types": group.volume_types,
        }
    return view


def _snapshot_view(found: GroupSnapshot, *, detailed: bool = True) -> dict[str, object]:
    view: dict[str, object] = {"id": found.id, "name": found.name}
    if detailed:
        view |= {
            "consistencygroup_id": found.group_id,
            "status": found.status,
            "created_at": moment(found.created_at),
            "description": found.description,
        }
    return view


def _reserved(service: Volumes) -> str:
    with service.parts.store.read() as db:
        return str(db.execute(sa.select(RESERVED)).scalar_one())


def _find(service: Volumes, call: Call, rule: str, id: str = "") -> Group:
    group = service.groups.show(call.context, id or call.path["group_id"])
    call.enforce(rule, {"project_id": group.project_id, "user_id": group.user_id})
    if group.type_id != _reserved(service):
        raise GROUP_NOT_FOUND(group_id=group.id)
    return group


def _find_snapshot(service: Volumes, call: Call, rule: str, id: str = "") -> GroupSnapshot:
    found = service.group_snapshots.show(call.context, id or call.path["group_snapshot_id"])
    call.enforce(rule, {"project_id": found.project_id, "user_id": found.user_id})
    if found.type_id != _reserved(service):
        raise GROUP_SNAPSHOT_NOT_FOUND(group_snapshot_id=found.id)
    return found


# -- groups --------------------------------------------------------------------------------------------------------


def show(service: Volumes, call: Call) -> object:
    """One group."""
    return {"consistencygroup": _view(_find(service, call, "group:get"))}


def index(service: Volumes, call: Call) -> object:
    """Their names."""
    return {"consistencygroups": [_view(group, detailed=False) for group in _list(service, call)]}


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return {"consistencygroups": [_view(group) for group in _list(service, call)]}


def _list(service: Volumes, call: Call) -> list[Group]:
    asked = read_listing(call, GROUPS)
    with service.parts.store.read() as db:
        return rows.every(db, Group, asked.narrow(db)(sa.select(*groups.c).where(groups.c.type_id == RESERVED)))


def create(service: Volumes, call: Call) -> object:
    """A new group."""
    asked = call.body.consistencygroup
    new = NewGroup(
        name=stripped(asked.name),
        description=stripped(asked.description),
        kind=service.group_types.find(call.context, FOR_CONSISTENCY_GROUPS),
        volume_types=ids(asked.volume_types),
        availability_zone=asked.availability_zone,
    )
    if not new.volume_types:
        raise BAD_REQUEST(reason="volume_types must be provided to create consistency group.")
    return {"consistencygroup": _view(service.groups.create(call.context, new), detailed=False)}


def create_from_source(service: Volumes, call: Call) -> object:
    """A new group with the content of another, or of a snapshot of one."""
    asked = call.body.wish
    call.enforce("group:create")
    if bool(asked.cgsnapshot_id) == bool(asked.source_cgid):
        raise BAD_REQUEST(reason="Name one of cgsnapshot_id and source_cgid.")
    name, description = stripped(asked.name), stripped(asked.description)
    if asked.source_cgid:
        source = _find(service, call, "group:get", str(check_uuid("source_cgid", asked.source_cgid)))
        made = service.groups.clone(call.context, name, description, source)
    else:
        id = str(check_uuid("cgsnapshot_id", asked.cgsnapshot_id))
        taken = _find_snapshot(service, call, "group:get_group_snapshot", id)
        made = service.group_snapshots.restore_as_group(call.context, name, description, taken)
    return {"consistencygroup": _view(made, detailed=False)}


def update(service: Volumes, call: Call) -> None:
    """Other words, and other volumes, for a group."""
    asked: Any = call.body.consistencygroup
    group = _find(service, call, "group:update")
    change = GroupChange(
        name=stripped(asked.name),
        description=stripped(asked.description),
        add=ids(asked.add_volumes),
        remove=ids(asked.remove_volumes),
    )
    if change == GroupChange():
        raise BAD_REQUEST(reason="Name, description, add_volumes, and remove_volumes can not be all empty.")
    service.groups.update(call.context, group.id, change)


def delete(service: Volumes, call: Call) -> None:
    """Away with it; with `force` what is in it too."""
    asked = call.body.consistencygroup if call.body is not None else None
    force = asked is not None and truth(asked.force)
    service.groups.delete(call.context, _find(service, call, "group:delete").id, with_volumes=force)


# -- their snapshots -----------------------------------------------------------------------------------------------


def show_snapshot(service: Volumes, call: Call) -> object:
    """One snapshot of a group."""
    return {"cgsnapshot": _snapshot_view(_find_snapshot(service, call, "group:get_group_snapshot"))}


def index_snapshots(service: Volumes, call: Call) -> object:
    """Their names."""
    return {"cgsnapshots": [_snapshot_view(one, detailed=False) for one in _list_snapshots(service, call)]}


def detail_snapshots(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return {"cgsnapshots": [_snapshot_view(one) for one in _list_snapshots(service, call)]}


def _list_snapshots(service: Volumes, call: Call) -> list[GroupSnapshot]:
    asked = read_listing(call, SNAPSHOTS)
    query = sa.select(*group_snapshots.c).where(group_snapshots.c.type_id == RESERVED)
    with service.parts.store.read() as db:
        return rows.every(db, GroupSnapshot, asked.narrow(db)(query))


def create_snapshot(service: Volumes, call: Call) -> object:
    """A new snapshot of a group, in the making."""
    asked = call.body.cgsnapshot
    id = str(check_uuid("consistencygroup_id", asked.consistencygroup_id))
    group = _find(service, call, "group:create_group_snapshot", id)
    made = service.group_snapshots.create(call.context, group, stripped(asked.name), stripped(asked.description))
    return {"cgsnapshot": _snapshot_view(made, detailed=False)}


def delete_snapshot(service: Volumes, call: Call) -> None:
    """Away with it."""
    found = _find_snapshot(service, call, "group:delete_group_snapshot")
    service.group_snapshots.delete(call.context, found.id)
