"""Listings: filters by any attribute, tags, sorting and paging, the same for every kind."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from nephele.kernel.statements import Statement
from nephele.network.api.kind import Condition, Kind
from nephele.network.attributes import Bad, boolean
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY
from nephele.network.records import Rows
from nephele.network.work import Work
from nephele.web.call import Call, Query
from nephele.web.paging import Page, next_href, paged

_PAGING = {"limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields"}
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NO_LIMIT = 1 << 31


def list_all(work: Work, kind: Kind, call: Call, *more: sa.ColumnElement[bool]) -> dict[str, Any]:
    """One page of what the caller may see, with links to those around it where a limit was asked for."""
    query = call.query
    conditions = [*more, *filters(kind, query)]
    limit = _limit(query)
    backward = query.flag("page_reverse")
    page = Page(limit or _NO_LIMIT, query.get("marker"), _sorts(kind, query, backward=backward))
    if conditions or page.sorts != (("id", backward),):
        rows: Rows = work.db.execute(_wanted(work, kind, conditions, page), {"me": work.me}).all()
    else:
        rows = _plain_rows(work, kind, page, backward=backward)
    if backward:
        rows = rows[::-1]
    view = view_for(work, kind, query)
    records = _permitted(work, kind, kind.records.read(work, rows))
    body: dict[str, Any] = {kind.plural: [view(record) for record in records]}
    if limit:
        body[f"{kind.plural}_links"] = _links(kind, call, [row[0] for row in rows], limit, backward=backward)
    return body


def _permitted(work: Work, kind: Kind, records: list[Any]) -> list[Any]:
    """Those that the rule lets the caller see, asked for each where it does not let it see its own project's."""
    rule = f"get_{kind.name}"
    policy = work.core.policy
    if policy.texts[rule] == policy.defaults[rule] and work.may(rule):
        return records
    return [record for record in records if work.may(rule, kind.target(work, record))]


def _wanted(work: Work, kind: Kind, conditions: list[sa.ColumnElement[bool]], page: Page) -> sa.Select[Any]:
    """The rows of a page that the caller may see."""
    table, marker = kind.records.table, _marker(work, kind, page.marker)
    if work.everything:
        return paged(sa.select(table).where(*conditions), page, _sortable(kind), marker)
    if not kind.records.parts or page.limit == _NO_LIMIT:
        return paged(sa.select(table).where(*conditions, kind.records.visible), page, _sortable(kind), marker)
    candidates = [
        sa.select(paged(sa.select(table.c.id).where(*conditions, part), page, _sortable(kind), marker).subquery().c.id)
        for part in kind.records.parts
    ]
    return paged(sa.select(table).where(table.c.id.in_(sa.union_all(*candidates))), page, _sortable(kind), None)


def _plain_rows(work: Work, kind: Kind, page: Page, *, backward: bool) -> Rows:
    """A page of everything in the order of ids: what is asked most often, by statements compiled once."""
    values: dict[str, Any] = {"most": page.limit}
    if page.marker:
        _marker(work, kind, page.marker)
        values["marker"] = page.marker
    if not work.everything:
        values["me"] = work.me
    limited = page.limit != _NO_LIMIT
    return _plain(kind, work.everything, limited, bool(page.marker), backward).rows(work.db, **values)


@lru_cache(256)
def _plain(kind: Kind, everything: bool, limited: bool, marked: bool, backward: bool) -> Statement:
    table, marker = kind.records.table, sa.bindparam("marker", type_=sa.Text)
    order = table.c.id.desc() if backward else table.c.id.asc()

    def cut(select: sa.Select[Any]) -> sa.Select[Any]:
        behind = [table.c.id < marker if backward else table.c.id > marker] if marked else []
        return select.where(*behind).order_by(order).limit(sa.bindparam("most", type_=sa.Integer))

    if everything:
        return Statement(cut(sa.select(table)))
    if not kind.records.parts or not limited:
        return Statement(cut(sa.select(table).where(kind.records.visible)))
    parts = [sa.select(cut(sa.select(table.c.id).where(part)).subquery().c.id) for part in kind.records.parts]
    found = sa.select(table).where(table.c.id.in_(sa.union_all(*parts))).order_by(order)
    return Statement(found.limit(sa.bindparam("most", type_=sa.Integer)))


def view_for(work: Work, kind: Kind, query: Query | None = None) -> Callable[[Any], dict[str, Any]]:
    """How this caller sees this kind; the `fields` of the query, if any, and no others."""
    policy = work.core.policy
    rules = policy.texts
    hidden = frozenset(name for name in kind.guarded(rules) if not work.may(f"get_{kind.name}:{name}"))
    fields = frozenset(query.all("fields")) if query else frozenset()
    return kind.view(hidden, fields - {""})


def filters(kind: Kind, query: Query) -> list[sa.ColumnElement[bool]]:
    """The conditions that a query string asks for.  Raises BAD_BODY for a filter that there is not."""
    asked: dict[str, list[str]] = {}
    for name, value in query.pairs:
        if name not in _PAGING:
            asked.setdefault(name, []).append(value)
    found = []
    for name, values in asked.items():
        condition = _condition(kind, name)
        if condition is None:
            raise BAD_BODY(reason=f"[{name!r}] is invalid attribute for filtering")
        found.append(condition(values))
    return found


@lru_cache(2048)
def _condition(kind: Kind, name: str) -> Condition | None:
    if name in kind.filters:
        return kind.filters[name]
    if name in _TAG_FILTERS and "tags" in kind.records.table.c:
        return lambda values: _TAG_FILTERS[name](kind.records.table.c.tags, values)
    attribute = kind.by_name.get(name)
    if attribute is None or attribute.key not in kind.records.table.c:
        return None
    column = kind.records.table.c[attribute.key]
    if isinstance(column.type, sa.Boolean):
        return lambda values: column.in_([_read_boolean(name, value) for value in values])
    if isinstance(column.type, sa.Integer):
        return lambda values: column.in_([int(value) for value in values if _INTEGER.fullmatch(value)])
    return lambda values: _is_one_of(column, values)


def _is_one_of(column: sa.Column[Any], values: list[str]) -> sa.ColumnElement[bool]:
    known = [value for value in values if value not in ("null", "None")]
    if len(known) == len(values):
        return column == values[0] if len(values) == 1 else column.in_(values)
    return sa.or_(column.in_(values), column.is_(None))


def _read_boolean(name: str, value: str) -> bool:
    try:
        return boolean(value)
    except Bad as bad:
        raise BAD_ATTRIBUTE(attribute=name, reason=bad) from None


def _has(column: sa.Column[Any], values: list[str]) -> list[sa.ColumnElement[bool]]:
    """For each tag: that the JSON list contains it."""
    tags = [tag for value in values for tag in value.split(",") if tag]
    return [
        sa.type_coerce(column, sa.Text).contains(msgspec.json.encode(tag).decode(), autoescape=True) for tag in tags
    ]


_TAG_FILTERS: dict[str, Callable[[sa.Column[Any], list[str]], sa.ColumnElement[bool]]] = {
    "tags": lambda column, values: sa.and_(sa.true(), *_has(column, values)),
    "tags-any": lambda column, values: sa.or_(sa.false(), *_has(column, values)),
    "not-tags": lambda column, values: sa.not_(sa.and_(sa.true(), *_has(column, values))),
    "not-tags-any": lambda column, values: sa.not_(sa.or_(sa.false(), *_has(column, values))),
}


@lru_cache(64)
def _sortable(kind: Kind) -> dict[str, sa.ColumnElement[Any]]:
    columns = kind.records.table.c
    return {name: columns[one.key] for name, one in kind.by_name.items() if one.key in columns}


def _sorts(kind: Kind, query: Query, *, backward: bool) -> tuple[tuple[str, bool], ...]:
    keys, ways = query.all("sort_key"), query.all("sort_dir")
    if ways and len(keys) != len(ways):
        raise BAD_BODY(reason="The number of sort_keys and sort_dirs must be same")
    sorts = []
    for place, key in enumerate(keys):
        way = ways[place] if ways else "asc"
        if key not in _sortable(kind):
            raise BAD_BODY(reason=f"[{key!r}] is invalid attribute for sort keys")
        if way not in ("asc", "desc"):
            raise BAD_BODY(reason=f"[{way!r}] is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
        sorts.append((key, (way == "desc") != backward))
    return tuple(sorts) or (("id", backward),)


def _limit(query: Query) -> int:
    """How many at most; 0: all."""
    text = query.get("limit")
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 9:
        raise BAD_BODY(reason=f"Limit must be an integer 0 or greater and not '{text}'")
    return int(text)


def _marker(work: Work, kind: Kind, marker: str) -> sa.Row[Any] | None:
    if not marker:
        return None
    row = work.db.execute(sa.select(kind.records.table).where(kind.records.table.c.id == marker)).first()
    if row is None:
        raise kind.records.missing(id=marker)
    return row


def _links(kind: Kind, call: Call, ids: list[str], limit: int, *, backward: bool) -> list[dict[str, str]]:
    path = f"/v2.0/{kind.path}"
    links = []
    if ids and (backward or len(ids) >= limit):
        links.append({"rel": "next", "href": next_href(call, path, ids[-1]).replace("page_reverse=True&", "")})
    if ids and (not backward or len(ids) >= limit):
        href = next_href(call, path, ids[0])
        links.append({"rel": "previous", "href": href if backward else f"{href}&page_reverse=True"})
    return links
