"""The shapes of Placement's bodies and query strings, by microversion."""

from functools import cache
from typing import Any

from nephele.placement.model import MAX_INT
from nephele.web.microversions import Version

Schema = dict[str, Any]

_UUID_KEY = "^[0-9a-fA-F-]{36}$"
NAME = "^[A-Z0-9_]+$"
CUSTOM = "^CUSTOM_[A-Z0-9_]+$"
SUFFIX_NUMBER = "[1-9][0-9]*"
SUFFIX = "[a-zA-Z0-9_-]{1,64}"
_MAX_FLOAT = 3.40282e38

_STRING: Schema = {"type": "string"}
_UUID: Schema = {"type": "string", "format": "uuid"}
_INTEGER: Schema = {"type": "integer"}
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 255}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _keyed(pattern: str, value: Schema, least: int = 1) -> Schema:
    return {
        "type": "object",
        "minProperties": least,
        "patternProperties": {pattern: value},
        "additionalProperties": False,
    }


def new_provider(version: Version) -> Schema:
    """POST /resource_providers."""
    return _object({"name": {"type": "string", "maxLength": 200}}, {"uuid": _UUID, **_parent(version)})


def changed_provider(version: Version) -> Schema:
    """PUT /resource_providers/{uuid}."""
    return _object({"name": {"type": "string", "maxLength": 200}}, _parent(version))


def _parent(version: Version) -> dict[str, Schema]:
    return {"parent_provider_uuid": {"type": ["string", "null"], "format": "uuid"}} if version >= (1, 14) else {}


_UNIT: Schema = {"type": "integer", "maximum": MAX_INT, "minimum": 1}
_GENERATION: dict[str, Schema] = {"resource_provider_generation": _INTEGER}
_FIGURES: dict[str, Schema] = {
    "reserved": {"type": "integer", "maximum": MAX_INT, "minimum": 0},
    "min_unit": _UNIT,
    "max_unit": _UNIT,
    "step_size": _UNIT,
    "allocation_ratio": {"type": "number", "maximum": _MAX_FLOAT},
}

NEW_INVENTORY = _object(
    {"resource_class": {"type": "string", "pattern": NAME}, "total": _UNIT}, {**_FIGURES, **_GENERATION}
)
ONE_INVENTORY = _object({"total": _UNIT, **_GENERATION}, _FIGURES)
ALL_INVENTORIES = _object(
    {
        **_GENERATION,
        "inventories": {
            "type": "object",
            "patternProperties": {NAME: _object({"total": _UNIT}, {**_FIGURES, **_GENERATION})},
            "additionalProperties": False,
        },
    }
)

_AGGREGATES: Schema = {"type": "array", "items": _UUID, "uniqueItems": True}


def aggregates(version: Version) -> Schema:
    """PUT /resource_providers/{uuid}/aggregates."""
    return _object({"aggregates": _AGGREGATES, **_GENERATION}) if version >= (1, 19) else _AGGREGATES


PROVIDER_TRAITS = _object({"traits": {"type": "array", "items": _ID}, **_GENERATION})
RESOURCE_CLASS = _object({"name": {"type": "string", "pattern": CUSTOM, "maxLength": 255}})

_RESOURCES = _keyed(NAME, {"type": "integer", "minimum": 1})
_BY_PROVIDER = {"resources": _RESOURCES}
_MAPPINGS: Schema = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {SUFFIX: {"type": "array", "minItems": 1, "items": _UUID}},
}


@cache
def allocations(version: Version, *, may_be_empty: bool) -> Schema:
    """What one consumer shall hold."""
    if version < (1, 12):
        entry = _object({"resource_provider": _object({"uuid": _UUID}), **_BY_PROVIDER})
        owner = {"project_id": _ID, "user_id": _ID} if version >= (1, 8) else {}
        return _object({"allocations": {"type": "array", "minItems": 1, "items": entry}, **owner})
    by_provider = _keyed(_UUID_KEY, _object(_BY_PROVIDER, {"generation": _INTEGER}), 0 if may_be_empty else 1)
    required: dict[str, Schema] = {"allocations": by_provider, "project_id": _ID, "user_id": _ID}
    if version >= (1, 28):
        required["consumer_generation"] = {"type": ["integer", "null"]}
    if version >= (1, 38):
        required["consumer_type"] = {"type": "string", "pattern": NAME, "minLength": 1, "maxLength": 255}
    return _object(required, {"mappings": _MAPPINGS} if version >= (1, 34) else {})


def many_allocations(version: Version, least: int = 1) -> Schema:
    """POST /allocations."""
    return _keyed(_UUID_KEY, allocations(version, may_be_empty=True), least)


def reshape(version: Version) -> Schema:
    """POST /reshaper."""
    return _object({"inventories": _keyed(_UUID_KEY, ALL_INVENTORIES), "allocations": many_allocations(version, 0)})


def providers_query(version: Version) -> Schema:
    """GET /resource_providers."""
    later = (
        ((1, 3), "member_of", _STRING),
        ((1, 4), "resources", _STRING),
        ((1, 14), "in_tree", _UUID),
        ((1, 18), "required", _STRING),
    )
    return _object({}, {"name": _STRING, "uuid": _UUID, **_known(later, version)})


def _known(later: tuple[tuple[Version, str, Schema], ...], version: Version) -> dict[str, Schema]:
    return {name: kind for since, name, kind in later if version >= since}


TRAITS_QUERY = _object({}, {"name": _STRING, "associated": _STRING})


def usages_query(version: Version) -> Schema:
    """GET /usages."""
    kind = {"type": "string", "pattern": f"{NAME}|^all|^unknown$", "minLength": 1, "maxLength": 255}
    return _object({"project_id": _ID}, {"user_id": _ID, **({"consumer_type": kind} if version >= (1, 38) else {})})


@cache
def candidates_query(version: Version) -> Schema:
    """GET /allocation_candidates."""
    later: tuple[tuple[Version, str, Schema], ...] = (
        ((1, 16), "limit", {"type": "string", "pattern": "^[1-9][0-9]*$", "minLength": 1}),
        ((1, 25), "group_policy", {"type": "string", "enum": ["none", "isolate"]}),
        ((1, 35), "root_required", _STRING),
        ((1, 36), "same_subtree", _STRING),
    )
    wide = _known(later, version)
    grouped = [name for since, name in GROUP_KEYS if version >= since]
    if version < (1, 25):
        optional = {name: _STRING for name in grouped if name != "resources"}
        return _object({"resources": _STRING}, {**wide, **optional})
    suffix = SUFFIX if version >= (1, 33) else SUFFIX_NUMBER
    return {**_object({}, wide), "patternProperties": {f"^{name}({suffix})?$": _STRING for name in grouped}}


GROUP_KEYS: tuple[tuple[Version, str], ...] = (
    ((1, 10), "resources"),
    ((1, 17), "required"),
    ((1, 21), "member_of"),
    ((1, 31), "in_tree"),
)
"""What a request group may say, and since when."""
