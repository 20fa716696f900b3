"""`/nephele/v1/identity/keys`: the keys that tokens are signed with."""

from typing import Any

from nephele.identity.service import Identity, SigningKey
from nephele.kernel.clock import iso
from nephele.web.call import Call


def index(identity: Identity, _call: Call) -> dict[str, Any]:
    """Which key signs, and until when older ones verify; never the keys themselves."""
    return {"keys": [_view(key) for key in identity.signing_keys()]}


def rotate(identity: Identity, call: Call) -> dict[str, Any]:
    """Sign with a new key from now on."""
    identity.rotate_keys()
    return index(identity, call)


def _view(key: SigningKey) -> dict[str, Any]:
    return {
        "id": key.id.hex(),
        "created_at": iso(key.created_at),
        "signs": key.retires_at == 0,
        "verifies_until": iso(key.retires_at) if key.retires_at else None,
    }
