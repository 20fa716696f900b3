"""One unit of work of the network service: a database connection, the caller, and what follows the commit."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from nephele.kernel.bus import Bus
from nephele.kernel.clock import Clock, Instant
from nephele.kernel.context import Context
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.network import tables
from nephele.network.concerned import Concerned
from nephele.network.errors import NOT_AUTHORIZED
from nephele.network.wiring import WIRING_CHANGED, AskWiring

KNOWN_FOR: Instant = 5_000_000
"""Microseconds for which the hosts are not read again."""
_REAL = sa.select(tables.agents.c.host).where(tables.agents.c.kind != "sim", tables.agents.c.role == "l2")


@dataclass(frozen=True)
class Settings:
    """What an operator chooses.

    Args:
        mtu: of the physical network beneath; VXLAN takes 50 bytes of it.
        vni_first: VXLAN identifiers are handed out from here
        vni_last: to here.
        physical_networks: names that flat networks may use.
        agent_timeout: seconds without a heartbeat after which an agent counts as dead.
    """

    mtu: int = 1500
    vni_first: int = 1
    vni_last: int = 16_777_215
    physical_networks: tuple[str, ...] = ("public",)
    agent_timeout: int = 75


PortGone = Callable[[Context, str, str], None]
"""Told (who deletes it, the server, the port) of a server's port that a user deletes."""


def _nobody(_context: Context, _server_id: str, _port_id: str) -> None:
    return None


@dataclass
class Core:
    """What all parts of the service share; `hints` are guesses at the next free address, by subnet."""

    store: Store
    bus: Bus
    clock: Clock
    ids: Ids
    policy: Policy
    settings: Settings
    hints: dict[str, int] = field(default_factory=dict)
    started_at: Instant = 0
    """Since when this service could have heard of hosts."""
    port_gone: PortGone = _nobody
    _real_hosts: tuple[Instant, list[str]] = (0, [])

    def real_hosts(self, db: sa.Connection) -> list[str]:
        """Hosts whose agent wires a real kernel, as known for a few seconds at most: agents ask on their own, too."""
        now = self.clock.now()
        if not 0 <= now - self._real_hosts[0] < KNOWN_FOR:
            self._real_hosts = (now, list(db.execute(_REAL).scalars()))
        return self._real_hosts[1]

    def forget_hosts(self) -> None:
        """A host came or went."""
        self._real_hosts = (0, [])

    @contextmanager
    def reading(self, context: Context) -> Iterator["Work"]:
        """Look, as `context`."""
        with self.store.read() as db:
            yield Work(self, db, context)

    @contextmanager
    def writing(self, context: Context) -> Iterator["Work"]:
        """Change, as `context`; hosts that are concerned hear of it after the commit."""
        with self.store.write() as db:
            work = Work(self, db, context)
            yield work
            work.announce()


class Work:
    """A connection with the caller in whose name it is used."""

    __slots__ = ("_root", "concerned", "context", "core", "db", "everything", "me", "now", "seen")

    def __init__(self, core: Core, db: sa.Connection, context: Context, root: "Work | None" = None) -> None:
        self._root = root or self
        self.core = core
        self.db = db
        self.context = context
        self.me = context.project_id
        self.everything = context.is_admin or "service" in context.roles
        """Whether the caller sees all projects' things."""
        self.now: Instant = core.clock.now()
        self.concerned: Concerned = root.concerned if root else Concerned()
        self.seen: dict[str, object] = {}
        """What was read already in this work, by id."""

    def may(self, rule: str, target: Mapping[str, object] | None = None) -> bool:
        """Whether the policy lets the caller act on the target (by default: its own project)."""
        return self.core.policy.allows(rule, self.context, {"project_id": self.me} if target is None else target)

    def enforce(self, rule: str, target: Mapping[str, object] | None = None) -> None:
        """Raise NOT_AUTHORIZED unless the policy lets the caller act on the target."""
        if not self.may(rule, target):
            raise NOT_AUTHORIZED(rule=rule)

    def as_service(self) -> "Work":
        """The same work in the cloud's own name: what a change entails is not for the caller to be allowed."""
        return Work(
            self.core,
            self.db,
            Context(request_id=self.context.request_id, roles=frozenset({"admin", "service"})),
            self._root,
        )

    def rewire(self) -> None:
        """What any host should have may have changed."""
        self._root.concerned.everyone = True

    def announce(self) -> None:
        """Tell the hosts concerned, once it is committed, that their wiring may have changed."""
        concerned, self.concerned = self.concerned, Concerned()
        real = self.core.real_hosts(self.db) if concerned else []
        hosts = concerned.among(self.db, real) if real else []
        if not hosts:
            return
        counter = tables.wiring_revision
        if not self.db.execute(sa.update(counter).values(revision=counter.c.revision + 1)).rowcount:
            self.db.execute(sa.insert(counter).values(id=1, revision=1))
        bus = self.core.bus

        def tell() -> None:
            for host in hosts:
                bus.cast(WIRING_CHANGED, AskWiring(host), at=host)

        self.core.store.after_commit(tell)
