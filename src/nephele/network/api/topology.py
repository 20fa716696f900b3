"""The auto-allocated topology in the API."""

from typing import Any

from nephele.network.service import Networks
from nephele.network.topology import allocate_topology, delete_topology, requirements
from nephele.web.call import Call


def show(service: Networks, call: Call) -> dict[str, Any]:
    """The project's network, made where it has none; with `fields=dry-run`: only whether one could be made."""
    project_id = call.path["id"]
    with service.core.writing(call.context) as work:
        work.enforce("get_auto_allocated_topology", {"project_id": project_id})
        if "dry-run" in call.query.all("fields"):
            requirements(work)
            network_id = "dry-run=pass"
        else:
            network_id = allocate_topology(work, project_id)
    return {"auto_allocated_topology": {"id": network_id, "tenant_id": project_id, "project_id": project_id}}


def delete(service: Networks, call: Call) -> None:
    """Remove it."""
    with service.core.writing(call.context) as work:
        work.enforce("delete_auto_allocated_topology", {"project_id": call.path["id"]})
        delete_topology(work, call.path["id"])
