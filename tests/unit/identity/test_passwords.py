"""Passwords: what is stored, and what a wrong one costs."""

import pytest
from tests.unit.identity.conftest import QUICK, Cloud, login

from nephele.identity import passwords
from nephele.identity.passwords import Passwords
from nephele.identity.routes import ROUTES


def test_a_password_matches_its_own_hash_only() -> None:
    stored = QUICK.hash("secret")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert stored != QUICK.hash("secret")
    assert QUICK.matches("secret", stored)
    assert not QUICK.matches("Secret", stored)
    assert not QUICK.matches("", stored)
    assert not QUICK.matches("secret", "")
    assert not QUICK.matches("secret", "$argon2id$nonsense")


def test_older_parameters_are_still_verified() -> None:
    stored = QUICK.hash("secret")
    assert Passwords(memory_kib=128, passes=2).matches("secret", stored)


@pytest.mark.parametrize(
    "body",
    [
        login("demo", "wrong"),
        login("nobody", "wrong"),
        login("demo", "wrong", domain="nowhere"),
        login("passwordless", "wrong"),
        login("disabled", "wrong"),
        login("", "wrong", user_id="nobody"),
    ],
)
def test_whoever_it_is_a_wrong_password_costs_one_hash(
    cloud: Cloud, body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.made("users", name="passwordless")
    cloud.made("users", name="disabled", password="secret", enabled=False)
    hashed: list[tuple[int, int, int]] = []
    real = passwords._argon2id

    def counting(password: str, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
        hashed.append((memory_kib, passes, lanes))
        return real(password, salt, memory_kib, passes, lanes)

    monkeypatch.setattr(passwords, "_argon2id", counting)
    answer = cloud("POST", "/v3/auth/tokens", token="", json=body)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "The request you have made requires authentication."
    assert hashed == [(QUICK.memory_kib, QUICK.passes, QUICK.lanes)]


def test_whatever_hashes_or_asks_others_leaves_the_event_loop() -> None:
    waiting = {(route.method, route.path) for route in ROUTES if route.waits}
    assert waiting == {
        ("POST", "/v3/auth/tokens"),
        ("POST", "/v3/OS-OAUTH2/token"),
        ("GET", "/v3/users"),
        ("GET", "/v3/groups"),
        ("GET", "/v3/OS-FEDERATION/identity_providers/{provider_id}/protocols/{protocol_id}/auth"),
        ("POST", "/v3/OS-FEDERATION/identity_providers/{provider_id}/protocols/{protocol_id}/auth"),
        ("POST", "/v3/users"),
        ("PATCH", "/v3/users/{user_id}"),
        ("POST", "/v3/users/{user_id}/password"),
        ("POST", "/v3/users/{user_id}/application_credentials"),
    }
