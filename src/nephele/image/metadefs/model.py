"""What metadata definitions are made of, with what each part accepts."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from nephele.kernel.clock import Instant

Short = Annotated[str, Meta(max_length=80)]
Name = Annotated[str, Meta(min_length=1, max_length=80)]
Count = Annotated[int, Meta(ge=0)]
Kind = Literal["array", "boolean", "integer", "number", "object", "string"]
Words = Annotated[list[str], Meta(max_length=1000)]


class Part(StrEnum):
    """What a namespace holds."""

    PROPERTY = "property"
    OBJECT = "object"
    TAG = "tag"
    RESOURCE_TYPE = "resource_type"


class ItemType(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the elements of an array are."""

    type: Kind | UnsetType = UNSET
    enum: list[Any] | UnsetType = UNSET


class Property(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One property: JSON schema's words."""

    type: Kind
    title: str
    name: Name | UnsetType = UNSET
    description: str | UnsetType = UNSET
    operators: Words | UnsetType = UNSET
    default: Any = UNSET
    readonly: bool | UnsetType = UNSET
    required: Words | UnsetType = UNSET
    minimum: float | int | UnsetType = UNSET
    maximum: float | int | UnsetType = UNSET
    enum: list[Any] | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    min_length: Count | UnsetType = field(default=UNSET, name="minLength")
    max_length: Count | UnsetType = field(default=UNSET, name="maxLength")
    confidential: bool | UnsetType = UNSET
    items: ItemType | UnsetType = UNSET
    unique_items: bool | UnsetType = field(default=UNSET, name="uniqueItems")
    min_items: Count | UnsetType = field(default=UNSET, name="minItems")
    max_items: Count | UnsetType = field(default=UNSET, name="maxItems")
    additional_items: bool | UnsetType = field(default=UNSET, name="additionalItems")


class Object(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Properties that belong together."""

    name: Name
    description: str | UnsetType = UNSET
    required: Words | UnsetType = UNSET
    properties: dict[Name, Property] | UnsetType = UNSET


class Tag(Struct, frozen=True, forbid_unknown_fields=True):
    """A word."""

    name: Name


class Tags(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of several tags."""

    tags: list[Tag] = []


class ResourceType(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the properties are for (`OS::Nova::Flavor`), under which prefix there (`hw:`)."""

    name: Name
    prefix: Short | UnsetType = UNSET
    properties_target: Short | UnsetType = UNSET


class NewNamespace(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of a namespace, with what it holds from the start."""

    namespace: Name
    display_name: Short | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=500)] | UnsetType | None = UNSET
    visibility: Literal["public", "private"] = "private"
    protected: bool = False
    owner: Annotated[str, Meta(max_length=255)] = ""
    resource_type_associations: list[ResourceType] = []
    properties: dict[Name, Property] = {}
    objects: list[Object] = []
    tags: list[Tag] = []


class Namespace(Struct, frozen=True):
    """A named set of definitions.  Fields stand in the order of the table's columns."""

    namespace: str
    display_name: str | None
    description: str | None
    visibility: str
    protected: bool
    owner: str
    created_at: Instant
    updated_at: Instant


class Item(Struct, frozen=True):
    """One part of a namespace: `body` is its Property, Object, Tag or ResourceType as JSON."""

    namespace: str
    kind: Part
    name: str
    body: dict[str, Any]
    created_at: Instant
    updated_at: Instant
