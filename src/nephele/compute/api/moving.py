"""Resize, migrate, evacuate: what takes a server to another size or another host."""

import secrets
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct, field

from nephele.compute import errors as e
from nephele.compute.api.server_bodies import Bool, truth
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

MIGRATE_TO = "os_compute_api:os-migrate-server:migrate:host"
LIVE_TO = "os_compute_api:os-migrate-server:migrate_live:host"
HostName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-._]*$")]
Password = Annotated[str, Meta(max_length=255)]


class Resize(Struct, frozen=True, forbid_unknown_fields=True):
    """The size that is wanted."""

    flavorRef: Annotated[str, Meta(min_length=1)] | int  # noqa: N815
    disk_config: Literal["AUTO", "MANUAL", ""] = field(default="", name="OS-DCF:diskConfig")


class Migrate(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to, from 2.56 on."""

    host: HostName | None = None


class OldLive(Struct, frozen=True, forbid_unknown_fields=True):
    """A live migration before 2.25."""

    host: HostName | None
    block_migration: Bool
    disk_over_commit: Bool


class Live(Struct, frozen=True, forbid_unknown_fields=True):
    """One from 2.25 on, and again from 2.68 on."""

    host: HostName | None
    block_migration: Bool | Literal["auto"]


class ForcedLive(Live, frozen=True, forbid_unknown_fields=True):
    """One from 2.30 to 2.67."""

    force: Bool = False


class OldEvacuate(Struct, frozen=True, forbid_unknown_fields=True):
    """An evacuation before 2.14."""

    onSharedStorage: Bool  # noqa: N815
    host: HostName | None = None
    adminPass: Password | None = None  # noqa: N815


class Evacuate(Struct, frozen=True, forbid_unknown_fields=True):
    """One from 2.14 on, and again from 2.68 on."""

    host: HostName | None = None
    adminPass: Password | None = None  # noqa: N815


class ForcedEvacuate(Evacuate, frozen=True, forbid_unknown_fields=True):
    """One from 2.29 to 2.67."""

    force: Bool = False


def resize(compute: "Compute", call: Call) -> None:
    """Give a server another size."""
    body: Resize = call.body
    compute.resizing.resize(call.context, call.path["server_id"], str(body.flavorRef), body.disk_config)


def confirm(compute: "Compute", call: Call) -> None:
    """Keep what a resize made."""
    compute.resizing.confirm(call.context, call.path["server_id"])


def revert(compute: "Compute", call: Call) -> None:
    """Go back to what was before."""
    compute.resizing.revert(call.context, call.path["server_id"])


def migrate(compute: "Compute", call: Call) -> None:
    """Move a server to another host, off."""
    host = call.body.host if call.version >= (2, 56) and call.body is not None else None
    if host:
        call.enforce(MIGRATE_TO)
    compute.resizing.migrate(call.context, call.path["server_id"], host or "")


def live_migrate(compute: "Compute", call: Call) -> None:
    """Move a running server; up to 2.33 what stands against it is answered, from then on it ends the operation."""
    host, forced = call.body.host or "", _forced(call, (2, 30))
    if host:
        call.enforce(LIVE_TO)
    checked = call.version < (2, 34)
    compute.relocating.live_migrate(call.context, call.path["server_id"], host=host, forced=forced, checked=checked)


def evacuate(compute: "Compute", call: Call) -> dict[str, str] | None:
    """Build a server anew whose host is down; its password is answered before 2.14."""
    body = call.body
    forced = _forced(call, (2, 29))
    shared = call.version < (2, 14) and truth(body.onSharedStorage)
    if shared and body.adminPass is not None:
        raise e.PASSWORD_ON_KEPT_DISK()
    stopped = call.version >= (2, 95)
    compute.relocating.evacuate(
        call.context, call.path["server_id"], host=body.host or "", forced=forced, stopped=stopped
    )
    if call.version >= (2, 14):
        return None
    return {"adminPass": body.adminPass or secrets.token_urlsafe(9)} if not shared else {}


def _forced(call: Call, since: tuple[int, int]) -> bool:
    """Whether a named host is not to be checked: always so before `since`, as asked up to 2.67, never after."""
    if call.version < since:
        return bool(call.body.host)
    forced = call.version < (2, 68) and truth(call.body.force)
    if forced and not call.body.host:
        raise e.FORCE_NEEDS_HOST()
    return forced
