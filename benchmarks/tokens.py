"""What tokens cost: CPU medians of issuing, verifying, and asking for one over the HTTP edge.

    python benchmarks/tokens.py

Every figure is CPU time of this process, so that other work on the machine does not count.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nephele.identity.login import DomainRef, Login, PasswordProof, Proofs, Scope, TokenProof, UserRef
from nephele.identity.login import ProjectRef as Project
from nephele.identity.passwords import Passwords
from nephele.identity.routes import api
from nephele.identity.service import Identity
from nephele.kernel.clock import SystemClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store, metadata
from nephele.web.app import build
from nephele.web.dispatch import Edge

PROJECT = Scope(project=Project(name="admin", domain=DomainRef(id="default")))
USER = UserRef(name="admin", domain=DomainRef(id="default"), password="secret")


def median_us(work: Callable[[], object], rounds: int = 300) -> float:
    """CPU time of one call, in microseconds."""
    work()
    times = []
    for _ in range(rounds):
        before = time.process_time_ns()
        work()
        times.append(time.process_time_ns() - before)
    return statistics.median(times) / 1000


def over_http(
    identity: Identity, token: str, path: str = "/identity/v3/auth/tokens", query: str = ""
) -> Callable[[], object]:
    """GET, by default of `/v3/auth/tokens`, through the whole edge, without a socket."""
    app = build([api(identity)], Edge(identity.verify, identity.ids, None, ""))
    loop = asyncio.new_event_loop()
    headers = [(b"host", b"cloud:8774"), (b"x-auth-token", token.encode()), (b"x-subject-token", token.encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "server": ("cloud", 8774),
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start" and event["status"] != 200:
            raise RuntimeError(f"answered {event['status']}")

    return lambda: loop.run_until_complete(app(dict(scope), receive, send))


def main() -> None:
    """Print one line for each figure."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'tokens.db'}")
        with store.write() as db:
            metadata.create_all(db)
        identity = Identity(store, SystemClock(), Ids())
        identity.start()
        identity.seed("secret", "secret")
        login = Login(Proofs(("password",), password=PasswordProof(USER)), PROJECT)
        token, claims = identity.issue(login)
        again = Login(Proofs(("token",), token=TokenProof(token)), PROJECT)
        passwords = Passwords()

        def verify_anew() -> None:
            identity.forget_verified()
            identity.verify(token)

        figures = {
            "hash a password": (lambda: passwords.hash("secret"), 20),
            "issue by password": (lambda: identity.issue(login), 20),
            "issue by token (no hash)": (lambda: identity.issue(again), 300),
            "sign": (lambda: identity.keys.sign(claims), 300),
            "verify, first time": (verify_anew, 300),
            "verify, known": (lambda: identity.verify(token), 3000),
            "GET /v3/auth/tokens": (over_http(identity, token), 500),
        }
        print(f"{len(token)} characters a token")
        for name, (work, rounds) in figures.items():
            print(f"{name:28} {median_us(work, rounds):10.1f} us CPU")
        store.close()


if __name__ == "__main__":
    main()
