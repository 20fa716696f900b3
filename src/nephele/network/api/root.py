"""Versions and extensions: what the service says about itself."""

from typing import Any

from nephele.network.errors import EXTENSION_NOT_FOUND
from nephele.network.extensions import EXTENSIONS
from nephele.network.service import Networks
from nephele.web.call import Call

_RESOURCES = ("network", "subnet", "port")


def versions(_service: Networks, call: Call) -> dict[str, Any]:
    """The versions spoken here."""
    links = [{"rel": "self", "href": f"{call.base_url}/v2.0/"}]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}


def resources(_service: Networks, call: Call) -> dict[str, Any]:
    """The core resources of version 2.0."""
    return {
        "resources": [
            {
                "name": name,
                "collection": f"{name}s",
                "links": [{"rel": "self", "href": f"{call.base_url}/v2.0/{name}s"}],
            }
            for name in _RESOURCES
        ]
    }


def _shown(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "updated": "2026-01-01T00:00:00-00:00",
        "links": [],
    }


def extensions(_service: Networks, _call: Call) -> dict[str, Any]:
    """What is served beyond the core."""
    return {"extensions": [_shown(alias) for alias in EXTENSIONS]}


def extension(_service: Networks, call: Call) -> dict[str, Any]:
    """One extension."""
    alias = call.path["id"]
    if alias not in EXTENSIONS:
        raise EXTENSION_NOT_FOUND(id=alias)
    return {"extension": _shown(alias)}
