"""What became of tokens since they were issued, as a growing table that every server follows.

Each event has a number; a token carries the number that was the newest when it was issued (its epoch), so
an event touches the tokens issued before it, whatever the clocks say.  Three sorts:

- *revoke*: a token (by its audit id), or all of a user, project, domain, trust or application credential, are dead;
- *recheck*: what a user (or everyone) may do has changed: roles and names are read again;
- *change*: the catalog, the roles or the signing keys changed: what was remembered of them is forgotten.
"""

import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa

from nephele.identity.tables import revocations
from nephele.identity.tokens import Claims
from nephele.kernel.clock import SECOND, Clock, Instant
from nephele.kernel.statements import Statement
from nephele.kernel.store import Store


class Kind(StrEnum):
    """What an event is about."""

    AUDIT = "audit"
    USER = "user"
    PROJECT = "project"
    DOMAIN = "domain"
    TRUST = "trust"
    APPLICATION_CREDENTIAL = "app_cred"
    RECHECK = "recheck"
    CHANGE = "change"
    KEYS = "keys"


class Event(NamedTuple):
    """A recorded event, as the API lists it."""

    kind: Kind
    subject: str
    created_at: Instant


class Verdict(StrEnum):
    """What the events say of a token."""

    GOOD = "good"
    RECHECK = "recheck"
    REVOKED = "revoked"


_ENDING = (Kind.AUDIT, Kind.USER, Kind.PROJECT, Kind.DOMAIN, Kind.TRUST, Kind.APPLICATION_CREDENTIAL)
EVERYONE = ""
POLL_EVERY: Instant = SECOND // 2
"""How long an event of another server may stay unknown here."""


class Revocations:
    """The events, remembered by what they are about.

    Args:
        store: where the table is.
        clock: the time.
        keep: how long an event can matter: the longest life of a token, in microseconds.
    """

    def __init__(self, store: Store, clock: Clock, keep: Instant) -> None:
        self._store, self._clock, self._keep = store, clock, keep
        self._latest: dict[tuple[str, str], int] = {}
        self._poll_at: Instant = 0
        self._learning = threading.Lock()
        self.on_new_keys: Callable[[], None] = lambda: None
        self.epoch = 0
        """The number of the newest event known here; `on_new_keys` is called when keys were rotated."""

    def add(self, *events: tuple[Kind, str]) -> None:
        """Record events in the transaction that this thread is in; they hold here as soon as it has committed."""
        now = self._clock.now()
        with self._store.write() as db:
            self._store.lock("identity.revocations")
            db.execute(
                revocations.insert(),
                [{"kind": kind, "subject": subject, "created_at": now} for kind, subject in events],
            )
            self._store.after_commit(self.poll)

    def current(self) -> int:
        """The number of the newest event, as this thread's transaction sees it: a new token's epoch.

        What is remembered by the epoch is as new as that, too.
        """
        with self._store.read() as db:
            newest = int(_NEWEST.scalar(db))
        if newest != self.epoch:
            self.poll()
        return newest

    def follow(self) -> None:
        """Learn what other servers recorded, if the last look is too long ago."""
        now = self._clock.now()
        if now >= self._poll_at:
            self._poll_at = now + POLL_EVERY
            self.poll()

    def poll(self) -> None:
        """Learn of every event recorded since the last look; not in a `write()`, which may still be rolled back."""
        if self._store.is_writing:
            return
        keys_before = self._latest.get((Kind.KEYS, ""), 0)
        with self._learning, self._store.read() as db:
            for number, kind, subject in db.execute(_SINCE, {"epoch": self.epoch}):
                self._latest[kind, subject] = number
                self.epoch = number
        if self._latest.get((Kind.KEYS, ""), 0) != keys_before:
            self.on_new_keys()

    def prune(self) -> None:
        """Drop events older than any token; called when the cloud starts.  Their numbers are never given again."""
        old = revocations.c.created_at < self._clock.now() - self._keep
        with self._store.write() as db:
            newest = sa.select(sa.func.max(revocations.c.id)).scalar_subquery()
            db.execute(revocations.delete().where(old, revocations.c.id < newest))

    def listed(self, since: Instant) -> list[Event]:
        """What ended tokens from then on, oldest first."""
        row = revocations.c
        select = sa.select(row.kind, row.subject, row.created_at).where(row.kind.in_(_ENDING), row.created_at >= since)
        with self._store.read() as db:
            return [Event(Kind(one[0]), one[1], one[2]) for one in db.execute(select.order_by(row.id))]

    def judge(self, claims: Claims) -> Verdict:
        """What the events say of a token."""
        latest, epoch = self._latest, claims.epoch
        if any(latest.get(subject, 0) > epoch for subject in _subjects(claims)):
            return Verdict.REVOKED
        if latest.get((Kind.RECHECK, EVERYONE), 0) > epoch or latest.get((Kind.RECHECK, claims.user_id), 0) > epoch:
            return Verdict.RECHECK
        return Verdict.GOOD


def _subjects(claims: Claims) -> Iterable[tuple[str, str]]:
    """What a token hangs on."""
    yield Kind.USER, claims.user_id
    yield Kind.DOMAIN, claims.user_domain_id
    for audit_id in claims.audit_ids[:1]:
        yield Kind.AUDIT, audit_id
    if claims.project_id:
        yield Kind.PROJECT, claims.project_id
        yield Kind.DOMAIN, claims.project_domain_id
    if claims.domain_id:
        yield Kind.DOMAIN, claims.domain_id
    if claims.trust_id:
        yield Kind.TRUST, claims.trust_id
    if claims.application_credential_id:
        yield Kind.APPLICATION_CREDENTIAL, claims.application_credential_id


_NEWEST = Statement(sa.select(sa.func.coalesce(sa.func.max(revocations.c.id), 0)))
_SINCE = (
    sa.select(revocations.c.id, revocations.c.kind, revocations.c.subject)
    .where(revocations.c.id > sa.bindparam("epoch"))
    .order_by(revocations.c.id)
)
