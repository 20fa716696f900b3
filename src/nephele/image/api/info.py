"""What this Glance can do, where it keeps data, and how much of it a project uses."""

from typing import Any

from nephele.image.files import CHUNK
from nephele.image.model import IMPORT_METHODS, STORE_ID
from nephele.image.service import Images
from nephele.web.call import Call


def imports(_images: Images, _call: Call) -> dict[str, Any]:
    """GET /v2/info/import."""
    value = [str(method) for method in IMPORT_METHODS]
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": value}}


def stores(images: Images, _call: Call) -> dict[str, Any]:
    """GET /v2/info/stores."""
    return {"stores": [_store(name) for name in images.files.stores]}


def stores_detail(images: Images, _call: Call) -> dict[str, Any]:
    """GET /v2/info/stores/detail."""
    return {"stores": [{**_store(name), **_detail(images, name)} for name in images.files.stores]}


def _detail(images: Images, name: str) -> dict[str, Any]:
    properties = {"data_dir": str(images.files.root_of(name)), "chunk_size": CHUNK, "thin_provisioning": False}
    return {"type": "file", "weight": 0, "properties": properties}


def _store(name: str) -> dict[str, Any]:
    if name == STORE_ID:
        return {"id": name, "description": "Files in the image directory", "default": "true"}
    return {"id": name, "description": "Files in another directory"}


def usage(images: Images, call: Call) -> dict[str, Any]:
    """GET /v2/info/usage."""
    used = images.usage(call.context)
    return {"usage": {name: {"usage": have, "limit": limit} for name, (have, limit) in used.items()}}
