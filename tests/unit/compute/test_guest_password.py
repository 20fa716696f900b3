"""A guest tells its administrator's password to the metadata service."""

from typing import Any

import pytest
from tests.unit.compute.making import a_server, add_servers

from nephele.compute.guest_data import GuestData
from nephele.compute.sealing import MOST, seal
from nephele.kernel.store import Store
from nephele.network.wiring import MetadataAnswer, MetadataAsk

PATH = "/openstack/latest/password"


class OneServer:
    """A network that knows whose the address is."""

    def __init__(self, server_id: str) -> None:
        self.server_id = server_id

    def find_server_by_address(self, *_: Any, **__: Any) -> tuple[str, str]:
        return self.server_id, "port"


@pytest.fixture
def guest(store: Store) -> Any:
    server = a_server()
    add_servers(store, server)
    data = GuestData(store, OneServer(server.id))  # type: ignore[arg-type]

    def ask(method: str, body: bytes = b"", path: str = PATH) -> MetadataAnswer:
        return data.answer(
            MetadataAsk(host="h", path=path, guest_ip="10.0.0.2", network_id="n", method=method, body=body)
        )

    return ask


def test_it_is_told_once_and_can_be_read(guest: Any) -> None:
    assert guest("GET").body == b""
    assert guest("POST", b"c2VhbGVk").status == 200
    assert guest("GET").body == b"c2VhbGVk"
    assert guest("POST", b"another").status == 409
    assert guest("GET", path="/openstack/2013-04-04/password/").body == b"c2VhbGVk"


def test_what_can_not_be_kept_is_refused(guest: Any) -> None:
    assert guest("POST", b"x" * (MOST + 1)).status == 400
    assert guest("POST", b"\xff").status == 400
    assert guest("POST", b"x", path="/openstack/latest/meta_data.json").status == 405
    assert guest("GET").body == b""
    assert guest("POST", b"x" * MOST).status == 200


@pytest.mark.parametrize("key", ["", "ssh-ed25519 AAAA", "ssh-rsa damaged"])
def test_only_rsa_keys_seal(key: str) -> None:
    assert seal(key, "secret") == ""
