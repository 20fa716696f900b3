"""Version documents of the compute service."""

from typing import TYPE_CHECKING, Any

from nephele.web.call import Call
from nephele.web.microversions import spoken

if TYPE_CHECKING:
    from nephele.compute.service import Compute

UPDATED = "2013-07-23T11:33:21Z"


def index(_compute: "Compute", call: Call) -> dict[str, Any]:
    """All major versions."""
    return {"versions": [_old_version(call), _version(call)]}


def show(_compute: "Compute", call: Call) -> dict[str, Any]:
    """The version that the path names."""
    if call.api.versions is None:
        return {"version": {**_old_version(call), "media-types": [_media("2")]}}
    return {"version": {**_version(call), "media-types": [_media("2.1")]}}


def _media(version: str) -> dict[str, str]:
    return {"base": "application/json", "type": f"application/vnd.openstack.compute+json;version={version}"}


def _old_version(call: Call) -> dict[str, Any]:
    """What 2.1 has, without microversions."""
    return {
        "id": "v2.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": "2011-01-21T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/v2/"}],
    }


def _version(call: Call) -> dict[str, Any]:
    versions = call.api.versions
    assert versions is not None
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": spoken(versions.maximum),
        "min_version": spoken(versions.minimum),
        "updated": UPDATED,
        "links": [{"rel": "self", "href": f"{call.base_url}/v2.1/"}],
    }
