"""Why something went wrong, told to the user whose resource it is (`openstack volume message list`)."""

import sqlalchemy as sa

from nephele.kernel.clock import SECOND
from nephele.kernel.context import Context
from nephele.volume.errors import MESSAGE_NOT_FOUND
from nephele.volume.model import UserMessage
from nephele.volume.parts import Parts
from nephele.volume.tables import messages

KEPT = 30 * 24 * 3600 * SECOND
"""How long a message is kept at least."""

ACTIONS = {
    "schedule allocate volume": "001",
    "copy volume to image": "003",
    "copy image to volume": "005",
    "extend volume": "007",
    "create volume from backend storage": "008",
    "create snapshot": "009",
    "delete snapshot": "010",
    "reimage volume": "017",
    "create group": "907",
    "delete group": "908",
    "create group snapshot": "909",
    "delete group snapshot": "910",
    "create backup": "014",
    "delete backup": "013",
    "restore backup": "015",
    "manage volume": "903",
    "migrate volume": "904",
    "retype volume": "905",
    "unmanage volume": "906",
    "delete volume": "900",
    "revert volume": "901",
    "attach volume": "902",
    "detach volume": "903",
}
"""What was being done, by the numbers that event ids carry; ours begin at 900."""


class UserMessages:
    """All users' messages."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def tell(self, ctx: Context, project_id: str, kind: str, resource_id: str, action: str, reason: str) -> None:
        """Leave a message.

        Args:
            ctx: whose request it was.
            project_id: whose resource it is.
            kind: `VOLUME` or `VOLUME_SNAPSHOT`.
            resource_id: which one.
            action: one of `ACTIONS`.
            reason: what was wrong, as a sentence.
        """
        now = self._parts.clock.now()
        row = {
            "id": self._parts.ids.uuid(),
            "project_id": project_id,
            "request_id": ctx.request_id,
            "resource_type": kind,
            "resource_id": resource_id,
            "event_id": f"VOLUME_{kind}_{ACTIONS[action]}_001",
            "text": f"{action}: {reason}",
            "level": "ERROR",
            "created_at": now,
            "expires_at": now + KEPT,
        }
        with self._parts.store.write() as db:
            db.execute(messages.insert(), row)

    def show(self, ctx: Context, message_id: str) -> UserMessage:
        """One message.  Raises MESSAGE_NOT_FOUND."""
        with self._parts.store.read() as db:
            row = db.execute(sa.select(*messages.c).where(messages.c.id == message_id)).one_or_none()
        if row is None or not self._parts.sees(ctx, row.project_id):
            raise MESSAGE_NOT_FOUND(message_id=message_id)
        return UserMessage(*row)

    def delete(self, ctx: Context, message_id: str) -> None:
        """Forget a message.  Raises MESSAGE_NOT_FOUND."""
        with self._parts.store.write() as db:
            self.show(ctx, message_id)
            db.execute(messages.delete().where(messages.c.id == message_id))

    def latest(self, resource_id: str) -> str:
        """What was said last of a resource; empty where nothing was."""
        c = messages.c
        newest = sa.select(c.text).where(c.resource_id == resource_id).order_by(c.created_at.desc(), c.id).limit(1)
        with self._parts.store.read() as db:
            return db.execute(newest).scalar_one_or_none() or ""
