"""Links, pages and times as Cinder writes them."""

from nephele.kernel.clock import Instant, iso_micros
from nephele.web.call import Call
from nephele.web.paging import next_href


def root(call: Call) -> str:
    """`/PROJECT` where the request's path named the project, as links then do too."""
    project = call.request.scope.get("nephele.project_id")
    return f"/{project}" if project else ""


class Links:
    """The addresses of the things of one collection, with and without the API's version."""

    __slots__ = ("_bookmark", "_self")

    def __init__(self, call: Call, collection: str) -> None:
        path = f"{root(call)}/{collection}/"
        self._self, self._bookmark = f"{call.base_url}/v3{path}", call.base_url + path

    def __call__(self, id: str) -> list[dict[str, str]]:
        return [{"rel": "self", "href": self._self + id}, {"rel": "bookmark", "href": self._bookmark + id}]


def links(call: Call, collection: str, id: str) -> list[dict[str, str]]:
    """A thing's own address, with and without the API's version."""
    return Links(call, collection)(id)


def next_links(call: Call, path: str, ids: list[str], limit: int, max_limit: int = 1000) -> list[dict[str, str]]:
    """The link to the next page, if this one is full."""
    if not ids or len(ids) < min(limit, max_limit):
        return []
    return [{"rel": "next", "href": next_href(call, f"/v3{root(call)}/{path}", ids[-1])}]


def moment(instant: Instant | None) -> str | None:
    """An instant as text."""
    return None if instant is None else iso_micros(instant)
