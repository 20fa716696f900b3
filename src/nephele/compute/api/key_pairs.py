"""`/os-keypairs`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.compute.key_pairs import SSH, generate
from nephele.compute.model import KeyPair
from nephele.kernel.clock import iso_micros
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call
from nephele.web.paging import MARKER_NOT_FOUND, next_href, read_limit
from nephele.web.routing import Reply

if TYPE_CHECKING:
    from nephele.compute.service import Compute

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\w.@ -]+$")]


class NewKeyPair(Struct, frozen=True, forbid_unknown_fields=True):
    """`keypair` of a creation."""

    name: Name
    public_key: Annotated[str, Meta(max_length=16384)] | UnsetType = UNSET
    type: Literal["ssh", "x509"] | UnsetType = UNSET
    user_id: str | UnsetType = UNSET


def create(compute: "Compute", call: Call) -> Reply:
    """Keep a public key; before 2.92 one is made where none is given, and its private half answered once."""
    new: NewKeyPair = call.body.keypair
    _check(new, call)
    caller, private = call.context, None
    user_id = caller.user_id if new.user_id is UNSET else new.user_id
    if user_id != caller.user_id:
        call.enforce("os_compute_api:os-keypairs:create", {"user_id": user_id})
    public = new.public_key
    if public is UNSET:
        private, public = generate(caller.user_name)
    kind = SSH if new.type is UNSET else new.type
    key = compute.key_pairs.create(caller.project_id, user_id, new.name, public, kind)
    body = {"name": key.name, "fingerprint": key.fingerprint, "public_key": key.public_key, "user_id": key.user_id}
    if private is not None:
        body["private_key"] = private
    if call.version >= (2, 2):
        body["type"] = key.type
    return Reply({"keypair": body}, 201 if call.version >= (2, 2) else 200)


def _check(new: NewKeyPair, call: Call) -> None:
    version = call.version
    for name, first in (("type", (2, 2)), ("user_id", (2, 10))):
        if getattr(new, name) is not UNSET and version < first:
            raise BAD_REQUEST(reason=f"keypair.{name} came with microversion {first[0]}.{first[1]}.")
    if new.public_key is UNSET and version >= (2, 92):
        raise BAD_REQUEST(reason="keypair.public_key is required from microversion 2.92 on.")
    if new.public_key is UNSET and new.type == "x509":
        raise BAD_REQUEST(reason="Only ssh keys are generated here; send the certificate as public_key.")
    if version < (2, 92) and set("@.") & set(new.name):
        raise BAD_REQUEST(reason="Keypair name contains unsafe characters: '@' and '.' came with microversion 2.92.")
    if new.name != new.name.strip():
        raise BAD_REQUEST(reason="keypair.name: leading or trailing blanks are not allowed.")


def _whose(call: Call) -> str:
    """The user whose keys are meant: another's only from 2.10 on, by policy."""
    user_id = call.query.get("user_id") if call.version >= (2, 10) else ""
    if user_id and user_id != call.context.user_id:
        call.enforce("os_compute_api:os-keypairs:show", {"user_id": user_id})
    return user_id or call.context.user_id


def index(compute: "Compute", call: Call) -> dict[str, Any]:
    """The user's keys."""
    found = compute.key_pairs.list_for(_whose(call))
    limit = len(found)
    if call.version >= (2, 35):
        limit, marker = read_limit(call.query), call.query.get("marker")
        if marker and marker not in [key.name for key in found]:
            raise MARKER_NOT_FOUND(marker=marker)
        found = [key for key in found if key.name > marker] if marker else found
    shown = found[:limit]
    answer: dict[str, Any] = {"keypairs": [{"keypair": _brief(key, call)} for key in shown]}
    if len(shown) < len(found) and shown:
        answer["keypairs_links"] = [{"rel": "next", "href": next_href(call, "/v2.1/os-keypairs", shown[-1].name)}]
    return answer


def _brief(key: KeyPair, call: Call) -> dict[str, Any]:
    body = {"name": key.name, "fingerprint": key.fingerprint, "public_key": key.public_key}
    return body | ({"type": key.type} if call.version >= (2, 2) else {})


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """One key."""
    key = compute.key_pairs.show(_whose(call), call.path["name"])
    more = {
        "user_id": key.user_id,
        "id": key.id,
        "created_at": iso_micros(key.created_at),
        "updated_at": None,
        "deleted": False,
        "deleted_at": None,
    }
    return {"keypair": _brief(key, call) | more}


def delete(compute: "Compute", call: Call) -> Reply:
    """Servers that have it keep it."""
    compute.key_pairs.delete(_whose(call), call.path["name"])
    return Reply(status=204 if call.version >= (2, 2) else 202)
