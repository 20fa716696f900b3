"""JSON schemas of metadata definitions."""

from collections.abc import Callable
from typing import Any

from nephele.image.api.schemas import Schema, answer, collection
from nephele.image.service import Images
from nephele.web.call import Call

_TYPES = ["array", "boolean", "integer", "number", "object", "string", None]
_NAME: Schema = {"type": "string", "maxLength": 80}
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"$ref": "#/definitions/positiveInteger"}
_COUNT_0: Schema = {"$ref": "#/definitions/positiveIntegerDefault0"}
_TIMES: Schema = {
    name: {"type": "string", "readOnly": True, "format": "date-time", "description": about}
    for name, about in (("created_at", "When it was made"), ("updated_at", "When it was changed last"))
}
_LINKS: Schema = {name: {"type": "string", "readOnly": True} for name in ("self", "schema")}
_PROPERTY: Schema = {
    "name": _NAME,
    "title": _TEXT,
    "description": _TEXT,
    "operators": {"type": "array", "items": _TEXT},
    "type": {"type": "string", "enum": _TYPES},
    "required": {"$ref": "#/definitions/stringArray"},
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "maxLength": _COUNT,
    "minLength": _COUNT_0,
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "readonly": {"type": "boolean"},
    "confidential": {"type": "boolean"},
    "default": {},
    "items": {"type": "object", "properties": {"type": {"type": "string", "enum": _TYPES}, "enum": {"type": "array"}}},
    "maxItems": _COUNT,
    "minItems": _COUNT_0,
    "uniqueItems": {"type": "boolean", "default": False},
    "additionalItems": {"type": "boolean"},
}
_BASICS: Schema = {
    "positiveInteger": {"type": "integer", "minimum": 0},
    "positiveIntegerDefault0": {"allOf": [_COUNT, {"default": 0}]},
    "stringArray": {"type": "array", "items": _TEXT, "uniqueItems": True},
}
_DEFINITIONS: Schema = {
    **_BASICS,
    "property": {
        "type": "object",
        "additionalProperties": {"type": "object", "required": ["title", "type"], "properties": _PROPERTY},
    },
}
_OBJECT: Schema = {
    "name": _NAME,
    "description": _TEXT,
    "required": {"$ref": "#/definitions/stringArray"},
    "properties": {"$ref": "#/definitions/property"},
}
_RESOURCE_TYPE: Schema = {
    "name": {**_NAME, "description": "What the definitions are for, as Heat names it"},
    "prefix": {**_NAME, "description": "What the properties' names begin with there, with its separator"},
    "properties_target": {**_NAME, "description": "Which of several sets of properties is meant there"},
}
_NAMESPACE: Schema = {
    "namespace": {**_NAME, "description": "Its name, once in the cloud"},
    "display_name": {**_NAME, "description": "Its name for people"},
    "description": {"type": "string", "maxLength": 500, "description": "What it is about"},
    "visibility": {"type": "string", "enum": ["public", "private"], "description": "Who sees it"},
    "protected": {"type": "boolean", "description": "Whether it is kept from deletion"},
    "owner": {"type": "string", "maxLength": 255, "description": "The project that it belongs to"},
    **_TIMES,
    **_LINKS,
    "resource_type_associations": {"type": "array", "items": {"type": "object", "properties": _RESOURCE_TYPE}},
    "properties": {"$ref": "#/definitions/property"},
    "objects": {"type": "array", "items": {"type": "object", "properties": _OBJECT}},
    "tags": {"type": "array", "items": {"type": "object", "properties": {"name": _TEXT}}},
}


def _one(name: str, properties: Schema, required: list[str], definitions: Schema | None = None) -> Schema:
    schema: Schema = {"name": name, "properties": properties, "required": required, "additionalProperties": False}
    return {**schema, "definitions": definitions} if definitions else schema


def _namespace() -> Schema:
    return _one("namespace", _NAMESPACE, ["namespace"], _DEFINITIONS)


def _object() -> Schema:
    return _one("object", {**_OBJECT, **_TIMES, **_LINKS}, ["name"], _DEFINITIONS)


def _property() -> Schema:
    return _one("property", _PROPERTY, ["type", "title", "name"], _BASICS)


def _tag() -> Schema:
    return _one("tag", {"name": _NAME, **_TIMES}, ["name"])


def _resource_type() -> Schema:
    return _one("resource_type_association", {**_RESOURCE_TYPE, **_TIMES}, ["name"])


def _properties() -> Schema:
    item = {"properties": _PROPERTY, "required": ["type", "title"], "additionalProperties": False}
    whole = collection("properties", {})
    whole["properties"]["properties"] = {"type": "object", "additionalProperties": item}
    return {**whole, "definitions": _BASICS}


def _many(name: str, item: Schema) -> Schema:
    definitions = item.pop("definitions", None)
    whole = collection(name, item)
    return {**whole, "definitions": definitions} if definitions else whole


_SCHEMAS: dict[str, Callable[[], Schema]] = {
    "namespace": _namespace,
    "namespaces": lambda: _many("namespaces", _namespace()),
    "object": _object,
    "objects": lambda: _many("objects", _object()),
    "property": _property,
    "properties": _properties,
    "tag": _tag,
    "tags": lambda: _many("tags", _tag()),
    "resource_type": _resource_type,
    "resource_types": lambda: _many("resource_type_associations", _resource_type()),
}


def show(_images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/schemas/metadefs/{schema}."""
    return answer(_SCHEMAS, call.path["schema"])
