"""What users write on their servers: metadata, tags, and the lock that keeps others from commanding them."""

from collections.abc import Callable
from typing import Any

from nephele.compute.errors import LOCKED, WRONG_STATE
from nephele.compute.model import Server, Vm
from nephele.compute.servers import Servers
from nephele.kernel.context import Context
from nephele.kernel.errors import Error
from nephele.kernel.store import Store

MAX_TAGS = 50
CHANGEABLE = frozenset({Vm.ACTIVE, Vm.PAUSED, Vm.SUSPENDED, Vm.STOPPED})
"""The VM states in which metadata and tags may be changed, as upstream has it."""
TAG_NOT_FOUND = Error("server.tag_not_found", 404, "Server {server_id} has no tag '{tag}'")
ITEM_NOT_FOUND = Error("server.metadata_not_found", 404, "Metadata item was not found")
TOO_MANY_TAGS = Error("server.too_many_tags", 400, "The number of tags exceeded the per-server limit {limit}")

OWNER, ADMIN = "owner", "admin"
"""Who locked a server: somebody of its own project, or an administrator from outside."""


class Labels:
    """Metadata, tags and locks.

    Args:
        store: where they are.
        servers: whose they are.
    """

    def __init__(self, store: Store, servers: Servers) -> None:
        self.store, self.servers = store, servers

    # -- metadata ----------------------------------------------------------------------------------------------

    def merge_metadata(self, caller: Context, server_id: str, items: dict[str, str]) -> dict[str, str]:
        """Set some items and keep the others.  Raises LOCKED, WRONG_STATE, TOO_MANY_ITEMS."""
        return self._change_metadata(caller, server_id, lambda metadata: metadata | items)

    def replace_metadata(self, caller: Context, server_id: str, items: dict[str, str]) -> dict[str, str]:
        """Set all items.  Raises LOCKED, WRONG_STATE, TOO_MANY_ITEMS."""
        return self._change_metadata(caller, server_id, lambda _metadata: items)

    def delete_item(self, caller: Context, server_id: str, key: str) -> None:
        """Remove one item.  Raises ITEM_NOT_FOUND, LOCKED, WRONG_STATE."""
        self._change_metadata(caller, server_id, lambda metadata: _without(metadata, key))

    def _change_metadata(
        self, caller: Context, server_id: str, change: Callable[[dict[str, str]], dict[str, str]]
    ) -> dict[str, str]:
        with self.store.write():
            server = self.servers.show(caller, server_id)
            metadata = change(server.metadata)
            if server.locked and not caller.is_admin:
                raise LOCKED(server_id=server.id)
            _check_changeable(server, "update metadata")
            return self.servers.update(caller, server_id, metadata=metadata).metadata

    # -- tags --------------------------------------------------------------------------------------------------

    def replace_tags(self, caller: Context, server_id: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Set all tags.  Raises TOO_MANY_TAGS, WRONG_STATE."""
        return self._change_tags(caller, server_id, lambda _has: tags)

    def add_tag(self, caller: Context, server_id: str, tag: str) -> bool:
        """Add a tag; False where it was there.  Raises TOO_MANY_TAGS, WRONG_STATE."""
        had: list[tuple[str, ...]] = []

        def add(has: tuple[str, ...]) -> tuple[str, ...]:
            had.append(has)
            return (*has, tag)

        return self._change_tags(caller, server_id, add) != had[0]

    def delete_tag(self, caller: Context, server_id: str, tag: str) -> None:
        """Remove a tag.  Raises TAG_NOT_FOUND, WRONG_STATE."""

        def remove(has: tuple[str, ...]) -> tuple[str, ...]:
            if tag not in has:
                raise TAG_NOT_FOUND(server_id=server_id, tag=tag)
            return tuple(one for one in has if one != tag)

        self._change_tags(caller, server_id, remove)

    def _change_tags(
        self, caller: Context, server_id: str, change: Callable[[tuple[str, ...]], tuple[str, ...]]
    ) -> tuple[str, ...]:
        with self.store.write():
            server = self.servers.show(caller, server_id)
            _check_changeable(server, "change tags of")
            tags = tuple(dict.fromkeys(change(server.tags)))
            if len(tags) > MAX_TAGS:
                raise TOO_MANY_TAGS(limit=MAX_TAGS)
            return self.servers.update(caller, server_id, tags=tags).tags

    # -- the lock ----------------------------------------------------------------------------------------------

    def lock(self, caller: Context, server_id: str, reason: str | None) -> None:
        """Let only administrators command the server; locking again changes nothing for its own project."""
        with self.store.write():
            server = self.servers.show(caller, server_id)
            who = _lock_holder(caller, server)
            if server.locked and who == OWNER:
                return
            self._note(caller, server, "lock")
            self._write_lock(caller, server, locked=True, locked_by=who, locked_reason=reason)

    def unlock(self, caller: Context, server_id: str, may_override: Callable[[], None]) -> None:
        """Take the lock away; `may_override` is asked, and refuses, where somebody else set it."""
        with self.store.write():
            server = self.servers.show(caller, server_id)
            if server.locked_by and server.locked_by != _lock_holder(caller, server):
                may_override()
            self._note(caller, server, "unlock")
            self._write_lock(caller, server, locked=False, locked_by="", locked_reason=None)

    def _note(self, caller: Context, server: Server, action: str) -> None:
        self.servers.engine.note(action, caller, server.id, event=f"api_{action}")

    def _write_lock(self, caller: Context, server: Server, **values: Any) -> None:
        self.servers.update(caller, server.id, **values)


def _without(metadata: dict[str, str], key: str) -> dict[str, str]:
    if key not in metadata:
        raise ITEM_NOT_FOUND()
    return {name: value for name, value in metadata.items() if name != key}


def _check_changeable(server: Server, command: str) -> None:
    if server.vm_state not in CHANGEABLE:
        raise WRONG_STATE(command=command, server_id=server.id, attribute="vm_state", value=str(server.vm_state))


def _lock_holder(caller: Context, server: Server) -> str:
    return OWNER if server.project_id == caller.project_id else ADMIN
