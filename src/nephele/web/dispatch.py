"""From a request to a handler and back: one resource for each path of each service."""

import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

import falcon
import falcon.asgi
import msgspec

from nephele.kernel.clock import stopwatch
from nephele.kernel.context import Context
from nephele.kernel.errors import BAD_REQUEST, CANNOT_STORE, INTERNAL, NOT_ALLOWED, NOT_FOUND, UNAUTHORIZED, Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import trouble
from nephele.web import bodies
from nephele.web.access import permits
from nephele.web.audit import Audit
from nephele.web.call import Call
from nephele.web.faults import JSON, Asked, keystone
from nephele.web.metrics import Metrics
from nephele.web.microversions import Version, spoken
from nephele.web.routing import PUBLIC, Api, Reply, Route

log = logging.getLogger(__name__)
access = logging.getLogger("nephele.access")

Verify = Callable[[str], Context]
"""From a token to its caller; raises UNAUTHORIZED."""

_encode = msgspec.json.Encoder().encode
_NOBODY = Context(request_id="")


class Endpoint:
    """All routes of one path of one service, as Falcon's resource."""

    def __init__(self, api: Api, routes: list[Route], edge: "Edge") -> None:
        self.api = api
        self.edge = edge
        self.routes: dict[str, list[Route]] = {}
        for route in routes:
            self.routes.setdefault(route.method, []).append(route)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
            setattr(self, f"on_{method.lower()}", partial(self.respond, method))

    async def respond(
        self, method: str, request: falcon.asgi.Request, response: falcon.asgi.Response, **path: str
    ) -> None:
        """Answer one request; whatever goes wrong becomes an answer in the service's own form."""
        elapsed = stopwatch()
        edge, api = self.edge, self.api
        request_id = edge.ids.request()
        version = (0, 0)
        call: Call | None = None
        route: Route | None = None
        refusal: Refused | None = None
        try:
            received_at = time.time_ns() // 1000
            version = edge.negotiate(api, request)
            if api.exact_paths and request.scope["path"].endswith("/") and request.path != api.prefix:
                raise NOT_FOUND()
            negotiated = elapsed()
            caller = self._caller(method, request, request_id, path)
            call = Call(api, request, caller, path, version, edge.base_url(request) + api.prefix)
            call.received_at, call.verify_us = received_at, int((elapsed() - negotiated) * 1000)
            route, raw = await self._choose(method, version, call)
            call.read_us = int(elapsed() * 1000) - call.verify_us
            if route.rule not in (PUBLIC, ""):
                api.policy.enforce(route.rule, call.context)
            if route.body is not None:
                call.body = bodies.decode(raw, route.body)
            await self._answer(route, call, response)
        except Refused as refused:
            refusal = refused
            edge.refuse(api, refused, Asked(request_id, version), response, request)
        except Exception as error:
            if reason := trouble(error):
                log.warning("%s %s %s: %s", request_id, method, request.path, reason)
                refusal = CANNOT_STORE(reason=reason)
            else:
                log.exception("%s %s %s failed", request_id, method, request.path)
                refusal = INTERNAL(request_id=request_id)
            edge.refuse(api, refusal, Asked(request_id, version), response, request)
        edge.finish(api, version, request_id, response)
        took = elapsed()
        if edge.audit is not None:
            caller = (call.subject or call.context) if call else msgspec.structs.replace(_NOBODY, request_id=request_id)
            edge.audit.record(api, route, request, caller, int(response.status), refusal, path)
        edge.metrics.observe(api.name, method, int(response.status), took / 1000)
        if access.isEnabledFor(logging.INFO):
            access.info("%s %s %s %s %.1f ms", request_id, method, request.relative_uri, response.status, took)

    def _caller(self, method: str, request: falcon.asgi.Request, request_id: str, path: dict[str, str]) -> Context:
        token = request.get_header("X-Auth-Token") or _bearer(request.get_header("Authorization"))
        if token:
            try:
                caller = self.edge.verify(token)
                self._check_access(caller, method, request)
            except Refused:
                if not self._is_public(method):
                    raise
                return msgspec.structs.replace(_NOBODY, request_id=request_id)
            return msgspec.structs.replace(
                caller, request_id=request_id, global_request_id=request.get_header("X-OpenStack-Request-ID") or ""
            )
        if not self._is_public(method):
            raise UNAUTHORIZED()
        return msgspec.structs.replace(_NOBODY, request_id=request_id)

    def _check_access(self, caller: Context, method: str, request: falcon.asgi.Request) -> None:
        """Raise UNAUTHORIZED where the token is good for other requests only."""
        rules = caller.access_rules
        if rules is not None and not permits(rules, self.api.name, method, request.path, self.api.prefix):
            raise UNAUTHORIZED()

    def _is_public(self, method: str) -> bool:
        return any(route.rule == PUBLIC for route in self._candidates(method))

    def _candidates(self, method: str) -> list[Route]:
        found = self.routes.get(method)
        return self.routes.get("GET", []) if found is None and method == "HEAD" else found or []

    async def _choose(self, method: str, version: Version, call: Call) -> tuple[Route, bytes | msgspec.Raw]:
        """The route for this method, action and microversion, and the body to decode for it."""
        routes = self._candidates(method)
        if not routes and self.api.hides_methods:
            raise NOT_FOUND()
        if not routes:
            raise NOT_ALLOWED(method=method, allowed=", ".join(sorted(self.routes)))
        raw: bytes | msgspec.Raw = b""
        if any(route.action for route in routes):
            found = bodies.actions(await bodies.read(call.request, self.api.max_body))
            known = [route for route in routes if route.action in found]
            if len(known) == 0:
                raise BAD_REQUEST(reason=f"There is no such action: {', '.join(found)}.")
            if len(found) > 1:
                raise BAD_REQUEST(reason=f"The body names more than one action: {', '.join(found)}.")
            routes, raw = known, found[known[0].action]
        elif any(route.body is not None for route in routes):
            raw = await bodies.read(call.request, self.api.max_body)
        for route in routes:
            if route.since <= version <= route.until:
                self._check_query(route, call, version)
                return route, raw
        raise NOT_FOUND()

    def _check_query(self, route: Route, call: Call, version: Version) -> None:
        """Refuse parameters that the route doesn't have, from the microversion on that does so."""
        asked = call.query.names()
        if asked and version >= (route.strict or self.api.strict):
            unknown = asked.difference(route.query.split())
            if unknown:
                names = ", ".join(sorted(map(repr, unknown)))
                raise BAD_REQUEST(
                    reason=f"Additional properties are not allowed ({names} unexpected)."
                    f" Accepted: {route.query or 'none'}."
                )

    async def _answer(self, route: Route, call: Call, response: falcon.asgi.Response) -> None:
        work = partial(route.handler, self.api.service, call)
        if inspect.iscoroutinefunction(route.handler):
            answer = await work()
        elif route.waits or self.edge.executor is not None:
            answer = await self.edge.in_thread(work)
        else:
            answer = work()
        reply = answer if isinstance(answer, Reply) else Reply(answer)
        response.status = reply.status or route.status
        for name, value in reply.headers.items():
            response.set_header(name, value)
        self._put_body(reply, response)

    @staticmethod
    def _put_body(reply: Reply, response: falcon.asgi.Response) -> None:
        body = reply.body
        if body is None:
            return
        response.content_type = reply.content_type or JSON
        if isinstance(body, bytes):
            response.data = body
        elif isinstance(body, AsyncIterator):
            response.stream = body
        else:
            response.data = _encode(body)


def _bearer(header: str | None) -> str | None:
    """The token in `Authorization: Bearer …`, as OAuth 2.0 clients send it."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Edge:
    """What all endpoints share.

    Args:
        verify: from a token to its caller.
        ids: where request ids come from.
        executor: runs handlers where the database may not be waited for in the event loop; None: inline.
        public_url: what the catalog shows; empty: the request's own Host.
        audit: records sign-ins, refusals and what privileged callers change; None: nothing is recorded.
    """

    def __init__(
        self, verify: Verify, ids: Ids, executor: Executor | None, public_url: str, audit: Audit | None = None
    ) -> None:
        self.audit = audit
        self.metrics = Metrics()
        self.verify = verify
        self.ids = ids
        self.executor = executor
        self.public_url = public_url.rstrip("/")

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Run `work` in a thread and wait for it."""
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def base_url(self, request: falcon.asgi.Request) -> str:
        """The cloud's address as the client sees it."""
        return self.public_url or f"{request.forwarded_scheme}://{request.forwarded_host}"

    def negotiate(self, api: Api, request: falcon.asgi.Request) -> Version:
        """The microversion that this request is made in."""
        versions = api.versions
        if versions is None:
            return (0, 0)
        old = request.get_header(versions.old_header) if versions.old_header else None
        return versions.negotiate(request.get_header("OpenStack-API-Version"), old)

    def refuse(
        self,
        api: Api,
        refused: Refused,
        asked: Asked,
        response: falcon.asgi.Response,
        request: falcon.asgi.Request,
    ) -> None:
        """Turn a refusal into the answer, in the service's own form; a 401 always in Keystone's."""
        response.status = refused.status
        response.stream = None
        form = api.faults
        if refused.status == 401:
            form = keystone
            response.set_header("WWW-Authenticate", f'Keystone uri="{self.base_url(request)}/identity"')
        elif refused.status == 405:
            response.set_header("Allow", str(refused.facts.get("allowed", "")))
        if not request.client_accepts_json:
            asked = asked._replace(accepts_json=False)
        response.data, response.content_type = form(refused, asked)

    def finish(self, api: Api, version: Version, request_id: str, response: falcon.asgi.Response) -> None:
        """The headers that every answer carries."""
        response.set_header("X-OpenStack-Request-ID", request_id)
        versions = api.versions
        if versions is None:
            return
        if version != (0, 0):
            response.set_header("OpenStack-API-Version", f"{versions.service} {spoken(version)}")
        vary = versions.vary
        if versions.old_header:
            response.set_header("X-Compute-Request-ID", request_id)
            vary += ", " + versions.old_header
            if version != (0, 0):
                response.set_header(versions.old_header, spoken(version))
        response.set_header("Vary", vary)
