"""What was done to a server: its operations, as instance actions and as the trace of a launch."""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from nephele.compute import rows
from nephele.compute.errors import SERVER_NOT_FOUND
from nephele.compute.model import Server
from nephele.kernel.clock import Instant, parse_iso
from nephele.kernel.context import Context
from nephele.kernel.errors import BAD_REQUEST, Error
from nephele.kernel.operations import State, operations
from nephele.kernel.store import Store
from nephele.kernel.trace import Span, read_spans

ACTION_NOT_FOUND = Error(
    "action.not_found", 404, "Action for request_id {request_id} on instance {server_id} not found"
)
NAMES = {
    "reboot_hard": "reboot",
    "snapshot": "createImage",
    "backup": "createBackup",
    "shelve_offload": "shelveOffload",
    "confirm_resize": "confirmResize",
    "revert_resize": "revertResize",
    "live_migrate": "live-migration",
    "set_password": "changePassword",
    "crash_dump": "trigger_crash_dump",
    "soft_delete": "delete",
    "reset_state": "resetState",
}
"""What the API calls an operation, where it is not its kind."""


class Action(Struct, frozen=True, kw_only=True):
    """One thing that was done to a server."""

    id: str
    name: str
    server_id: str
    request_id: str
    user_id: str
    project_id: str
    started_at: Instant
    updated_at: Instant
    message: str | None
    host: str
    state: str
    deadline: Instant
    events: list[Span] = []


class Actions:
    """Reads operations on servers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def list_for(
        self,
        caller: Context,
        server_id: str,
        *,
        of_deleted: bool,
        limit: int,
        marker: str = "",
        since: str = "",
        before: str = "",
    ) -> list[Action]:
        """The actions on a server, newest first.  Raises SERVER_NOT_FOUND, BAD_REQUEST."""
        server = self._server(caller, server_id, of_deleted=of_deleted)
        c = operations.c
        query = operations.select().where(c.subject == server_id).order_by(c.created_at.desc(), c.id.desc())
        if since:
            query = query.where(c.updated_at >= _time(since))
        if before:
            query = query.where(c.updated_at <= _time(before))
        with self.store.read() as db:
            found = [_action(row, server) for row in db.execute(query)]
        if marker:
            places = [place for place, action in enumerate(found) if action.request_id == marker]
            if not places:
                raise BAD_REQUEST(reason=f"marker [{marker}] not found")
            found = found[places[0] + 1 :]
        return found[:limit]

    def show(self, caller: Context, server_id: str, request_id: str, *, of_deleted: bool) -> Action:
        """One action with its events.  Raises SERVER_NOT_FOUND, ACTION_NOT_FOUND."""
        server = self._server(caller, server_id, of_deleted=of_deleted)
        mine = sa.and_(operations.c.subject == server_id, operations.c.request_id == request_id)
        with self.store.read() as db:
            row = db.execute(operations.select().where(mine)).first()
            if row is None:
                raise ACTION_NOT_FOUND(request_id=request_id, server_id=server_id)
            spans = read_spans(db, row.id)
        return _action(row, server, [span for span in spans if span.event][::-1])

    def launch(self, caller: Context, server_id: str) -> tuple[Action, list[Span]]:
        """The operation that launched a server, and all its spans.  Raises SERVER_NOT_FOUND."""
        server = self._server(caller, server_id, of_deleted=True)
        mine = sa.and_(operations.c.subject == server_id, operations.c.kind == "create")
        with self.store.read() as db:
            row = db.execute(operations.select().where(mine)).first()
            if row is None:
                raise SERVER_NOT_FOUND(server_id=server_id)
            return _action(row, server), read_spans(db, row.id)

    def _server(self, caller: Context, server_id: str, *, of_deleted: bool) -> Server:
        with self.store.read() as db:
            server = rows.server_row(db, server_id)
        mine = caller.is_admin or server.project_id == caller.project_id
        if not mine or (server.deleted_at is not None and not of_deleted):
            raise SERVER_NOT_FOUND(server_id=server_id)
        return server


def _time(text: str) -> Instant:
    try:
        return parse_iso(text.replace(" ", "+"))
    except ValueError:
        raise BAD_REQUEST(reason=f"{text!r} is no ISO 8601 time.") from None


def _action(row: sa.Row[Any], server: Server, events: list[Span] | None = None) -> Action:
    return Action(
        id=row.id,
        name=NAMES.get(row.kind, row.kind),
        server_id=row.subject,
        request_id=row.request_id,
        user_id=row.user_id,
        project_id=row.project_id,
        started_at=row.created_at,
        updated_at=row.updated_at,
        message="Error" if row.state in (State.FAILED, State.UNDOING, State.INTERRUPTED) else None,
        host=server.host,
        state=row.state,
        deadline=row.deadline,
        events=events or [],
    )
