"""Network interfaces of servers, as users plug them in and out."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import sqlalchemy as sa

from nephele.compute import nics, rows
from nephele.compute.errors import (
    ADDRESS_NOT_THERE,
    BAD_NETWORK,
    INTERFACE_FAILED,
    INTERFACE_NOT_FOUND,
    NETWORK_CONFLICT,
    NETWORK_MISSING,
    NO_NETWORK,
    NOT_ON_NETWORK,
    PORT_QUOTA,
)
from nephele.compute.lifecycle import LIFE
from nephele.compute.model import Server
from nephele.compute.operations.interfaces import Interface
from nephele.compute.servers import Servers
from nephele.compute.tables import servers as servers_table
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.operations import INTERRUPTED
from nephele.network.messages import AllocatePorts, BoundPort, NicRequest
from nephele.network.model import ServerPort, bridge_name, tap_name
from nephele.network.service import Networks


class Attaching(NamedTuple):
    """A port on its way to a guest, and the operation that brings it there."""

    server_id: str
    port_id: str
    operation_id: str


class Interfaces:
    """Attaches and detaches ports.

    Args:
        servers: whose interfaces they are.
        networks: Neutron.
    """

    def __init__(self, servers: Servers, networks: Networks) -> None:
        self.servers, self.networks, self.store = servers, networks, servers.store

    def attach(
        self,
        caller: Context,
        server_id: str,
        *,
        network_id: str = "",
        port_id: str = "",
        address: str = "",
        tag: str = "",
    ) -> Attaching:
        """Give a server one more port, by default on its project's only network; `is_over` tells when its guest has it.

        Raises:
            As `Servers.check`; NETWORK_MISSING, NETWORK_CONFLICT, BAD_NETWORK, PORT_QUOTA, NO_NETWORK as Neutron says.
        """
        asked = NicRequest(network_id=network_id, port_id=port_id, fixed_ip=address, tag=tag)
        with self.store.write() as db:
            server = self.servers.check(caller, server_id, "attach_interface")
            port = self._bind(caller, server, asked)
            named = NicRequest(network_id=port.network_id, port_id=port.port_id, tag=tag)
            self._set_nics(db, server, (*server.nics, named))
            work = self.servers.accept(caller, server, "attach_interface", Interface(port=port))
        return Attaching(server_id, port.port_id, work)

    def is_over(self, attaching: Attaching) -> bool:
        """Whether the guest has the port.

        Raises INTERFACE_FAILED where the host could not plug it, NETWORK_CONFLICT where a delete came between.
        """
        _kind, over, failure = self.servers.engine.outcome(attaching.operation_id)
        if failure is not None and over:
            error = NETWORK_CONFLICT if failure.code == INTERRUPTED.code else INTERFACE_FAILED
            raise error(server_id=attaching.server_id, reason=failure.message)
        return over

    def detach(self, caller: Context, server_id: str, port_id: str) -> None:
        """Accept that a port is taken from a server.  Raises as `Servers.check`, INTERFACE_NOT_FOUND."""
        with self.store.write():
            server = self.servers.check(caller, server_id, "detach_interface")
            self._begin_detach(caller, server, self._port(server, port_id))

    def port_gone(self, context: Context, server_id: str, port_id: str) -> None:
        """Inside Neutron's transaction that deletes a port: its server no longer asks for it, its guest loses it."""
        with self.store.write() as db:
            row = db.execute(servers_table.select().where(servers_table.c.id == server_id)).one_or_none()
            if row is None or row.deleted_at is not None:
                return
            server = rows.server(row)
            port = self._port(server, port_id)
            self._set_nics(db, server, nics.without(server.nics, self._ports(server), port_id))
            if server.host and server.vm_state in LIFE["detach_interface"].states:
                self._begin_detach(context, server, port, gone=True)

    def add_address(self, caller: Context, server_id: str, network_id: str) -> None:
        """Give the server's first port on a network one more address.  Raises NOT_ON_NETWORK, BAD_NETWORK."""
        with self.store.write() as db:
            server = self.servers.show(caller, server_id)
            ports = self._ports(server)
            port = next((port for port in ports if port.network_id == network_id), None)
            if port is None:
                raise NOT_ON_NETWORK(server_id=server_id, network_id=network_id)
            self._set_nics(db, server, nics.pinned(server.nics, ports, port.id))
            try:
                self.networks.add_address(port.id)
            except Refused as refused:
                raise BAD_NETWORK(reason=refused.message) from None

    def remove_address(self, caller: Context, server_id: str, address: str) -> None:
        """Take an address from a server.  Raises ADDRESS_NOT_THERE."""
        with self.store.write() as db:
            server = self.servers.show(caller, server_id)
            ports = self._ports(server)
            for port in ports:
                if any(has.ip_address == address for has in port.addresses):
                    self._set_nics(db, server, nics.pinned(server.nics, ports, port.id))
                    self.networks.remove_address(port.id, address)
                    return
            raise ADDRESS_NOT_THERE(server_id=server_id, address=address)

    def _bind(self, caller: Context, server: Server, asked: NicRequest) -> BoundPort:
        """Make or take the port, in the transaction that accepts the request."""
        wanted: Sequence[NicRequest] | Literal["auto"] = [asked] if asked.network_id or asked.port_id else "auto"
        try:
            planned = self.networks.check_nics(caller, wanted)
            if not planned:
                raise NO_NETWORK(project_id=caller.project_id)
            ask = AllocatePorts(
                token="",
                request_id=caller.request_id,
                server_id=server.id,
                host=server.host,
                availability_zone=server.availability_zone,
                hostname=server.hostname,
                nics=planned[:1],
            )
            return self.networks.attach_port(caller, ask)
        except Refused as refused:
            raise _as_nova_says(refused) from None

    def _begin_detach(self, caller: Context, server: Server, port: ServerPort, *, gone: bool = False) -> None:
        bound = BoundPort(
            port_id=port.id,
            network_id=port.network_id,
            network_name=port.network_name,
            mac=port.mac,
            fixed_ips=(),
            bridge=bridge_name(port.network_id),
            tap=tap_name(port.id),
            mtu=self.networks.mtus({port.network_id})[port.network_id],
            created=port.created,
        )
        self.servers.accept(caller, server, "detach_interface", Interface(port=bound, gone=gone))

    def _ports(self, server: Server) -> list[ServerPort]:
        return self.networks.ports_of_servers([server.id])[server.id]

    def _port(self, server: Server, port_id: str) -> ServerPort:
        for port in self._ports(server):
            if port.id == port_id:
                return port
        raise INTERFACE_NOT_FOUND(port_id=port_id, server_id=server.id)

    def _set_nics(self, db: sa.Connection, server: Server, wanted: tuple[NicRequest, ...]) -> None:
        db.execute(servers_table.update().where(servers_table.c.id == server.id).values(nics=wanted))


def _as_nova_says(refused: Refused) -> Refused:
    """What Neutron refused, in the statuses that Nova gives an attachment."""
    name = refused.error.name
    if refused.error.code == NO_NETWORK.code:
        return refused
    if name == "OverQuota":
        return PORT_QUOTA(reason=refused.message)
    if name in ("PortInUse", "IpAddressAlreadyAllocated"):
        return NETWORK_CONFLICT(reason=refused.message)
    if refused.status == 404:
        return NETWORK_MISSING(reason=refused.message)
    return BAD_NETWORK(reason=refused.message)
