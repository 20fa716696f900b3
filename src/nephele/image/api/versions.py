"""The version documents: what this service speaks."""

from typing import Any

from nephele.image.service import Images
from nephele.web.call import Call

CURRENT = "2.17"
SUPPORTED = (
    "2.15",
    "2.13",
    "2.12",
    "2.11",
    "2.10",
    "2.9",
    "2.8",
    "2.7",
    "2.6",
    "2.5",
    "2.4",
    "2.3",
    "2.2",
    "2.1",
    "2.0",
)


def versions(_images: Images, call: Call) -> dict[str, Any]:
    """GET / (300) and GET /versions (200)."""
    return {
        "versions": [_version(call, CURRENT, "CURRENT"), *(_version(call, each, "SUPPORTED") for each in SUPPORTED)]
    }


def _version(call: Call, number: str, status: str) -> dict[str, Any]:
    return {
        "id": f"v{number}",
        "status": status,
        "links": [{"rel": "self", "href": f"{call.base_url}/v2/"}],
    }
