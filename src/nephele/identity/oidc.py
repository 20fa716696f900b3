"""OpenID Connect: whether an access token (or an ID token) is an identity provider's, for us, and of whom.

A token that is a JWT is verified with the provider's published keys; another is asked after at the provider
(RFC 7662).  Then the provider says about whom it is.
"""

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from threading import Lock
from typing import Any

from nephele.identity.errors import PROVIDER_AWAY
from nephele.identity.model import OidcProvider
from nephele.kernel.errors import UNAUTHORIZED, Refused

Claims = dict[str, Any]
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
"""What a key of each type may sign with, where it does not say itself: public keys only, never a shared secret."""
_REMEMBER = 600.0
"""Seconds that what a provider publishes of itself is remembered."""
_AGAIN = 10.0
"""Seconds after which keys are asked for again, when a token names one that is unknown."""
_TIMEOUT = 10.0
_MOST = 1 << 20


class Oidc:
    """One identity provider.

    Args:
        settings: where it is, and which of its tokens are for us.
    """

    def __init__(self, settings: OidcProvider) -> None:
        self._settings = settings
        self._published: tuple[float, Claims] | None = None
        self._keys: tuple[float, list[Claims]] | None = None
        self._lock = Lock()
        self._ssl = ssl.create_default_context(cafile=settings.ca_file or None)

    def claims(self, token: str) -> Claims:
        """What the provider says of whom the token is about.

        Raises UNAUTHORIZED for a token that is not its, not for us, or not good any more; PROVIDER_AWAY.
        """
        found = self._signed(token) if token.count(".") == 2 else self._introspected(token)
        if not found.get("sub"):
            raise UNAUTHORIZED()
        about = self._user_info(token)
        if about.get("sub", found["sub"]) != found["sub"]:
            raise UNAUTHORIZED()
        return {**about, **found, "iss": self._settings.issuer}

    def _signed(self, token: str) -> Claims:
        import jwt

        options: Any = {"require": ["exp", "iss"], "verify_aud": False}
        try:
            header = jwt.get_unverified_header(token)
            key, algorithm = self._key(header), str(header.get("alg"))
            claims: Claims = jwt.decode(
                token, key, algorithms=[algorithm], issuer=self._settings.issuer, leeway=10, options=options
            )
        except jwt.PyJWTError:
            raise UNAUTHORIZED() from None
        audience = claims.get("aud", [])
        named = {claims.get("azp"), claims.get("client_id"), *([audience] if isinstance(audience, str) else audience)}
        if not named & set(self._settings.audiences):
            raise UNAUTHORIZED()
        return claims

    def _key(self, header: Claims) -> Any:
        """The key that a token names, for the algorithm that it names; asked for again where it is new.

        Raises UNAUTHORIZED.
        """
        import jwt

        algorithm, name = header.get("alg"), header.get("kid")
        for age in (_REMEMBER, _AGAIN):
            for key in self._key_set(age):
                allowed = (key["alg"],) if key.get("alg") else _ALGORITHMS.get(str(key.get("kty")), ())
                is_public = key.get("kty") in _ALGORITHMS and key.get("use", "sig") == "sig"
                if is_public and algorithm in allowed and name in (None, key.get("kid")):
                    return jwt.PyJWK(key, algorithm=str(algorithm))
        raise UNAUTHORIZED()

    def _key_set(self, age: float) -> list[Claims]:
        with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] > age:
                found = self._get(str(self._discovered()["jwks_uri"])).get("keys")
                self._keys = time.monotonic(), [key for key in found or [] if isinstance(key, dict)]
            return self._keys[1]

    def _introspected(self, token: str) -> Claims:
        """What the provider says of a token that only it can read."""
        url, settings = self._discovered().get("introspection_endpoint"), self._settings
        if not url or not settings.client_id:
            raise UNAUTHORIZED()
        pair = f"{urllib.parse.quote(settings.client_id)}:{urllib.parse.quote(settings.client_secret)}"
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        found = self._ask(str(url), headers, urllib.parse.urlencode({"token": token}).encode())
        audience = found.get("aud", [])
        named = {found.get("client_id"), *([audience] if isinstance(audience, str) else audience)}
        if found.get("active") is not True or not named & set(settings.audiences):
            raise UNAUTHORIZED()
        return found

    def _user_info(self, token: str) -> Claims:
        """What the provider tells besides; nothing where the token is none to ask with."""
        url = self._discovered().get("userinfo_endpoint")
        if not url:
            return {}
        try:
            return self._ask(str(url), {"Authorization": f"Bearer {token}"}, None)
        except Refused as refused:
            if refused.status == 401:
                return {}
            raise

    def _discovered(self) -> Claims:
        """What the provider publishes of itself.  Raises PROVIDER_AWAY."""
        if self._published is None or time.monotonic() - self._published[0] > _REMEMBER:
            found = self._get(self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != self._settings.issuer:
                raise PROVIDER_AWAY(url=self._settings.issuer, reason="it calls itself otherwise")
            self._published = time.monotonic(), found
        return self._published[1]

    def _get(self, url: str) -> Claims:
        return self._ask(url, {}, None)

    def _ask(self, url: str, headers: dict[str, str], data: bytes | None) -> Claims:
        """A JSON object of the provider.  Raises UNAUTHORIZED for its 400, 401 and 403, else PROVIDER_AWAY."""
        if not url.startswith(("https://", "http://")):
            raise PROVIDER_AWAY(url=url, reason="it is no web address")
        request = urllib.request.Request(url, data, {"Accept": "application/json", **headers})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT, context=self._ssl) as answer:  # noqa: S310
                found = json.loads(answer.read(_MOST))
        except urllib.error.HTTPError as error:
            if error.code in (400, 401, 403):
                raise UNAUTHORIZED() from None
            raise PROVIDER_AWAY(url=url, reason=f"it answers {error.code}") from None
        except (OSError, ValueError) as error:
            raise PROVIDER_AWAY(url=url, reason=error) from None
        if not isinstance(found, dict):
            raise PROVIDER_AWAY(url=url, reason="it answers with something else than an object")
        return found
