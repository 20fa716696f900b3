"""The passwords of users: proven, set, changed, aged; with what `compliance.py` demands."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from nephele.identity.compliance import DAY, check_strength, expiry
from nephele.identity.errors import (
    INVALID,
    PASSWORD_EXPIRED,
    PASSWORD_LOCKED,
    PASSWORD_TOO_YOUNG,
    PASSWORD_USED_BEFORE,
    WRONG_PASSWORD,
)
from nephele.identity.model import Compliance, Extra
from nephele.identity.passwords import MAX_PASSWORD, Passwords
from nephele.identity.revocations import Kind
from nephele.identity.shared import Shared
from nephele.identity.tables import old_passwords, users
from nephele.kernel.clock import SECOND, Instant
from nephele.kernel.statements import Statement

Values = dict[str, object]


class Kept(NamedTuple):
    """What is kept of a user's password."""

    hash: str
    created_at: Instant
    expires_at: Instant
    is_own: bool
    failed_attempts: int
    failed_at: Instant
    last_active_at: Instant
    options: Extra


_NOBODY = Kept("", 0, 0, False, 0, 0, 0, {})


class UserPasswords:
    """Proves and changes passwords.

    Args:
        shared: store, time, ids, revocations.
        passwords: how they are hashed.
        compliance: what is demanded of them.
    """

    def __init__(self, shared: Shared, passwords: Passwords, compliance: Compliance) -> None:
        self._shared, self._passwords, self._rules = shared, passwords, compliance

    def prove(self, user_id: str, password: str) -> bool:
        """Whether that is the user's password, and the user is not locked out.

        It hashes once whatever it finds, so its time tells nothing.  Raises PASSWORD_EXPIRED for a right one.
        """
        kept = self._kept(user_id)
        is_right = self._passwords.matches(password, kept.hash)
        if kept is _NOBODY or self._is_locked_out(kept):
            return False
        if not is_right:
            self._count_failure(user_id)
            return False
        if kept.failed_attempts:
            self._set(user_id, {"failed_attempts": 0, "failed_at": 0})
        if 0 < kept.expires_at <= self._shared.clock.now() and not kept.options.get("ignore_password_expiry"):
            raise PASSWORD_EXPIRED(user_id=user_id)
        return True

    def _kept(self, user_id: str) -> Kept:
        with self._shared.store.read() as db:
            rows = _KEPT.rows(db, user_id=user_id)
        return Kept(*rows[0]) if rows else _NOBODY

    def _is_locked_out(self, kept: Kept) -> bool:
        most, rest = self._rules.lockout_failure_attempts, self._rules.lockout_duration
        if not most or kept.failed_attempts < most or kept.options.get("ignore_lockout_failure_attempts"):
            return False
        return not rest or kept.failed_at + rest * SECOND > self._shared.clock.now()

    def _count_failure(self, user_id: str) -> None:
        """One more, or the first again where an earlier lockout is over."""
        most, rest = self._rules.lockout_failure_attempts, self._rules.lockout_duration
        if not most:
            return
        now, row = self._shared.clock.now(), users.c
        over = sa.and_(row.failed_attempts >= most, row.failed_at <= now - rest * SECOND, sa.literal(rest > 0))
        self._set(user_id, {"failed_attempts": sa.case((over, 1), else_=row.failed_attempts + 1), "failed_at": now})

    def _set(self, user_id: str, values: dict[str, Any]) -> None:
        with self._shared.store.write() as db:
            db.execute(users.update().where(users.c.id == user_id).values(**values))

    def saw(self, user_id: str) -> None:
        """Remember that a user signed in, to the day, where inactive ones are disabled."""
        if self._rules.disable_user_account_days_inactive:
            today = self._shared.clock.now() // DAY * DAY
            with self._shared.store.read() as db:
                known = db.execute(sa.select(users.c.last_active_at).where(users.c.id == user_id)).scalar()
            if known != today:
                self._set(user_id, {"last_active_at": today})

    def is_inactive(self, user_id: str) -> bool:
        """Whether the user has not signed in for too long; one who never did is not."""
        days = self._rules.disable_user_account_days_inactive
        if not days:
            return False
        kept = self._kept(user_id)
        since = kept.last_active_at or kept.created_at
        return (
            bool(since)
            and since + days * DAY < self._shared.clock.now()
            and not kept.options.get("ignore_user_inactivity")
        )

    def given(self, password: str | None, options: Extra) -> Values:
        """The columns of a password that an administrator sets.  Hashes: call it outside a transaction.

        Raises INVALID or PASSWORD_TOO_WEAK.
        """
        now = self._shared.clock.now()
        values: Values = {"password_hash": "", "password_created_at": now, "password_expires_at": 0}
        values |= {"password_is_own": False, "failed_attempts": 0, "failed_at": 0}
        if password is None:
            return values
        must_change = self._rules.change_password_upon_first_use
        if must_change and not options.get("ignore_change_password_upon_first_use"):
            return values | {"password_hash": self._hash(password), "password_expires_at": now}
        return values | {"password_hash": self._hash(password), "password_expires_at": expiry(self._rules, now)}

    def _hash(self, password: str) -> str:
        if len(password) > MAX_PASSWORD:
            raise INVALID(reason=f"The password is longer than {MAX_PASSWORD} characters.")
        check_strength(self._rules, password)
        return self._passwords.hash(password)

    def change(self, user_id: str, original: str, password: str) -> None:
        """A user sets a new password itself, also where the old one has expired; its tokens end.

        Raises WRONG_PASSWORD, PASSWORD_LOCKED, PASSWORD_TOO_YOUNG, PASSWORD_USED_BEFORE, PASSWORD_TOO_WEAK, INVALID.
        """
        if not self._proves_to_change(user_id, original):
            raise WRONG_PASSWORD()
        kept, now = self._kept(user_id), self._shared.clock.now()
        if kept.options.get("lock_password"):
            raise PASSWORD_LOCKED()
        if original == password:
            raise INVALID(reason="The new password must differ from the old one.")
        days = self._rules.minimum_password_age
        if kept.is_own and now < kept.created_at + days * DAY:
            raise PASSWORD_TOO_YOUNG(days=days)
        self.check_history(user_id, password)
        values: Values = {"password_hash": self._hash(password), "password_created_at": now, "password_is_own": True}
        values["password_expires_at"] = expiry(self._rules, now)
        with self._shared.store.write() as db:
            self.remember_old(db, user_id)
            db.execute(users.update().where(users.c.id == user_id).values(**values))
            self._shared.revocations.add((Kind.USER, user_id))

    def _proves_to_change(self, user_id: str, original: str) -> bool:
        from nephele.kernel.errors import Refused

        try:
            return self.prove(user_id, original)
        except Refused as refused:
            if refused.error is not PASSWORD_EXPIRED:
                raise
            return True

    def check_history(self, user_id: str, password: str) -> None:
        """Raise PASSWORD_USED_BEFORE where the password is among the user's last."""
        count = self._rules.unique_last_password_count
        if count < 1:
            return
        row = old_passwords.c
        older = sa.select(row.password_hash).where(row.user_id == user_id).order_by(row.created_at.desc())
        with self._shared.store.read() as db:
            hashes = [self._kept(user_id).hash, *db.execute(older.limit(count - 1)).scalars()]
        if any(self._passwords.matches(password, stored) for stored in hashes if stored):
            raise PASSWORD_USED_BEFORE(count=count)

    def remember_old(self, db: sa.Connection, user_id: str) -> None:
        """Keep the present password for comparison, and no more of them than are compared."""
        row, keep = old_passwords.c, self._rules.unique_last_password_count - 1
        if keep > 0:
            kept = self._kept(user_id)
            if kept.hash:
                values = {"user_id": user_id, "created_at": kept.created_at, "password_hash": kept.hash}
                db.execute(old_passwords.delete().where(row.user_id == user_id, row.created_at == kept.created_at))
                db.execute(old_passwords.insert().values(**values))
        newest = sa.select(row.created_at).where(row.user_id == user_id).order_by(row.created_at.desc())
        db.execute(
            old_passwords.delete().where(row.user_id == user_id, row.created_at.not_in(newest.limit(max(keep, 0))))
        )


_KEPT = Statement(
    sa.select(
        users.c.password_hash,
        users.c.password_created_at,
        users.c.password_expires_at,
        users.c.password_is_own,
        users.c.failed_attempts,
        users.c.failed_at,
        users.c.last_active_at,
        users.c.options,
    ).where(users.c.id == sa.bindparam("user_id"))
)
