"""Version documents of the compute service."""

from typing import TYPE_CHECKING, Any

from nephele.web.call import Call
from nephele.web.microversions import spoken

if TYPE_CHECKING:
    from nephele.compute.service import Compute

UPDATED = "2013-07-23T11:33:21Z"


def index(_compute: "Compute", call: Call) -> dict[str, Any]:
    """All major versions."""
    return {"versions": [_version(call)]}


def show(_compute: "Compute", call: Call) -> dict[str, Any]:
    """The one major version."""
    media = {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
    return {"version": {**_version(call), "media-types": [media]}}


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
