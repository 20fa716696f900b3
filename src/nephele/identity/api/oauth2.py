"""OAuth 2.0 client credentials (RFC 6749, 4.4): an application credential as client, a token as access token."""

import binascii
from base64 import b64decode
from urllib.parse import parse_qs, unquote_plus

import msgspec

from nephele.identity.login import CredentialProof, Login, Proofs
from nephele.identity.service import Identity
from nephele.kernel.clock import SECOND
from nephele.kernel.errors import Refused
from nephele.web.call import Call
from nephele.web.routing import Reply


def token(identity: Identity, call: Call) -> Reply:
    """Issue an access token."""
    sent = parse_qs(call.body.decode("utf-8", "replace"))
    kind = sent.get("grant_type", [""])[-1]
    if not kind:
        return _refuse(400, "invalid_request", "The parameter grant_type is required.")
    if kind != "client_credentials":
        return _refuse(400, "unsupported_grant_type", f"The grant type {kind} is not supported.")
    client = _client(call.header("Authorization"))
    if client is None:
        return _refuse(401, "invalid_client", "The client authenticates with HTTP Basic.")
    proof = CredentialProof(id=client[0], secret=client[1])
    login = Login(Proofs(methods=("application_credential",), application_credential=proof))
    try:
        text, claims = identity.issue(login)
    except Refused:
        return _refuse(401, "invalid_client", "Client authentication failed.")
    call.subject = identity.verified(claims, call.context.request_id)
    left = (claims.expires_at - identity.clock.now()) // SECOND
    return Reply({"access_token": text, "token_type": "Bearer", "expires_in": left}, 200, _HEADERS)


_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def _client(header: str) -> tuple[str, str] | None:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (unquote_plus(name), unquote_plus(secret)) if colon else None


def _refuse(status: int, error: str, description: str) -> Reply:
    """In the form that RFC 6749 gives refusals."""
    headers = {**_HEADERS, "WWW-Authenticate": 'Keystone uri="/identity"'} if status == 401 else _HEADERS
    body = msgspec.json.encode({"error": error, "error_description": description})
    return Reply(body, status, headers)
