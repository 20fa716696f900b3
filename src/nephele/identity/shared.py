"""What all parts of the identity service share, and the filters of their listings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nephele.identity.errors import DUPLICATE
from nephele.identity.revocations import Revocations
from nephele.kernel.clock import Clock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store

Filters = list[tuple[str, str]]
"""Names and values as they came in the query string: `name`, `name__contains`, `enabled`, …"""

Columns = Mapping[str, "sa.ColumnElement[Any]"]


@dataclass(frozen=True)
class Shared:
    """Store, time, ids, and the record of what revokes tokens."""

    store: Store
    clock: Clock
    ids: Ids
    revocations: Revocations


def columns_of(table: sa.Table, kind: type) -> list["sa.ColumnElement[Any]"]:
    """The columns that make a `kind`, in its order: `kind(*row)`."""
    return [table.c[name] for name in kind.__struct_fields__ if name in table.c]  # type: ignore[attr-defined]


def narrowed(select: "sa.Select[Any]", filters: Filters, columns: Columns) -> "sa.Select[Any]":
    """`select` with those filters that name one of `columns`; others are ignored, as Keystone does.

    `name__contains` and its like (`startswith`, `endswith`) look at parts, and with an `i` in front in any case;
    without it the database decides (SQLite compares parts in any case, PostgreSQL does not).
    """
    for key, value in filters:
        name, _, way = key.partition("__")
        column = columns.get(name)
        if column is not None:
            select = select.where(_condition(column, way, value))
    return select


def _condition(column: "sa.ColumnElement[Any]", way: str, value: str) -> "sa.ColumnElement[bool]":
    if isinstance(column.type, sa.Boolean):
        return column.is_(truth(value))
    if way in ("", "iequals", "equals"):
        return sa.func.lower(column) == value.lower() if way == "iequals" else column == value
    text, escape = value.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_"), "\\"
    pattern = {"contains": f"%{text}%", "startswith": f"{text}%", "endswith": f"%{text}"}.get(way.removeprefix("i"))
    if pattern is None:
        return sa.true()
    return column.ilike(pattern, escape=escape) if way.startswith("i") else column.like(pattern, escape=escape)


MANY = 10_000
"""Values that one statement may name: databases have limits (SQLite's is 32,766)."""


def among(column: "sa.ColumnElement[Any]", ids: Collection[str]) -> "sa.ColumnElement[bool]":
    """Whether the column is one of `ids`; past MANY of them all rows are let through, for the caller to choose from."""
    return column.in_(ids) if len(ids) <= MANY else sa.true()


def truth(value: str) -> bool:
    """Keystone's reading of a truth value in a query: all is true but `0` and `false`."""
    return value.strip().lower() not in ("0", "false", "f", "no", "off")


def store_new(db: sa.Connection, table: sa.Table, values: Mapping[str, object], what: str) -> None:
    """Insert a row.  Raises DUPLICATE where its name is taken."""
    with_unique_name(db, table.insert().values(**values), what, values)


def store_change(db: sa.Connection, table: sa.Table, row_id: str, values: Mapping[str, object], what: str) -> None:
    """Update a row.  Raises DUPLICATE where its new name is taken."""
    if values:
        with_unique_name(db, table.update().where(table.c.id == row_id).values(**values), what, values)


def with_unique_name(db: sa.Connection, statement: Any, what: str, values: Mapping[str, object]) -> None:
    """Run a statement that may meet a unique constraint.  Raises DUPLICATE."""
    try:
        with db.begin_nested():
            db.execute(statement)
    except sa.exc.IntegrityError:
        taken = next((key for key in ("name", "id", "type") if key in values), "id")
        raise DUPLICATE(what=what, found=f"{taken} {values.get(taken)}") from None
