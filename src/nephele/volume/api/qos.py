"""QoS specs over HTTP."""

from typing import Any

import sqlalchemy as sa

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume import rows
from nephele.volume.api.links import links, next_links
from nephele.volume.api.listing import read_listing_of_all
from nephele.volume.errors import QOS_NOT_FOUND
from nephele.volume.model import QosSpecs
from nephele.volume.service import Volumes
from nephele.volume.tables import qos_specs
from nephele.web.call import Call

_c = qos_specs.c
_SORTS: dict[str, sa.Column[Any]] = {"id": _c.id, "name": _c.name, "consumer": _c.consumer}
_CONSUMERS = ("front-end", "back-end", "both")


def _view(specs: QosSpecs) -> dict[str, object]:
    return {"id": specs.id, "name": specs.name, "consumer": specs.consumer, "specs": specs.specs}


def _one(call: Call, specs: QosSpecs) -> dict[str, object]:
    return {"qos_specs": _view(specs), "links": links(call, "qos-specs", specs.id)}


def index(service: Volumes, call: Call) -> object:
    """All of them."""
    query: sa.Select[Any] = sa.select(*_c)
    for name in ("id", "name", "consumer"):
        if name in call.query:
            query = query.where(_c[name] == call.query.get(name))
    page, narrow = read_listing_of_all(call, qos_specs, _SORTS, QOS_NOT_FOUND, "qos_id")
    with service.parts.store.read() as db:
        found = rows.every(db, QosSpecs, narrow(db)(query))
    body: dict[str, object] = {"qos_specs": [_view(specs) for specs in found]}
    following = next_links(call, "qos-specs", [specs.id for specs in found], page.limit)
    if following:
        body["qos_specs_links"] = following
    return body


def show(service: Volumes, call: Call) -> object:
    """One of them."""
    return _one(call, service.qos.show(call.path["qos_id"]))


def create(service: Volumes, call: Call) -> object:
    """A new one."""
    specs = {key: value or "" for key, value in call.body.qos_specs.items()}
    name = specs.pop("name", "").strip()
    if not name:
        raise BAD_REQUEST(reason="Invalid input for field/attribute name. It can not be empty.")
    consumer = _consumer(specs.pop("consumer", "back-end"))
    return _one(call, service.qos.create(name, consumer, specs))


def _consumer(word: str) -> str:
    if word not in _CONSUMERS:
        raise BAD_REQUEST(reason=f"Invalid qos specs: Valid consumer of QoS specs are: {', '.join(_CONSUMERS)}")
    return word


def update(service: Volumes, call: Call) -> object:
    """More of it, or other values."""
    specs = {key: value or "" for key, value in call.body.qos_specs.items()}
    consumer = specs.pop("consumer", None)
    service.qos.update(call.path["qos_id"], _consumer(consumer) if consumer else None, specs)
    return {"qos_specs": call.body.qos_specs}


def delete_keys(service: Volumes, call: Call) -> None:
    """Less of it."""
    service.qos.delete_keys(call.path["qos_id"], call.body.keys)


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    service.qos.delete(call.path["qos_id"], force=call.query.flag("force"))


def associations(service: Volumes, call: Call) -> object:
    """The types that carry it."""
    found = service.qos.associations(call.path["qos_id"])
    return {
        "qos_associations": [{"association_type": "volume_type", "name": kind.name, "id": kind.id} for kind in found]
    }


def associate(service: Volumes, call: Call) -> None:
    """Let a type carry it."""
    service.qos.associate(call.path["qos_id"], _type_id(call))


def disassociate(service: Volumes, call: Call) -> None:
    """Let a type carry none."""
    service.qos.disassociate(call.path["qos_id"], _type_id(call))


def disassociate_all(service: Volumes, call: Call) -> None:
    """Let no type carry it."""
    service.qos.disassociate_all(call.path["qos_id"])


def _type_id(call: Call) -> str:
    found = call.query.get("vol_type_id")
    if not found:
        raise BAD_REQUEST(reason="Volume Type id must not be None.")
    return found
