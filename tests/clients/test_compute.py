"""`openstack server …` and its kin, as their users type them; and the SDK's way to a server."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import openstack as sdk
import pytest
from tests.clients.conftest import CliError
from tests.running import RunningCloud

pytestmark = pytest.mark.clients
Cli = Callable[..., Any]
LAUNCH = ("server", "create", "--flavor", "m1.nano", "--network", "private", "--wait")


def gone(cli: Cli, *words: str) -> None:
    """Wait until what `words` shows is not there."""
    for _try in range(100):
        try:
            cli(*words)
        except CliError:
            return
        time.sleep(0.1)
    raise AssertionError(f"{words} is still there")


@pytest.fixture(scope="module")
def server(demo: Cli) -> Iterator[str]:
    """The name of a server that is ACTIVE."""
    name = f"s-{uuid4().hex[:6]}"
    demo(*LAUNCH, "--image", "nephele-guest", "--property", "use=test", name)
    yield name
    demo("server", "delete", "--wait", name, parse=False)
    gone(demo, "server", "show", name)


def test_flavors(admin: Cli, demo: Cli) -> None:
    name = f"f-{uuid4().hex[:6]}"
    made = admin(
        "flavor", "create", "--ram", "128", "--disk", "1", "--vcpus", "2", "--property", "hw:cpu_policy=shared", name
    )
    assert (made["ram"], made["vcpus"], made["properties"]) == (128, 2, {"hw:cpu_policy": "shared"})
    assert name in [one["Name"] for one in demo("flavor", "list")]
    admin("flavor", "set", "--description", "for a test", "--property", "a:b=c", name, parse=False)
    shown = demo("flavor", "show", name)
    assert (shown["description"], shown["properties"]) == ("for a test", {"hw:cpu_policy": "shared", "a:b": "c"})
    admin("flavor", "unset", "--property", "a:b", name, parse=False)
    with pytest.raises(CliError, match="403"):
        demo("flavor", "create", "--ram", "1", "no")
    admin("flavor", "delete", name, parse=False)
    assert name not in [one["Name"] for one in demo("flavor", "list")]


def test_key_pairs(demo: Cli) -> None:
    private = demo("keypair", "create", "mine", parse=False)
    assert "PRIVATE KEY" in private
    assert [one["Name"] for one in demo("keypair", "list")] == ["mine"]
    assert demo("keypair", "show", "--public-key", "mine", parse=False).startswith("ssh-")
    demo("keypair", "delete", "mine", parse=False)
    assert demo("keypair", "list") == []


def test_a_servers_life(demo: Cli, server: str) -> None:
    (listed,) = [one for one in demo("server", "list") if one["Name"] == server]
    assert (listed["Status"], listed["Image"], listed["Flavor"]) == ("ACTIVE", "nephele-guest", "m1.nano")
    assert list(listed["Networks"]) == ["private"]
    shown = demo("server", "show", server)
    assert (shown["OS-EXT-STS:vm_state"], shown["properties"]) == ("active", {"use": "test"})
    for command, status in (("stop", "SHUTOFF"), ("start", "ACTIVE")):
        demo("server", command, server, parse=False)
        wait_for(demo, server, status)
    demo("server", "reboot", "--wait", server, parse=False)
    demo("server", "reboot", "--hard", "--wait", server, parse=False)
    assert demo("console", "log", "show", server, parse=False).strip()
    events = demo("server", "event", "list", server)
    assert [one["Action"] for one in events] == ["reboot", "reboot", "start", "stop", "create"]
    event = demo("server", "event", "show", server, events[-1]["Request ID"])
    assert (event["action"], event["message"]) == ("create", None)


def wait_for(cli: Cli, server: str, status: str) -> None:
    for _try in range(50):
        if cli("server", "show", server)["status"] == status:
            return
        time.sleep(0.1)
    raise AssertionError(f"{server} does not become {status}")


def test_what_belongs_to_a_server(demo: Cli, server: str) -> None:
    demo("server", "set", "--property", "a=b", "--tag", "red", "--name", server, server, parse=False)
    shown = demo("server", "show", server)
    assert (shown["properties"], shown["tags"]) == ({"use": "test", "a": "b"}, ["red"])
    demo("server", "unset", "--property", "a", "--tag", "red", server, parse=False)
    demo("server", "lock", "--reason", "mine", server, parse=False)
    assert demo("server", "show", server)["locked_reason"] == "mine"
    with pytest.raises(CliError, match="locked"):
        demo("server", "stop", server, parse=False)
    demo("server", "unlock", server, parse=False)
    (port,) = demo("port", "list", "--server", server)
    assert port["Status"] == "ACTIVE"
    demo("security", "group", "create", "web")
    demo("server", "add", "security", "group", server, "web", parse=False)
    assert {one["name"] for one in demo("server", "show", server)["security_groups"]} == {"default", "web"}
    demo("server", "remove", "security", "group", server, "web", parse=False)
    demo("security", "group", "delete", "web", parse=False)


def test_servers_from_volumes(demo: Cli) -> None:
    demo("volume", "create", "--size", "1", "--image", "nephele-guest", "boot")
    for _try in range(50):
        if demo("volume", "show", "boot")["status"] == "available":
            break
        time.sleep(0.1)
    demo(*LAUNCH, "--volume", "boot", "from-volume")
    demo(*LAUNCH, "--image", "nephele-guest", "--boot-from-volume", "1", "own-volume")
    (attached,) = demo("server", "volume", "list", "from-volume")
    assert (attached["Device"], attached["Volume ID"]) == ("/dev/vda", demo("volume", "show", "boot")["id"])
    (own,) = demo("server", "volume", "list", "own-volume")
    demo("server", "delete", "--wait", "from-volume", "own-volume", parse=False)
    assert demo("volume", "show", "boot")["status"] == "available"
    demo("volume", "delete", "boot", own["Volume ID"], parse=False)


def test_what_operators_see(admin: Cli, demo: Cli, server: str) -> None:
    hypervisors = admin("hypervisor", "list")
    assert {one["State"] for one in hypervisors} == {"up"}
    shown = admin("hypervisor", "show", hypervisors[0]["Hypervisor Hostname"])
    assert (shown["state"], shown["status"]) == ("up", "enabled")
    binaries = {one["Binary"] for one in admin("compute", "service", "list")}
    assert binaries == {"nova-compute", "nova-conductor", "nova-scheduler"}
    host = hypervisors[-1]["Hypervisor Hostname"]
    admin("compute", "service", "set", "--disable", "--disable-reason", "test", host, "nova-compute", parse=False)
    (service,) = admin("compute", "service", "list", "--host", host, "--long")
    assert (service["Status"], service["Disabled Reason"]) == ("disabled", "test")
    admin("compute", "service", "set", "--enable", host, "nova-compute", parse=False)
    assert "nova" in [one["Zone Name"] for one in demo("availability", "zone", "list", "--compute")]
    limits = {one["Name"]: one["Value"] for one in demo("limits", "show", "--absolute")}
    assert limits["total_instances_used"] >= 1
    quota = {one["Resource"]: one["Limit"] for one in demo("quota", "show")}
    assert quota["instances"] == limits["max_total_instances"]
    project = demo("server", "show", server)["project_id"]
    (usage,) = [one for one in admin("usage", "list") if one["Project"] == project]
    assert usage["CPU Hours"] > 0


def test_groups_and_aggregates(admin: Cli, demo: Cli) -> None:
    made = demo("server", "group", "create", "--policy", "anti-affinity", "--rule", "max_server_per_host=2", "apart")
    assert (made["policy"], made["rules"]) == ("anti-affinity", {"max_server_per_host": 2})
    assert [one["Name"] for one in demo("server", "group", "list")] == ["apart"]
    demo("server", "group", "delete", "apart", parse=False)
    host = admin("hypervisor", "list")[-1]["Hypervisor Hostname"]
    admin("aggregate", "create", "--zone", "far", "rack")
    admin("aggregate", "add", "host", "rack", host)
    assert "far" in [one["Zone Name"] for one in demo("availability", "zone", "list", "--compute")]
    admin("aggregate", "set", "--property", "ssd=true", "rack", parse=False)
    assert admin("aggregate", "show", "rack")["properties"] == {"ssd": "true"}
    admin("aggregate", "remove", "host", "rack", host)
    admin("aggregate", "delete", "rack", parse=False)


def test_the_sdk(cloud: RunningCloud) -> None:
    config = sdk.config.OpenStackConfig(config_files=[str(cloud.clouds_yaml)], load_envvars=False)
    connection = sdk.connection.Connection(config=config.get_one("nephele"))
    compute = connection.compute
    server = compute.create_server(
        name="by-sdk",
        image_id=connection.image.find_image("nephele-guest", ignore_missing=False).id,
        flavor_id=compute.find_flavor("m1.nano", ignore_missing=False).id,
        networks="auto",
    )
    server = compute.wait_for_server(server, interval=0.1, wait=20)
    assert server.status == "ACTIVE"
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=0.1, wait=20)
