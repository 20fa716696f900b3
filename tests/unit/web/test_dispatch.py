"""The edge, by way of a small service made for the test."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct
from tests.conftest import PROJECT, Http

from nephele.kernel.policy import Policy
from nephele.web import faults
from nephele.web.bodies import envelope
from nephele.web.call import Call
from nephele.web.microversions import Versions
from nephele.web.routing import PUBLIC, Api, Reply, Route


class NewThing(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    size: int = 0


def fail(_service: object, _call: Call) -> None:
    raise RuntimeError("a defect")


async def stream(_service: object, call: Call) -> Reply:
    return Reply(b"".join([chunk async for chunk in call.request.stream]), content_type="text/plain")


ROUTES = [
    Route("GET", "/", lambda _service, call: {"url": call.base_url}, PUBLIC),
    Route("GET", "/v2.1/things", lambda _service, call: {"project": call.context.project_id, "v": call.version}),
    Route(
        "POST",
        "/v2.1/things",
        lambda _s, call: {"made": call.body.thing.name},
        "members",
        envelope("thing", NewThing),
        status=202,
    ),
    Route(
        "POST",
        "/v2.1/things/{thing_id}/action",
        lambda _s, call: {"grown": call.body.size},
        body=NewThing,
        action="grow",
    ),
    Route("POST", "/v2.1/things/{thing_id}/action", lambda _s, _call: None, action="old", until=(2, 5), status=202),
    Route("GET", "/v2.1/defect", fail),
    Route("PUT", "/v2.1/stream", stream),
    Route("GET", "/v2.1/slow", lambda _s, _call: {"slow": True}, waits=True),
]


@pytest.fixture
def call(http: Callable[..., Http]) -> Http:
    policy = Policy({"members": "role:member"})
    versions = Versions("compute", (2, 1), (2, 104), "X-OpenStack-Nova-API-Version")
    return http(Api("compute", "/compute", None, ROUTES, faults.nova, policy, versions, 1000, "/v2.1"))


def test_root_needs_no_token(call: Http) -> None:
    assert call("GET", "/compute", as_="").json() == {"url": "http://cloud:8774/compute"}
    assert call("GET", "/compute/", as_="forged").status_code == 200


@pytest.mark.parametrize("token", ["", "forged"])
def test_without_a_good_token_401_in_keystones_form(call: Http, token: str) -> None:
    answer = call("GET", "/compute/v2.1/things", as_=token)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401
    assert "identity" in answer.headers["WWW-Authenticate"]


def test_the_project_id_in_the_path_is_optional(call: Http) -> None:
    assert call("GET", f"/compute/v2.1/{PROJECT}/things").json()["project"] == PROJECT


@pytest.mark.parametrize(
    ("headers", "status", "version"),
    [
        ({}, 200, "2.1"),
        ({"OpenStack-API-Version": "compute 2.53"}, 200, "2.53"),
        ({"OpenStack-API-Version": "volume 3.1, compute latest"}, 200, "2.104"),
        ({"X-OpenStack-Nova-API-Version": "2.7"}, 200, "2.7"),
        ({"OpenStack-API-Version": "compute 2.999"}, 406, ""),
        ({"OpenStack-API-Version": "compute two"}, 400, ""),
    ],
)
def test_microversions_are_negotiated(call: Http, headers: dict[str, str], status: int, version: str) -> None:
    answer = call("GET", "/compute/v2.1/things", headers=headers)
    assert answer.status_code == status
    if version:
        assert answer.headers["OpenStack-API-Version"] == f"compute {version}"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"thing": {}}', "name"),
        (b'{"thing": {"name": 5}}', "thing.name"),
        (b'{"thing": {"name": "a", "colour": 1}}', "colour"),
        (b'{"thing": {"name": "a"}, "more": 1}', "more"),
        (b"[]", "body"),
        (b"", "not valid JSON"),
    ],
)
def test_a_bad_body_is_a_400_that_says_what(call: Http, body: bytes, says: str) -> None:
    answer = call("POST", "/compute/v2.1/things", content=body)
    assert answer.status_code == 400
    assert says in answer.json()["badRequest"]["message"]


def test_a_huge_body_is_a_413(call: Http) -> None:
    assert call("POST", "/compute/v2.1/things", content=b" " * 1001).status_code == 413


def test_a_wrong_role_is_a_403_that_names_the_rule(call: Http) -> None:
    answer = call("POST", "/compute/v2.1/things", as_="reader", json={"thing": {"name": "a"}})
    assert answer.status_code == 403
    assert "members" in answer.json()["forbidden"]["message"]
    assert call("POST", "/compute/v2.1/things", json={"thing": {"name": "a"}}).status_code == 202


@pytest.mark.parametrize(
    ("action", "version", "status"),
    [
        ({"grow": {"name": "a", "size": 3}}, "2.1", 200),
        ({"grow": {"name": "a", "size": "3"}}, "2.1", 400),
        ({"shrink": None}, "2.1", 400),
        ({"grow": {"name": "a"}, "old": None}, "2.1", 400),
        ({"old": None}, "2.5", 202),
        ({"old": None}, "2.6", 404),
        ({}, "2.1", 400),
    ],
)
def test_actions_are_chosen_by_their_key(call: Http, action: dict[str, Any], version: str, status: int) -> None:
    headers = {"OpenStack-API-Version": f"compute {version}"}
    answer = call("POST", "/compute/v2.1/things/1/action", json=action, headers=headers)
    assert answer.status_code == status


def test_what_is_not_there(call: Http) -> None:
    assert call("GET", "/compute/v2.1/nowhere").json()["itemNotFound"]["code"] == 404
    answer = call("DELETE", "/compute/v2.1/things")
    assert answer.status_code == 405
    assert "GET, POST" in answer.json()["badMethod"]["message"]
    answer = call("OPTIONS", "/compute/v2.1/things")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_defect_is_a_500_with_the_request_id_and_no_secrets(call: Http) -> None:
    answer = call("GET", "/compute/v2.1/defect")
    assert answer.status_code == 500
    assert answer.headers["X-OpenStack-Request-ID"] in answer.json()["computeFault"]["message"]
    assert "a defect" not in answer.text


def test_streams_and_threads(call: Http) -> None:
    assert call("PUT", "/compute/v2.1/stream", content=b"x" * 5000).content == b"x" * 5000
    assert call("GET", "/compute/v2.1/slow").json() == {"slow": True}


def test_head_answers_like_get_without_a_body(call: Http) -> None:
    answer = call("HEAD", "/compute/v2.1/things")
    assert answer.status_code == 200
    assert answer.content == b""
