"""Traits and resource classes themselves."""

import re

from nephele.kernel.clock import Instant
from nephele.placement import names
from nephele.placement.api import schemas
from nephele.placement.api.edge import accept_json, answer, check_query, latest, path_of, read_body, url_of
from nephele.placement.api.schema import find_fault
from nephele.placement.errors import BAD_QUERY, BAD_TRAIT, INVALID_JSON
from nephele.placement.service import Placement
from nephele.web.call import Call
from nephele.web.routing import Reply


def list_traits(placement: Placement, call: Call) -> Reply:
    """GET /traits, all or by `name=in:A,B`, `name=startswith:P` and `associated`."""
    accept_json(call)
    check_query(call, schemas.TRAITS_QUERY)
    with placement.store.read() as db:
        traits = names.read_traits(db)
        if "name" in call.query:
            traits = _named(traits, call.query.get("name"))
        if "associated" in call.query:
            wanted = _read_associated(call.query.get("associated"))
            associated = names.associated_traits(db)
            traits = {name: at for name, at in traits.items() if (name in associated) is wanted}
    made = latest((at or placement.started_at for at in traits.values()), placement.clock.now())
    return answer(call, {"traits": list(traits)}, made)


def _named(traits: dict[str, Instant], text: str) -> dict[str, Instant]:
    way, colon, value = text.partition(":")
    if not colon:
        raise BAD_QUERY(
            reason="Badly formatted name parameter. Expected name query string parameter in form: "
            f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{text}"'
        )
    if way == "in":
        wanted = set(value.split(","))
        return {name: at for name, at in traits.items() if name in wanted}
    if way == "startswith":
        return {name: at for name, at in traits.items() if name.startswith(value)}
    return traits


def _read_associated(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise BAD_QUERY(reason='The query parameter "associated" only accepts "true" or "false"')
    return text.lower() == "true"


def show_trait(placement: Placement, call: Call) -> Reply:
    """GET /traits/{name}: 204 where there is one."""
    with placement.store.read() as db:
        made = names.find_trait(db, call.path["name"])
    return answer(call, None, made or placement.started_at, status=204)


def put_trait(placement: Placement, call: Call) -> Reply:
    """PUT /traits/{name}: 201 for a new one, 204 for one that is there."""
    name = call.path["name"]
    if len(name) > 255 or not re.fullmatch(schemas.CUSTOM, name):
        raise BAD_TRAIT()
    with placement.store.write() as db:
        new = names.ensure_trait(db, name, placement.clock.now())
        made = names.find_trait(db, name)
    return answer(call, None, made, status=201 if new else 204, location=url_of(call, "traits", name))


def delete_trait(placement: Placement, call: Call) -> None:
    """DELETE /traits/{name}."""
    with placement.store.write() as db:
        names.delete_trait(db, call.path["name"])


def list_classes(placement: Placement, call: Call) -> Reply:
    """GET /resource_classes."""
    accept_json(call)
    with placement.store.read() as db:
        classes = names.read_classes(db)
    made = latest((at or placement.started_at for at in classes.values()), placement.clock.now())
    return answer(call, {"resource_classes": [_show(name) for name in classes]}, made)


def create_class(placement: Placement, call: Call) -> Reply:
    """POST /resource_classes."""
    name = read_body(call, schemas.RESOURCE_CLASS)["name"]
    with placement.store.write() as db:
        names.create_class(db, name, placement.clock.now())
    return Reply(None, 201, {"Location": url_of(call, "resource_classes", name)})


def show_class(placement: Placement, call: Call) -> Reply:
    """GET /resource_classes/{name}."""
    accept_json(call)
    with placement.store.read() as db:
        made = names.find_class(db, call.path["name"])
    return answer(call, _show(call.path["name"]), made or placement.started_at)


def rename_class(placement: Placement, call: Call) -> dict[str, object]:
    """PUT /resource_classes/{name} until 1.6: another name for it."""
    new_name = read_body(call, schemas.RESOURCE_CLASS)["name"]
    with placement.store.write() as db:
        names.rename_class(db, call.path["name"], new_name)
    return _show(new_name)


def ensure_class(placement: Placement, call: Call) -> Reply:
    """PUT /resource_classes/{name} from 1.7 on: 201 for a new one, 204 for one that is there."""
    name = call.path["name"]
    fault = find_fault({"name": name}, schemas.RESOURCE_CLASS)
    if fault:
        raise INVALID_JSON(reason=fault)
    with placement.store.write() as db:
        new = bool(names.unknown_classes(db, [name]))
        if new:
            names.create_class(db, name, placement.clock.now())
    return Reply(None, 201 if new else 204, {"Location": url_of(call, "resource_classes", name)})


def delete_class(placement: Placement, call: Call) -> None:
    """DELETE /resource_classes/{name}."""
    with placement.store.write() as db:
        names.delete_class(db, call.path["name"])


def _show(name: str) -> dict[str, object]:
    return {"name": name, "links": [{"rel": "self", "href": path_of("resource_classes", name)}]}
