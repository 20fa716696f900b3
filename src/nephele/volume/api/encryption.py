"""Encryption types over HTTP, and what a volume's encryption is."""

from msgspec import UNSET

from nephele.kernel.errors import BAD_REQUEST, NOT_FOUND
from nephele.volume.api.links import moment
from nephele.volume.api.volumes import find
from nephele.volume.model import Encryption
from nephele.volume.service import Volumes
from nephele.web.call import Call

_FIELDS = ("provider", "control_location", "cipher", "key_size")


def _words(found: Encryption) -> dict[str, object]:
    return {"encryption_id": found.encryption_id, **{field: getattr(found, field) for field in _FIELDS}}


def show(service: Volumes, call: Call) -> dict[str, object]:
    """All that is said of a type; nothing where its volumes are not encrypted."""
    found = service.encryptions.find(call.path["type_id"])
    if found is None:
        return {}
    times = {"created_at": moment(found.created_at), "updated_at": moment(found.updated_at)}
    return {"volume_type_id": found.type_id, "deleted": False, "deleted_at": None, **times, **_words(found)}


def show_item(service: Volumes, call: Call) -> object:
    """One thing of it."""
    view, key = show(service, call), call.path["item"]
    if key not in view:
        raise NOT_FOUND()
    return {key: view[key]}


def create(service: Volumes, call: Call) -> object:
    """Say how volumes of a type are encrypted."""
    asked = call.body.encryption
    values = {field: getattr(asked, field) for field in _FIELDS}
    return {
        "encryption": {
            "volume_type_id": call.path["type_id"],
            **_words(service.encryptions.create(call.path["type_id"], values)),
        }
    }


def update(service: Volumes, call: Call) -> object:
    """Say it anew."""
    asked = call.body.encryption
    values = {field: value for field in _FIELDS if (value := getattr(asked, field)) is not UNSET}
    if not values:
        raise BAD_REQUEST(reason="Name one thing of the encryption to change at least.")
    service.encryptions.update(call.path["type_id"], call.path["item"], values)
    return {"encryption": values}


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    service.encryptions.delete(call.path["type_id"], call.path["item"])


def show_of_volume(service: Volumes, call: Call) -> dict[str, object]:
    """The encryption of a volume: every volume here is plain."""
    found = service.encryptions.find(find(service, call, "volume_extension:volume_encryption_metadata").type_id)
    if found is None:
        return {"encryption_key_id": None}
    return {"encryption_key_id": None, **{field: getattr(found, field) for field in _FIELDS}}


def show_item_of_volume(service: Volumes, call: Call) -> object:
    """One thing of it."""
    view, key = show_of_volume(service, call), call.path["key"]
    if key not in view:
        raise NOT_FOUND()
    return {key: view[key]}
