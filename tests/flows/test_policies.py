"""Every operation of every service, asked for by every persona: let in or not as upstream's defaults say.

The routes are walked, so a new one is tested as soon as it is there.  Nothing that they name exists: whoever is let in
is told so (400, 404, …), and whoever is not gets 403 before that.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import msgspec
import pytest
from tests.unit.policies.personas import PERSONAS, expectations

from nephele.cloud import Cloud
from nephele.config import Settings
from nephele.kernel.context import Context
from nephele.kernel.policy import Policy
from nephele.web.app import build
from nephele.web.dispatch import Edge
from nephele.web.routing import PUBLIC, Api, Route

UPSTREAM = {(it.service, it.rule): it for it in expectations()}
SERVICES = ("identity", "compute", "image", "network", "placement", "volume")
NOWHERE = "11111111-1111-4111-8111-111111111111"
SAME_FOR_ALL = {
    "compute": {
        f"/{version}/{kind}{more}"
        for version in ("v2", "v2.1")
        for kind in ("images", "flavors")
        for more in ("", "/detail")
    },
    "image": {"/v2/info/import", "/v2/info/stores", "/v2/info/usage"},
    "network": {"/v2.0/extensions", "/v2.0/service-providers"},
    "volume": {"/v3/limits", "/v3/group_types", "/v3/os-availability-zone", "/v3/extensions", "/v3/resource_filters"},
}
"""What upstream has no rule for: it shows each caller its own, or everyone the same."""


class Walk:
    """Requests to one cloud, and which rules each of them asked for."""

    def __init__(self, cloud: Cloud) -> None:
        self.apis = cloud._apis()
        self._app = build(self.apis, Edge(self._verify, cloud.ids, None, ""))
        self.asked: list[tuple[str, bool]] = []
        self.told = False
        """Whether the answer held anything but empty lists, or something was done."""
        self._loop = asyncio.new_event_loop()

    @staticmethod
    def _verify(token: str) -> Context:
        return msgspec.structs.replace(PERSONAS[token], token=token)

    def __call__(self, api: Api, route: Route, persona: str) -> int:
        """The status of the answer; `asked` has the rules that it took."""
        self.asked = []
        real = Policy.allows

        def allows(policy: Policy, rule: str, caller: Context, target: Any) -> bool:
            passed = real(policy, rule, caller, target)
            self.asked.append((rule, passed))
            return passed

        with patch.object(Policy, "allows", allows):
            return self._loop.run_until_complete(self._send(api, route, persona))

    async def _send(self, api: Api, route: Route, persona: str) -> int:
        path = "/".join(NOWHERE if word.startswith("{") else word for word in route.path.split("/"))
        headers = {"X-Auth-Token": persona, "Content-Type": "application/json"}
        if api.versions is not None:
            version = min(route.until, api.versions.maximum)
            headers["OpenStack-API-Version"] = f"{api.versions.service} {version[0]}.{version[1]}"
        body = {route.action: None} if route.action else {}
        transport: Any = httpx.ASGITransport(app=self._app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as client:
            answer = await client.request(route.method, api.prefix + path, headers=headers, json=body)
        found = answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else {}
        told = any(found.values()) if isinstance(found, dict) else bool(found)
        self.told = told or answer.status_code != 200
        return answer.status_code


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    cloud = Cloud(Settings(state_dir=Path(tmp_path_factory.mktemp("policies"))), "http://cloud")
    cloud.start()
    try:
        yield Walk(cloud)
    finally:
        cloud.stop()


def operations(walk: Walk, service: str) -> list[tuple[Api, Route]]:
    """Those that need a token; of an API without microversions only what it answers."""
    return [
        (api, route)
        for api in walk.apis
        if api.name == service
        for route in api.routes
        if route.rule != PUBLIC and (api.versions is not None or route.since == (0, 0))
    ]


@pytest.mark.parametrize("persona", PERSONAS)
@pytest.mark.parametrize("service", SERVICES)
def test_who_is_let_in(walk: Walk, service: str, persona: str) -> None:
    wrong = []
    for api, route in operations(walk, service):
        if not route.rule or route.rule.startswith("nephele:"):
            continue
        status = walk(api, route, persona)
        may = UPSTREAM[service, route.rule].mine[persona]
        asked, passed = walk.asked[0] if walk.asked else ("nothing", True)
        if (asked, passed) != (route.rule, may) or (not may and status != 403) or status >= 500:
            wrong.append((route.method, route.path, route.action, route.rule, may, status))
    assert not wrong


@pytest.mark.parametrize("service", SERVICES)
def test_whoever_has_no_role_gets_nothing_without_a_rule(walk: Walk, service: str) -> None:
    """With every rule shut, no operation succeeds or tells anything."""
    policy = next(api.policy for api in walk.apis if api.name == service)
    policy.override(dict.fromkeys(policy.defaults, "!"))
    try:
        open_ = [
            (route.method, route.path)
            for api, route in operations(walk, service)
            if route.path not in SAME_FOR_ALL.get(service, ()) and walk(api, route, "project_admin") < 300 and walk.told
        ]
    finally:
        policy.override({})
    assert not open_
