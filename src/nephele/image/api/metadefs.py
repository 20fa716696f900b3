"""Metadata definitions over HTTP."""

from collections.abc import Callable
from typing import Any

import msgspec

from nephele.image.api import views
from nephele.image.api.filters import read_limit
from nephele.image.metadefs.errors import ATTRIBUTE_READ_ONLY
from nephele.image.metadefs.model import (
    Item,
    Name,
    Namespace,
    NewNamespace,
    Object,
    Part,
    Property,
    ResourceType,
    Tag,
    Tags,
)
from nephele.image.metadefs.service import SORT_KEYS
from nephele.image.service import Images
from nephele.kernel.errors import BAD_REQUEST
from nephele.web import bodies
from nephele.web.call import Call
from nephele.web.paging import Page
from nephele.web.routing import Reply

NAMESPACES = "/v2/metadefs/namespaces"
_READ_ONLY = ("self", "schema", "created_at", "updated_at")
_Body = dict[str, Any]


def _read(call: Call, kind: Any) -> Any:
    """The body as `kind`.  Raises ATTRIBUTE_READ_ONLY or BAD_REQUEST."""
    if isinstance(call.body, dict):
        for name in _READ_ONLY:
            if name in call.body:
                raise ATTRIBUTE_READ_ONLY(name=name)
    try:
        return msgspec.convert(call.body, kind)
    except msgspec.ValidationError as error:
        raise BAD_REQUEST(reason=bodies.explain(str(error))) from None


def _page(call: Call, default_key: str, limit: int | None = None) -> Page:
    key, way = call.query.get("sort_key") or "created_at", call.query.get("sort_dir") or "desc"
    if key not in SORT_KEYS - {"name" if default_key == "namespace" else "namespace"} or way not in ("asc", "desc"):
        raise BAD_REQUEST(reason=f"Invalid sort direction or key: {key} {way}")
    return Page(read_limit(call.query, limit), call.query.get("marker"), ((key, way == "desc"),))


def index(images: Images, call: Call) -> _Body:
    """GET /v2/metadefs/namespaces."""
    visibility = call.query.get("visibility")
    if visibility not in ("", "public", "private"):
        raise BAD_REQUEST(reason=f"Invalid visibility value: {visibility}")
    types = tuple(each for each in call.query.get("resource_types").split(",") if each)
    page = _page(call, "namespace")
    found = images.metadefs.list(call.context, page, visibility, types)
    names = tuple(each.namespace for each in found)
    held = images.metadefs.of_namespaces(names, Part.RESOURCE_TYPE)
    body: _Body = {
        "namespaces": [_namespace(each, {Part.RESOURCE_TYPE: held.get(each.namespace, ())}) for each in found],
        "first": views.href(NAMESPACES, call.query.pairs),
        "schema": "/v2/schemas/metadefs/namespaces",
    }
    if found and len(found) == page.limit:
        body["next"] = views.href(NAMESPACES, call.query.pairs, names[-1])
    return body


def create(images: Images, call: Call) -> Reply:
    """POST /v2/metadefs/namespaces."""
    made = images.metadefs.create(call.context, _read(call, NewNamespace))
    return Reply(_whole(images, made), 201, {"Location": f"{NAMESPACES}/{made.namespace}"})


def show(images: Images, call: Call) -> _Body:
    """GET /v2/metadefs/namespaces/{namespace_name}."""
    found = images.metadefs.show(call.context, call.path["namespace_name"])
    body = _whole(images, found)
    wanted = call.query.get("resource_type")
    types = body.get("resource_type_associations", [])
    prefix = next((each.get("prefix", "") for each in types if each["name"] == wanted), "")
    return _prefixed(body, prefix) if prefix else body


def update(images: Images, call: Call) -> _Body:
    """PUT /v2/metadefs/namespaces/{namespace_name}."""
    return _namespace(images.metadefs.update(call.context, call.path["namespace_name"], _read(call, NewNamespace)), {})


def delete(images: Images, call: Call) -> None:
    """DELETE /v2/metadefs/namespaces/{namespace_name}."""
    images.metadefs.delete(call.context, call.path["namespace_name"])


def _whole(images: Images, found: Namespace) -> _Body:
    name = found.namespace
    return _namespace(found, {part: images.metadefs.of_namespaces((name,), part).get(name, ()) for part in Part})


def _namespace(found: Namespace, held: dict[Part, tuple[Item, ...]]) -> _Body:
    body: _Body = {
        "namespace": found.namespace,
        "display_name": found.display_name,
        "description": found.description,
        "visibility": found.visibility,
        "protected": found.protected,
        "owner": found.owner,
        "created_at": views.time(found.created_at),
        "updated_at": views.time(found.updated_at),
        "self": f"{NAMESPACES}/{found.namespace}",
        "schema": "/v2/schemas/metadefs/namespace",
        "resource_type_associations": [_timed(each) for each in held.get(Part.RESOURCE_TYPE, ())],
        "properties": {each.name: _property(each) for each in held.get(Part.PROPERTY, ())},
        "objects": [_object(each) for each in held.get(Part.OBJECT, ())],
        "tags": [{"name": each.name} for each in held.get(Part.TAG, ())],
    }
    return {key: value for key, value in body.items() if value not in (None, [], {})}


def _property(item: Item) -> _Body:
    """A property in a set of them: its name is the key."""
    return {key: value for key, value in item.body.items() if key != "name"}


def _timed(item: Item) -> _Body:
    return {**item.body, "created_at": views.time(item.created_at), "updated_at": views.time(item.updated_at)}


def _object(item: Item) -> _Body:
    return {
        **_timed(item),
        "self": f"{NAMESPACES}/{item.namespace}/objects/{item.name}",
        "schema": "/v2/schemas/metadefs/object",
    }


def _prefixed(body: _Body, prefix: str) -> _Body:
    """The properties as the resource type names them."""
    body = dict(body)
    if "properties" in body:
        body["properties"] = {prefix + name: each for name, each in body["properties"].items()}
    for each in body.get("objects", []):
        each["properties"] = {prefix + name: value for name, value in each.get("properties", {}).items()}
        if each.get("required"):
            each["required"] = [prefix + name for name in each["required"]]
    return body


def _items(images: Images, call: Call, part: Part, rule: str, page: Page | None = None) -> tuple[Item, ...]:
    return images.metadefs.items(call.context, call.path["namespace_name"], part, rule, page)


def _item(images: Images, call: Call, part: Part, name: str, rule: str) -> Item:
    return images.metadefs.item(call.context, call.path["namespace_name"], part, name, rule)


def _add(images: Images, call: Call, part: Part, kind: Any) -> Item:
    told = _read(call, kind)
    rule = "add_metadef_resource_type_association" if part == Part.RESOURCE_TYPE else f"add_metadef_{part}"
    return images.metadefs.add(call.context, call.path["namespace_name"], part, {told.name: told}, rule)[0]


def _replace(images: Images, call: Call, part: Part, kind: Any, field: str) -> Item:
    where = (call.context, call.path["namespace_name"], part, call.path[field])
    return images.metadefs.replace(*where, _read(call, kind), f"modify_metadef_{part}")


def remover(part: Part, field: str, rule: str) -> Callable[[Images, Call], None]:
    """The handler of DELETE for one part of a namespace, or (no field) all of them."""

    def remove(images: Images, call: Call) -> None:
        name = call.path[field] if field else None
        images.metadefs.remove(call.context, call.path["namespace_name"], part, name, rule)

    return remove


def objects(images: Images, call: Call) -> _Body:
    """GET …/objects."""
    found = _items(images, call, Part.OBJECT, "get_metadef_objects", _page(call, "name", 1000))
    return {"objects": [_object(each) for each in found], "schema": "v2/schemas/metadefs/objects"}


def add_object(images: Images, call: Call) -> _Body:
    """POST …/objects."""
    return _object(_add(images, call, Part.OBJECT, Object))


def show_object(images: Images, call: Call) -> _Body:
    """GET …/objects/{object_name}."""
    return _object(_item(images, call, Part.OBJECT, call.path["object_name"], "get_metadef_object"))


def update_object(images: Images, call: Call) -> _Body:
    """PUT …/objects/{object_name}."""
    return _object(_replace(images, call, Part.OBJECT, Object, "object_name"))


def properties(images: Images, call: Call) -> _Body:
    """GET …/properties."""
    found = _items(images, call, Part.PROPERTY, "get_metadef_properties")
    return {"properties": {each.name: _property(each) for each in found}}


class NamedProperty(Property, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A property on its own has its name in its body."""

    name: Name = msgspec.field()


def add_property(images: Images, call: Call) -> _Body:
    """POST …/properties."""
    return _add(images, call, Part.PROPERTY, NamedProperty).body


def show_property(images: Images, call: Call) -> _Body:
    """GET …/properties/{property_name}; `resource_type` says whose prefix the name has."""
    name, wanted = call.path["property_name"], call.query.get("resource_type")
    if wanted:
        of_type = _item(images, call, Part.RESOURCE_TYPE, wanted, "get_metadef_resource_type")
        name = name.removeprefix(of_type.body.get("prefix", ""))
    return _item(images, call, Part.PROPERTY, name, "get_metadef_property").body


def update_property(images: Images, call: Call) -> _Body:
    """PUT …/properties/{property_name}."""
    return _replace(images, call, Part.PROPERTY, NamedProperty, "property_name").body


def tags(images: Images, call: Call) -> _Body:
    """GET …/tags."""
    found = _items(images, call, Part.TAG, "get_metadef_tags", _page(call, "name", 1000))
    return {"tags": [{"name": each.name} for each in found]}


def add_tags(images: Images, call: Call) -> _Body:
    """POST …/tags: these instead of all, or (X-OpenStack-Append) besides."""
    told: Tags = _read(call, Tags)
    where = (call.context, call.path["namespace_name"], Part.TAG)
    with images.metadefs.store.write():
        if call.header("X-OpenStack-Append").lower() not in ("1", "true", "yes", "on"):
            images.metadefs.clear(*where, "add_metadef_tags")
        images.metadefs.add(*where, {each.name: each for each in told.tags}, "add_metadef_tags")
    return {"tags": [{"name": each.name} for each in told.tags]}


def add_tag(images: Images, call: Call) -> _Body:
    """POST …/tags/{tag_name}."""
    call.body = {"name": call.path["tag_name"]}
    return _timed(_add(images, call, Part.TAG, Tag))


def show_tag(images: Images, call: Call) -> _Body:
    """GET …/tags/{tag_name}."""
    return _timed(_item(images, call, Part.TAG, call.path["tag_name"], "get_metadef_tag"))


def update_tag(images: Images, call: Call) -> _Body:
    """PUT …/tags/{tag_name}."""
    return _timed(_replace(images, call, Part.TAG, Tag, "tag_name"))


def resource_types(images: Images, call: Call) -> _Body:
    """GET /v2/metadefs/resource_types."""
    found = images.metadefs.resource_types(call.context)
    return {
        "resource_types": [
            {"name": name, "created_at": views.time(created), "updated_at": views.time(updated)}
            for name, created, updated in found
        ]
    }


def associations(images: Images, call: Call) -> _Body:
    """GET …/resource_types."""
    found = _items(images, call, Part.RESOURCE_TYPE, "list_metadef_resource_types")
    return {"resource_type_associations": [_timed(each) for each in found]}


def associate(images: Images, call: Call) -> _Body:
    """POST …/resource_types."""
    return _timed(_add(images, call, Part.RESOURCE_TYPE, ResourceType))
