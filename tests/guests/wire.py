"""A network with nothing but what a guest asks for: a tap, DHCP and a metadata service, in a namespace of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nephele.lab import namespaces

GUEST_IP = "10.9.0.5"
MAC = "fa:16:3e:00:00:05"
INSTANCE = "0f0e0d0c-0b0a-4908-8706-050403020100"


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """A network namespace with a bridge, a tap `tap0` in it, and the addresses of router and metadata service."""
    namespaces.create(name)
    try:
        for words in (
            "link add br0 type bridge",
            "link set br0 up",
            "addr add 10.9.0.1/24 dev br0",
            "addr add 169.254.169.254/32 dev br0",
            "addr add fd09::1/64 dev br0 nodad",
            "tuntap add tap0 mode tap",
            "link set tap0 master br0 up",
        ):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        yield name
    finally:
        namespaces.delete(name)


@contextmanager
def running(*words: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program beside the test, ended with the block."""
    with log.open("wb") as output:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(10)


@contextmanager
def wire(folder: Path, metadata: Path | None) -> Iterator[str]:
    """The namespace with DHCP (MTU 1450, classless routes), router advertisements and, where given, metadata."""
    with ExitStack() as stack:
        space = stack.enter_context(namespace(f"nephele-wire-{os.getpid()}"))
        inside = ("ip", "netns", "exec", space)
        dhcp = (
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--port=0"),
            *("--interface=br0", "--bind-interfaces", f"--dhcp-leasefile={folder}/leases", "--pid-file="),
            *("--dhcp-range=10.9.0.0,static,255.255.255.0,120", f"--dhcp-host={MAC},{GUEST_IP}"),
            *("--dhcp-range=fd09::,ra-only,64", "--enable-ra"),
            *("--dhcp-option-force=26,1450", "--dhcp-option=6,10.9.0.1"),
            "--dhcp-option-force=121,169.254.169.254/32,10.9.0.1,10.77.0.0/16,10.9.0.9,0.0.0.0/0,10.9.0.1",
        )
        stack.enter_context(running(*inside, *dhcp, log=folder / "dnsmasq.log"))
        if metadata is not None:
            server = (sys.executable, "-m", "http.server", "--bind", "169.254.169.254", "--directory", str(metadata))
            stack.enter_context(running(*inside, *server, "80", log=folder / "metadata.log"))
        yield space


def write_openstack(folder: Path, key: str, hostname: str, user_data: str = "") -> None:
    """Metadata in OpenStack's form, as files below `folder`."""
    latest = folder / "openstack" / "latest"
    latest.mkdir(parents=True)
    keys = {"public_keys": {"mine": key + "\n"}, "keys": [{"name": "mine", "type": "ssh", "data": key + "\n"}]}
    names = {"uuid": INSTANCE, "hostname": f"{hostname}.openstacklocal", "name": "Ein Name"}
    (latest / "meta_data.json").write_text(json.dumps({**names, **keys}))
    if user_data:
        (latest / "user_data").write_text(user_data)


def write_ec2(folder: Path, key: str, hostname: str) -> None:
    """Metadata in EC2's form, as files below `folder`."""
    latest = folder / "latest" / "meta-data"
    (latest / "public-keys" / "0").mkdir(parents=True)
    (latest / "public-keys" / "0" / "openssh-key").write_text(key)
    (latest / "instance-id").write_text("i-0000002a")
    (latest / "hostname").write_text(hostname)


def write_drive(folder: Path, image: Path) -> None:
    """A config drive (FAT) that holds what is below `folder`."""
    subprocess.run(["mformat", "-C", "-i", str(image), "-T", "4096", "-v", "config-2", "::"], check=True)
    subprocess.run(["mcopy", "-s", "-i", str(image), str(folder / "openstack"), "::"], check=True)
