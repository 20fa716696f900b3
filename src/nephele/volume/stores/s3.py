"""Backups in any store that speaks S3: Ceph's gateway, MinIO, Swift's S3 layer, Amazon's.

Four requests (put, get, list, delete) signed as AWS Signature Version 4 says, with path-style addresses; no library is
needed for that.  Facts: docs.aws.amazon.com, "Signature Calculations for the Authorization Header".
"""

import hashlib
import hmac
import http.client
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from msgspec import Struct

from nephele.volume.errors import BACKUP_STORE_FAILED, OBJECT_MISSING

_TIMEOUT = 60
"""Seconds until a store that says nothing has failed."""
_TRIES = 3
_MAX_LISTING = 64 << 20


class Account(Struct, frozen=True, kw_only=True):
    """Where a store is, and who we are there."""

    url: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"


def sign(
    account: Account, method: str, path: str, query: dict[str, str], headers: dict[str, str], moment: datetime
) -> str:
    """The `Authorization` header of a request.

    Args:
        account: whose keys.
        method: such as `GET`.
        path: percent-encoded, from the slash on.
        query: its parameters.
        headers: those to sign, in lower case, `host`, `x-amz-date` and `x-amz-content-sha256` among them.
        moment: as in `x-amz-date`.
    """
    day = moment.strftime("%Y%m%d")
    scope = f"{day}/{account.region}/s3/aws4_request"
    names = ";".join(sorted(headers))
    request = "\n".join(
        (
            method,
            path,
            _encoded(query),
            *(f"{name}:{headers[name].strip()}" for name in sorted(headers)),
            "",
            names,
            headers["x-amz-content-sha256"],
        )
    )
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", moment.strftime("%Y%m%dT%H%M%SZ"), scope, digest))
    key = f"AWS4{account.secret_key}".encode()
    for word in (day, account.region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{account.access_key}/{scope}"
    return f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"


def _encoded(query: dict[str, str]) -> str:
    return "&".join(f"{quote(key, safe='-_.~')}={quote(query[key], safe='-_.~')}" for key in sorted(query))


class S3Store:
    """Objects in one bucket, which must be there."""

    name = "s3"

    def __init__(self, account: Account, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.account = account
        self._now = now

    def put(self, name: str, data: bytes) -> None:
        self._ask("PUT", name, data=data)

    def get(self, name: str) -> bytes:
        return self._ask("GET", name)

    def names(self, prefix: str) -> Iterator[str]:
        query = {"list-type": "2", "prefix": prefix}
        while True:
            page = _parse(self._ask("GET", "", query))
            yield from (key.text or "" for key in page.iterfind("{*}Contents/{*}Key"))
            following = page.findtext("{*}NextContinuationToken")
            if not following:
                return
            query["continuation-token"] = following

    def delete(self, prefix: str) -> None:
        for name in list(self.names(prefix)):
            self._ask("DELETE", name)

    def _ask(self, method: str, name: str, query: dict[str, str] | None = None, data: bytes = b"") -> bytes:
        """One request, tried again where the store fails or does not answer."""
        for attempt in range(1, _TRIES + 1):
            try:
                status, body = self._send(method, name, query or {}, data)
            except (OSError, http.client.HTTPException) as error:
                if attempt == _TRIES:
                    raise BACKUP_STORE_FAILED(reason=f"{self.account.url} does not answer: {error}") from error
                continue
            if status < 500 or attempt == _TRIES:
                return self._judged(method, name, status, body)
        raise AssertionError("the last try answers or raises")

    def _judged(self, method: str, name: str, status: int, body: bytes) -> bytes:
        if status < 300:
            return body
        if status == 404 and name:
            if method == "DELETE":
                return b""
            raise OBJECT_MISSING(name=name)
        raise BACKUP_STORE_FAILED(reason=f"{self.account.url} answered {method} with {status}: {_code(body)}")

    def _send(self, method: str, name: str, query: dict[str, str], data: bytes) -> tuple[int, bytes]:
        where = urlsplit(self.account.url)
        path = quote(f"{where.path.rstrip('/')}/{self.account.bucket}" + (f"/{name}" if name else ""), safe="/-_.~")
        moment = self._now()
        headers = {
            "host": where.netloc,
            "x-amz-content-sha256": hashlib.sha256(data).hexdigest(),
            "x-amz-date": moment.strftime("%Y%m%dT%H%M%SZ"),
        }
        headers["authorization"] = sign(self.account, method, path, query, headers, moment)
        connection = self._connect(where.scheme, where.netloc)
        try:
            connection.request(
                method, f"{path}?{_encoded(query)}" if query else path, body=data or None, headers=headers
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @staticmethod
    def _connect(scheme: str, host: str) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(host, timeout=_TIMEOUT, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, timeout=_TIMEOUT)


def _parse(body: bytes) -> ElementTree.Element:
    """A listing.  Raises BACKUP_STORE_FAILED for what is none; entities are not expanded."""
    if len(body) > _MAX_LISTING or b"<!DOCTYPE" in body[:1024]:
        raise BACKUP_STORE_FAILED(reason="its listing is not one")
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError as error:
        raise BACKUP_STORE_FAILED(reason=f"its listing is not XML: {error}") from error


def _code(body: bytes) -> str:
    try:
        return _parse(body).findtext("{*}Code") or _parse(body).findtext("Code") or ""
    except Exception:  # the body of an error is for the eye only
        return body[:100].decode(errors="replace")
