"""OAuth 2.0 client credentials, and the events that ended tokens."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, login, on_project

from nephele.kernel.clock import FakeClock

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def client(cloud: Cloud) -> tuple[str, str]:
    """The id and the secret of an application credential."""
    user_id = cloud.id_of("users", "demo")
    token = cloud.token("demo", "demo-secret", on_project("demo"))
    body = {"application_credential": {"name": "app", "secret": "s3 cret"}}
    made = cloud("POST", f"/v3/users/{user_id}/application_credentials", token=token, json=body)
    return made.json()["application_credential"]["id"], "s3 cret"


def ask(cloud: Cloud, text: str, **options: Any) -> Any:
    return cloud("POST", "/v3/OS-OAUTH2/token", token="", content=text, headers=FORM, **options)


def test_a_client_gets_an_access_token(cloud: Cloud, client: tuple[str, str]) -> None:
    answer = ask(cloud, "grant_type=client_credentials", auth=client)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 3600
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert cloud("GET", "/v3/auth/projects", token="", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("text", "secret", "status", "error"),
    [
        ("", "s3 cret", 400, "invalid_request"),
        ("grant_type=password", "s3 cret", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", "wrong", 401, "invalid_client"),
        ("grant_type=client_credentials", None, 401, "invalid_client"),
    ],
)
def test_refusals(
    cloud: Cloud, client: tuple[str, str], text: str, secret: str | None, status: int, error: str
) -> None:
    options = {} if secret is None else {"auth": (client[0], secret)}
    answer = ask(cloud, text, **options)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_events_say_what_ended_tokens(cloud: Cloud, clock: FakeClock) -> None:
    bob = cloud.made("users", name="bob", password="pw")
    body = cloud("POST", "/v3/auth/tokens", token="", json=login("bob", "pw"))
    audit_id, token = body.json()["token"]["audit_ids"][0], body.headers["X-Subject-Token"]
    cloud("DELETE", "/v3/auth/tokens", token=token, headers={"X-Subject-Token": token})
    clock.advance(10)
    cloud("PATCH", f"/v3/users/{bob['id']}", json={"user": {"enabled": False}})
    found = cloud("GET", "/v3/OS-REVOKE/events").json()["events"]
    assert found == [
        {"audit_id": audit_id, "issued_before": "2023-11-14T22:13:20.000000Z"},
        {"user_id": bob["id"], "issued_before": "2023-11-14T22:13:30.000000Z"},
    ]
    later = cloud("GET", "/v3/OS-REVOKE/events?since=2023-11-14T22:13:25Z").json()["events"]
    assert later == found[1:]
    assert cloud("GET", "/v3/OS-REVOKE/events?since=today").status_code == 400
    demo = cloud.token("demo", "demo-secret", on_project("demo"))
    assert cloud("GET", "/v3/OS-REVOKE/events", token=demo).status_code == 403
