"""Several factors: passcodes, rules of methods, and receipts for what was proven so far."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, login, on_project

from nephele.identity.proving import passcode
from nephele.kernel.clock import SECOND, FakeClock

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""`12345678901234567890`, the secret of RFC 6238's test vectors."""


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_passcodes_are_rfc_6238s(seconds: int, code: str) -> None:
    assert passcode(SECRET, seconds * SECOND) == code


@pytest.mark.parametrize("secret", ["", "1", "not base 32!", "é"])
def test_a_bad_secret_has_no_passcode(secret: str) -> None:
    assert passcode(secret, 0) == ""


@pytest.fixture
def bob(cloud: Cloud) -> dict[str, Any]:
    """A user with a password and a secret."""
    user = cloud.made("users", name="bob", password="pw")
    cloud.made("credentials", type="totp", blob=SECRET, user_id=user["id"], project_id=None)
    return user


def by_code(cloud: Cloud, user_id: str, code: str, receipt: str = "") -> Any:
    identity = {"methods": ["totp"], "totp": {"user": {"id": user_id, "passcode": code}}}
    headers = {"Openstack-Auth-Receipt": receipt} if receipt else {}
    return cloud("POST", "/v3/auth/tokens", token="", json={"auth": {"identity": identity}}, headers=headers)


def test_a_passcode_gets_a_token(cloud: Cloud, bob: dict[str, Any], clock: FakeClock) -> None:
    code = passcode(SECRET, clock.now())
    assert by_code(cloud, bob["id"], code).json()["token"]["methods"] == ["totp"]
    clock.advance(30)
    assert by_code(cloud, bob["id"], code).status_code == 201, "the step before counts, too"
    clock.advance(30)
    assert by_code(cloud, bob["id"], code).status_code == 401
    for user_id, wrong in ((bob["id"], ""), ("nobody", code), ("nobody", "")):
        assert by_code(cloud, user_id, wrong).status_code == 401


def demand_both(cloud: Cloud, user: dict[str, Any]) -> None:
    options = {"multi_factor_auth_rules": [["password", "totp"]], "multi_factor_auth_enabled": True}
    assert cloud("PATCH", f"/v3/users/{user['id']}", json={"user": {"options": options}}).status_code == 200


def test_one_factor_gets_a_receipt_and_the_other_the_token(cloud: Cloud, bob: dict[str, Any], clock: FakeClock) -> None:
    demand_both(cloud, bob)
    partial = cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "pw"))
    assert partial.status_code == 401
    body = partial.json()
    assert body["required_auth_methods"] == [["password", "totp"]]
    assert body["receipt"]["methods"] == ["password"]
    assert body["receipt"]["user"] == {"id": bob["id"], "name": "bob", "domain": {"id": "default", "name": "Default"}}
    receipt = partial.headers["Openstack-Auth-Receipt"]
    full = by_code(cloud, bob["id"], passcode(SECRET, clock.now()), receipt)
    assert full.status_code == 201
    assert full.json()["token"]["methods"] == ["password", "totp"]
    assert by_code(cloud, bob["id"], passcode(SECRET, clock.now())).status_code == 401


def test_both_at_once_need_no_receipt(cloud: Cloud, bob: dict[str, Any], clock: FakeClock) -> None:
    demand_both(cloud, bob)
    body = login("bob", "pw")
    body["auth"]["identity"]["methods"].append("totp")
    body["auth"]["identity"]["totp"] = {"user": {"id": bob["id"], "passcode": passcode(SECRET, clock.now())}}
    assert cloud("POST", "/v3/auth/tokens", token="", json=body).status_code == 201


def test_a_receipt_is_no_token_and_a_token_no_receipt(cloud: Cloud, bob: dict[str, Any], clock: FakeClock) -> None:
    demand_both(cloud, bob)
    receipt = cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "pw")).headers["Openstack-Auth-Receipt"]
    assert cloud("GET", "/v3/auth/projects", token=receipt).status_code == 401
    code = passcode(SECRET, clock.now())
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    for wrong in (token, receipt[:-4] + "AAAA", "x"):
        assert by_code(cloud, bob["id"], code, wrong).status_code == 401


def test_a_receipt_is_its_users_and_ends(cloud: Cloud, bob: dict[str, Any], clock: FakeClock) -> None:
    demand_both(cloud, bob)
    eve = cloud.made("users", name="eve", password="pw")
    cloud.made("credentials", type="totp", blob=SECRET, user_id=eve["id"], project_id=None)
    receipt = cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "pw")).headers["Openstack-Auth-Receipt"]
    assert by_code(cloud, eve["id"], passcode(SECRET, clock.now()), receipt).status_code == 401
    clock.advance(301)
    assert by_code(cloud, bob["id"], passcode(SECRET, clock.now()), receipt).status_code == 401


def test_a_receipt_ends_with_the_password(cloud: Cloud, bob: dict[str, Any], clock: FakeClock) -> None:
    demand_both(cloud, bob)
    receipt = cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "pw")).headers["Openstack-Auth-Receipt"]
    cloud("PATCH", f"/v3/users/{bob['id']}", json={"user": {"password": "new"}})
    assert by_code(cloud, bob["id"], passcode(SECRET, clock.now()), receipt).status_code == 401
