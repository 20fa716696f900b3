"""`/flavors`, their extra specs and who may use them."""

import re
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from nephele.compute.api.server_bodies import Bool, truth
from nephele.compute.model import Flavor
from nephele.kernel.errors import BAD_REQUEST, CONFLICT, Error
from nephele.web.call import Call
from nephele.web.paging import MARKER_NOT_FOUND, next_href, read_page

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Id = Annotated[str, Meta(max_length=255, pattern=r"^[a-zA-Z0-9. _-]*$")] | int
Positive = Annotated[int, Meta(ge=1, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,9}$")]
Natural = Annotated[int, Meta(ge=0, le=0x7FFFFFFF)] | Annotated[str, Meta(pattern=r"^[0-9]{0,10}$")]
SpecKey = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_:. ]{1,255}$")]
SpecValue = Annotated[str, Meta(max_length=255)] | int | float
Specs = dict[SpecKey, SpecValue]
SORT_KEYS = frozenset(
    {"id", "name", "flavorid", "vcpus", "memory_mb", "root_gb", "ephemeral_gb", "swap", "created_at", "updated_at"}
    | {"vcpu_weight", "rxtx_factor", "disabled", "is_public"}
)
FIELDS = {"flavorid": "id", "memory_mb": "ram", "root_gb": "disk", "ephemeral_gb": "ephemeral"}
SPEC_NOT_FOUND = Error("flavor.no_spec", 404, "Flavor {flavor_id} has no extra specs with key {key}.")
PUBLIC_FLAVOR = Error("flavor.public", 404, "Access list not available for public flavors.")
NO_ACCESS = Error("flavor.no_access", 404, "Flavor access not found for {flavor_id} / {project_id} combination.")


class NewFlavor(Struct, frozen=True, forbid_unknown_fields=True):
    """`flavor` of a creation."""

    name: Name
    ram: Positive
    vcpus: Positive
    disk: Natural
    id: Id | None = None
    ephemeral: Natural = field(default=0, name="OS-FLV-EXT-DATA:ephemeral")
    swap: Natural = 0
    rxtx_factor: float | str = 1.0
    is_public: Bool = field(default=True, name="os-flavor-access:is_public")
    description: Annotated[str, Meta(max_length=65535)] | UnsetType | None = UNSET


class Description(Struct, frozen=True, forbid_unknown_fields=True):
    """`flavor` of a change."""

    description: Annotated[str, Meta(max_length=65535)] | None


class ExtraSpecs(Struct, frozen=True, forbid_unknown_fields=True):
    """Extra specs to set."""

    extra_specs: Specs


class Tenant(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom access is given to or taken from."""

    tenant: str


def _view(call: Call, flavor: Flavor) -> dict[str, Any]:
    version = call.version
    body: dict[str, Any] = {
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "swap": flavor.swap or (0 if version >= (2, 75) else ""),
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.is_public,
        "links": _links(call, flavor),
    }
    if version < (2, 102):
        body |= {"OS-FLV-DISABLED:disabled": flavor.disabled, "rxtx_factor": flavor.rxtx_factor}
    if version >= (2, 55):
        body["description"] = flavor.description
    if version >= (2, 61) and call.may("os_compute_api:os-flavor-extra-specs:index"):
        body["extra_specs"] = flavor.extra_specs
    return body


def _brief(call: Call, flavor: Flavor) -> dict[str, Any]:
    body: dict[str, Any] = {"id": flavor.id, "name": flavor.name, "links": _links(call, flavor)}
    if call.version >= (2, 55):
        body["description"] = flavor.description
    return body


def _links(call: Call, flavor: Flavor) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{call.base_url}/v2.1/flavors/{flavor.id}"},
        {"rel": "bookmark", "href": f"{call.base_url}/flavors/{flavor.id}"},
    ]


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """Flavors in brief."""
    return _listing(compute, call, "/v2.1/flavors", _brief)


def detail(compute: "Compute", call: Call) -> dict[str, Any]:
    """Flavors in full."""
    return _listing(compute, call, "/v2.1/flavors/detail", _view)


def _listing(compute: "Compute", call: Call, path: str, view: Any) -> dict[str, Any]:
    page = read_page(call.query, SORT_KEYS, (("flavorid", False),))
    found = compute.flavors.list_visible(call.context, is_public=_is_public(call))
    for query, attribute in (("minRam", "ram"), ("minDisk", "disk")):
        least = _least(call, query)
        found = [flavor for flavor in found if getattr(flavor, attribute) >= least]
    if call.version >= (2, 102) and call.query.get("name"):
        found = [flavor for flavor in found if call.query.get("name") in flavor.name]
    for key, descending in reversed(page.sorts):
        attribute = FIELDS.get(key, key)
        found.sort(key=lambda flavor: getattr(flavor, attribute, 0) or 0, reverse=descending)
    if page.marker:
        places = [place for place, flavor in enumerate(found) if flavor.id == page.marker]
        if not places:
            raise MARKER_NOT_FOUND(marker=page.marker)
        found = found[places[0] + 1 :]
    shown = found[: page.limit]
    answer: dict[str, Any] = {"flavors": [view(call, flavor) for flavor in shown]}
    if len(found) > len(shown) and shown:
        answer["flavors_links"] = [{"rel": "next", "href": next_href(call, path, shown[-1].id)}]
    return answer


def _is_public(call: Call) -> bool | None:
    text = call.query.get("is_public", "true").lower()
    if text == "none":
        return None
    if text not in ("true", "false", "t", "f", "1", "0", "yes", "no"):
        raise BAD_REQUEST(reason=f"Invalid is_public filter [{text}]. Accepted: true, false, none.")
    return text in ("true", "t", "1", "yes")


def _least(call: Call, name: str) -> int:
    text = call.query.get(name, "0") or "0"
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise BAD_REQUEST(reason=f"Invalid {name} filter [{text}]. It must be an integer.")
    return int(text)


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One flavor."""
    return {"flavor": _view(call, compute.flavors.show(call.context, call.path["flavor_id"]))}


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """A new flavor."""
    new: NewFlavor = call.body.flavor
    if new.description is not UNSET and call.version < (2, 55):
        raise BAD_REQUEST(reason="flavor.description came with microversion 2.55.")
    flavor = compute.flavors.create(
        flavor_id=_new_id(new.id),
        name=new.name.strip(),
        vcpus=int(new.vcpus),
        ram=int(new.ram),
        disk=int(new.disk or 0),
        ephemeral=int(new.ephemeral or 0),
        swap=int(new.swap or 0),
        rxtx_factor=_factor(new.rxtx_factor),
        is_public=truth(new.is_public),
        description=None if new.description is UNSET else new.description,
    )
    if not flavor.is_public:
        compute.flavors.grant(flavor.id, call.context.project_id)
    return {"flavor": _view(call, flavor)}


def _new_id(given: str | int | None) -> str:
    text = "" if given is None else str(given)
    if text != text.strip():
        raise BAD_REQUEST(reason="Invalid input for field/attribute id: leading or trailing blanks are not allowed.")
    return text


def _factor(given: float | str) -> float:
    try:
        factor = float(given)
    except ValueError:
        factor = 0.0
    if not 0 < factor < 3.5e38:
        raise BAD_REQUEST(reason="Invalid input for field/attribute rxtx_factor: it must be a number greater than 0.")
    return factor


def update(compute: "Compute", call: Call) -> dict[str, Any]:
    """Change the description."""
    flavor_id = call.path["flavor_id"]
    compute.flavors.update(flavor_id, description=call.body.flavor.description)
    return {"flavor": _view(call, compute.flavors.show(call.context, flavor_id))}


def delete(compute: "Compute", call: Call) -> None:
    """Servers that have it keep it."""
    compute.flavors.delete(call.path["flavor_id"])


# -- extra specs -------------------------------------------------------------------------------------------------


def specs(compute: "Compute", call: Call) -> dict[str, Any]:
    """All extra specs."""
    return {"extra_specs": compute.flavors.show(call.context, call.path["flavor_id"]).extra_specs}


def show_spec(compute: "Compute", call: Call) -> dict[str, str]:
    """One extra spec."""
    key = call.path["key"]
    return {key: _spec(compute, call, key)}


def _spec(compute: "Compute", call: Call, key: str) -> str:
    found = compute.flavors.show(call.context, call.path["flavor_id"]).extra_specs
    if key not in found:
        raise SPEC_NOT_FOUND(flavor_id=call.path["flavor_id"], key=key)
    return found[key]


def set_specs(compute: "Compute", call: Call) -> dict[str, Any]:
    """Add or replace extra specs."""
    return {"extra_specs": _merge_specs(compute, call, call.body.extra_specs)}


def set_spec(compute: "Compute", call: Call) -> dict[str, Any]:
    """Replace one extra spec."""
    key = call.path["key"]
    if set(call.body) != {key}:
        raise BAD_REQUEST(reason="Request body and URI mismatch")
    _spec(compute, call, key)
    _merge_specs(compute, call, call.body)
    return dict(call.body)


def _merge_specs(compute: "Compute", call: Call, given: Specs) -> dict[str, str]:
    flavor_id = call.path["flavor_id"]
    wanted = {key: str(value) for key, value in given.items()}
    if call.version >= (2, 86):
        from nephele.compute.extra_specs import check_specs

        check_specs(wanted)
    with compute.store.write():
        flavor = compute.flavors.show(call.context, flavor_id)
        compute.flavors.update(flavor_id, extra_specs=flavor.extra_specs | wanted)
    return wanted


def delete_spec(compute: "Compute", call: Call) -> None:
    """Remove one extra spec."""
    key = call.path["key"]
    with compute.store.write():
        _spec(compute, call, key)
        flavor = compute.flavors.show(call.context, call.path["flavor_id"])
        rest = {name: value for name, value in flavor.extra_specs.items() if name != key}
        compute.flavors.update(flavor.id, extra_specs=rest)


# -- access ------------------------------------------------------------------------------------------------------


def access(compute: "Compute", call: Call) -> dict[str, Any]:
    """The projects that may use a flavor that is not public."""
    flavor = compute.flavors.show(call.context, call.path["flavor_id"])
    if flavor.is_public:
        raise PUBLIC_FLAVOR()
    return _access(compute, flavor.id)


def _access(compute: "Compute", flavor_id: str) -> dict[str, Any]:
    projects = compute.flavors.access(flavor_id)
    return {"flavor_access": [{"flavor_id": flavor_id, "tenant_id": project_id} for project_id in projects]}


def add_access(compute: "Compute", call: Call) -> dict[str, Any]:
    """Let a project use the flavor."""
    flavor = compute.flavors.show(call.context, call.path["flavor_id"])
    project_id = _project(compute, call)
    if flavor.is_public and call.version >= (2, 7):
        raise CONFLICT(reason="Can not add access to a public flavor.")
    if not compute.flavors.grant(flavor.id, project_id):
        raise CONFLICT(
            reason=f"Flavor access already exists for flavor {flavor.id} and project {project_id} combination."
        )
    return _access(compute, flavor.id)


def remove_access(compute: "Compute", call: Call) -> dict[str, Any]:
    """Stop letting a project use the flavor."""
    flavor = compute.flavors.show(call.context, call.path["flavor_id"])
    project_id = call.body.tenant
    if not compute.flavors.revoke(flavor.id, project_id):
        raise NO_ACCESS(flavor_id=flavor.id, project_id=project_id)
    return _access(compute, flavor.id)


def _project(compute: "Compute", call: Call) -> str:
    project_id: str = call.body.tenant
    if not compute.project_exists(project_id):
        raise BAD_REQUEST(reason=f"Project ID {project_id} is not a valid project.")
    return project_id
