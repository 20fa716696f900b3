"""Limits by the strict model of two levels: no project has more than its domain."""

from typing import Any

import pytest
from tests.conftest import Http
from tests.unit.identity.conftest import QUICK, Cloud, Current

from nephele.identity.model import LimitModel
from nephele.identity.service import Identity
from nephele.kernel.clock import FakeClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store


@pytest.fixture
def strict(store: Store, clock: FakeClock, ids: Ids, current: Current, routes: Http) -> Cloud:
    identity = Identity(store, clock, ids, passwords=QUICK, limit_model=LimitModel.STRICT_TWO_LEVEL)
    identity.start()
    current.identity = identity
    return Cloud(identity, routes)


def limit(cloud: Cloud, value: int, **owner: str) -> Any:
    body = {"service_id": cloud.id_of("services", "nova"), "resource_name": "cores", "resource_limit": value, **owner}
    return cloud("POST", "/v3/limits", json={"limits": [body]})


def test_no_project_has_more_than_its_domain(strict: Cloud) -> None:
    service = strict.id_of("services", "nova")
    default = {"service_id": service, "resource_name": "cores", "default_limit": 10}
    assert strict("POST", "/v3/registered_limits", json={"registered_limits": [default]}).status_code == 201
    demo, admin = strict.id_of("projects", "demo"), strict.id_of("projects", "admin")
    refused = limit(strict, 11, project_id=demo)
    assert refused.status_code == 403, "the domain has the default"
    assert "cores" in refused.json()["error"]["message"]
    assert "would be 11" in refused.json()["error"]["message"]
    domain = limit(strict, 20, domain_id="default").json()["limits"][0]["id"]
    mine = limit(strict, 20, project_id=demo).json()["limits"][0]["id"]
    assert limit(strict, -1, project_id=admin).status_code == 403
    assert strict("PATCH", f"/v3/limits/{mine}", json={"limit": {"resource_limit": 21}}).status_code == 403
    assert strict("PATCH", f"/v3/limits/{domain}", json={"limit": {"resource_limit": 19}}).status_code == 403
    assert strict("PATCH", f"/v3/limits/{mine}", json={"limit": {"resource_limit": 5}}).status_code == 200
    assert strict("PATCH", f"/v3/limits/{domain}", json={"limit": {"resource_limit": 19}}).status_code == 200
    assert strict("GET", "/v3/limits/model").json()["model"]["name"] == "strict_two_level"


def test_there_are_no_projects_below_projects(strict: Cloud) -> None:
    demo = strict.id_of("projects", "demo")
    body = {"project": {"name": "low", "parent_id": demo, "domain_id": "default"}}
    assert strict("POST", "/v3/projects", json=body).status_code == 403
    assert strict("POST", "/v3/projects", json={"project": {"name": "top"}}).status_code == 201


def test_the_flat_model_lets_each_limit_stand_alone(cloud: Cloud) -> None:
    default = {"service_id": cloud.id_of("services", "nova"), "resource_name": "cores", "default_limit": 10}
    cloud("POST", "/v3/registered_limits", json={"registered_limits": [default]})
    assert limit(cloud, 99, project_id=cloud.id_of("projects", "demo")).status_code == 201
    assert cloud("GET", "/v3/limits/model").json()["model"]["name"] == "flat"
