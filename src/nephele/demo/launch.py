"""What a user does to get a server, through the public OpenStack API alone, with openstacksdk and clouds.yaml."""

import base64
import subprocess
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nephele.demo.errors import NO_LAUNCH
from nephele.demo.folder import Folder

if TYPE_CHECKING:
    from openstack.connection import Connection

NAME = "demo"
FLAVOR, IMAGE, NETWORK, EXTERNAL = "m1.tiny", "nephele-guest", "private", "public"
LAUNCH_SECONDS = 120.0
USER_DATA = "#!/bin/sh\necho ran >/run/user-data-ran\n"


class Launched(Struct, frozen=True):
    """A server that is ACTIVE.

    `states` are those that the API showed on the way, in order: `building/scheduling` and so on.
    """

    id: str
    states: tuple[str, ...]
    seconds: float
    fixed_ip: str
    port_id: str


class User:
    """A member of the project `demo`, at work."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._cloud = _connect(folder)

    def bring_key(self) -> None:
        """Make an ssh key and tell the cloud its public half."""
        if not self._folder.key.exists():
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", str(self._folder.key)]
            subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
        if self._cloud.compute.find_keypair(NAME) is None:
            public = self._folder.key.with_suffix(".pub").read_text()
            self._cloud.compute.create_keypair(name=NAME, public_key=public)

    def open_doors(self) -> None:
        """Make a security group that lets ssh and ping in."""
        if self._cloud.network.find_security_group(NAME) is not None:
            return
        group = self._cloud.network.create_security_group(name=NAME, description="ssh and ping from anywhere")
        for protocol, ports in (("tcp", {"port_range_min": 22, "port_range_max": 22}), ("icmp", {})):
            self._cloud.network.create_security_group_rule(
                security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol=protocol, **ports
            )

    def launch(self) -> Launched:
        """Create the server and watch its states until it is ACTIVE."""
        compute = self._cloud.compute
        began = time.monotonic()
        server = compute.create_server(
            name=NAME,
            flavor_id=compute.find_flavor(FLAVOR, ignore_missing=False).id,
            image_id=self._cloud.image.find_image(IMAGE, ignore_missing=False).id,
            networks=[{"uuid": self._cloud.network.find_network(NETWORK, ignore_missing=False).id}],
            security_groups=[{"name": NAME}],
            key_name=NAME,
            config_drive=True,
            user_data=base64.b64encode(USER_DATA.encode()).decode(),
        )
        states = self._watch(server.id, began + LAUNCH_SECONDS)
        seconds = time.monotonic() - began
        port = next(self._cloud.network.ports(device_id=server.id))
        return Launched(server.id, states, seconds, port.fixed_ips[0]["ip_address"], port.id)

    def give_address(self, launched: Launched) -> str:
        """An address of the external network that leads to the server."""
        external = self._cloud.network.find_network(EXTERNAL, ignore_missing=False)
        address = self._cloud.network.create_ip(floating_network_id=external.id, port_id=launched.port_id)
        return str(address.floating_ip_address)

    def console(self, launched: Launched) -> str:
        """The end of what the guest wrote to its serial console."""
        answer = self._cloud.compute.get_server_console_output(launched.id, length=30)
        return str(answer["output"] if isinstance(answer, dict) else answer)

    def clean_up(self) -> None:
        """Delete what this user made here, now or in an earlier demo."""
        for server in self._cloud.compute.servers(name=f"^{NAME}$"):
            self._cloud.compute.delete_server(server.id)
            self._cloud.compute.wait_for_delete(server, interval=0.1, wait=60)
        for address in self._cloud.network.ips():
            self._cloud.network.delete_ip(address.id)
        for group in self._cloud.network.security_groups(name=NAME):
            self._cloud.network.delete_security_group(group.id)
        if self._cloud.compute.find_keypair(NAME) is not None:
            self._cloud.compute.delete_keypair(NAME)

    def _watch(self, server_id: str, deadline: float) -> tuple[str, ...]:
        states: list[str] = []
        while True:
            server: Any = self._cloud.compute.get_server(server_id)
            state = f"{server.vm_state}/{server.task_state}" if server.task_state else str(server.vm_state)
            if state not in states[-1:]:
                states.append(state)
            if server.status == "ACTIVE":
                return tuple(states)
            if server.status != "BUILD" or time.monotonic() > deadline:
                fault = (server.fault or {}).get("message", "no fault is recorded")
                raise NO_LAUNCH(status=server.status, fault=fault)
            time.sleep(0.02)


def _connect(folder: Folder) -> "Connection":
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection

    config = OpenStackConfig(config_files=[str(folder.clouds)], load_envvars=False)
    return Connection(config=config.get_one("nephele"))
