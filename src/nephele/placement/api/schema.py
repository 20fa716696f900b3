"""Checks JSON against a JSON schema, as far as Placement's schemas go, in the words that its clients know.

Bodies here are open dictionaries by uuid and resource class whose errors name the schema's rule, so they
are checked as data; `bodies.py` turns them into values.  Source of the words: JSON Schema's validation
vocabulary, as Python's implementation of it speaks.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nephele.kernel.ids import is_uuid

Schema = Mapping[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
_EMPTY = "{value!r} should be non-empty"
_RULES: dict[str, tuple[type | tuple[type, ...], Callable[[Any, Any], bool], str]] = {
    "minProperties": (dict, lambda value, least: len(value) >= least, _EMPTY),
    "minItems": (list, lambda value, least: len(value) >= least, _EMPTY),
    "uniqueItems": (
        list,
        lambda value, _: len(set(map(repr, value))) == len(value),
        "{value!r} has non-unique elements",
    ),
    "minLength": (str, lambda value, least: len(value) >= least, _EMPTY),
    "maxLength": (str, lambda value, most: len(value) <= most, "{value!r} is too long"),
    "pattern": (
        str,
        lambda value, pattern: re.search(pattern, value) is not None,
        "{value!r} does not match {wanted!r}",
    ),
    "format": (str, lambda value, _uuid: is_uuid(value), "{value!r} is not a {wanted!r}"),
    "minimum": ((int, float), lambda value, least: value >= least, "{value!r} is less than the minimum of {wanted}"),
    "maximum": ((int, float), lambda value, most: value <= most, "{value!r} is greater than the maximum of {wanted}"),
    "enum": (str, lambda value, known: value in known, "{value!r} is not one of {wanted!r}"),
}


def find_fault(value: Any, schema: Schema) -> str:
    """The first thing that is wrong with `value`, with the rule and the place in the schema; empty if nothing is."""
    return next(_faults(value, schema, "schema"), "")


def _faults(value: Any, schema: Schema, path: str) -> Iterator[str]:
    kinds = schema.get("type")
    if kinds is not None and not any(_TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        spoken = ", ".join(map(repr, [kinds] if isinstance(kinds, str) else kinds))
        yield _fault(f"{value!r} is not of type {spoken}", "type", path)
        return
    for rule, (kind, holds, words) in _RULES.items():
        if rule in schema and isinstance(value, kind) and not holds(value, schema[rule]):
            yield _fault(words.format(value=value, wanted=schema[rule]), rule, path)
    if isinstance(value, dict):
        yield from _object_faults(value, schema, path)
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            yield from _faults(item, schema["items"], f"{path}['items']")


def _object_faults(value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield _fault(f"{name!r} is a required property", "required", path)
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = []
    for name, inner in value.items():
        if name in properties:
            yield from _faults(inner, properties[name], f"{path}['properties'][{name!r}]")
            continue
        found = [pattern for pattern in patterns if re.search(pattern, name)]
        for pattern in found:
            yield from _faults(inner, patterns[pattern], f"{path}['patternProperties'][{pattern!r}]")
        if not found:
            extra.append(name)
    if extra and schema.get("additionalProperties") is False:
        names = ", ".join(map(repr, extra))
        if patterns:
            words = f"{names} do not match" if len(extra) > 1 else f"{names} does not match"
            said = f"{words} any of the regexes: {', '.join(map(repr, sorted(patterns)))}"
        else:
            said = f"Additional properties are not allowed ({names} {'were' if len(extra) > 1 else 'was'} unexpected)"
        yield _fault(said, "additionalProperties", path)


def _fault(said: str, rule: str, path: str) -> str:
    return f"{said}\n\nFailed validating {rule!r} in {path}"
