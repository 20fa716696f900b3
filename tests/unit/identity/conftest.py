"""A seeded identity service, and a client on its API that logs in for real."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from tests.conftest import Http

from nephele.identity.passwords import Passwords
from nephele.identity.routes import api
from nephele.identity.service import Identity
from nephele.kernel.clock import FakeClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store, metadata

QUICK = Passwords(memory_kib=64, passes=1)
"""Parameters for tests that hash often."""


@pytest.fixture(scope="session")
def new_cloud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a new cloud, to copy."""
    path = tmp_path_factory.mktemp("identity") / "new.db"
    store = Store(f"sqlite:///{path}")
    with store.write() as db:
        metadata.create_all(db)
    identity = Identity(store, FakeClock(), Ids(), passwords=QUICK)
    identity.start()
    identity.seed("admin-secret", "demo-secret")
    store.close()
    return path


@pytest.fixture
def store(new_cloud: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of it for one test."""
    shutil.copy(new_cloud, tmp_path / "test.db")
    store = Store(f"sqlite:///{tmp_path}/test.db")
    yield store
    store.close()


@pytest.fixture
def identity(store: Store, clock: FakeClock, ids: Ids) -> Identity:
    identity = Identity(store, clock, ids, passwords=QUICK)
    identity.start()
    return identity


def login(
    name: str, password: str, scope: dict[str, Any] | str | None = None, *, user_id: str = "", domain: str = "default"
) -> dict[str, Any]:
    """The body of a request for a token by password."""
    user: dict[str, Any] = {"id": user_id} if user_id else {"name": name, "domain": {"id": domain}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": {**user, "password": password}}}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


def on_project(name: str) -> dict[str, Any]:
    """A scope: a project of the default domain."""
    return {"project": {"name": name, "domain": {"id": "default"}}}


SYSTEM = {"system": {"all": True}}


class Current:
    """Stands for the identity service of the test that runs: building the routes costs more than most tests."""

    identity: Identity

    def __getattr__(self, name: str) -> Any:
        return getattr(self.identity, name)


@pytest.fixture(scope="session")
def current() -> Current:
    return Current()


@pytest.fixture(scope="session")
def routes(current: Current) -> Http:
    face = api(cast("Identity", current))
    return Http([face], Ids(), lambda token: current.identity.verify(token))


class Cloud:
    """HTTP calls as real users: `cloud("GET", "/v3/users", token=…)`."""

    def __init__(self, identity: Identity, routes: Http) -> None:
        self.identity = identity
        self._http = routes
        self.admin = self.token("admin", "admin-secret", on_project("admin"))

    def __call__(self, method: str, path: str, *, token: str | None = None, **options: Any) -> httpx.Response:
        return self._http(method, "/identity" + path, as_=self.admin if token is None else token, **options)

    def token(self, name: str, password: str, scope: dict[str, Any] | str | None = None, **ref: str) -> str:
        """A token; fails the test where none is given."""
        answer = self("POST", "/v3/auth/tokens", token="", json=login(name, password, scope, **ref))
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def made(self, path: str, **attributes: Any) -> dict[str, Any]:
        """A resource made by the administrator: `made("users", name="bob")`."""
        name = path.rsplit("/", 1)[-1].removesuffix("s")
        answer = self("POST", f"/v3/{path}", json={name: attributes})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()[name]
        return found

    def id_of(self, kind: str, name: str) -> str:
        """The id of something by its name."""
        found: str = self("GET", f"/v3/{kind}?name={name}").json()[kind][0]["id"]
        return found


@pytest.fixture
def cloud(identity: Identity, current: Current, routes: Http) -> Cloud:
    current.identity = identity
    return Cloud(identity, routes)
