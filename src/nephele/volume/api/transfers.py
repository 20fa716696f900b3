"""Transfers over HTTP: `os-volume-transfer`, and from 3.55 on `volume-transfers`, which takes snapshots along."""

from typing import Any

import sqlalchemy as sa

from nephele.volume import rows
from nephele.volume.api.bodies import check_uuid, stripped, truth
from nephele.volume.api.links import links, moment, next_links
from nephele.volume.api.listing import Listed, read_listing
from nephele.volume.errors import TRANSFER_NOT_FOUND
from nephele.volume.model import Transfer
from nephele.volume.service import Volumes
from nephele.volume.tables import transfers
from nephele.web.call import Call

_c = transfers.c
_COLUMNS: dict[str, sa.Column[Any]] = {
    "id": _c.id,
    "name": _c.name,
    "display_name": _c.name,
    "volume_id": _c.volume_id,
    "created_at": _c.created_at,
    "source_project_id": _c.source_project_id,
}
_ALIASES = ("volume-transfers", "os-volume-transfer")


def _collection(call: Call) -> str:
    return next(name for name in _ALIASES if f"/{name}" in call.request.path)


def _summary(call: Call, transfer: Transfer) -> dict[str, object]:
    return {
        "id": transfer.id,
        "volume_id": transfer.volume_id,
        "name": transfer.name,
        "links": links(call, _collection(call), transfer.id),
    }


def _detail(call: Call, transfer: Transfer) -> dict[str, object]:
    view = {**_summary(call, transfer), "created_at": moment(transfer.created_at)}
    if call.version >= (3, 55):
        view["no_snapshots"] = transfer.no_snapshots
    if call.version >= (3, 57):
        view["source_project_id"] = transfer.source_project_id
        view["destination_project_id"] = transfer.destination_project_id
        view["accepted"] = transfer.accepted
    return view


def _find(service: Volumes, call: Call, rule: str) -> Transfer:
    transfer = service.transfers.show(call.context, call.path["transfer_id"])
    call.enforce(rule, {"project_id": transfer.source_project_id})
    return transfer


def show(service: Volumes, call: Call) -> object:
    """One transfer."""
    return {"transfer": _detail(call, _find(service, call, "volume:get_transfer"))}


def index(service: Volumes, call: Call) -> object:
    """All of them, in short."""
    return _list(service, call, detailed=False)


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return _list(service, call, detailed=True)


def _list(service: Volumes, call: Call, *, detailed: bool) -> object:
    kind = Listed(
        table=transfers,
        user_filters={"name": (3, 0), "volume_id": (3, 0)},
        admin_filters=frozenset(_COLUMNS),
        columns=_COLUMNS,
        sorts=frozenset(_COLUMNS),
        missing=TRANSFER_NOT_FOUND,
        marker_fact="transfer_id",
    )
    asked = read_listing(call, kind, owner=_c.source_project_id)
    columns = [_c[name] for name in Transfer.__struct_fields__]
    with service.parts.store.read() as db:
        found = rows.every(db, Transfer, asked.narrow(db)(sa.select(*columns)))
    shown = [_detail(call, transfer) if detailed else _summary(call, transfer) for transfer in found]
    body: dict[str, object] = {"transfers": shown}
    path = _collection(call) + ("/detail" if detailed else "")
    following = next_links(call, path, [transfer.id for transfer in found], asked.page.limit)
    if following:
        body["transfers_links"] = following
    return body


def create(service: Volumes, call: Call) -> object:
    """Offer a volume; the key is shown this once."""
    asked = call.body.transfer
    check_uuid("volume_id", asked.volume_id)
    no_snapshots = truth(getattr(asked, "no_snapshots", False))
    made, key = service.transfers.offer(call.context, asked.volume_id, stripped(asked.name), no_snapshots=no_snapshots)
    return {"transfer": {**_detail(call, made), "auth_key": key}}


def accept(service: Volumes, call: Call) -> object:
    """Take a volume over."""
    taken = service.transfers.accept(call.context, call.path["transfer_id"], call.body.accept.auth_key)
    return {"transfer": _summary(call, taken)}


def delete(service: Volumes, call: Call) -> None:
    """Take an offer back."""
    service.transfers.withdraw(call.context, _find(service, call, "volume:delete_transfer").id)
