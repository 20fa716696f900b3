"""Pages of a listing: `limit`, `marker`, `sort_key`, `sort_dir`, `sort`; and links to the next page."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from nephele.kernel.errors import BAD_REQUEST, Error
from nephele.web.call import Call, Query

MARKER_NOT_FOUND = Error("marker.not_found", 400, "Marker {marker} could not be found.", name="BadRequest")


@dataclass(frozen=True)
class Page:
    """Which part of a listing is wanted.

    Args:
        limit: at most so many.
        marker: id of the last one of the page before; empty: from the start.
        sorts: (key, descending), most significant first.
    """

    limit: int
    marker: str
    sorts: tuple[tuple[str, bool], ...]


def read_limit(query: Query, max_limit: int = 1000) -> int:
    """How many are asked for; `max_limit` where more are, or none is said.  Raises BAD_REQUEST."""
    return min(query.whole("limit", max_limit), max_limit)


def read_page(query: Query, keys: frozenset[str], default: tuple[tuple[str, bool], ...], max_limit: int = 1000) -> Page:
    """The page that a query string asks for.

    Args:
        query: the query string.
        keys: what may be sorted by.
        default: the sorting where none is asked for.
        max_limit: a larger (or no) limit means this one.

    Raises:
        BAD_REQUEST: a limit that is no whole number ≥ 0, or an unknown sort key or direction.
    """
    limit = read_limit(query, max_limit)
    pairs = [pair.partition(":")[::2] for pair in query.get("sort").split(",") if pair]
    if not pairs:
        directions = query.all("sort_dir")
        pairs = [
            (key, directions[min(place, len(directions) - 1)] if directions else "")
            for place, key in enumerate(query.all("sort_key"))
        ]
    return Page(limit, query.get("marker"), tuple(_sort(key, way, keys) for key, way in pairs) or default)


def _sort(key: str, way: str, keys: frozenset[str]) -> tuple[str, bool]:
    if key not in keys:
        raise BAD_REQUEST(reason=f"Invalid sort key {key!r}. Accepted: {', '.join(sorted(keys))}.")
    if way not in ("", "asc", "desc"):
        raise BAD_REQUEST(reason=f"Invalid sort direction {way!r}. Accepted: asc, desc.")
    return key, way == "desc"


def paged(
    select: sa.Select[Any], page: Page, columns: dict[str, sa.ColumnElement[Any]], marker: sa.Row[Any] | None
) -> sa.Select[Any]:
    """`select` sorted and cut to `page`, beginning behind the `marker` row.

    `columns` maps sort keys to columns; `id` is always the last, so that the order is total.  NULLs sort first.
    """
    sorts = [*page.sorts, *([] if any(key == "id" for key, _ in page.sorts) else [("id", page.sorts[-1][1])])]
    if marker is not None:
        values = marker._mapping
        select = select.where(_behind([(columns[key], way, values[columns[key].name]) for key, way in sorts]))
    order = [columns[key].desc().nulls_last() if way else columns[key].asc().nulls_first() for key, way in sorts]
    return select.order_by(*order).limit(page.limit)


def _behind(sorts: list[tuple[sa.ColumnElement[Any], bool, Any]]) -> sa.ColumnElement[bool]:
    """Rows that come after the given values in that order."""
    column, descending, value = sorts[0]
    if value is None:
        further: sa.ColumnElement[bool] = sa.false() if descending else column.is_not(None)
        same: sa.ColumnElement[bool] = column.is_(None)
    else:
        further = sa.or_(column < value, column.is_(None)) if descending else column > value
        same = column == value
    if len(sorts) == 1:
        return further
    return sa.or_(further, sa.and_(same, _behind(sorts[1:])))


def next_href(call: Call, path: str, last_id: str) -> str:
    """The URL of the page that begins behind `last_id`."""
    pairs = [(key, value) for key, value in call.query.pairs if key != "marker"]
    return f"{call.base_url}{path}?{urlencode([*pairs, ('marker', last_id)])}"
