"""Groups and their snapshots over HTTP."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import rows
from nephele.volume.api.bodies import check_uuid, stripped, truth
from nephele.volume.api.links import moment, next_links
from nephele.volume.api.listing import Listed, read_listing
from nephele.volume.errors import GROUP_NOT_FOUND, GROUP_SNAPSHOT_NOT_FOUND, INVALID_GROUP_TYPE
from nephele.volume.group_types import FOR_CONSISTENCY_GROUPS
from nephele.volume.groups import GroupChange, NewGroup
from nephele.volume.model import Group, GroupSnapshot
from nephele.volume.service import Volumes
from nephele.volume.tables import group_snapshots, group_types, groups
from nephele.web.call import Call


def _columns(table: sa.Table, *more: str) -> dict[str, sa.Column[Any]]:
    names = ("id", "name", "status", "description", "created_at", "project_id", *more)
    return {name: table.c[name] for name in names}


GROUPS = Listed(
    table=groups,
    user_filters={"name": (3, 13), "status": (3, 13)},
    admin_filters=frozenset(_columns(groups)),
    columns={**_columns(groups, "availability_zone"), "group_type": groups.c.type_id},
    sorts=frozenset(_columns(groups)),
    missing=GROUP_NOT_FOUND,
    marker_fact="group_id",
)
SNAPSHOTS = Listed(
    table=group_snapshots,
    user_filters={"name": (3, 14), "status": (3, 14), "group_id": (3, 14)},
    admin_filters=frozenset(_columns(group_snapshots, "group_id")),
    columns=_columns(group_snapshots, "group_id"),
    sorts=frozenset(_columns(group_snapshots)),
    missing=GROUP_SNAPSHOT_NOT_FOUND,
    marker_fact="group_snapshot_id",
)
RESERVED = sa.select(group_types.c.id).where(group_types.c.name == FOR_CONSISTENCY_GROUPS).scalar_subquery()
"""The id of the type that consistency groups have."""


def check_not_reserved(service: Volumes, type_id: str) -> None:
    """Leave consistency groups to their own API.  Raises BAD_REQUEST."""
    with service.parts.store.read() as db:
        if db.execute(sa.select(RESERVED)).scalar_one() == type_id:
            raise BAD_REQUEST(
                reason=f"Group_type {type_id} is reserved for migrating CGs to groups. "
                "Migrated group can only be operated by CG APIs."
            )


# -- groups --------------------------------------------------------------------------------------------------------


def _view(call: Call, group: Group, members: dict[str, list[str]]) -> dict[str, object]:
    view: dict[str, object] = {
        "id": group.id,
        "status": group.status,
        "availability_zone": group.availability_zone,
        "created_at": moment(group.created_at),
        "name": group.name,
        "description": group.description,
        "group_type": group.type_id,
        "volume_types": group.volume_types,
    }
    if call.version >= (3, 14):
        view |= {"group_snapshot_id": group.group_snapshot_id, "source_group_id": group.source_group_id}
    if call.version >= (3, 25) and call.query.flag("list_volume"):
        view["volumes"] = members.get(group.id, [])
    if call.version >= (3, 38):
        view["replication_status"] = "disabled"
    if call.version >= (3, 58) and call.may("group:group_project_attribute"):
        view["project_id"] = group.project_id
    return view


def _find(service: Volumes, call: Call, rule: str) -> Group:
    group = service.groups.show(call.context, call.path["group_id"])
    call.enforce(rule, {"project_id": group.project_id, "user_id": group.user_id})
    return group


def show(service: Volumes, call: Call) -> object:
    """One group."""
    group = _find(service, call, "group:get")
    check_not_reserved(service, group.type_id)
    return {"group": _view(call, group, service.groups.volumes([group.id]))}


def index(service: Volumes, call: Call) -> object:
    """Their names."""
    return _list(service, call, detailed=False)


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return _list(service, call, detailed=True)


def _list(service: Volumes, call: Call, *, detailed: bool) -> object:
    asked = read_listing(call, GROUPS, overlooks=frozenset({"list_volume"}))
    with service.parts.store.read() as db:
        query = sa.select(*groups.c).where(groups.c.type_id != RESERVED)
        found = rows.every(db, Group, asked.narrow(db)(query))
    members = service.groups.volumes([group.id for group in found]) if detailed else {}
    shown = [_view(call, group, members) if detailed else {"id": group.id, "name": group.name} for group in found]
    body: dict[str, object] = {"groups": shown}
    path = "groups/detail" if detailed else "groups"
    following = next_links(call, path, [group.id for group in found], asked.page.limit)
    return body | ({"group_links": following} if following else {})


def create(service: Volumes, call: Call) -> object:
    """A new group."""
    asked = call.body.group
    kind = service.group_types.find(call.context, asked.group_type)
    check_not_reserved(service, kind.id)
    new = NewGroup(
        name=stripped(asked.name),
        description=stripped(asked.description),
        kind=kind,
        volume_types=tuple(asked.volume_types),
        availability_zone=asked.availability_zone,
    )
    made = service.groups.create(call.context, new)
    return {"group": {"id": made.id, "name": made.name}}


def create_from_source(service: Volumes, call: Call) -> object:
    """`create-from-src`: of a group, or of a snapshot of one."""
    asked = call.body
    call.enforce("group:create")
    for field in ("group_snapshot_id", "source_group_id"):
        check_uuid(field, getattr(asked, field))
    if bool(asked.group_snapshot_id) == bool(asked.source_group_id):
        raise BAD_REQUEST(reason="Name one of group_snapshot_id and source_group_id.")
    name, description = stripped(asked.name), stripped(asked.description)
    if asked.source_group_id:
        source = service.groups.show(call.context, asked.source_group_id)
        check_not_reserved(service, source.type_id)
        made = service.groups.clone(call.context, name, description, source)
    else:
        taken = service.group_snapshots.show(call.context, asked.group_snapshot_id)
        check_not_reserved(service, taken.type_id)
        made = service.group_snapshots.restore_as_group(call.context, name, description, taken)
    return {"group": {"id": made.id, "name": made.name}}


def update(service: Volumes, call: Call) -> None:
    """Other words, and other volumes, for a group."""
    asked = call.body.group
    if all(getattr(asked, field) is None for field in asked.__struct_fields__):
        raise BAD_REQUEST(reason="At least one of name, description, add_volumes and remove_volumes must be given.")
    group = _find(service, call, "group:update")
    check_not_reserved(service, group.type_id)
    change = GroupChange(
        name=stripped(asked.name),
        description=stripped(asked.description),
        add=ids(asked.add_volumes),
        remove=ids(asked.remove_volumes),
    )
    service.groups.update(call.context, group.id, change)


def ids(text: str | None) -> tuple[str, ...]:
    """Ids between commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def delete(service: Volumes, call: Call) -> None:
    """`delete`."""
    group = _find(service, call, "group:delete")
    check_not_reserved(service, group.type_id)
    service.groups.delete(call.context, group.id, with_volumes=truth(call.body.delete_volumes))


def reset_status(service: Volumes, call: Call) -> None:
    """`reset_status`."""
    group = _find(service, call, "group:reset_status")
    service.groups.reset_status(call.context, group.id, call.body.status.lower())


def refuse_replication(service: Volumes, call: Call) -> None:
    """Enable, disable, fail over, list targets: for types that ask for replication, which no backend here has."""
    group = _find(service, call, "group:enable_replication")
    kind = service.group_types.show(call.context, group.type_id)
    wants = any(kind.specs.get(key, "").lower() == "<is> true" for key in _REPLICATION)
    reason = "no backend here replicates volumes" if wants else "its specs do not enable replication"
    raise INVALID_GROUP_TYPE(reason=f"Replication of group type {group.type_id} is not possible: {reason}.")


_REPLICATION = ("group_replication_enabled", "consistent_group_replication_enabled")


# -- group snapshots -----------------------------------------------------------------------------------------------


def _snapshot_view(call: Call, found: GroupSnapshot, *, detailed: bool = True) -> dict[str, object]:
    view: dict[str, object] = {"id": found.id, "name": found.name}
    if not detailed:
        return view
    view |= {
        "group_id": found.group_id,
        "group_type_id": found.type_id,
        "status": found.status,
        "created_at": moment(found.created_at),
        "description": found.description,
    }
    if call.version >= (3, 58) and call.may("group:group_snapshot_project_attribute"):
        view["project_id"] = found.project_id
    return view


def _find_snapshot(service: Volumes, call: Call, rule: str) -> GroupSnapshot:
    found = service.group_snapshots.show(call.context, call.path["group_snapshot_id"])
    call.enforce(rule, {"project_id": found.project_id, "user_id": found.user_id})
    return found


def show_snapshot(service: Volumes, call: Call) -> object:
    """One group snapshot."""
    found = _find_snapshot(service, call, "group:get_group_snapshot")
    check_not_reserved(service, found.type_id)
    return {"group_snapshot": _snapshot_view(call, found)}


def index_snapshots(service: Volumes, call: Call) -> object:
    """Their names."""
    return _list_snapshots(service, call, detailed=False)


def detail_snapshots(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return _list_snapshots(service, call, detailed=True)


def _list_snapshots(service: Volumes, call: Call, *, detailed: bool) -> object:
    asked = read_listing(call, SNAPSHOTS)
    with service.parts.store.read() as db:
        query = sa.select(*group_snapshots.c).where(group_snapshots.c.type_id != RESERVED)
        found = rows.every(db, GroupSnapshot, asked.narrow(db)(query))
    body: dict[str, object] = {"group_snapshots": [_snapshot_view(call, one, detailed=detailed) for one in found]}
    path = "group_snapshots/detail" if detailed else "group_snapshots"
    following = next_links(call, path, [one.id for one in found], asked.page.limit)
    return body | ({"group_snapshot_links": following} if following else {})


def create_snapshot(service: Volumes, call: Call) -> object:
    """A new group snapshot, in the making."""
    asked = call.body.group_snapshot
    check_uuid("group_id", asked.group_id)
    group = service.groups.show(call.context, asked.group_id)
    call.enforce("group:create_group_snapshot", {"project_id": group.project_id, "user_id": group.user_id})
    check_not_reserved(service, group.type_id)
    made = service.group_snapshots.create(call.context, group, stripped(asked.name), stripped(asked.description))
    return {"group_snapshot": {"id": made.id, "name": made.name, "group_type_id": made.type_id}}


def delete_snapshot(service: Volumes, call: Call) -> None:
    """Away with it."""
    found = _find_snapshot(service, call, "group:delete_group_snapshot")
    check_not_reserved(service, found.type_id)
    service.group_snapshots.delete(call.context, found.id)


def reset_snapshot_status(service: Volumes, call: Call) -> None:
    """`reset_status`."""
    found = _find_snapshot(service, call, "group:reset_group_snapshot_status")
    service.group_snapshots.reset_status(call.context, found.id, call.body.status.lower())
