"""Group types over HTTP."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.errors import BAD_REQUEST, Error
from nephele.volume import rows
from nephele.volume.api.bodies import truth
from nephele.volume.api.links import next_links
from nephele.volume.api.listing import read_listing_of_all
from nephele.volume.errors import GROUP_SPEC_NOT_FOUND, GROUP_TYPE_NOT_FOUND
from nephele.volume.model import GroupType
from nephele.volume.service import Volumes
from nephele.volume.tables import group_types
from nephele.web.call import Call

_c = group_types.c
_SORTS: dict[str, sa.Column[Any]] = {name: _c[name] for name in ("id", "name", "created_at", "updated_at")}
NO_DEFAULT = Error("volume.no_default_group_type", 404, "Default group type can not be found.")


def _view(call: Call, kind: GroupType) -> dict[str, object]:
    view: dict[str, object] = {
        "id": kind.id,
        "name": kind.name,
        "description": kind.description,
        "is_public": kind.is_public,
    }
    if call.may("group:access_group_types_specs"):
        view["group_specs"] = kind.specs
    return view


def index(service: Volumes, call: Call) -> object:
    """The types that the caller may use; administrators see the private ones where they ask for them."""
    query: sa.Select[Any] = sa.select(*_c)
    wanted = call.query.get("is_public").lower() if call.context.is_admin else "true"
    if wanted != "none":
        query = query.where(_c.is_public == (wanted in ("", "1", "t", "true", "on", "y", "yes")))
    page, narrow = read_listing_of_all(call, group_types, _SORTS, GROUP_TYPE_NOT_FOUND, "group_type_id")
    with service.parts.store.read() as db:
        found = rows.every(db, GroupType, narrow(db)(query))
    body: dict[str, object] = {"group_types": [_view(call, kind) for kind in found]}
    following = next_links(call, "group_types", [kind.id for kind in found], page.limit)
    return body | ({"group_type_links": following} if following else {})


def show(service: Volumes, call: Call) -> object:
    """One type."""
    return {"group_type": _view(call, service.group_types.show(call.context, call.path["group_type_id"]))}


def show_default(_service: Volumes, _call: Call) -> None:
    """The type of groups for which nobody names one: groups always name theirs."""
    raise NO_DEFAULT()


def create(service: Volumes, call: Call) -> object:
    """A new type."""
    asked = call.body.group_type
    if not asked.name.strip():
        raise BAD_REQUEST(reason="Group type name can not be empty.")
    specs = {key: value or "" for key, value in asked.group_specs.items()}
    made = service.group_types.create(asked.name, asked.description, specs, is_public=truth(asked.is_public))
    return {"group_type": _view(call, made)}


def update(service: Volumes, call: Call) -> object:
    """Other words for a type."""
    asked = call.body.group_type
    if asked.name is not None and not asked.name.strip():
        raise BAD_REQUEST(reason="Group type name can not be empty.")
    values: dict[str, object] = {
        field: getattr(asked, field) for field in ("name", "description") if getattr(asked, field) is not None
    }
    if asked.is_public is not None:
        values["is_public"] = truth(asked.is_public)
    if not values:
        raise BAD_REQUEST(reason="Specify group type name, description or a combination thereof.")
    return {"group_type": _view(call, service.group_types.update(call.context, call.path["group_type_id"], values))}


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    service.group_types.delete(call.context, call.path["group_type_id"])


def show_specs(service: Volumes, call: Call) -> object:
    """A type's specs."""
    return {"group_specs": service.group_types.show(call.context, call.path["group_type_id"]).specs}


def add_specs(service: Volumes, call: Call) -> object:
    """More of them."""
    specs = {key: value or "" for key, value in call.body.group_specs.items()}
    service.group_types.set_specs(call.context, call.path["group_type_id"], specs)
    return {"group_specs": call.body.group_specs}


def show_spec(service: Volumes, call: Call) -> object:
    """One of them."""
    kind, key = service.group_types.show(call.context, call.path["group_type_id"]), call.path["key"]
    if key not in kind.specs:
        raise GROUP_SPEC_NOT_FOUND(group_type_id=kind.id, key=key)
    return {key: kind.specs[key]}


def set_spec(service: Volumes, call: Call) -> object:
    """Another value for one of them."""
    if call.path["key"] not in call.body:
        raise BAD_REQUEST(reason="Request body and URI mismatch")
    if len(call.body) > 1:
        raise BAD_REQUEST(reason="Request body contains too many items")
    specs = {key: value or "" for key, value in call.body.items()}
    service.group_types.set_specs(call.context, call.path["group_type_id"], specs)
    return call.body


def delete_spec(service: Volumes, call: Call) -> None:
    """One less."""
    service.group_types.delete_spec(call.context, call.path["group_type_id"], call.path["key"])
