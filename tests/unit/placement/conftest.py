"""Placement over HTTP for these tests: `ask("1.39", "GET", "/traits")` as an administrator."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.conftest import Http

from nephele.kernel.clock import FakeClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.placement.routes import api
from nephele.placement.service import Placement

Ask = Callable[..., httpx.Response]


@pytest.fixture
def placement(store: Store, clock: FakeClock, ids: Ids) -> Placement:
    return Placement(store, clock, ids)


@pytest.fixture
def ask(placement: Placement, http: Callable[..., Http]) -> Ask:
    client = http(api(placement))

    def send(
        version: str, method: str, path: str, body: Any = None, *, as_: str = "admin", **more: Any
    ) -> httpx.Response:
        headers = {"OpenStack-API-Version": f"placement {version}", **more.pop("headers", {})}
        return client(
            method,
            "/placement" + path,
            as_=as_,
            headers=headers,
            **({"json": body} if body is not None else {}),
            **more,
        )

    return send
