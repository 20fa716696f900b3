"""Moves of servers as users and operators type them: resize, migrate, evacuate."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from tests.clients.test_compute import LAUNCH, gone

pytestmark = pytest.mark.clients
Cli = Callable[..., Any]
V = "--os-compute-api-version"


@pytest.fixture
def server(demo: Cli) -> Iterator[str]:
    """The id of a server that is ACTIVE."""
    made = demo(*LAUNCH, "--image", "nephele-guest", f"s-{uuid4().hex[:6]}")
    yield made["id"]
    demo("server", "delete", "--wait", made["id"], parse=False)
    gone(demo, "server", "show", made["id"])


def active(demo: Cli, server: str) -> dict[str, Any]:
    """The server once it is ACTIVE."""
    for _try in range(40):
        shown: dict[str, Any] = demo("server", "show", server)
        if shown["status"] == "ACTIVE":
            return shown
    raise AssertionError(shown["status"])


def test_a_resize_is_decided(demo: Cli, admin: Cli, server: str) -> None:
    for decision, flavor in (("revert", "m1.nano"), ("confirm", "m1.tiny")):
        demo("server", "resize", "--flavor", "m1.tiny", "--wait", server, parse=False)
        assert demo("server", "show", server)["status"] == "VERIFY_RESIZE"
        demo("server", "resize", decision, server, parse=False)
        assert active(demo, server)["flavor"]["name"] == flavor
    listed = admin(V, "2.80", "server", "migration", "list", "--server", server)
    assert [(one["Type"], one["Status"]) for one in listed] == [("resize", "confirmed"), ("resize", "reverted")]


def test_a_server_is_moved_and_evacuated(demo: Cli, admin: Cli, server: str) -> None:
    def host() -> str:
        return str(admin("server", "show", server)["OS-EXT-SRV-ATTR:host"])

    hosts = [host()]
    admin(V, "2.30", "server", "migrate", "--live-migration", "--wait", server, parse=False)
    hosts.append(host())
    admin("server", "migrate", "--wait", server, parse=False)
    admin("server", "migrate", "confirm", server, parse=False)
    active(demo, server)
    hosts.append(host())
    admin(V, "2.53", "compute", "service", "set", "--down", hosts[-1], "nova-compute", parse=False)
    admin(V, "2.68", "server", "evacuate", server, parse=False)  # its `--wait` compares "active" with "ACTIVE"
    active(demo, server)
    admin(V, "2.53", "compute", "service", "set", "--up", hosts[-1], "nova-compute", parse=False)
    hosts.append(host())
    assert all(here != there for here, there in pairwise(hosts)), hosts
    listed = admin(V, "2.80", "server", "migration", "list", "--server", server)
    assert [one["Type"] for one in listed] == ["evacuation", "migration", "live-migration"]
