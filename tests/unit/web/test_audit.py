"""What is recorded, in CADF's form, and that no secret is."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import CALLERS, Http, verify

from nephele.identity.passwords import Passwords
from nephele.identity.routes import api as identity_api
from nephele.identity.service import Identity
from nephele.kernel.clock import FakeClock
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.web import faults
from nephele.web.audit import Audit, AuditFile
from nephele.web.routing import Api, Route


class Recorded:
    """Events, as they were written."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def __call__(self, line: bytes) -> None:
        self.lines.append(line)

    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lines[-1])
        return found


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


ROUTES = [
    Route("GET", "/v1/things", lambda *_: {}, "things:list"),
    Route("DELETE", "/v1/things/{thing_id}", lambda *_: None, "things:delete", status=204),
    Route("POST", "/v1/things/{thing_id}/action", lambda *_: None, "things:act", dict, action="paint", status=202),
]
RULES = {"things:list": "role:member", "things:delete": "role:member", "things:act": "role:admin"}


@pytest.fixture
def things(ids: Ids, clock: FakeClock, recorded: Recorded) -> Http:
    api = Api("things", "/things", object(), ROUTES, faults.nova, Policy(RULES))
    return Http([api], ids, audit=Audit(recorded, clock, ids))


def test_a_refusal_is_recorded_with_its_rule(things: Http, recorded: Recorded) -> None:
    answer = things("GET", "/things/v1/things?token=s3cret", as_="reader", headers={"User-Agent": "osc"})
    event = recorded.last()
    assert answer.status_code == 403
    assert event["typeURI"] == "http://schemas.dmtf.org/cloud/audit/1.0/event"
    assert (event["action"], event["outcome"], event["eventType"]) == ("read", "failure", "activity")
    assert event["reason"] == {
        "reasonType": "HTTP",
        "reasonCode": "403",
        "policyType": "oslo.policy",
        "policyId": "things:list",
    }
    assert event["initiator"]["user_id"] == CALLERS["reader"].user_id
    assert event["initiator"]["project_id"] == CALLERS["reader"].project_id
    assert event["initiator"]["request_id"] == answer.headers["X-OpenStack-Request-ID"]
    assert event["initiator"]["host"] == {"address": "127.0.0.1", "agent": "osc"}
    assert event["target"] == {"typeURI": "service/things/things", "id": "unknown"}
    assert event["eventTime"] == "2023-11-14T22:13:20.000000+0000"
    assert b"s3cret" not in recorded.lines[-1]


def test_what_members_do_in_their_project_is_not(things: Http, recorded: Recorded) -> None:
    assert things("DELETE", "/things/v1/things/1").status_code == 204
    assert things("GET", "/things/v1/things", as_="admin").status_code == 200
    assert recorded.lines == []


def test_what_administrators_change_is(things: Http, recorded: Recorded) -> None:
    things("DELETE", "/things/v1/things/7", as_="admin")
    assert (recorded.last()["action"], recorded.last()["target"]["id"]) == ("delete", "7")
    things("POST", "/things/v1/things/7/action", as_="admin", json={"paint": {"colour": "red"}})
    assert recorded.last()["action"] == "update/paint"
    assert recorded.last()["target"] == {"typeURI": "service/things/things/action", "id": "7"}
    assert recorded.last()["outcome"] == "success"
    assert b"red" not in recorded.lines[-1]


def test_a_missing_token_is_recorded(things: Http, recorded: Recorded) -> None:
    things("GET", "/things/v1/things", as_="")
    assert (recorded.last()["initiator"]["id"], recorded.last()["reason"]["reasonCode"]) == ("unknown", "401")


@pytest.fixture
def keystone(store: Store, ids: Ids, clock: FakeClock, recorded: Recorded) -> Http:
    identity = Identity(store, clock, ids, passwords=Passwords(memory_kib=64, passes=1))
    identity.start()
    identity.seed("admin-secret", "demo-secret")

    def either(token: str) -> Context:
        try:
            return identity.verify(token)
        except Refused:
            return verify(token)

    return Http([identity_api(identity)], ids, either, audit=Audit(recorded, clock, ids))


def sign_in(keystone: Http, password: str) -> Any:
    user = {"name": "demo", "domain": {"id": "default"}, "password": password}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    return keystone("POST", "/identity/v3/auth/tokens", as_="", json=body)


def test_each_sign_in_is_recorded_and_no_password(keystone: Http, recorded: Recorded) -> None:
    good = sign_in(keystone, "demo-secret")
    event = recorded.last()
    assert (event["action"], event["outcome"]) == ("authenticate", "success")
    assert event["initiator"]["user_id"] == good.json()["token"]["user"]["id"]
    assert event["initiator"]["username"] == "demo"
    assert event["target"]["typeURI"] == "service/security/account/user"
    sign_in(keystone, "wr0ng")
    event = recorded.last()
    assert (event["action"], event["outcome"], event["reason"]["reasonCode"]) == ("authenticate", "failure", "401")
    assert event["initiator"]["username"] == "demo"
    text = b"".join(recorded.lines)
    for secret in (b"demo-secret", b"wr0ng", good.headers["X-Subject-Token"].encode()):
        assert secret not in text


def test_changes_in_identity_are_recorded(keystone: Http, recorded: Recorded) -> None:
    body = {"user": {"name": "bob", "password": "s3cret"}}
    keystone("POST", "/identity/v3/users", as_="admin", json=body)
    assert (recorded.last()["action"], recorded.last()["target"]["typeURI"]) == (
        "created.user",
        "data/security/account/user",
    )
    assert b"s3cret" not in b"".join(recorded.lines)


def test_the_file_is_appended_to_and_opened_anew(tmp_path: Path) -> None:
    file = AuditFile(tmp_path / "audit.log")
    file(b"1\n")
    file(b"2\n")
    (tmp_path / "audit.log").rename(tmp_path / "audit.log.1")
    file(b"3\n")
    file.close()
    assert (tmp_path / "audit.log.1").read_bytes() == b"1\n2\n"
    assert (tmp_path / "audit.log").read_bytes() == b"3\n"
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600
