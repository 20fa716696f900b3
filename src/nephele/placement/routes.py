"""Placement's routes, microversions and rules, as tables."""

import re

from nephele.kernel.policy import Policy
from nephele.placement.api import allocations, candidates, inventories, memberships, names, providers
from nephele.placement.api.edge import answer
from nephele.placement.policy import RULES, SCOPES
from nephele.placement.service import Placement
from nephele.web import faults
from nephele.web.call import Call
from nephele.web.microversions import BAD_VERSION, Version, Versions, spoken
from nephele.web.routing import PUBLIC, Api, Reply, Route


def read_version(text: str) -> Version:
    """`1.39`; unlike other services Placement takes `0.5` for a version, though one that it does not have."""
    if not re.fullmatch(r"\d+\.\d+", text):
        raise BAD_VERSION(asked=text)
    major, minor = text.split(".")
    return int(major), int(minor)


VERSIONS = Versions("placement", (1, 0), (1, 39), vary="openstack-api-version", read=read_version)
"""The API reference's microversion history says what each brought."""


def show_versions(placement: Placement, call: Call) -> Reply:
    """GET /: needs no token."""
    lowest, highest = spoken(VERSIONS.minimum), spoken(VERSIONS.maximum)
    document = {
        "id": f"v{lowest}",
        "min_version": lowest,
        "max_version": highest,
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return answer(call, {"versions": [document]}, placement.clock.now())


_RP = "/resource_providers"
_ONE = _RP + "/{uuid}"
_R = "placement:resource_providers"
_B = bytes

ROUTES = [
    Route("GET", "/", show_versions, PUBLIC),
    Route("GET", _RP, providers.list_providers, f"{_R}:list"),
    Route("POST", _RP, providers.create_provider, f"{_R}:create", _B),
    Route("GET", _ONE, providers.show_one, f"{_R}:show"),
    Route("PUT", _ONE, providers.update_provider, f"{_R}:update", _B),
    Route("DELETE", _ONE, providers.delete_provider, f"{_R}:delete", status=204),
    Route("GET", _ONE + "/inventories", inventories.list_inventories, f"{_R}:inventories:list"),
    Route("POST", _ONE + "/inventories", inventories.create_inventory, f"{_R}:inventories:create", _B),
    Route("PUT", _ONE + "/inventories", inventories.replace_inventories, f"{_R}:inventories:update", _B),
    Route("DELETE", _ONE + "/inventories", inventories.deletion_unknown, f"{_R}:inventories:delete", until=(1, 4)),
    Route(
        "DELETE",
        _ONE + "/inventories",
        inventories.delete_inventories,
        f"{_R}:inventories:delete",
        status=204,
        since=(1, 5),
    ),
    Route("GET", _ONE + "/inventories/{resource_class}", inventories.show_inventory, f"{_R}:inventories:show"),
    Route("PUT", _ONE + "/inventories/{resource_class}", inventories.update_inventory, f"{_R}:inventories:update", _B),
    Route(
        "DELETE",
        _ONE + "/inventories/{resource_class}",
        inventories.delete_inventory,
        f"{_R}:inventories:delete",
        status=204,
    ),
    Route("GET", _ONE + "/usages", allocations.provider_usages, f"{_R}:usages"),
    Route("GET", _ONE + "/allocations", allocations.list_of_provider, f"{_R}:allocations:list"),
    Route("GET", _ONE + "/aggregates", memberships.list_aggregates, f"{_R}:aggregates:list", since=(1, 1)),
    Route("PUT", _ONE + "/aggregates", memberships.set_aggregates, f"{_R}:aggregates:update", _B, since=(1, 1)),
    Route("GET", _ONE + "/traits", memberships.list_traits, f"{_R}:traits:list", since=(1, 6)),
    Route("PUT", _ONE + "/traits", memberships.set_traits, f"{_R}:traits:update", _B, since=(1, 6)),
    Route("DELETE", _ONE + "/traits", memberships.delete_traits, f"{_R}:traits:delete", status=204, since=(1, 6)),
    Route("POST", "/allocations", allocations.post_allocations, "placement:allocations:manage", _B, "", 204, (1, 13)),
    Route("GET", "/allocations/{consumer_uuid}", allocations.show_allocations, "placement:allocations:list"),
    Route(
        "PUT", "/allocations/{consumer_uuid}", allocations.put_allocations, "placement:allocations:update", _B, "", 204
    ),
    Route(
        "DELETE",
        "/allocations/{consumer_uuid}",
        allocations.delete_allocations,
        "placement:allocations:delete",
        status=204,
    ),
    Route(
        "GET",
        "/allocation_candidates",
        candidates.list_candidates,
        "placement:allocation_candidates:list",
        since=(1, 10),
    ),
    Route("GET", "/traits", names.list_traits, "placement:traits:list", since=(1, 6)),
    Route("GET", "/traits/{name}", names.show_trait, "placement:traits:show", since=(1, 6)),
    Route("PUT", "/traits/{name}", names.put_trait, "placement:traits:update", since=(1, 6)),
    Route("DELETE", "/traits/{name}", names.delete_trait, "placement:traits:delete", status=204, since=(1, 6)),
    Route("GET", "/resource_classes", names.list_classes, "placement:resource_classes:list", since=(1, 2)),
    Route("POST", "/resource_classes", names.create_class, "placement:resource_classes:create", _B, since=(1, 2)),
    Route("GET", "/resource_classes/{name}", names.show_class, "placement:resource_classes:show", since=(1, 2)),
    Route(
        "PUT",
        "/resource_classes/{name}",
        names.rename_class,
        "placement:resource_classes:update",
        _B,
        since=(1, 2),
        until=(1, 6),
    ),
    Route("PUT", "/resource_classes/{name}", names.ensure_class, "placement:resource_classes:update", since=(1, 7)),
    Route(
        "DELETE",
        "/resource_classes/{name}",
        names.delete_class,
        "placement:resource_classes:delete",
        status=204,
        since=(1, 2),
    ),
    Route("GET", "/usages", allocations.total_usages, since=(1, 9)),
    Route("POST", "/reshaper", allocations.reshape, "placement:reshaper:reshape", _B, "", 204, (1, 30)),
]


def api(placement: Placement, policy: Policy | None = None) -> Api:
    """Placement's HTTP face."""
    return Api(
        "placement", "/placement", placement, ROUTES, faults.placement, policy or Policy(RULES, SCOPES), VERSIONS
    )
