"""Trusts: a user lets another one act with some of its roles on a project."""

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.assignments import Assignments
from nephele.identity.errors import REFUSED, TRUST_NOT_FOUND
from nephele.identity.model import Target
from nephele.identity.revocations import Kind
from nephele.identity.shared import Filters, Shared, columns_of, narrowed
from nephele.identity.tables import trusts
from nephele.kernel.clock import Instant

MAX_REDELEGATIONS = 3
"""Links that a chain of trusts may have, as Keystone's `max_redelegation_count`."""


class Trust(Struct, frozen=True):
    """A trust; it ends at `expires_at` unless that is 0, and after `remaining_uses` tokens unless that is None."""

    id: str
    trustor_user_id: str
    trustee_user_id: str
    project_id: str
    impersonation: bool
    role_ids: tuple[str, ...]
    expires_at: Instant
    remaining_uses: int | None
    redelegation_count: int
    redelegated_trust_id: str


_COLUMNS = columns_of(trusts, Trust)


class Trusts:
    """All trusts."""

    def __init__(self, shared: Shared, assignments: Assignments) -> None:
        self._shared = shared
        self._assignments = assignments

    def create(self, trust: Trust) -> Trust:
        """A new trust; its id is made here.  Raises REFUSED where the trustor lacks a role that it would hand on."""
        held = self._assignments.role_ids(trust.trustor_user_id, Target.PROJECT, trust.project_id)
        missing = [role_id for role_id in trust.role_ids if role_id not in held]
        if missing or not trust.role_ids:
            raise REFUSED(action=f"hand on roles that the trustor does not have: {', '.join(missing) or 'none named'}")
        trust = msgspec.structs.replace(trust, id=self._shared.ids.hex())
        with self._shared.store.write() as db:
            db.execute(trusts.insert().values(**{name: getattr(trust, name) for name in trust.__struct_fields__}))
        return trust

    def get(self, trust_id: str) -> Trust:
        """One trust that has not expired.  Raises TRUST_NOT_FOUND."""
        found = self.live(trust_id)
        if found is None:
            raise TRUST_NOT_FOUND(id=trust_id)
        return found

    def live(self, trust_id: str) -> Trust | None:
        """The trust, if it is there and has not expired."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_COLUMNS).where(trusts.c.id == trust_id)).first()
        found = Trust(*row) if row else None
        return found if found and not 0 < found.expires_at <= self._shared.clock.now() else None

    def find(self, filters: Filters) -> list[Trust]:
        """Trusts by `trustor_user_id` and `trustee_user_id`, without those that have expired."""
        columns = {name: trusts.c[name] for name in ("trustor_user_id", "trustee_user_id")}
        alive = sa.or_(trusts.c.expires_at == 0, trusts.c.expires_at > self._shared.clock.now())
        with self._shared.store.read() as db:
            found = db.execute(narrowed(sa.select(*_COLUMNS).where(alive), filters, columns).order_by(trusts.c.id))
            return [Trust(*row) for row in found]

    def used(self, trust_id: str, trustee_user_id: str) -> Trust:
        """The trust for its trustee, one use less.  Raises REFUSED for anybody else, or where it is used up."""
        with self._shared.store.write() as db:
            trust = self.live(trust_id)
            if trust is None or trust.trustee_user_id != trustee_user_id:
                raise REFUSED(action="use a trust that is not there, or is for somebody else")
            if trust.remaining_uses is not None:
                if trust.remaining_uses < 1:
                    raise REFUSED(action="use a trust that is used up")
                left = {"remaining_uses": trust.remaining_uses - 1}
                db.execute(trusts.update().where(trusts.c.id == trust_id).values(**left))
            return trust

    def delete(self, trust_id: str) -> None:
        """Remove a trust with those that were handed on from it; their tokens end.  Raises TRUST_NOT_FOUND."""
        with self._shared.store.write() as db:
            gone, level = [], [self.get(trust_id).id]
            while level:
                gone += level
                level = list(
                    db.execute(sa.select(trusts.c.id).where(trusts.c.redelegated_trust_id.in_(level))).scalars()
                )
            db.execute(trusts.delete().where(trusts.c.id.in_(gone)))
            self._shared.revocations.add(*((Kind.TRUST, each) for each in gone))
