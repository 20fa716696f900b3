"""Fixtures: the image service in an empty directory, and its API."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import Http

from nephele.image.policy import RULES
from nephele.image.routes import api
from nephele.image.service import Images
from nephele.kernel.clock import FakeClock
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store


@pytest.fixture
def images(store: Store, clock: FakeClock, ids: Ids, tmp_path: Path) -> Iterator[Images]:
    service = Images(store, clock, ids, tmp_path / "images", Policy(RULES))
    yield service
    service.close()


@pytest.fixture
def call(http: Callable[..., Http], images: Images) -> Http:
    return http(api(images, Policy(RULES)))
