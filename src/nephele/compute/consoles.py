"""Consoles of servers: who asks gets an address that is good for a while, whoever then opens it.

POST …/remote-consoles ─→ an address with a token (only the token's hash is kept)
a browser opens it     ─→ `redeem`: the token's server, still alive and where it was
bytes go between the websocket and the guest's console on its host
"""

import hashlib

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute import rows
from nephele.compute.errors import CONSOLE_TOKEN, CONSOLE_TYPE, NOT_READY, WRONG_STATE
from nephele.compute.messages import looking
from nephele.compute.model import Server, Task
from nephele.compute.servers import Servers
from nephele.compute.tables import console_tokens, servers
from nephele.compute.virt.driver import ConsoleKind, Diagnostics
from nephele.config import ConsoleSettings
from nephele.kernel.bus import UNANSWERED
from nephele.kernel.clock import Clock, seconds
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids

TYPES = {("vnc", "novnc"): ConsoleKind.SCREEN, ("serial", "serial"): ConsoleKind.SERIAL}
"""Which consoles there are, by protocol and type; upstream's others are of hypervisors that we do not have."""
CLOSED_DURING = (Task.DELETING, Task.MIGRATING)


class Grant(Struct, frozen=True):
    """What a token is good for."""

    server_id: str
    host: str
    kind: ConsoleKind
    user_id: str


class Consoles:
    """Gives out and takes tokens.

    Args:
        servers: whose consoles they are.
        clock: time.
        ids: where tokens come from.
        settings: how long they are good, and from where.
    """

    def __init__(self, servers: Servers, clock: Clock, ids: Ids, settings: ConsoleSettings) -> None:
        self.servers, self.clock, self.ids, self.settings = servers, clock, ids, settings
        self.store, self.bus = servers.store, servers.bus

    def open(self, caller: Context, server_id: str, protocol: str, kind: str) -> tuple[ConsoleKind, str]:
        """A token for a server's console, and which kind of console it is.

        Raises:
            SERVER_NOT_FOUND, NOT_READY where it is on no host, WRONG_STATE while it is deleted or moved,
            CONSOLE_TYPE for what no guest here has, GUEST_NOT_RUNNING.
        """
        server = self.servers.show(caller, server_id)
        found = TYPES.get((protocol, kind))
        if found is None:
            raise CONSOLE_TYPE(kind=kind)
        if not server.host:
            raise NOT_READY(server_id=server.id)
        if server.task_state in CLOSED_DURING:
            raise WRONG_STATE(
                command=f"get_{protocol}_console",
                server_id=server.id,
                attribute="task_state",
                value=str(server.task_state),
            )
        self._find(caller, server, found)
        return found, self._grant(caller, server, found)

    def redeem(self, token: str) -> Grant:
        """What a token is good for.  Raises CONSOLE_TOKEN: unknown, too old, or its server is gone or moved."""
        c, mine = console_tokens.c, servers.c
        query = (
            sa.select(c.server_id, c.host, c.kind, c.user_id)
            .join(servers, mine.id == c.server_id)
            .where(c.token_hash == _hash(token), c.expires_at > self.clock.now())
            .where(mine.deleted_at.is_(None), mine.host == c.host)
        )
        with self.store.read() as db:
            row = db.execute(query).one_or_none()
        if row is None:
            raise CONSOLE_TOKEN()
        return Grant(row.server_id, row.host, ConsoleKind(row.kind), row.user_id)

    def place(self, grant: Grant) -> str:
        """The socket of the console on its host.  Raises as the host does."""
        with self.store.read() as db:
            server = rows.server_row(db, grant.server_id)
        context = Context(request_id=self.ids.request(), user_id=grant.user_id, project_id=server.project_id)
        return self._find(context, server, grant.kind)

    def diagnose(self, caller: Context, server_id: str) -> tuple[Server, Diagnostics]:
        """A server, and what its hypervisor counts of it.  Raises SERVER_NOT_FOUND, NOT_READY."""
        server = self.servers.show(caller, server_id)
        if not server.host:
            raise NOT_READY(server_id=server.id)
        order = self.servers.order(caller, server, looking.Diagnose)
        answer = self.bus.call(looking.DIAGNOSE, order, at=server.host, timeout=20)
        return server, answer.diagnostics

    def _find(self, caller: Context, server: Server, kind: ConsoleKind) -> str:
        order = self.servers.order(caller, server, looking.FindConsole, kind=kind)
        try:
            return self.bus.call(looking.FIND_CONSOLE, order, at=server.host, timeout=20).path
        except Refused as refused:
            if refused.error in UNANSWERED:
                raise NOT_READY(server_id=server.id) from None
            raise

    def _grant(self, caller: Context, server: Server, kind: ConsoleKind) -> str:
        token, now = self.ids.uuid(), self.clock.now()
        with self.store.write() as db:
            db.execute(console_tokens.delete().where(console_tokens.c.expires_at <= now))
            db.execute(
                console_tokens.insert().values(
                    token_hash=_hash(token),
                    server_id=server.id,
                    host=server.host,
                    kind=kind,
                    user_id=caller.user_id,
                    created_at=now,
                    expires_at=now + seconds(self.settings.token_seconds),
                )
            )
        return token


def _hash(token: str) -> str:
    """Tokens are random: one round of a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
