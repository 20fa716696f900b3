"""Users who are known elsewhere: each has one user here, that roles and credentials can be given to."""

import sqlalchemy as sa

from nephele.identity.model import User
from nephele.identity.shared import Shared
from nephele.identity.tables import remote_users
from nephele.identity.users import UserChange, Users


class Shadows:
    """From (source, id there) to the user here.

    Args:
        shared: store, ids.
        users: where the users here are.
    """

    def __init__(self, shared: Shared, users: Users) -> None:
        self._shared, self._users = shared, users

    def user(self, source: str, remote_id: str, name: str, domain_id: str, *, email: str = "") -> User:
        """The user here, made at the first sight, renamed where it was renamed there.

        Raises DOMAIN_NOT_FOUND, or DUPLICATE where another user of the domain has the name.
        """
        found = self._known(source, remote_id)
        if found is not None:
            user = self._users.get(found)
            if user.name != name or (email and user.extra.get("email") != email):
                extra: dict[str, object] = {"email": email} if email else {}
                return self._users.update(user.id, UserChange(name=name, extra=extra))
            return user
        with self._shared.store.write() as db:
            found = self._known(source, remote_id)
            if found is not None:
                return self._users.get(found)
            new = User("", name, domain_id, True, "", None, {}, {"email": email} if email else {})
            made = self._users.create(new, None)
            db.execute(remote_users.insert().values(source=source, remote_id=remote_id, user_id=made.id))
            return made

    def _known(self, source: str, remote_id: str) -> str | None:
        row = remote_users.c
        select = sa.select(row.user_id).where(row.source == source, row.remote_id == remote_id)
        with self._shared.store.read() as db:
            found: str | None = db.execute(select).scalar()
        return found
