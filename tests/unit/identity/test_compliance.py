"""What is demanded of passwords: lockout, expiry, history, strength, age, first use, inactivity."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import Http
from tests.unit.identity.conftest import QUICK, Cloud, Current, login

from nephele.identity import passwords as hashing
from nephele.identity.model import Compliance
from nephele.identity.service import Identity
from nephele.kernel.clock import FakeClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store

Demand = Callable[..., Cloud]
DAY = 86_400


@pytest.fixture
def demand(store: Store, clock: FakeClock, ids: Ids, current: Current, routes: Http) -> Demand:
    """A cloud that demands `what`."""

    def make(**what: Any) -> Cloud:
        identity = Identity(store, clock, ids, passwords=QUICK, compliance=Compliance(**what))
        identity.start()
        current.identity = identity
        return Cloud(identity, routes)

    return make


def status(cloud: Cloud, password: str, name: str = "bob") -> int:
    return cloud("POST", "/v3/auth/tokens", token="", json=login(name, password)).status_code


def change(cloud: Cloud, user: dict[str, Any], old: str, new: str) -> Any:
    body = {"user": {"original_password": old, "password": new}}
    return cloud("POST", f"/v3/users/{user['id']}/password", token="", json=body)


def test_wrong_passwords_lock_a_user_out_for_a_while(demand: Demand, clock: FakeClock) -> None:
    cloud = demand(lockout_failure_attempts=3, lockout_duration=60)
    cloud.made("users", name="bob", password="right")
    assert [status(cloud, "wrong") for _ in range(3)] == [401] * 3
    assert status(cloud, "right") == 401
    clock.advance(59)
    assert status(cloud, "right") == 401
    clock.advance(2)
    assert status(cloud, "wrong") == 401, "the count begins anew after a lockout"
    assert status(cloud, "right") == 201
    assert [status(cloud, "wrong") for _ in range(2)] == [401] * 2
    assert status(cloud, "right") == 201, "a right one in between ends the row"


def test_a_lockout_without_end_takes_an_administrator(demand: Demand, clock: FakeClock) -> None:
    cloud = demand(lockout_failure_attempts=2, lockout_duration=0)
    bob = cloud.made("users", name="bob", password="right")
    for _ in range(3):
        status(cloud, "wrong")
    clock.advance(300)
    assert status(cloud, "right") == 401
    assert change(cloud, bob, "right", "other").status_code == 401
    cloud("PATCH", f"/v3/users/{bob['id']}", json={"user": {"password": "new"}})
    assert status(cloud, "new") == 201


def test_who_is_exempt_is_not_locked_out(demand: Demand) -> None:
    cloud = demand(lockout_failure_attempts=1)
    cloud.made("users", name="bob", password="right", options={"ignore_lockout_failure_attempts": True})
    assert [status(cloud, "wrong"), status(cloud, "right")] == [401, 201]


def test_a_locked_out_user_costs_one_hash_too(demand: Demand, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = demand(lockout_failure_attempts=1)
    cloud.made("users", name="bob", password="right")
    status(cloud, "wrong")
    hashed: list[str] = []
    real = hashing._argon2id

    def count(password: str, *more: Any) -> bytes:
        hashed.append(password)
        return real(password, *more)

    monkeypatch.setattr(hashing, "_argon2id", count)
    status(cloud, "right")
    status(cloud, "right", name="nobody")
    assert hashed == ["right", "right"]


def test_a_password_expires_and_can_still_be_changed(demand: Demand, clock: FakeClock) -> None:
    cloud = demand(password_expires_days=1)
    bob = cloud.made("users", name="bob", password="first")
    token = cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "first")).json()["token"]
    assert token["user"]["password_expires_at"] == bob["password_expires_at"] == "2023-11-15T22:13:20.000000"
    clock.advance(DAY)
    refused = cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "first"))
    assert refused.status_code == 401
    assert bob["id"] in refused.json()["error"]["message"]
    assert "expired" not in cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "wrong")).text
    assert change(cloud, bob, "first", "second").status_code == 204
    assert status(cloud, "second") == 201


def test_users_by_when_their_password_expires(demand: Demand) -> None:
    cloud = demand(password_expires_days=1)
    bob = cloud.made("users", name="bob", password="first")
    for filter_, found in (("lt:2023-11-16T00:00:00Z", [bob["id"]]), ("gt:2023-11-16T00:00:00Z", [])):
        users = cloud("GET", f"/v3/users?password_expires_at={filter_}").json()["users"]
        assert [user["id"] for user in users] == found
    assert cloud("GET", "/v3/users?password_expires_at=soon").status_code == 400


def test_the_last_passwords_are_not_taken_again(demand: Demand, clock: FakeClock) -> None:
    cloud = demand(unique_last_password_count=3)
    bob = cloud.made("users", name="bob", password="p0")
    for number in range(3):
        clock.advance(1)
        assert change(cloud, bob, f"p{number}", f"p{number + 1}").status_code == 204
    for taken in ("p1", "p2"):
        assert change(cloud, bob, "p3", taken).status_code == 400
    assert change(cloud, bob, "p3", "p0").status_code == 204, "older ones are forgotten"


def test_a_password_must_match(demand: Demand) -> None:
    cloud = demand(password_regex=r"^(?=.*\d).{4,}$", password_regex_description="4 characters and a digit")
    refused = cloud("POST", "/v3/users", json={"user": {"name": "bob", "password": "weak"}})
    assert refused.status_code == 400
    assert "4 characters and a digit" in refused.json()["error"]["message"]
    bob = cloud.made("users", name="bob", password="str0ng")
    assert change(cloud, bob, "str0ng", "weak").status_code == 400
    assert cloud("PATCH", f"/v3/users/{bob['id']}", json={"user": {"password": "weak"}}).status_code == 400
    assert change(cloud, bob, "str0ng", "str0nger").status_code == 204


def test_an_own_password_is_kept_for_a_time(demand: Demand, clock: FakeClock) -> None:
    cloud = demand(minimum_password_age=1)
    bob = cloud.made("users", name="bob", password="p0")
    assert change(cloud, bob, "p0", "p1").status_code == 204, "an administrator's may be changed at once"
    assert change(cloud, bob, "p1", "p2").status_code == 400
    clock.advance(DAY)
    assert change(cloud, bob, "p1", "p2").status_code == 204


def test_a_first_password_is_good_for_changing_it(demand: Demand) -> None:
    cloud = demand(change_password_upon_first_use=True)
    bob = cloud.made("users", name="bob", password="first")
    free = {"ignore_change_password_upon_first_use": True}
    cloud.made("users", name="eve", password="first", options=free)
    assert [status(cloud, "first"), status(cloud, "first", name="eve")] == [401, 201]
    assert change(cloud, bob, "first", "own").status_code == 204
    assert status(cloud, "own") == 201
    cloud("PATCH", f"/v3/users/{bob['id']}", json={"user": {"password": "reset"}})
    assert status(cloud, "reset") == 401


def test_who_stays_away_is_disabled(demand: Demand, clock: FakeClock) -> None:
    cloud = demand(disable_user_account_days_inactive=10)
    cloud.made("users", name="bob", password="right")
    cloud.made("users", name="eve", password="right", options={"ignore_user_inactivity": True})
    assert status(cloud, "right") == 201
    clock.advance(9 * DAY)
    assert status(cloud, "right") == 201
    clock.advance(12 * DAY)
    assert [status(cloud, "right"), status(cloud, "right", name="eve")] == [401, 201]


def test_a_bad_expression_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="password_regex"):
        Compliance(password_regex="(")
