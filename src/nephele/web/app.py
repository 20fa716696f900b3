"""The ASGI application: every service under its prefix, on one port."""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import falcon
import falcon.asgi

from nephele.kernel.errors import NOT_FOUND, Refused
from nephele.web.dispatch import Edge, Endpoint
from nephele.web.faults import Asked
from nephele.web.routing import Api, Route

_PROJECT_ID = re.compile(r"/([0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?=/|$)")
Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def build(
    apis: list[Api],
    edge: Edge,
    pages: Mapping[str, object] | None = None,
    sockets: Mapping[str, Asgi] | None = None,
) -> Asgi:
    """The application that answers for all `apis`.

    Args:
        apis: the services.
        edge: what their endpoints share.
        pages: what else there is: Falcon's resources, by path.
        sockets: what serves websockets, by path.
    """
    app = falcon.asgi.App()
    app.req_options.strip_url_path_trailing_slash = True
    app.resp_options.default_media_type = None  # type: ignore[assignment]  # no body, no type
    for api in apis:
        by_path: dict[str, list[Route]] = defaultdict(list)
        for route in api.routes:
            by_path[route.path].append(route)
        for path, routes in by_path.items():
            app.add_route((api.prefix + path).rstrip("/") or "/", Endpoint(api, routes, edge))
        app.add_sink(partial(_nothing_here, api, edge), prefix=re.compile(re.escape(api.prefix) + r"(/|$)"))
    for path, page in (pages or {}).items():
        app.add_route(path, page)
    prefixes = [api.prefix + api.project_prefix for api in apis if api.project_prefix]
    return _with_sockets(_without_project(app, prefixes), sockets or {})


def _with_sockets(app: Asgi, sockets: Mapping[str, Asgi]) -> Asgi:
    """Websockets go by their path, in which clients may put a slash too many; where nothing is, they are refused."""

    async def route(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await app(scope, receive, send)
        elif (serve := sockets.get("/" + scope["path"].strip("/"))) is not None:
            await serve(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close"})

    return route


async def _nothing_here(
    api: Api, edge: Edge, request: falcon.asgi.Request, response: falcon.asgi.Response, **_path: str
) -> None:
    request_id, version, refused = edge.ids.request(), (0, 0), NOT_FOUND()
    try:
        version = edge.negotiate(api, request)
    except Refused as bad_version:
        refused = bad_version
    edge.refuse(api, refused, Asked(request_id, version), response, request)
    edge.finish(api, version, request_id, response)


def _without_project(app: Any, prefixes: list[str]) -> Asgi:
    """Drop the project id that old clients put behind the version; it is remembered in the scope."""

    async def route(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        for prefix in prefixes:
            if path.startswith(prefix):
                found = _PROJECT_ID.match(path, len(prefix))
                if found:
                    scope = {**scope, "path": prefix + path[found.end() :], "nephele.project_id": found[1]}
                break
        await app(scope, receive, send)

    return route
