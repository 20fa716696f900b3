"""Fixtures that any test may use: a store of its own, callers, and an HTTP client on one service's API."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest

from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import FakeClock
from nephele.kernel.context import Context
from nephele.kernel.errors import UNAUTHORIZED
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store, metadata
from nephele.web.app import build
from nephele.web.audit import Audit
from nephele.web.dispatch import Edge, Verify
from nephele.web.routing import Api

hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")

PROJECT, OTHER_PROJECT = "1" * 32, "2" * 32


def _caller(letter: str, project_id: str, *roles: str) -> Context:
    return Context(request_id="", user_id=letter * 32, project_id=project_id, roles=frozenset(roles), token=letter)


CALLERS = {
    "admin": _caller("a", "a" * 32, "admin", "manager", "member", "reader"),
    "member": _caller("b", PROJECT, "member", "reader"),
    "reader": _caller("c", PROJECT, "reader"),
    "other": _caller("d", OTHER_PROJECT, "member", "reader"),
    "manager": _caller("e", PROJECT, "manager", "member", "reader"),
    "service": _caller("f", "f" * 32, "service"),
}
"""Callers by the token that stands for them in tests of one service."""


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes an empty database with all tables known so far, once for each number of them."""
    made: dict[int, Path] = {}

    def make() -> Path:
        tables = len(metadata.tables)
        if tables not in made:
            made[tables] = tmp_path_factory.mktemp("empty") / "empty.db"
            store = Store(f"sqlite:///{made[tables]}")
            with store.write() as db:
                metadata.create_all(db)
            store.close()
        return made[tables]

    return make


@pytest.fixture
def store(tmp_path: Path, empty_databases: Callable[[], Path]) -> Iterator[Store]:
    """An empty database with the tables of every domain that the test imported."""
    shutil.copy(empty_databases(), tmp_path / "test.db")
    store = Store(f"sqlite:///{tmp_path}/test.db")
    yield store
    store.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ids() -> Ids:
    return Ids()


@pytest.fixture
def bus() -> Iterator[LocalBus]:
    bus = LocalBus(threads=2)
    yield bus
    bus.close()


def verify(token: str) -> Context:
    """The caller that a test's token stands for."""
    if token not in CALLERS:
        raise UNAUTHORIZED()
    return CALLERS[token]


class Http:
    """A blocking HTTP client on an application in this process; `as_` names the caller."""

    def __init__(self, apis: list[Api], ids: Ids, verify: Verify = verify, audit: Audit | None = None) -> None:
        self._app = build(apis, Edge(verify, ids, None, "", audit))

    def __call__(self, method: str, path: str, *, as_: str = "member", **options: Any) -> httpx.Response:
        headers = {**({"X-Auth-Token": as_} if as_ else {}), **options.pop("headers", {})}

        async def send() -> httpx.Response:
            transport: Any = httpx.ASGITransport(app=self._app)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://cloud:8774") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())


@pytest.fixture
def http(ids: Ids) -> Callable[..., Http]:
    """`http(api, …)`: a client on those APIs."""
    return lambda *apis: Http(list(apis), ids)
