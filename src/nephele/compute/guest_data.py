"""What a guest may learn of itself, gathered from the server's row, its ports and its disks."""

from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from nephele.compute import metadata, nics, sealing
from nephele.compute.model import BlockDevice, Server
from nephele.compute.rows import block_device, server_row
from nephele.compute.tables import block_devices
from nephele.config import BAD_SETTINGS
from nephele.kernel.bus import Bus
from nephele.kernel.errors import Refused
from nephele.kernel.store import Store
from nephele.network.model import PortAddress, ServerPort, Subnet, tap_name
from nephele.network.service import Networks
from nephele.network.wiring import ASK_METADATA, MetadataAnswer, MetadataAsk


class GuestData:
    """The metadata service's content.

    Args:
        store: servers and disks.
        networks: ports, and whose address a request comes from.
        vendor_data: a JSON file that every guest is told.
    """

    def __init__(self, store: Store, networks: Networks, vendor_data: Path | None = None) -> None:
        self.store, self.networks = store, networks
        self._vendor_data = _read_json(vendor_data) if vendor_data else b"{}"

    def serve(self, bus: Bus) -> None:
        """Answer what guests ask through their hosts' metadata proxies."""
        bus.serve(ASK_METADATA, self.answer)

    def answer(self, ask: MetadataAsk) -> MetadataAnswer:
        """Who asks is told by the network and the address that the request came from, nothing else."""
        found = self.networks.find_server_by_address(ask.guest_ip, network_id=ask.network_id, router_id=ask.router_id)
        if found is None:
            return MetadataAnswer(status=404, body=b"no server has that address\n")
        try:
            with self.store.read() as db:
                server = server_row(db, found[0])
        except Refused as refused:
            return MetadataAnswer(status=refused.status, body=refused.message.encode())
        if metadata.is_password(ask.path):
            return self._password(server, ask)
        if ask.method == "POST":
            return MetadataAnswer(status=405)
        ports = self._ports(server)
        body = metadata.answer(server, ports, self._devices(server, ports), ask.path, self._vendor_data)
        if body is None:
            return MetadataAnswer(status=404, body=b"404 Not Found\n")
        kind = "application/json" if ask.path.endswith(".json") else "text/plain; charset=UTF-8"
        return MetadataAnswer(status=200, content_type=kind, body=body)

    def _password(self, server: Server, ask: MetadataAsk) -> MetadataAnswer:
        """A guest tells its administrator's password, sealed with its key, once; it can read what it told."""
        with self.store.write() as db:
            told = sealing.find(db, server.id)
            if ask.method != "POST":
                return MetadataAnswer(status=200, body=told.encode())
            if told:
                return MetadataAnswer(status=409)
            try:
                sealed = ask.body.decode()
            except UnicodeDecodeError:
                return MetadataAnswer(status=400, body=b"a password is told as text\n")
            if len(ask.body) > sealing.MOST:
                return MetadataAnswer(status=400, body=b"Request is too large.\n")
            sealing.keep(db, server.id, sealed)
        return MetadataAnswer(status=200)

    def files(self, server: Server) -> dict[str, bytes]:
        """The files of the server's config drive, by path."""
        ports = self._ports(server)
        return metadata.files(server, ports, self._devices(server, ports), self._vendor_data)

    def _ports(self, server: Server) -> list[metadata.GuestPort]:
        ports = self.networks.ports_of_servers([server.id]).get(server.id, [])
        subnets = self.networks.subnets({address.subnet_id for port in ports for address in port.addresses})
        mtus = self.networks.mtus({port.network_id for port in ports})
        tags = nics.tags(server.nics, ports)
        return [_port(port, subnets, mtus[port.network_id], tags.get(port.id, "")) for port in ports]

    def _devices(self, server: Server, ports: list[metadata.GuestPort]) -> list[dict[str, Any]]:
        """Tagged disks and interfaces, as `meta_data.json` lists them."""
        tagged = sa.and_(block_devices.c.server_id == server.id, block_devices.c.tag != "")
        with self.store.read() as db:
            found = [block_device(row) for row in db.execute(block_devices.select().where(tagged))]
        return [*(_device(device) for device in found), *(_interface(port) for port in ports if port.tag)]


def _read_json(file: Path) -> bytes:
    """The file's content, if it is JSON.  Raises BAD_SETTINGS."""
    try:
        content = file.read_bytes()
        msgspec.json.decode(content)
    except (OSError, msgspec.DecodeError) as error:
        raise BAD_SETTINGS(file=file, reason=error) from None
    return content


def _port(port: ServerPort, subnets: dict[str, Subnet], mtu: int, tag: str) -> metadata.GuestPort:
    return metadata.GuestPort(
        tag=tag,
        port_id=port.id,
        network_id=port.network_id,
        mac=port.mac,
        mtu=mtu,
        tap=tap_name(port.id),
        floating_ips=tuple(address.floating_ip for address in port.addresses if address.floating_ip),
        addresses=tuple(_address(address, subnets[address.subnet_id]) for address in port.addresses),
    )


def _address(address: PortAddress, subnet: Subnet) -> metadata.GuestAddress:
    return metadata.GuestAddress(
        ip_address=address.ip_address,
        cidr=subnet.cidr,
        gateway_ip=subnet.gateway_ip or "",
        dns=subnet.dns_nameservers,
        routes=tuple((route.destination, route.nexthop) for route in subnet.host_routes),
        dhcp=subnet.enable_dhcp,
    )


def _device(device: BlockDevice) -> dict[str, Any]:
    return {
        "type": "disk",
        "bus": "pci" if device.disk_bus == "virtio" else device.disk_bus,
        "address": "",
        "serial": device.volume_id[:20],
        "path": device.device_name,
        "tags": [device.tag],
    }


def _interface(port: metadata.GuestPort) -> dict[str, Any]:
    return {"type": "nic", "bus": "pci", "address": "", "mac": port.mac, "tags": [port.tag]}
