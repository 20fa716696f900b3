"""What older Novas had and upstream's has no more: parts of nova-network, cells, and the like.

Each answers 410, whatever is sent, as upstream's does.
"""

from typing import NoReturn

from nephele.compute.paths import SERVER
from nephele.kernel.errors import Error
from nephele.web.routing import Route

REMOVED = Error("compute.removed", 410, "This part of the API was removed from Nova.")

GONE = {
    "/os-agents": "GET POST",
    "/os-agents/{id}": "PUT DELETE",
    "/os-cells": "GET POST",
    "/os-cells/capacities": "GET",
    "/os-cells/detail": "GET",
    "/os-cells/info": "GET",
    "/os-cells/sync_instances": "POST",
    "/os-cells/{id}": "GET PUT DELETE",
    "/os-cells/{id}/capacities": "GET",
    "/os-certificates": "POST",
    "/os-certificates/{id}": "GET",
    "/os-cloudpipe": "GET POST",
    "/os-cloudpipe/{id}": "PUT",
    "/os-fixed-ips/{id}": "GET",
    "/os-fixed-ips/{id}/action": "POST",
    "/os-floating-ip-dns": "GET",
    "/os-floating-ip-dns/{domain_id}": "PUT DELETE",
    "/os-floating-ip-dns/{domain_id}/entries/{id}": "GET PUT DELETE",
    "/os-floating-ips-bulk": "GET POST",
    "/os-floating-ips-bulk/{id}": "GET PUT",
    "/os-fping": "GET",
    "/os-fping/{id}": "GET",
    "/os-networks": "POST",
    "/os-networks/add": "POST",
    "/os-networks/{network_id}": "DELETE",
    "/os-networks/{network_id}/action": "POST",
    "/os-security-group-default-rules": "GET POST",
    "/os-security-group-default-rules/{id}": "GET DELETE",
    "/os-tenant-networks": "POST",
    "/os-tenant-networks/{network_id}": "DELETE",
}
"""By path: the methods that were there."""
OF_SERVERS = {"consoles": "GET POST", "consoles/{id}": "GET DELETE", "os-virtual-interfaces": "GET"}


def gone(_compute: object, _call: object) -> NoReturn:
    """Say so."""
    raise REMOVED()


GONE_ROUTES = [
    Route(method, path, gone, body=bytes if method in ("POST", "PUT") else None)
    for path, methods in [
        *((f"/v2.1{path}", methods) for path, methods in GONE.items()),
        *((f"{SERVER}/{path}", methods) for path, methods in OF_SERVERS.items()),
    ]
    for method in methods.split()
]
