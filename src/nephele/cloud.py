"""Wires the parts of a cloud together; time, ids, randomness and the bus are parameters here."""

from nephele.config import Settings
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import SystemClock
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.errors import UNAUTHORIZED
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store, metadata
from nephele.web.app import build
from nephele.web.dispatch import Edge
from nephele.web.routing import Api


class Cloud:
    """A whole cloud in this process.

    Args:
        settings: what it is told.
        url: its own address.
    """

    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings
        self.url = url
        self.clock, self.ids = SystemClock(), Ids()
        self.store = Store(settings.store_url)
        self.bus = LocalBus()
        self.engine = Engine(self.store, self.bus, self.clock, self.ids)
        apis: list[Api] = []
        self.app = build(apis, Edge(self._verify, self.ids, None, settings.public_url))

    def _verify(self, token: str) -> Context:
        raise UNAUTHORIZED()

    def start(self) -> None:
        """Make what a new cloud has, and take up the work."""
        with self.store.write() as db:
            metadata.create_all(db)
        self.engine.start()

    def stop(self) -> None:
        """Stop at the next step of whatever runs; the next start resumes it."""
        self.engine.stop()
        self.bus.close()
        self.store.close()
