"""Auto-allocated topologies and segments in the API."""

from typing import Any

import msgspec

from nephele.network.api.kind import ID, Kind, shown_time
from nephele.network.attributes import Attribute, integer, maybe, text, uuid
from nephele.network.model import Segment
from nephele.network.records import BLANK
from nephele.network.segments import SEGMENTS, change_segment, refuse_another, refuse_removal
from nephele.network.service import Networks
from nephele.network.topologies import check_topology, delete_topology, get_topology
from nephele.web.call import Call


def show(service: Networks, call: Call) -> dict[str, Any]:
    """A project's topology, made where there is none; with `fields=dry-run` only whether it could be."""
    project_id = call.path["id"]
    with service.core.writing(call.context) as work:
        work.enforce("get_auto_allocated_topology", {"project_id": project_id})
        if "dry-run" in call.query.all("fields"):
            check_topology(work, project_id)
            found = "dry-run=pass"
        else:
            found = get_topology(work, project_id)
    return {"auto_allocated_topology": {"id": found, "project_id": project_id, "tenant_id": project_id}}


def delete(service: Networks, call: Call) -> None:
    """Remove a project's topology."""
    with service.core.writing(call.context) as work:
        work.enforce("delete_auto_allocated_topology", {"project_id": call.path["id"]})
        delete_topology(work, call.path["id"])


SEGMENT = Kind(
    "segment",
    "segments",
    "segments",
    SEGMENTS,
    (
        ID,
        Attribute("name", maybe(text(255)), None, put=True),
        Attribute("description", text(255), "", put=True),
        Attribute("network_id", uuid),
        Attribute("network_type", text(32)),
        Attribute("physical_network", maybe(text(64)), None),
        Attribute("segmentation_id", maybe(integer(0, (1 << 24) - 1)), None),
        Attribute("revision_number"),
        Attribute("created_at", show=shown_time),
        Attribute("updated_at", show=shown_time),
    ),
    lambda work, values: refuse_another(work, Segment(**BLANK | values)),
    lambda work, old, values: change_segment(work, old, msgspec.structs.replace(old, **values)),
    refuse_removal,
)
