"""`/extensions`: what a client of before microversions asks to learn which parts of the API there are.

Each entry names the start of a path; it is shown where the table of routes has such a path.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from nephele.kernel.errors import Error
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

UPDATED = "2014-12-03T00:00:00Z"
NAMESPACE = "http://docs.openstack.org/compute/ext/fake_xml"
"""What upstream answers since XML is gone: clients want the field."""
EXTENSION_NOT_FOUND = Error("extension.not_found", 404, "Extension {alias} could not be found.")


class Extension(NamedTuple):
    """An alias, its name and sentence, and the path (or action) that it added."""

    alias: str
    name: str
    description: str
    path: str


# fmt: off
EXTENSIONS = (
    Extension("os-aggregates", "Aggregates", "Host aggregates.", "/os-aggregates"),
    Extension("os-attach-interfaces", "AttachInterfaces", "A server's ports.", "{server_id}/os-interface"),
    Extension("os-availability-zone", "AvailabilityZone", "Availability zones.", "/os-availability-zone"),
    Extension("os-console-output", "ConsoleOutput", "What a guest wrote to its console.", "#os-getConsoleOutput"),
    Extension("os-consoles", "Consoles", "Consoles of guests.", "/remote-consoles"),
    Extension("os-flavor-access", "FlavorAccess", "Who may use a flavor.", "/os-flavor-access"),
    Extension("os-flavor-extra-specs", "FlavorExtraSpecs", "What a flavor asks of hosts.", "/os-extra_specs"),
    Extension("os-flavor-manage", "FlavorManage", "Flavors are made and removed.", "/flavors"),
    Extension("os-hosts", "Hosts", "Hosts and what is used of them.", "/os-hosts"),
    Extension("os-hypervisors", "Hypervisors", "Hypervisors and their capacity.", "/os-hypervisors"),
    Extension("os-instance-actions", "InstanceActions", "What was done to a server.", "/os-instance-actions"),
    Extension("os-keypairs", "Keypairs", "Users' keys.", "/os-keypairs"),
    Extension("os-lock-server", "LockServer", "Servers that only administrators may command.", "#lock"),
    Extension("os-quota-sets", "Quotas", "What projects may have.", "/os-quota-sets"),
    Extension("os-quota-class-sets", "QuotaClasses", "What projects may have by default.", "/os-quota-class-sets"),
    Extension("os-security-groups", "SecurityGroups", "Security groups.", "/os-security-groups"),
    Extension("os-server-groups", "ServerGroups", "Servers to be placed together or apart.", "/os-server-groups"),
    Extension("os-services", "Services", "The parts of the compute service.", "/os-services"),
    Extension("os-simple-tenant-usage", "SimpleTenantUsage", "What projects used.", "/os-simple-tenant-usage"),
    Extension("os-volumes", "Volumes", "A server's volumes.", "/os-volume_attachments"),
    Extension("server-metadata", "ServerMetadata", "What users write on their servers.", "{server_id}/metadata"),
)
# fmt: on


def _present(call: Call) -> list[Extension]:
    routes = call.api.routes
    actions = {f"#{route.action}" for route in routes}
    paths = "\n".join(route.path for route in routes)
    return [one for one in EXTENSIONS if one.path in actions or one.path in paths]


def index(_compute: "Compute", call: Call) -> dict[str, Any]:
    """All that are present."""
    return {"extensions": [_view(one) for one in _present(call)]}


def show(_compute: "Compute", call: Call) -> dict[str, Any]:
    """One of them."""
    for one in _present(call):
        if one.alias == call.path["alias"]:
            return {"extension": _view(one)}
    raise EXTENSION_NOT_FOUND(alias=call.path["alias"])


def _view(one: Extension) -> dict[str, Any]:
    shown = {"alias": one.alias, "name": one.name, "description": one.description}
    return {**shown, "links": [], "namespace": NAMESPACE, "updated": UPDATED}
