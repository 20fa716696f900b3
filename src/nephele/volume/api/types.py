"""Volume types over HTTP: extra specs, access and projects' defaults too."""

from typing import Any

import sqlalchemy as sa
from msgspec import UNSET

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import rows
from nephele.volume.api.bodies import truth
from nephele.volume.api.links import next_links
from nephele.volume.api.listing import read_listing_of_all
from nephele.volume.errors import EXTRA_SPEC_NOT_FOUND, TYPE_NOT_FOUND
from nephele.volume.model import VolumeType
from nephele.volume.service import Volumes
from nephele.volume.tables import volume_types
from nephele.volume.types import TypeChange
from nephele.web.call import Call

_c = volume_types.c
_SORTS: dict[str, sa.Column[Any]] = {
    "id": _c.id,
    "name": _c.name,
    "created_at": _c.created_at,
    "updated_at": _c.updated_at,
}
VISIBLE_SPECS = frozenset({"multiattach", "RESKEY:availability_zones", "replication_enabled"})
"""Extra specs that everyone may see."""


def brief(kind: VolumeType) -> dict[str, object]:
    """A type as changing it gives it."""
    return {
        "id": kind.id,
        "name": kind.name,
        "is_public": kind.is_public,
        "description": kind.description,
        "extra_specs": kind.extra_specs,
    }


def view(call: Call, kind: VolumeType) -> dict[str, object]:
    """A type as the caller may see it."""
    found = {**brief(kind), "os-volume-type-access:is_public": kind.is_public}
    found.pop("extra_specs")
    if call.may("volume_extension:access_types_extra_specs"):
        found["extra_specs"] = _visible(call, kind)
    if call.may("volume_extension:access_types_qos_specs_id"):
        found["qos_specs_id"] = kind.qos_specs_id
    return found


def _visible(call: Call, kind: VolumeType) -> dict[str, str]:
    if call.may("volume_extension:types_extra_specs:read_sensitive"):
        return kind.extra_specs
    return {key: value for key, value in kind.extra_specs.items() if key in VISIBLE_SPECS}


def _one(call: Call, kind: VolumeType) -> dict[str, object]:
    return {"volume_type": view(call, kind)}


def show(service: Volumes, call: Call) -> object:
    """One type."""
    return _one(call, service.types.show(call.context, call.path["type_id"]))


def show_default(service: Volumes, call: Call) -> object:
    """The type of volumes for which the caller's project names none."""
    return _one(call, service.types.default(call.context.project_id))


def index(service: Volumes, call: Call) -> object:
    """The types that the caller may use; administrators see the private ones where they ask for them."""
    query: sa.Select[Any] = service.types.visible(call.context)
    if call.context.is_admin:
        wanted = call.query.get("is_public").lower()
        query = service.types.every()
        if wanted != "none":
            query = query.where(_c.is_public == (wanted in ("", "1", "t", "true", "on", "y", "yes")))
    page, narrow = read_listing_of_all(call, volume_types, _SORTS, TYPE_NOT_FOUND, "volume_type_id")
    with service.parts.store.read() as db:
        found = rows.every(db, VolumeType, narrow(db)(query))
    body: dict[str, object] = {"volume_types": [view(call, kind) for kind in found]}
    following = next_links(call, "types", [kind.id for kind in found], page.limit)
    if following:
        body["volume_type_links"] = following
    return body


def create(service: Volumes, call: Call) -> object:
    """A new type."""
    asked = call.body.volume_type
    if not asked.name.strip():
        raise BAD_REQUEST(reason="Invalid input for field/attribute name. Volume type name can not be empty.")
    specs = {key: value or "" for key, value in asked.extra_specs.items()}
    kind = service.types.create(
        asked.name.strip(), asked.description, is_public=truth(asked.is_public), extra_specs=specs
    )
    return {"volume_type": {**brief(kind), "os-volume-type-access:is_public": kind.is_public}}


def update(service: Volumes, call: Call) -> object:
    """Other words for a type."""
    asked = call.body.volume_type
    if asked.name is not None and not asked.name.strip():
        raise BAD_REQUEST(reason="Volume type name can not be empty.")
    if asked.name is None and asked.is_public is None and asked.description in (None, UNSET):
        raise BAD_REQUEST(reason="Specify volume type name, description, is_public or a combination thereof.")
    change = TypeChange(
        asked.name.strip() if asked.name else UNSET,
        asked.description,
        UNSET if asked.is_public is None else truth(asked.is_public),
    )
    return {"volume_type": brief(service.types.update(call.path["type_id"], change))}


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    service.types.delete(call.path["type_id"])


# -- extra specs ---------------------------------------------------------------------------------------------------


def show_specs(service: Volumes, call: Call) -> object:
    """A type's extra specs."""
    return {"extra_specs": _visible(call, service.types.show(call.context, call.path["type_id"]))}


def add_specs(service: Volumes, call: Call) -> object:
    """More of them."""
    specs = {key: value or "" for key, value in call.body.extra_specs.items()}
    service.types.set_specs(call.path["type_id"], specs)
    return {"extra_specs": call.body.extra_specs}


def show_spec(service: Volumes, call: Call) -> object:
    """One of them."""
    key = call.path["key"]
    specs = _visible(call, service.types.show(call.context, call.path["type_id"]))
    if key not in specs:
        raise EXTRA_SPEC_NOT_FOUND(volume_type_id=call.path["type_id"], key=key)
    return {key: specs[key]}


def set_spec(service: Volumes, call: Call) -> object:
    """Another value for one of them."""
    if call.path["key"] not in call.body:
        raise BAD_REQUEST(reason="Request body and URI mismatch")
    if len(call.body) > 1:
        raise BAD_REQUEST(reason="Request body contains too many items")
    service.types.set_specs(call.path["type_id"], {key: value or "" for key, value in call.body.items()})
    return call.body


def delete_spec(service: Volumes, call: Call) -> None:
    """One less."""
    service.types.delete_spec(call.path["type_id"], call.path["key"])


# -- access --------------------------------------------------------------------------------------------------------


def show_access(service: Volumes, call: Call) -> object:
    """The projects that may use a private type."""
    type_id = call.path["type_id"]
    granted = service.types.access(type_id)
    return {"volume_type_access": [{"volume_type_id": type_id, "project_id": project} for project in granted]}


def grant(service: Volumes, call: Call) -> None:
    """`addProjectAccess`."""
    service.types.grant(call.path["type_id"], call.body.project)


def withdraw(service: Volumes, call: Call) -> None:
    """`removeProjectAccess`."""
    service.types.withdraw(call.path["type_id"], call.body.project)


# -- defaults ------------------------------------------------------------------------------------------------------


def index_defaults(service: Volumes, _call: Call) -> object:
    """The projects that have a default of their own."""
    return {"default_types": [_default(project_id, type_id) for project_id, type_id in service.types.defaults()]}


def show_default_of(service: Volumes, call: Call) -> object:
    """One project's own default."""
    project_id = call.path["project_id"]
    return {"default_type": _default(project_id, service.types.default_of(project_id))}


def set_default(service: Volumes, call: Call) -> object:
    """Give a project one of its own."""
    project_id = call.path["project_id"]
    kind = service.types.set_default(call.context, project_id, call.body.default_type.volume_type)
    return {"default_type": _default(project_id, kind.id)}


def unset_default(service: Volumes, call: Call) -> None:
    """Let the cloud's default hold for a project again."""
    service.types.unset_default(call.path["project_id"])


def _default(project_id: str, type_id: str) -> dict[str, object]:
    return {"project_id": project_id, "volume_type_id": type_id}
