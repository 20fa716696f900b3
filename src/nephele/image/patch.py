"""Changes of an image: the two dialects of JSON-patch that Glance speaks, applied to what is stored.

v2.1 names the operation (`{"op": "replace", "path": "/name", "value": "a"}`), v2.0 has it as the key
(`{"replace": "/name", "value": "a"}`).  A path names one attribute or custom property.
"""

import re
from typing import Annotated, Any

import msgspec

from nephele.image.errors import (
    FORMAT_FIXED,
    LOCATIONS_HIDDEN,
    NO_SUCH_PROPERTY,
    NOT_REMOVABLE,
    OWNER_FIXED,
    PROPERTY_EXISTS,
    READ_ONLY,
    RESERVED,
)
from nephele.image.model import CONTAINER_FORMATS, DISK_FORMATS, Change, Image, Status, Visibility
from nephele.kernel.errors import BAD_REQUEST

OPERATIONS = ("add", "remove", "replace")
READ_ONLY_NAMES = frozenset(
    {"created_at", "updated_at", "status", "checksum", "size", "virtual_size", "direct_url", "self", "file", "schema"}
    | {"id", "os_hash_algo", "os_hash_value", "stores"}
)
RESERVED_NAMES = frozenset({"location", "deleted", "deleted_at"})
RESERVED_PREFIX = "os_glance"
"""Properties that Glance itself keeps begin with this."""

Name = Annotated[str, msgspec.Meta(max_length=255)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
PropertyName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
PropertyValue = Annotated[str, msgspec.Meta(max_length=65535)]
_UNSET = msgspec.UNSET


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes that a client may set, with what each accepts."""

    name: Name | msgspec.UnsetType | None = _UNSET
    visibility: Visibility | msgspec.UnsetType = _UNSET
    owner: Name | msgspec.UnsetType | None = _UNSET
    protected: bool | msgspec.UnsetType = _UNSET
    os_hidden: bool | msgspec.UnsetType = _UNSET
    disk_format: str | msgspec.UnsetType | None = _UNSET
    container_format: str | msgspec.UnsetType | None = _UNSET
    min_disk: Number | msgspec.UnsetType = _UNSET
    min_ram: Number | msgspec.UnsetType = _UNSET
    tags: list[Name] | msgspec.UnsetType = _UNSET


SETTABLE = frozenset(Attributes.__struct_fields__)


def check_attributes(values: dict[str, Any]) -> Attributes:
    """The values, checked.  Raises BAD_REQUEST that names the attribute."""
    try:
        checked = msgspec.convert(values, Attributes)
    except msgspec.ValidationError as error:
        raise BAD_REQUEST(reason=f"Provided object does not match schema 'image': {error}") from None
    for name, allowed in (("disk_format", DISK_FORMATS), ("container_format", CONTAINER_FORMATS)):
        value = getattr(checked, name)
        if isinstance(value, str) and value not in allowed:
            raise BAD_REQUEST(
                reason=f"Provided object does not match schema 'image': {name} {value!r} is not one of {list(allowed)}"
            )
    return checked


def check_properties(values: dict[str, Any]) -> dict[str, str]:
    """Custom properties, checked.  Raises BAD_REQUEST or RESERVED."""
    for name in values:
        if name in RESERVED_NAMES or name == "locations" or name.startswith(RESERVED_PREFIX):
            raise RESERVED(name=name)
    try:
        return msgspec.convert(values, dict[PropertyName, PropertyValue])
    except msgspec.ValidationError as error:
        raise BAD_REQUEST(reason=f"Provided object does not match schema 'image': custom property: {error}") from None


def parse(body: Any, *, old_dialect: bool) -> list[Change]:
    """The operations of a PATCH body.  Raises BAD_REQUEST, READ_ONLY or RESERVED."""
    if not isinstance(body, list):
        raise BAD_REQUEST(reason="Request body must be a JSON array of operation objects.")
    return [_parse_one(raw, old_dialect=old_dialect) for raw in body]


def _parse_one(raw: Any, *, old_dialect: bool) -> Change:
    if not isinstance(raw, dict):
        raise BAD_REQUEST(reason="Operations must be JSON objects.")
    operation, pointer = _old_operation(raw) if old_dialect else _operation(raw)
    name = _attribute(pointer)
    if name == "locations":
        raise LOCATIONS_HIDDEN()
    if name in READ_ONLY_NAMES:
        raise READ_ONLY(name=name)
    if name in RESERVED_NAMES or name.startswith(RESERVED_PREFIX):
        raise RESERVED(name=name)
    if operation == "remove":
        return Change(operation, name, old_dialect=old_dialect)
    if "value" not in raw:
        raise BAD_REQUEST(reason=f'Operation "{operation}" requires a member named "value".')
    value = raw["value"]
    if name in SETTABLE:
        value = getattr(check_attributes({name: value}), name)
    else:
        value = check_properties({name: value})[name]
    return Change(operation, name, value, old_dialect)


def _operation(raw: dict[str, Any]) -> tuple[str, Any]:
    operation = raw.get("op")
    if operation not in OPERATIONS:
        raise BAD_REQUEST(reason=f"Invalid operation: `{operation}`. It must be one of: {', '.join(OPERATIONS)}.")
    if "path" not in raw:
        raise BAD_REQUEST(reason="Unable to find 'path' in JSON Schema change")
    return str(operation), raw["path"]


def _old_operation(raw: dict[str, Any]) -> tuple[str, Any]:
    named = [key for key in OPERATIONS if key in raw]
    if len(named) != 1:
        raise BAD_REQUEST(
            reason='Operation objects must contain exactly one member named "add", "remove" or "replace".'
        )
    return named[0], raw[named[0]]


def _attribute(pointer: Any) -> str:
    """The attribute that a JSON pointer names; only pointers of one word are understood."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise BAD_REQUEST(reason=f'Pointer `{pointer}` does not start with "/".')
    if re.search("~[^01]|~$", pointer):
        raise BAD_REQUEST(reason=f'Pointer `{pointer}` contains "~" not part of a recognized escape sequence.')
    words = [word.replace("~1", "/").replace("~0", "~").strip() for word in pointer[1:].split("/")]
    if "" in words:
        raise BAD_REQUEST(reason=f"Pointer `{pointer}` has an empty word.")
    if len(words) > 1 and words[0] != "locations":
        raise BAD_REQUEST(reason=f"Invalid JSON pointer for this resource: '{pointer}'")
    return words[0]


def apply(image: Image, changes: list[Change], *, is_admin: bool) -> Image:
    """The image after the changes.

    Raises OWNER_FIXED, FORMAT_FIXED, NOT_REMOVABLE, NO_SUCH_PROPERTY or PROPERTY_EXISTS.
    """
    attributes: dict[str, Any] = {}
    properties = dict(image.properties)
    for change in changes:
        if change.name in SETTABLE:
            _apply_attribute(image, change, attributes, is_admin=is_admin)
        else:
            _apply_property(properties, change)
    if "tags" in attributes:
        attributes["tags"] = sorted(set(attributes["tags"]))
    return msgspec.structs.replace(image, **attributes, properties=properties)


def _apply_attribute(image: Image, change: Change, attributes: dict[str, Any], *, is_admin: bool) -> None:
    name = change.name
    if change.operation == "remove":
        raise NOT_REMOVABLE(name=name)
    if change.operation == "add" and change.old_dialect:
        raise PROPERTY_EXISTS(name=name)
    if name == "owner" and not is_admin:
        raise OWNER_FIXED()
    if name in ("disk_format", "container_format") and image.status not in (Status.QUEUED, Status.IMPORTING):
        raise FORMAT_FIXED(name=name)
    attributes[name] = change.value


def _apply_property(properties: dict[str, str], change: Change) -> None:
    name = change.name
    if change.operation == "add":
        if name in properties and change.old_dialect:
            raise PROPERTY_EXISTS(name=name)
    elif name not in properties:
        raise NO_SUCH_PROPERTY(name=name)
    if change.operation == "remove":
        del properties[name]
    else:
        properties[name] = change.value
