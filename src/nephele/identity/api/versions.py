"""The version documents."""

from nephele.identity.api.views import View
from nephele.identity.service import Identity
from nephele.web.call import Call

_MEDIA = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]


def _v3(call: Call) -> View:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/v3/"}],
        "media-types": _MEDIA,
    }


def show_all(_identity: Identity, call: Call) -> View:
    """All versions."""
    return {"versions": {"values": [_v3(call)]}}


def show_v3(_identity: Identity, call: Call) -> View:
    """The one that there is."""
    return {"version": _v3(call)}
