"""The query string of a list of images."""

import csv
from typing import Any

from nephele.image.listing import COMPARISONS, NEWEST_FIRST, SORT_KEYS, Compare, Listing
from nephele.image.model import MemberStatus, TaskStatus, Visibility
from nephele.image.tasks import SORT_KEYS as TASK_SORT_KEYS
from nephele.kernel.clock import SECOND, parse_iso
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Query
from nephele.web.paging import Page

DEFAULT_LIMIT, MAX_LIMIT = 25, 1000
_PAGING = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir"})
_TEXTS = frozenset({"name", "id", "status", "container_format", "disk_format"})
"""Columns with `in:`."""
_TIMES = frozenset({"created_at", "updated_at"})
"""Columns with comparisons."""
_NUMBERS = frozenset({"size", "virtual_size", "min_disk", "min_ram"})
"""Columns with `_min` and `_max`."""
_EXACT = frozenset({"owner", "checksum", "os_hash_algo", "os_hash_value"})
_Compares = list[Compare]


def read_listing(query: Query) -> Listing:
    """What a query string asks for.  Raises BAD_REQUEST."""
    compares: _Compares = []
    properties: dict[str, str] = {}
    for name, value in query.pairs:
        if name in _PAGING or name in ("visibility", "member_status", "os_hidden", "tag"):
            continue
        if not _read_compare(name, value, compares):
            properties[name] = value
    return Listing(
        page=_read_page(query),
        visibility=_one_of("visibility", query.get("visibility"), ("", "all", *Visibility)),
        member_status=_one_of("status", query.get("member_status", MemberStatus.ACCEPTED), ("all", *MemberStatus)),
        os_hidden=_truth("os_hidden", query.get("os_hidden", "false")),
        compares=tuple(compares),
        tags=tuple(tag.strip() for tag in query.all("tag")),
        properties=properties,
    )


def _read_compare(name: str, value: str, compares: _Compares) -> bool:
    """Whether `name` is about a column; then the condition is added."""
    column, _, bound = name.rpartition("_")
    if name == "changes-since":
        raise BAD_REQUEST(reason='The "changes-since" filter is no longer available on v2.')
    if name in _TEXTS:
        compares.append(_text(name, value))
    elif name in _TIMES:
        compares.append(_time(name, value))
    elif name in _NUMBERS:
        compares.append(_number_or_comparison(name, value))
    elif bound in ("min", "max") and column in _NUMBERS:
        compares.append(Compare(column, "gte" if bound == "min" else "lte", _number(name, value)))
    elif name == "protected":
        compares.append(Compare(name, "eq", _truth(name, value)))
    elif name in _EXACT:
        compares.append(Compare(name, "eq", value))
    else:
        return False
    return True


def _split(value: str) -> tuple[str, str]:
    """`in:a,b` into its operator and the rest; a value without operator is compared for equality."""
    operator, colon, rest = value.partition(":")
    if colon and (operator in COMPARISONS or operator == "in"):
        return operator, rest
    return "eq", value


def _text(name: str, value: str) -> Compare:
    operator, text = _split(value)
    if operator == "in":
        return Compare(name, "in", _list(text))
    if operator != "eq":
        raise BAD_REQUEST(reason=f"Unable to filter by unknown operator '{operator}'.")
    return Compare(name, "eq", text)


def _list(text: str) -> list[str]:
    """`a,"b,c"`: values with commas stand in quotes."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise BAD_REQUEST(reason=f"Invalid filter value {text}. The quote is not closed.") from None


def _time(name: str, value: str) -> Compare:
    operator, text = _split(value)
    try:
        moment = parse_iso(text)
    except ValueError:
        raise BAD_REQUEST(reason=f'Bad "{name}" query filter format. Use ISO 8601 DateTime notation.') from None
    return _whole_seconds(name, operator, moment)


def _whole_seconds(name: str, operator: str, moment: int) -> Compare:
    """Times are shown in whole seconds and compared as they are shown."""
    if moment % SECOND == 0:
        if operator in ("gt", "lte"):
            return Compare(name, operator, moment + SECOND - 1)
        if operator in ("eq", "neq"):
            return Compare(name, "within" if operator == "eq" else "without", (moment, moment + SECOND - 1))
    return Compare(name, operator, moment)


def _number_or_comparison(name: str, value: str) -> Compare:
    operator, text = _split(value)
    return Compare(name, operator, _number(name, text))


def _number(name: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise BAD_REQUEST(reason=f"Unable to filter {name} by a non-numeric value.") from None
    if not -(2**63) <= number < 2**63:
        raise BAD_REQUEST(reason=f"Unable to filter {name} by a number of more than 64 bits.")
    return number


def _truth(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise BAD_REQUEST(reason=f"Invalid value '{value}' for '{name}' filter. Valid values are 'true' or 'false'.")
    return value.lower() == "true"


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise BAD_REQUEST(reason=f"Invalid {name} value: {value}")
    return value


def read_task_page(query: Query) -> tuple[Page, dict[str, str]]:
    """The page of tasks that is asked for, and which ones.  Raises BAD_REQUEST."""
    key, way = query.get("sort_key") or "created_at", query.get("sort_dir") or "desc"
    if key not in TASK_SORT_KEYS or way not in ("asc", "desc"):
        raise BAD_REQUEST(reason=f"Invalid sort: {key} {way}")
    _one_of("status", query.get("status"), ("", *TaskStatus))
    page = Page(read_limit(query), query.get("marker"), ((key, way == "desc"),))
    return page, {name: query.get(name) for name in ("status", "type", "owner") if query.get(name)}


def _read_page(query: Query) -> Page:
    return Page(read_limit(query), query.get("marker"), _sorts(query) or NEWEST_FIRST)


def read_limit(query: Query, default: int | None = None) -> int:
    """How many are wanted at most.  Raises BAD_REQUEST."""
    text = query.get("limit")
    try:
        limit = int(text) if text else default or DEFAULT_LIMIT
    except ValueError:
        raise BAD_REQUEST(reason="limit param must be an integer") from None
    if limit < 0:
        raise BAD_REQUEST(reason="limit param must be positive")
    return min(limit, MAX_LIMIT)


def _sorts(query: Query) -> tuple[tuple[str, bool], ...]:
    """`sort=name:asc,size` or `sort_key=…&sort_dir=…`; descending where nothing is said."""
    keys, ways = query.all("sort_key"), query.all("sort_dir")
    if "sort" in query:
        if keys or ways:
            raise BAD_REQUEST(reason="Old and new sorting syntax cannot be combined")
        pairs: list[tuple[Any, str]] = [part.partition(":")[::2] for part in query.get("sort").strip().split(",")]
    else:
        if len(ways) > 1 and len(ways) != len(keys):
            raise BAD_REQUEST(reason="Number of sort dirs does not match the number of sort keys")
        keys = keys or (["created_at"] if ways else [])
        pairs = [(key, ways[min(place, len(ways) - 1)] if ways else "") for place, key in enumerate(keys)]
    return tuple(_sort(key.strip(), way.strip()) for key, way in pairs)


def _sort(key: str, way: str) -> tuple[str, bool]:
    if key not in SORT_KEYS:
        available = ", ".join(sorted(SORT_KEYS))
        raise BAD_REQUEST(reason=f"Invalid sort key: {key}. It must be one of the following: {available}.")
    if way not in ("", "asc", "desc"):
        raise BAD_REQUEST(reason=f"Invalid sort direction: {way}")
    return key, way != "asc"
