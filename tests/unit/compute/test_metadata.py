"""What guests learn of themselves, in OpenStack's and EC2's form, by HTTP and on a config drive."""

import base64
import json
from typing import Any

import pytest
from tests.unit.compute.making import GUEST, a_server

from nephele.compute import metadata
from nephele.compute.metadata import GuestAddress, GuestPort

KEY = "ssh-ed25519 AAAA me@here"
SERVER = a_server(
    id="0a1b2c3d-1111-4222-8333-444455556666",
    name="Web 1",
    hostname="web-1",
    key_name="mine",
    key_data=KEY,
    metadata={"role": "web"},
    user_data=base64.b64encode(b"#!/bin/sh\necho \xff\n").decode(),
    launch_index=2,
    security_groups=("default", "web"),
    root_device_name="/dev/sda",
)
FIXED = GuestAddress(
    ip_address="10.0.0.5",
    cidr="10.0.0.0/24",
    gateway_ip="10.0.0.1",
    dns=("9.9.9.9", "1.1.1.1"),
    routes=(("192.168.0.0/16", "10.0.0.9"),),
    dhcp=False,
)
SIX = GuestAddress(ip_address="fd00::5", cidr="fd00::/64", gateway_ip="fd00::1", dns=("9.9.9.9",))
PORT = GuestPort(
    port_id="p1",
    network_id="n1",
    mac="fa:16:3e:00:00:01",
    mtu=1450,
    tap="tap1",
    addresses=(FIXED, SIX),
    floating_ips=("172.24.4.7",),
)
DISK = {"type": "disk", "bus": "pci", "address": "", "serial": "v", "path": "/dev/vdb", "tags": ["data"]}


def get(path: str, server: Any = SERVER) -> bytes | None:
    return metadata.answer(server, [PORT], [DISK], path, b'{"from": "operator"}')


def get_json(path: str) -> Any:
    found = get(path)
    assert found is not None
    return json.loads(found)


@pytest.mark.parametrize("version", ["latest", "2018-08-27"])
def test_openstacks_form(version: str) -> None:
    found = get_json(f"/openstack/{version}/meta_data.json")
    assert found["uuid"] == SERVER.id
    assert found["name"] == "Web 1"
    assert found["hostname"] == "web-1.novalocal"
    assert found["launch_index"] == 2
    assert found["meta"] == {"role": "web"}
    assert found["public_keys"] == {"mine": KEY}
    assert found["keys"] == [{"name": "mine", "type": "ssh", "data": KEY}]
    assert found["devices"] == [DISK]
    assert len(base64.b64decode(found["random_seed"])) == 512
    assert get_json(f"/openstack/{version}/meta_data.json")["random_seed"] != found["random_seed"]
    assert get(f"openstack/{version}/user_data") == b"#!/bin/sh\necho \xff\n"
    assert get_json(f"/openstack/{version}/vendor_data.json") == {"from": "operator"}


def test_the_network_of_a_guest_without_dhcp() -> None:
    found = get_json("/openstack/latest/network_data.json")
    assert found["links"] == [
        {"id": "tap1", "vif_id": "p1", "type": "bridge", "mtu": 1450, "ethernet_mac_address": "fa:16:3e:00:00:01"}
    ]
    fixed, six = found["networks"]
    assert (fixed["type"], fixed["ip_address"], fixed["netmask"]) == ("ipv4", "10.0.0.5", "255.255.255.0")
    assert fixed["routes"] == [
        {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"},
        {"network": "192.168.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.9"},
    ]
    assert six == {"id": "network1", "link": "tap1", "network_id": "n1", "type": "ipv6_dhcp"}
    assert [service["address"] for service in found["services"]] == ["9.9.9.9", "1.1.1.1"], "each once"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("instance-id", "i-0a1b2c3d"),
        ("ami-id", f"ami-{GUEST.id[:8]}"),
        ("ami-launch-index", "2"),
        ("hostname", "web-1.novalocal"),
        ("local-ipv4", "10.0.0.5"),
        ("public-ipv4", "172.24.4.7"),
        ("instance-type", "m1.nano"),
        ("security-groups", "default\nweb"),
        ("placement/", "availability-zone"),
        ("placement/availability-zone", "nova"),
        ("block-device-mapping/ami", "sda"),
        ("block-device-mapping/root", "/dev/sda"),
        ("public-keys/", "0=mine"),
        ("public-keys/0/", "openssh-key"),
        ("public-keys/0/openssh-key", KEY),
    ],
)
def test_ec2s_form(path: str, content: str) -> None:
    for version in ("latest", "2009-04-04"):
        assert get(f"/{version}/meta-data/{path}") == content.encode()


def test_listings_lead_to_all_there_is() -> None:
    versions = (get("/") or b"").decode().splitlines()
    assert versions[-1] == "openstack"
    assert "latest" in versions
    assert get("/openstack") is not None
    listed = (get("/latest/meta-data/") or b"").decode().splitlines()
    for name in listed:
        assert get(f"/latest/meta-data/{name}") is not None, name
    assert {"placement/", "public-keys/", "instance-id"} <= set(listed)
    for name in (get("/openstack/latest/") or b"").decode().splitlines():
        assert metadata.is_password(f"/openstack/latest/{name}") or get(f"/openstack/latest/{name}") is not None, name


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/openstack/1999-01-01/meta_data.json", "/openstack/latest/passwd"),
        *("/openstack/latest/user_data/x", "/latest/meta-data/nothing", "/latest/meta-data/hostname/more"),
        *("/latest/dynamic", "/1999-01-01/meta-data/", "/latest/meta-data/public-keys/0/_name"),
    ],
)
def test_what_is_not_there_is_nothing(path: str) -> None:
    assert get(path) is None


def test_without_key_and_user_data_none_are_told() -> None:
    plain = a_server(user_data=None, key_name=None)
    assert get("/latest/user-data", plain) is None
    assert get("/openstack/latest/user_data", plain) is None
    assert get("/latest", plain) == b"meta-data/"
    assert b"public-keys" not in (get("/latest/meta-data/", plain) or b"")
    told = json.loads(get("/openstack/latest/meta_data.json", plain) or b"")
    assert not {"keys", "public_keys", "meta"} & told.keys()


def test_a_config_drive_holds_what_http_tells() -> None:
    files = metadata.files(SERVER, [PORT], [DISK], b'{"from": "operator"}')
    for path in ("network_data.json", "user_data", "vendor_data.json"):
        assert files[f"openstack/latest/{path}"] == get(f"/openstack/latest/{path}")
    on_drive, told = json.loads(files["openstack/latest/meta_data.json"]), get_json("/openstack/latest/meta_data.json")
    assert {**on_drive, "random_seed": ""} == {**told, "random_seed": ""}
    assert json.loads(files["ec2/latest/meta-data.json"])["instance-id"] == "i-0a1b2c3d"
    assert files["ec2/latest/user-data"] == get("/latest/user-data")
