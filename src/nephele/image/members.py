"""Sharing: an owner names projects, each of which accepts or rejects."""

from typing import Any

import sqlalchemy as sa

from nephele.image import rows
from nephele.image.access import Access
from nephele.image.errors import IMAGE_NOT_FOUND, MEMBER_EXISTS, MEMBER_NOT_FOUND, NOT_SHARED, TOO_MANY
from nephele.image.model import Image, Limits, Member, MemberStatus, Visibility
from nephele.image.tables import members
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.errors import FORBIDDEN, Refused
from nephele.kernel.store import Store

_COLUMNS = [members.c[name] for name in Member.__struct_fields__]


class Members:
    """With whom images are shared."""

    def __init__(self, store: Store, clock: Clock, access: Access, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._access = access
        self._limits = limits

    def add(self, caller: Context, image_id: str, member_id: str) -> Member:
        """Share an image.  Raises IMAGE_NOT_FOUND, NOT_SHARED, FORBIDDEN, MEMBER_EXISTS or TOO_MANY."""
        now = self._clock.now()
        member = Member(image_id, member_id, MemberStatus.PENDING, now, now)
        with self._store.write() as db:
            image = self._shared_image(db, caller, image_id)
            self._check(db, caller, image, "add_member")
            if self._find(db, image_id, member_id) is not None:
                raise MEMBER_EXISTS(image_id=image_id, member_id=member_id)
            count = sa.select(sa.func.count()).where(members.c.image_id == image_id)
            have = db.execute(count).scalar_one()
            if have >= self._limits.members:
                raise TOO_MANY(what="image members", have=have + 1, limit=self._limits.members)
            db.execute(members.insert(), {name: getattr(member, name) for name in Member.__struct_fields__})
        return member

    def list(self, caller: Context, image_id: str) -> tuple[Member, ...]:
        """All members to the owner, itself to a member.  Raises IMAGE_NOT_FOUND, NOT_SHARED or FORBIDDEN."""
        with self._store.read() as db:
            image = self._shared_image(db, caller, image_id)
            self._check(db, caller, image, "get_members")
            query = sa.select(*_COLUMNS).where(members.c.image_id == image_id)
            if not self._sees_all(caller, image):
                query = query.where(members.c.member_id == caller.project_id)
            found = db.execute(query.order_by(members.c.created_at, members.c.member_id)).all()
        return tuple(map(_from_row, found))

    def show(self, caller: Context, image_id: str, member_id: str) -> Member:
        """One member.  Raises IMAGE_NOT_FOUND or MEMBER_NOT_FOUND, also where upstream hides a 403."""
        try:
            with self._store.read() as db:
                return self._member(db, caller, self._shared_image(db, caller, image_id), member_id)
        except Refused as refused:
            if refused.status == 403:
                raise IMAGE_NOT_FOUND(image_id=image_id) from None
            raise

    def decide(self, caller: Context, image_id: str, member_id: str, status: MemberStatus) -> Member:
        """A member's answer to being shared with.  Raises as `show`, or FORBIDDEN for all but the member."""
        with self._store.write() as db:
            image = self._shared_image(db, caller, image_id)
            self._member(db, caller, image, member_id)
            self._check(db, caller, image, "modify_member")
            is_it = (members.c.image_id == image_id, members.c.member_id == member_id)
            db.execute(members.update().where(*is_it).values(status=status, updated_at=self._clock.now()))
            return self._member(db, caller, image, member_id)

    def remove(self, caller: Context, image_id: str, member_id: str) -> None:
        """Share no more.  Raises IMAGE_NOT_FOUND, NOT_SHARED, MEMBER_NOT_FOUND or FORBIDDEN."""
        with self._store.write() as db:
            image = self._shared_image(db, caller, image_id)
            self._member(db, caller, image, member_id)
            self._check(db, caller, image, "delete_member")
            db.execute(members.delete().where(members.c.image_id == image_id, members.c.member_id == member_id))

    def _shared_image(self, db: sa.Connection, caller: Context, image_id: str) -> Image:
        image = self._access.find(db, caller, image_id)
        if image.visibility != Visibility.SHARED:
            raise NOT_SHARED()
        return image

    def _member(self, db: sa.Connection, caller: Context, image: Image, member_id: str) -> Member:
        self._check(db, caller, image, "get_member")
        found = self._find(db, image.id, member_id)
        if found is None or not (self._sees_all(caller, image) or member_id == caller.project_id):
            raise MEMBER_NOT_FOUND(image_id=image.id, member_id=member_id)
        return found

    @staticmethod
    def _find(db: sa.Connection, image_id: str, member_id: str) -> Member | None:
        is_it = (members.c.image_id == image_id, members.c.member_id == member_id)
        found = db.execute(sa.select(*_COLUMNS).where(*is_it)).first()
        return None if found is None else _from_row(found)

    @staticmethod
    def _sees_all(caller: Context, image: Image) -> bool:
        return caller.is_admin or image.owner == caller.project_id

    def _check(self, db: sa.Connection, caller: Context, image: Image, rule: str) -> None:
        is_member = rows.is_shared_with(db, image.id, caller.project_id)
        if not self._access.allows(caller, image, rule, caller.project_id if is_member else None):
            raise FORBIDDEN(rule=rule)


def _from_row(found: sa.Row[Any]) -> Member:
    image_id, member_id, status, *times = tuple(found)
    return Member(image_id, member_id, MemberStatus(status), *times)
