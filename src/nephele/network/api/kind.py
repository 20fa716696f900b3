"""What the generic handlers need to know of one kind of resource."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from nephele.kernel.clock import SECOND, Instant, iso
from nephele.network.attributes import REQUIRED, Attribute, many, text
from nephele.network.errors import BAD_BODY
from nephele.network.records import Records
from nephele.network.work import Work

Values = dict[str, Any]
"""Checked attribute values by the Struct's field names."""
Condition = Callable[[list[str]], sa.ColumnElement[bool]]
"""From the values of a filter to its condition."""


@lru_cache(4096)
def _shown_second(second: int) -> str:
    return iso(second * SECOND)


def shown_time(instant: Instant) -> str:
    """A time as the API shows it; the same seconds come again and again in a listing."""
    return _shown_second(instant // SECOND)


ID = Attribute("id")
NAME = Attribute("name", text(255), "", put=True)
STANDARD = (
    Attribute("project_id", text(255)),
    Attribute("tenant_id", field="project_id"),
    Attribute("description", text(255), "", put=True),
    Attribute("tags"),
    Attribute("revision_number"),
    Attribute("created_at", show=shown_time),
    Attribute("updated_at", show=shown_time),
)
"""What every resource has."""
tag_list = many(text(255))


def own(_work: Work, record: Any) -> dict[str, object]:
    """The usual target of a policy rule."""
    return {"project_id": record.project_id}


def in_own_project(_work: Work, values: Values) -> dict[str, object]:
    """The usual target of a rule for something that is yet to be made."""
    return {"project_id": values["project_id"]}


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    Args:
        name: the key of one in bodies, and in rule names.
        plural: the key of many.
        path: in the URL.
        records: where they are.
        attributes: what one shows and accepts.
        create: from checked values to the new one.
        change: from the old one and checked values to the changed one.
        delete: removes one.
        create_many: where several are not simply made one by one.
        target: one as a policy's target.
        new_target: the same before it exists.
        filters: conditions of filters that are not simply a column's.
        settle: runs before a listing, for what has to exist first.
    """

    name: str
    plural: str
    path: str
    records: Records[Any]
    attributes: tuple[Attribute, ...]
    create: Callable[[Work, Values], Any] | None = None
    change: Callable[[Work, Any, Values], Any] | None = None
    delete: Callable[[Work, Any], None] | None = None
    create_many: Callable[[Work, list[Values]], list[Any]] | None = None
    target: Callable[[Work, Any], dict[str, object]] = own
    new_target: Callable[[Work, Values], dict[str, object]] = in_own_project
    filters: Mapping[str, Condition] = field(default_factory=dict)
    settle: Callable[[Work], None] | None = None

    @cached_property
    def by_name(self) -> dict[str, Attribute]:
        """The attributes by name."""
        return {attribute.name: attribute for attribute in self.attributes}

    @cached_property
    def postable(self) -> tuple[Attribute, ...]:
        """What can be given on creation."""
        return tuple(one for one in self.attributes if one.read and one.post and one.name != "project_id")

    def guarded(self, policy: Mapping[str, str]) -> tuple[str, ...]:
        """Attributes that a rule of their own hides."""
        return tuple(name for name in self.by_name if f"get_{self.name}:{name}" in policy)

    def view(self, hidden: frozenset[str], fields: frozenset[str]) -> Callable[[Any], dict[str, Any]]:
        """From a record to what the API shows of it, without `hidden`, and only `fields` if any are named."""
        return _view(self, hidden, fields)

    def __hash__(self) -> int:
        return hash(self.name)


@lru_cache(512)
def _view(kind: Kind, hidden: frozenset[str], fields: frozenset[str]) -> Callable[[Any], dict[str, Any]]:
    shown = [
        one for one in kind.attributes if one.shown and one.name not in hidden and (not fields or one.name in fields)
    ]
    names = [one.name for one in shown]
    values = attrgetter("id", "id", *(one.key for one in shown))
    turned = [(one.name, one.show) for one in shown if one.show]

    def view(record: Any) -> dict[str, Any]:
        body = dict(zip(names, values(record)[2:], strict=True))
        for name, show in turned:
            body[name] = show(body[name])
        return body

    return view


def default_of(attribute: Attribute) -> Any:
    """The value of an attribute that is not given.  Raises BAD_BODY where it has to be."""
    if attribute.default is REQUIRED:
        raise BAD_BODY(reason=f"Failed to parse request. Required attribute '{attribute.name}' not specified")
    return attribute.default
