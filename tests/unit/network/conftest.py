"""A network service of its own for each test, and a client on its API."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import Http

from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import FakeClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store
from nephele.network.routes import api
from nephele.network.service import Networks


@pytest.fixture
def networks(store: Store, bus: LocalBus, clock: FakeClock, ids: Ids) -> Networks:
    return Networks(store, bus, clock, ids)


class Client:
    """Shorthands for one resource at a time; each names the status that it expects."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def __call__(self, method: str, path: str, status: int, body: Any = None, as_: str = "member", **more: Any) -> Any:
        options = {"json": body} if body is not None else {}
        answer = self.http(method, f"/network/v2.0/{path}", as_=as_, **options, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def make(self, kind: str, as_: str = "member", **values: Any) -> dict[str, Any]:
        path = {"security_group": "security-groups", "security_group_rule": "security-group-rules"}.get(
            kind, f"{kind}s"
        )
        made: dict[str, Any] = self("POST", path, 201, {kind: values}, as_)[kind]
        return made

    def error(self, method: str, path: str, status: int, body: Any = None, as_: str = "member") -> str:
        """The type of the error."""
        return str(self(method, path, status, body, as_)["NeutronError"]["type"])


@pytest.fixture
def call(networks: Networks, http: Callable[..., Http]) -> Client:
    return Client(http(api(networks)))
