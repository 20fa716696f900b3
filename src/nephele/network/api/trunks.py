"""Trunks in the API, with their subports."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from nephele.network.api.kind import ID, NAME, STANDARD, Kind, Values
from nephele.network.api.listing import view_for
from nephele.network.attributes import Attribute, Bad, boolean, integer, many, one_of, record, uuid
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY
from nephele.network.model import Trunk
from nephele.network.records import BLANK
from nephele.network.service import Networks
from nephele.network.trunks import (
    TRUNKS,
    SubPortWish,
    add_subports,
    change_trunk,
    create_trunk,
    delete_trunk,
    remove_subports,
)
from nephele.network.work import Work
from nephele.web.call import Call


def subport(value: Any) -> SubPortWish:
    """One of `sub_ports`."""
    wish: SubPortWish = record(SubPortWish)(value)
    uuid(wish.port_id)
    one_of("vlan")(wish.segmentation_type)
    integer(1, 4094)(wish.segmentation_id)
    return wish


def _create(work: Work, values: Values) -> Trunk:
    wishes = values.pop("sub_ports")
    return create_trunk(work, Trunk(**BLANK | values), wishes)


TRUNK = Kind(
    "trunk",
    "trunks",
    "trunks",
    TRUNKS,
    (
        ID,
        NAME,
        *STANDARD,
        Attribute("admin_state_up", boolean, True, put=True),
        Attribute("port_id", uuid),
        Attribute("status"),
        Attribute("sub_ports", many(subport), ()),
    ),
    _create,
    lambda work, old, values: change_trunk(work, old, msgspec.structs.replace(old, **values)),
    delete_trunk,
)


def subports(service: Networks, call: Call) -> dict[str, Any]:
    """List a trunk's subports."""
    with service.core.reading(call.context) as work:
        trunk = TRUNKS.get(work, call.path["id"])
        work.enforce("get_subports", {"project_id": trunk.project_id})
        return {"sub_ports": trunk.sub_ports}


def _changed(rule: str, read: Callable[[Any], Any], change: Callable[[Work, Trunk, Sequence[Any]], Trunk]) -> Any:
    """The handler of a request that adds subports, or takes some away."""

    def handler(service: Networks, call: Call) -> dict[str, Any]:
        if not isinstance(call.body, dict) or set(call.body) != {"sub_ports"}:
            raise BAD_BODY(reason="The body must hold sub_ports and nothing else")
        try:
            wishes = many(read)(call.body["sub_ports"])
        except Bad as bad:
            raise BAD_ATTRIBUTE(attribute="sub_ports", reason=bad) from None
        with service.core.writing(call.context) as work:
            trunk = TRUNKS.get(work, call.path["id"])
            work.enforce(rule, {"project_id": trunk.project_id})
            return view_for(work, TRUNK)(change(work, trunk, wishes))

    return handler


def _named(value: Any) -> str:
    """A subport that is to go: named by its port."""
    if not isinstance(value, dict) or "port_id" not in value:
        raise Bad(f"'{value}' names no port_id")
    return uuid(value["port_id"])


ADD = _changed("add_subports", subport, add_subports)
REMOVE = _changed("remove_subports", _named, remove_subports)
