"""Listings: from a query string to a narrowed query, with filters, sorting and pages."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from nephele.kernel.clock import parse_iso
from nephele.kernel.errors import BAD_REQUEST, Error
from nephele.volume.errors import INVALID_INPUT
from nephele.web.call import Call, Query
from nephele.web.microversions import Version
from nephele.web.paging import Page, paged, read_page

Condition = sa.ColumnElement[bool]
Narrow = Callable[[sa.Select[Any]], sa.Select[Any]]
_OWN = frozenset({"limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants", "fields"})
RESOURCE_FILTERS, LIKE_FILTERS, COUNT = (3, 31), (3, 34), (3, 45)
_COMPARE = {
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "eq": lambda column, value: column == value,
    "neq": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}


@dataclass(frozen=True)
class Listed:
    """One kind of thing that can be listed.

    Args:
        table: its table.
        user_filters: what everyone may filter by, each with the microversion that brought it.
        admin_filters: what only administrators may filter by.
        columns: filters and sort keys that are columns, by the API's name.
        sorts: the sort keys among them.
        missing: raised for a marker that is not there, with the fact `marker_fact`.
    """

    table: sa.Table
    user_filters: dict[str, Version]
    admin_filters: frozenset[str]
    columns: dict[str, sa.Column[Any]]
    sorts: frozenset[str]
    missing: Error
    marker_fact: str


@dataclass(frozen=True)
class Listing:
    """What one request wants to see."""

    kind: Listed
    page: Page
    offset: int
    conditions: tuple[Condition, ...]
    with_count: bool

    def narrow(self, db: sa.Connection) -> Narrow:
        """The wanted page of a query."""
        marker = None
        if self.page.marker:
            query = sa.select(self.kind.table).where(self.kind.table.c.id == self.page.marker)
            marker = db.execute(query).one_or_none()
            if marker is None:
                raise self.kind.missing(**{self.kind.marker_fact: self.page.marker})
        columns: dict[str, sa.ColumnElement[Any]] = {**self.kind.columns, "id": self.kind.table.c.id}
        return lambda query: paged(query.where(*self.conditions), self.page, columns, marker).offset(self.offset)

    def total(self, db: sa.Connection) -> int:
        """How many there are on all pages."""
        query = sa.select(sa.func.count()).select_from(self.kind.table).where(*self.conditions)
        return int(db.execute(query).scalar_one())


def read_listing(
    call: Call, kind: Listed, owner: sa.Column[Any] | None = None, overlooks: frozenset[str] = frozenset()
) -> Listing:
    """What the request's query string asks for.

    `owner` is the column of the project's id where it has another name; `overlooks` are parameters that are no filters.

    Raises BAD_REQUEST for what makes no sense.
    """
    query = call.query
    if "sort" in query and ("sort_key" in query or "sort_dir" in query):
        raise BAD_REQUEST(
            reason="The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used "
            "with the 'sort' parameter."
        )
    page = read_page(_descending(query), kind.sorts, (("created_at", True),))
    conditions = [*_whose(call, kind.table.c.project_id if owner is None else owner), *_filters(call, kind, overlooks)]
    counted = call.version >= COUNT and query.flag("with_count")
    return Listing(kind, page, _offset(query), tuple(conditions), counted)


def _descending(query: Query) -> Query:
    """Sorts that name no direction go down, as Cinder's do."""
    found = Query("")
    found.pairs = [(key, _with_direction(value)) if key == "sort" else (key, value) for key, value in query.pairs]
    if "sort_key" in query and "sort_dir" not in query:
        found.pairs.append(("sort_dir", "desc"))
    return found


def _with_direction(sort: str) -> str:
    return ",".join(part.strip() if ":" in part else f"{part.strip()}:desc" for part in sort.split(","))


def _offset(query: Query) -> int:
    text = query.get("offset") or "0"
    if not text.isdecimal() or len(text) > 10 or int(text) > 2147483647:
        raise BAD_REQUEST(
            reason=f"Invalid input for query parameter offset. Value: {text}. It must be an integer >= 0."
        )
    return int(text)


def _whose(call: Call, owner: sa.Column[Any]) -> list[Condition]:
    everyone = call.context.is_admin and call.query.flag("all_tenants")
    return [] if everyone else [owner == call.context.project_id]


def _filters(call: Call, kind: Listed, overlooks: frozenset[str]) -> list[Condition]:
    return [
        _condition(kind, name, value, call.version)
        for name, value in call.query.pairs
        if name not in _OWN and name not in overlooks and _is_wanted(call, kind, name)
    ]


def _is_wanted(call: Call, kind: Listed, name: str) -> bool:
    """Whether a filter counts; unknown ones are refused from 3.31 on, and before that overlooked."""
    plain = name.removesuffix("~")
    since = kind.user_filters.get(plain)
    known = since is not None and call.version >= since and (plain == name or call.version >= LIKE_FILTERS)
    if known or call.context.is_admin:
        return True
    if call.version >= RESOURCE_FILTERS:
        raise BAD_REQUEST(reason=f"Invalid filters {name} are found in query options.")
    return False


def _condition(kind: Listed, name: str, value: str, version: Version) -> Condition:
    plain = name.removesuffix("~")
    if plain in ("metadata", "glance_metadata"):
        column = kind.table.c["metadata" if plain == "metadata" else "image_metadata"]
        return sa.and_(sa.true(), *(_holds(column, key, text) for key, text in _words(value).items()))
    if plain == "consumes_quota":
        return sa.true() if _truth(plain, value, strict=True) else sa.false()
    found = kind.columns.get(plain)
    if found is None:
        return sa.false()
    if plain != name:
        return found.contains(value, autoescape=True)
    if plain in ("created_at", "updated_at"):
        return _when(found, plain, value)
    if isinstance(found.type, sa.Boolean):
        return found == _truth(plain, value, strict=version >= (3, 2))
    if isinstance(found.type, sa.Integer):
        return found == int(value) if value.isdecimal() and len(value) < 19 else sa.false()
    return found == value


def _holds(column: sa.ColumnElement[Any], key: str, value: str) -> Condition:
    """Whether the words in a column hold that pair; as JSON it stands there in just one way."""
    pair = msgspec.json.encode({key: value}).decode()[1:-1]
    return sa.type_coerce(column, sa.Text).contains(pair, autoescape=True)


def _words(value: str) -> dict[str, str]:
    """A dictionary, written as JSON or as Python does."""
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        raise BAD_REQUEST(reason=f"Invalid metadata filter {value!r}: it is not a dictionary.") from None
    if not isinstance(found, dict):
        raise BAD_REQUEST(reason=f"Invalid metadata filter {value!r}: it is not a dictionary.")
    return {str(key): str(text) for key, text in found.items()}


def _truth(name: str, value: str, *, strict: bool) -> bool:
    if value.lower() in ("1", "t", "true", "on", "y", "yes"):
        return True
    if value.lower() in ("false",) or (strict and value.lower() in ("0", "f", "off", "n", "no")):
        return False
    if strict:
        raise INVALID_INPUT(reason=f"'{name} = {value}'")
    return bool(value)


def _when(column: sa.ColumnElement[Any], name: str, value: str) -> Condition:
    """`gt:2026-01-01T00:00:00,lt:…`."""
    found = []
    for part in value.split(","):
        operator, colon, text = part.partition(":")
        if not colon:
            raise BAD_REQUEST(reason=f"Invalid {name} value")
        if operator not in _COMPARE:
            raise BAD_REQUEST(reason=f"Invalid {operator} operator")
        try:
            found.append(_COMPARE[operator](column, parse_iso(text)))
        except ValueError:
            raise BAD_REQUEST(reason=f"Invalid {text} value") from None
    return sa.and_(*found)


def read_listing_of_all(
    call: Call, table: sa.Table, sorts: dict[str, sa.Column[Any]], missing: Error, marker_fact: str
) -> tuple[Page, Callable[[sa.Connection], Narrow]]:
    """The page that is asked of a table whose rows belong to no project, and how to narrow a query to it."""
    kind = Listed(table, {}, frozenset(), sorts, frozenset(sorts), missing, marker_fact)
    first = "created_at" if "created_at" in sorts else "id"
    page = read_page(_descending(call.query), kind.sorts, ((first, True),))
    listing = Listing(kind, page, _offset(call.query), (), with_count=False)
    return page, listing.narrow
