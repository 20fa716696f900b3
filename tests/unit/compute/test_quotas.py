"""Compute quotas: whose limit holds, what counts, how many servers fit."""

from typing import Any

import pytest
from tests.unit.compute.making import PROJECT, a_server, add_servers

from nephele.compute.errors import QUOTA_EXCEEDED
from nephele.compute.model import Vm
from nephele.compute.quotas import DEFAULT_CLASS, ComputeQuotas, Used
from nephele.config import Quotas
from nephele.kernel.errors import Refused
from nephele.kernel.store import Store


@pytest.fixture
def quotas(store: Store) -> ComputeQuotas:
    return ComputeQuotas(store, Quotas(instances=5, cores=8, ram=1024))


def check(store: Store, quotas: ComputeQuotas, count: int, **more: Any) -> int:
    with store.write():
        return quotas.check_servers(PROJECT, count, more.pop("vcpus", 1), more.pop("ram", 64), **more)


def test_a_projects_own_limit_wins_over_the_default_and_that_over_the_settings(quotas: ComputeQuotas) -> None:
    assert quotas.limits(PROJECT)["cores"] == 8
    quotas.set_limits(DEFAULT_CLASS, {"cores": 10, "instances": 6})
    quotas.set_limits(PROJECT, {"cores": 20})
    assert (quotas.limits(PROJECT)["cores"], quotas.limits(PROJECT)["instances"]) == (20, 6)
    assert quotas.limits("another")["cores"] == 10
    quotas.set_limits(PROJECT, {"cores": 21})
    assert quotas.limits(PROJECT)["cores"] == 21
    quotas.forget(PROJECT)
    assert quotas.limits(PROJECT)["cores"] == 10


def test_servers_count_until_they_are_deleted(store: Store, quotas: ComputeQuotas) -> None:
    add_servers(
        store,
        a_server(vcpus=2, ram=100),
        a_server(vcpus=1, ram=50, vm_state=Vm.ERROR),
        a_server(vcpus=4, ram=500, vm_state=Vm.DELETED, deleted_at=5),
        a_server(vcpus=4, ram=500, project_id="another"),
    )
    assert quotas.used(PROJECT) == Used(instances=2, cores=3, ram=150)


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({"count": 3}, 3),
        ({"count": 9, "least": 1}, 4),
        ({"count": 9, "least": 1, "vcpus": 3}, 2),
        ({"count": 9, "least": 1, "ram": 600}, 1),
        ({"count": 2, "vcpus": 0}, 2),
    ],
)
def test_as_many_as_fit(store: Store, quotas: ComputeQuotas, asked: dict[str, int], fits: int) -> None:
    add_servers(store, a_server(vcpus=1, ram=64))
    assert check(store, quotas, **asked) == fits


def test_a_refusal_has_the_numbers(store: Store, quotas: ComputeQuotas) -> None:
    add_servers(store, a_server(vcpus=6, ram=64))
    with pytest.raises(Refused) as refused:
        check(store, quotas, 2, vcpus=3)
    assert refused.value.error is QUOTA_EXCEEDED
    assert refused.value.message == "Quota exceeded for cores: Requested 6, but already used 6 of 8 cores"


def test_no_limit_is_none(store: Store, quotas: ComputeQuotas) -> None:
    quotas.set_limits(PROJECT, {"instances": -1, "cores": -1, "ram": -1})
    assert check(store, quotas, 1000, vcpus=64) == 1000
    quotas.set_limits(PROJECT, {"ram": 640})
    assert check(store, quotas, 1000, least=1) == 10
