"""Lists of images: who sees what, filters, order, pages; one query each."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from nephele.image.model import MemberStatus, Status, Visibility
from nephele.image.tables import images, members
from nephele.kernel.context import Context
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.paging import Page, paged

COLUMNS = [column for column in images.c if column.name != "writer"]
"""In the order of Image's fields."""
SORT_KEYS = frozenset({"name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"})
NEWEST_FIRST = (("created_at", True),)
COMPARISONS = {
    "eq": sa.sql.operators.eq,
    "neq": sa.sql.operators.ne,
    "gt": sa.sql.operators.gt,
    "gte": sa.sql.operators.ge,
    "lt": sa.sql.operators.lt,
    "lte": sa.sql.operators.le,
}
_GONE = (Status.KILLED, Status.DELETED)
Sorts = tuple[tuple[str, bool], ...]
Query = tuple[sa.Select[Any], dict[str, Any]]


@dataclass(frozen=True)
class Compare:
    """A column compared with a value by one of COMPARISONS, with several by `in`, with two by `within`, `without`."""

    column: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Listing:
    """What a list is asked for.

    Args:
        page: limit, marker and order.
        visibility: only these; `all` for every visible one; empty: as usual, without others' community images.
        member_status: shared images in this state of acceptance; `all` for any.
        os_hidden: the hidden ones, or the others.
        compares: conditions on columns.
        tags: all of them.
        properties: custom properties with exactly these values.
    """

    page: Page
    visibility: str = ""
    member_status: str = MemberStatus.ACCEPTED
    os_hidden: bool = False
    compares: tuple[Compare, ...] = ()
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)


def select(caller: Context, asked: Listing, marker: sa.Row[Any] | None, *, sqlite: bool) -> Query:
    """The query for one page, with its parameters."""
    statement = _everyones(caller.is_admin, asked.visibility, asked.member_status)
    conditions = [
        *(_compare(each) for each in asked.compares),
        *(_tagged(tag, sqlite=sqlite) for tag in asked.tags),
        *(_has_property(name, value, sqlite=sqlite) for name, value in asked.properties.items()),
    ]
    if conditions or marker is not None:
        statement = _paged(statement.where(*conditions), asked.page, marker)
    else:
        statement = _plain(caller.is_admin, asked.visibility, asked.member_status, asked.page.sorts)
    return statement, {"mine": caller.project_id, "os_hidden": asked.os_hidden, "how_many": asked.page.limit}


@lru_cache(256)
def _plain(is_admin: bool, visibility: str, member_status: str, sorts: Sorts) -> sa.Select[Any]:
    """The first page of a list without filters: built once, for it is asked for most."""
    return _paged(_everyones(is_admin, visibility, member_status), Page(0, "", sorts), None)


def _paged(statement: sa.Select[Any], page: Page, marker: sa.Row[Any] | None) -> sa.Select[Any]:
    columns: dict[str, sa.ColumnElement[Any]] = {key: images.c[key] for key in SORT_KEYS}
    return paged(statement, page, columns, marker).limit(sa.bindparam("how_many"))


@lru_cache(256)
def _everyones(is_admin: bool, visibility: str, member_status: str) -> sa.Select[Any]:
    """What the caller sees, in no order; its parameters are `mine` and `os_hidden`."""
    mine = images.c.owner == sa.bindparam("mine")
    conditions = [images.c.status.not_in(_GONE), images.c.os_hidden == sa.bindparam("os_hidden")]
    if not is_admin:
        anyones = images.c.visibility.in_((Visibility.PUBLIC, Visibility.COMMUNITY))
        conditions.append(sa.or_(anyones, mine, _shared_with(member_status)))
    if visibility == "":
        conditions.append(sa.or_(mine, images.c.visibility != Visibility.COMMUNITY))
    elif visibility != "all":
        conditions.append(images.c.visibility == visibility)
    return sa.select(*COLUMNS).where(*conditions)


def _shared_with(member_status: str) -> sa.ColumnElement[bool]:
    joined = [members.c.image_id == images.c.id, members.c.member_id == sa.bindparam("mine")]
    if member_status != "all":
        joined.append(members.c.status == member_status)
    return sa.and_(images.c.visibility == Visibility.SHARED, sa.exists().where(*joined))


def _compare(asked: Compare) -> sa.ColumnElement[bool]:
    column = images.c[asked.column]
    if asked.operator == "in":
        return column.in_(asked.value)
    if asked.operator in ("within", "without"):
        within = column.between(*asked.value)
        return within if asked.operator == "within" else sa.not_(within)
    if asked.operator not in COMPARISONS:
        raise BAD_REQUEST(reason=f"Unable to filter by unknown operator '{asked.operator}'.")
    result: sa.ColumnElement[bool] = COMPARISONS[asked.operator](column, asked.value)
    return result


def _tagged(tag: str, *, sqlite: bool) -> sa.ColumnElement[bool]:
    if sqlite:
        each = sa.func.json_each(images.c.tags).table_valued("value")
    else:
        each = sa.func.jsonb_array_elements_text(sa.cast(images.c.tags, JSONB)).table_valued("value")
    return sa.exists(sa.select(sa.literal(1)).select_from(each).where(each.c.value == tag))


def _has_property(name: str, value: str, *, sqlite: bool) -> sa.ColumnElement[bool]:
    if sqlite:
        each = sa.func.json_each(images.c.properties).table_valued("key", "value")
    else:
        each = sa.func.jsonb_each_text(sa.cast(images.c.properties, JSONB)).table_valued("key", "value")
    found = sa.select(sa.literal(1)).select_from(each).where(each.c.key == name, each.c.value == value)
    return sa.exists(found)
