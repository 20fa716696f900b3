"""Bad requests: each gets the error that OpenStack's API gives, and changes nothing."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.running import RunningCloud, running_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(Path(tmp_path_factory.mktemp("bad")) / "state", "--hosts", "2") as running:
        yield running


class User:
    """Somebody with a token, speaking plain HTTP."""

    def __init__(self, cloud: RunningCloud, entry: str, **auth: str) -> None:
        known = yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"][entry]["auth"] | auth
        domain = {"name": "Default"}
        user = {"name": known["username"], "password": known["password"], "domain": domain}
        scope = {"project": {"name": known["project_name"], "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        self.http = httpx.Client(base_url=cloud.url, timeout=30)
        answer = self.http.post("/identity/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        self.token = answer.headers["X-Subject-Token"]
        self.project_id = answer.json()["token"]["project"]["id"]

    def __call__(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        headers = {"X-Auth-Token": self.token if token is None else token} | more.pop("headers", {})
        return self.http.request(method, path, headers=headers, **more)


@pytest.fixture(scope="module")
def demo(cloud: RunningCloud) -> User:
    return User(cloud, "nephele")


@pytest.fixture(scope="module")
def admin(cloud: RunningCloud) -> User:
    return User(cloud, "nephele-admin")


@pytest.fixture(scope="module")
def stranger(cloud: RunningCloud, admin: User) -> User:
    """A member of another project."""
    project = admin("POST", "/identity/v3/projects", json={"project": {"name": "other"}}).json()["project"]
    user = {"user": {"name": "eve", "password": "secret-eve"}}
    user_id = admin("POST", "/identity/v3/users", json=user).json()["user"]["id"]
    (role,) = admin("GET", "/identity/v3/roles?name=member").json()["roles"]
    given = admin("PUT", f"/identity/v3/projects/{project['id']}/users/{user_id}/roles/{role['id']}")
    assert given.status_code == 204
    return User(cloud, "nephele", username="eve", password="secret-eve", project_name="other")


@pytest.fixture(scope="module")
def launch(demo: User) -> dict[str, Any]:
    """A body that would launch a server."""
    (image,) = demo("GET", "/image/v2/images?name=nephele-guest").json()["images"]
    (network,) = demo("GET", "/network/v2.0/networks?name=private").json()["networks"]
    return {"name": "s", "imageRef": image["id"], "flavorRef": "42", "networks": [{"uuid": network["id"]}]}


def servers(demo: User) -> list[Any]:
    return list(demo("GET", "/compute/v2.1/servers").json()["servers"])


NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"name": 5}, 400, "server.name"),
        ({"name": ""}, 400, "server.name"),
        ({"name": "x" * 256}, 400, "server.name"),
        ({"flavorRef": "nonesuch"}, 400, "Flavor nonesuch could not be found"),
        ({"imageRef": NOBODY}, 400, f"Image {NOBODY} could not be found"),
        ({"imageRef": ""}, 400, "imageRef"),
        ({"networks": [{"uuid": NOBODY}]}, 400, NOBODY),
        ({"networks": [{"uuid": "not-a-uuid"}]}, 400, "networks"),
        ({"networks": [{"port": NOBODY}]}, 400, NOBODY),
        ({"networks": "auto"}, 400, "2.37"),
        ({"key_name": "nobody's"}, 400, "key_name"),
        ({"security_groups": [{"name": "nowhere"}]}, 400, "nowhere"),
        ({"availability_zone": "mars"}, 400, "mars"),
        ({"user_data": "%%%"}, 400, "base 64"),
        ({"user_data": "A" * 70_000}, 400, "user_data"),
        ({"metadata": {"k": 1}}, 400, "metadata"),
        ({"metadata": {"k" * 256: "v"}}, 400, "metadata"),
        ({"metadata": {f"k{n}": "v" for n in range(129)}}, 403, "128"),
        ({"min_count": 3, "max_count": 2}, 400, "min_count"),
        ({"min_count": 0}, 400, "min_count"),
        ({"max_count": 11, "min_count": 11}, 403, "instances"),
        ({"colour": "red"}, 400, "colour"),
        ({"description": "too early"}, 400, "description"),
        ({"hostname": "too-early"}, 400, "hostname"),
        ({"personality": [{"path": "/a", "contents": "YQ=="}]}, 400, "ersonality"),
        (
            {"block_device_mapping_v2": [{"boot_index": 0, "uuid": NOBODY, "source_type": "volume"}]},
            400,
            "Block Device",
        ),
        (
            {"block_device_mapping_v2": [{"boot_index": 2, "source_type": "blank", "volume_size": 1}]},
            400,
            "Boot sequence",
        ),
        ({"flavorRef": None}, 400, "flavorRef"),
        ({"OS-DCF:diskConfig": "SOMETIMES"}, 400, "diskConfig"),
    ],
)
def test_a_bad_launch_is_refused(
    demo: User, launch: dict[str, Any], change: dict[str, Any], status: int, says: str
) -> None:
    answer = demo("POST", "/compute/v2.1/servers", json={"server": launch | change})
    assert answer.status_code == status, answer.text
    (fault,) = answer.json().values()
    assert fault["code"] == status
    assert says in fault["message"]
    assert servers(demo) == []
    assert demo("GET", "/network/v2.0/ports?device_owner=compute:nova").json()["ports"] == []


@pytest.mark.parametrize("field", ["name", "flavorRef"])
def test_a_launch_without_what_it_needs(demo: User, launch: dict[str, Any], field: str) -> None:
    body = {name: value for name, value in launch.items() if name != field}
    answer = demo("POST", "/compute/v2.1/servers", json={"server": body})
    assert answer.status_code == 400
    assert field in answer.json()["badRequest"]["message"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1]", b'"server"', b"\xff\xfe\x00", b'{"server": 1}', b'{"server": {}} x']
)
@pytest.mark.parametrize(
    "path",
    [
        "/compute/v2.1/servers",
        "/compute/v2.1/flavors",
        "/compute/v2.1/os-keypairs",
        "/identity/v3/auth/tokens",
        "/identity/v3/users",
        "/image/v2/images",
        "/network/v2.0/networks",
        "/network/v2.0/ports",
        "/volume/v3/volumes",
    ],
)
def test_nonsense_is_a_400_everywhere(admin: User, path: str, raw: bytes) -> None:
    answer = admin("POST", path, content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    "path",
    ["/compute/v2.1/servers", "/identity/v3/users", "/image/v2/images", "/network/v2.0/networks", "/volume/v3/volumes"],
)
def test_a_huge_body_is_a_413(admin: User, path: str) -> None:
    body = json.dumps({"server": {"name": "x" * 20_000_000}}).encode()
    answer = admin("POST", path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


GETS = [
    "/compute/v2.1/servers",
    "/compute/v2.1/flavors",
    "/identity/v3/projects",
    "/image/v2/images",
    "/network/v2.0/networks",
    "/volume/v3/volumes",
    "/placement/resource_providers",
]


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("token", ["", "forged", "A" * 5000, "§ü"])
def test_without_a_good_token_401(demo: User, path: str, token: str) -> None:
    answer = demo("GET", path, headers={"X-Auth-Token": token.encode()}) if token else demo.http.get(path)
    assert answer.status_code == 401


def test_a_revoked_token_is_a_401(cloud: RunningCloud) -> None:
    user = User(cloud, "nephele")
    assert user("DELETE", "/identity/v3/auth/tokens", headers={"X-Subject-Token": user.token}).status_code == 204
    assert {user("GET", path).status_code for path in GETS} == {401}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/compute/v2.1/flavors", {"flavor": {"name": "mine", "ram": 1, "vcpus": 1, "disk": 0}}),
        ("DELETE", "/compute/v2.1/flavors/42", None),
        ("GET", "/compute/v2.1/os-hypervisors", None),
        ("GET", "/compute/v2.1/os-services", None),
        ("GET", "/compute/v2.1/servers/detail?all_tenants=1", None),
        ("POST", "/identity/v3/users", {"user": {"name": "mallory"}}),
        ("GET", "/placement/resource_providers", None),
        ("GET", "/nephele/v1/doctor", None),
    ],
)
def test_a_wrong_role_is_a_403(demo: User, method: str, path: str, body: Any) -> None:
    answer = demo(method, path, json=body) if body else demo(method, path)
    assert answer.status_code == 403, answer.text


def test_unknown_and_other_projects_things_are_a_404(demo: User, stranger: User, launch: dict[str, Any]) -> None:
    made = demo("POST", "/compute/v2.1/servers", json={"server": launch}).json()["server"]["id"]
    volume = demo("POST", "/volume/v3/volumes", json={"volume": {"size": 1}}).json()["volume"]["id"]
    (network,) = demo("GET", "/network/v2.0/networks?name=private").json()["networks"]
    for user, things in ((stranger, (made, volume, network["id"])), (demo, (NOBODY, NOBODY, NOBODY))):
        server_id, volume_id, network_id = things
        assert user("GET", f"/compute/v2.1/servers/{server_id}").status_code == 404
        assert user("DELETE", f"/compute/v2.1/servers/{server_id}").status_code == 404
        assert user("POST", f"/compute/v2.1/servers/{server_id}/action", json={"os-stop": None}).status_code == 404
        assert user("GET", f"/nephele/v1/servers/{server_id}/trace").status_code == 404
        assert user("GET", f"/volume/v3/volumes/{volume_id}").status_code == 404
        assert user("GET", f"/network/v2.0/networks/{network_id}").status_code == 404
    assert stranger("GET", "/compute/v2.1/servers").json()["servers"] == []
    demo("DELETE", f"/compute/v2.1/servers/{made}")


def test_a_duplicate_key_is_a_409(demo: User) -> None:
    body = {"keypair": {"name": "twice"}}
    assert demo("POST", "/compute/v2.1/os-keypairs", json=body).status_code == 200
    again = demo("POST", "/compute/v2.1/os-keypairs", json=body)
    assert again.status_code == 409
    assert "twice" in again.json()["conflictingRequest"]["message"]


@pytest.mark.parametrize("key", ["ssh-rsa", "ssh-rsa !!!", "ssh-rsa " + base64.b64encode(b"junk").decode(), "x"])
def test_a_bad_public_key_is_a_400(demo: User, key: str) -> None:
    answer = demo("POST", "/compute/v2.1/os-keypairs", json={"keypair": {"name": "bad", "public_key": key}})
    assert answer.status_code == 400


def test_a_port_in_use_is_a_409(demo: User, launch: dict[str, Any]) -> None:
    network_id = launch["networks"][0]["uuid"]
    port = demo("POST", "/network/v2.0/ports", json={"port": {"network_id": network_id}}).json()["port"]["id"]
    body = launch | {"networks": [{"port": port}]}
    first = demo("POST", "/compute/v2.1/servers", json={"server": body})
    assert first.status_code == 202, first.text
    wait_until_settled(demo, first.json()["server"]["id"])
    assert demo("POST", "/compute/v2.1/servers", json={"server": body}).status_code == 409
    demo("DELETE", f"/compute/v2.1/servers/{first.json()['server']['id']}")


def wait_until_settled(demo: User, server_id: str) -> None:
    for _ in range(400):
        if demo("GET", f"/compute/v2.1/servers/{server_id}").json()["server"]["status"] != "BUILD":
            return
    raise AssertionError("still building")


def test_a_network_without_subnet_is_a_400(demo: User, launch: dict[str, Any]) -> None:
    bare = demo("POST", "/network/v2.0/networks", json={"network": {"name": "bare"}}).json()["network"]["id"]
    answer = demo("POST", "/compute/v2.1/servers", json={"server": launch | {"networks": [{"uuid": bare}]}})
    assert answer.status_code == 400
    assert "subnet" in answer.json()["badRequest"]["message"]
    assert demo("DELETE", f"/network/v2.0/networks/{bare}").status_code == 204


def upload(demo: User, disk_format: str, data: bytes) -> httpx.Response:
    new = {"name": "evil", "disk_format": disk_format, "container_format": "bare"}
    image = demo("POST", "/image/v2/images", json=new).json()["id"]
    headers = {"Content-Type": "application/octet-stream"}
    return demo("PUT", f"/image/v2/images/{image}/file", content=data, headers=headers)


def qcow2(*, backing: bytes = b"", features: int = 0) -> bytes:
    """The first cluster of a qcow2 image, perhaps with a backing file or incompatible features (4: external data)."""
    fields = [b"QFI\xfb", (3).to_bytes(4), (1024 if backing else 0).to_bytes(8), len(backing).to_bytes(4)]
    fields += [(16).to_bytes(4), (1 << 20).to_bytes(8), (0).to_bytes(4), (1).to_bytes(4), (65536 * 3).to_bytes(8)]
    fields += [(65536).to_bytes(8), (1).to_bytes(4), (0).to_bytes(4), (0).to_bytes(8), features.to_bytes(8)]
    fields += [(0).to_bytes(8), (0).to_bytes(8), (4).to_bytes(4), (104).to_bytes(4)]
    head = b"".join(fields)
    return (head.ljust(1024, b"\0") + backing).ljust(65536 * 4, b"\0")


@pytest.mark.parametrize(
    ("disk_format", "data"),
    [
        ("qcow2", b"this is no qcow2" * 1000),
        ("raw", qcow2()),
        ("qcow2", qcow2(backing=b"/etc/shadow")),
        ("qcow2", qcow2(features=4)),
        ("vmdk", qcow2()),
    ],
)
def test_an_image_that_lies_is_refused(demo: User, disk_format: str, data: bytes) -> None:
    answer = upload(demo, disk_format, data)
    assert 400 <= answer.status_code < 500, answer.text
    left = demo("GET", "/image/v2/images?name=evil&status=active").json()["images"]
    assert left == []


def test_a_flavor_too_small_for_the_image_is_a_400(demo: User, launch: dict[str, Any]) -> None:
    new = {"name": "big", "disk_format": "raw", "container_format": "bare", "min_disk": 5, "min_ram": 512}
    image = demo("POST", "/image/v2/images", json=new).json()["id"]
    headers = {"Content-Type": "application/octet-stream"}
    assert demo("PUT", f"/image/v2/images/{image}/file", content=b"\0" * 4096, headers=headers).status_code == 204
    for flavor, says in (("42", "memory"), ("1", "disk")):
        body = launch | {"imageRef": image, "flavorRef": flavor}
        answer = demo("POST", "/compute/v2.1/servers", json={"server": body})
        assert answer.status_code == 400
        assert f"{says} is too small" in answer.json()["badRequest"]["message"]


def test_parallel_creates_against_a_quota_give_exactly_the_quota(demo: User, launch: dict[str, Any]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for server in servers(demo):
        demo("DELETE", f"/compute/v2.1/servers/{server['id']}")
    for _ in range(400):
        if not servers(demo):
            break
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: demo("POST", "/compute/v2.1/servers", json={"server": launch}), range(60)))
    codes = [answer.status_code for answer in answers]
    assert codes.count(202) == 10
    assert set(codes) == {202, 403}
    refused = next(answer for answer in answers if answer.status_code == 403)
    assert "Requested 1, but already used 10 of 10" in refused.json()["forbidden"]["message"]
    assert len(servers(demo)) == 10


@pytest.mark.parametrize(
    "path",
    [
        *("/compute/v2.1/os-keypairs", "/compute/v2.1/servers", "/compute/v2.1/os-hypervisors/detail"),
        *("/compute/v2.1/flavors", "/compute/v2.1/os-server-groups", "/network/v2.0/networks", "/volume/v3/volumes"),
    ],
)
@pytest.mark.parametrize("limit", ["-1", "many", "²", "1.5", "9" * 5000])
def test_a_limit_is_a_number(admin: User, path: str, limit: str) -> None:
    answer = admin("GET", path, params={"limit": limit}, headers={"X-OpenStack-Nova-API-Version": "2.79"})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("number", ["9" * 25, "²", "-", "1.5"])
def test_a_number_that_no_column_holds(demo: User, admin: User, launch: dict[str, Any], number: str) -> None:
    before = servers(demo)
    for path in (f"servers?power_state={number}", f"flavors?minRam={number}", f"os-aggregates/{number}"):
        answer = admin("GET", f"/compute/v2.1/{path}")
        assert answer.status_code in (400, 404), (path, answer.text)
    device = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1}
    for name in ("min_count", "max_count", "volume_size", "boot_index"):
        words = {"block_device_mapping_v2": [device | {name: number}]} if name in device else {name: number}
        answer = demo("POST", "/compute/v2.1/servers", json={"server": launch | words})
        assert answer.status_code == 400, (name, answer.text)
        assert name in answer.text
    assert servers(demo) == before
