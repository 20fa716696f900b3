"""Fetching an image from the web for a user, without letting them reach what only we can reach.

The name is looked up once, every address it has must be a public one, and the connection goes to that very
address; each redirect is checked the same way.  An operator may name hosts that are fetched from all the same.
"""

import http.client
import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

from nephele.image.errors import BAD_URI, FETCH_FAILED
from nephele.image.files import CHUNK

REDIRECTS = 5
SILENCE = 60.0
"""Seconds without a byte after which a web server is given up."""
WITHIN = 6 * 3600.0
"""Seconds within which all of an image must have come."""
_PORTS = {"http": 80, "https": 443}
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Web:
    """What may be fetched from.

    Args:
        ports: of public hosts (upstream's default).
        trusted_hosts: hosts, as in the URI, that may have any address and port.
    """

    ports: frozenset[int] = frozenset({80, 443})
    trusted_hosts: frozenset[str] = frozenset()
    live: set[socket.socket] = field(default_factory=set)
    """Connections in use, so that `close` can end them."""

    def close(self) -> None:
        """End what is being fetched: it fails."""
        for plug in list(self.live):
            with suppress(OSError):  # it may have ended by itself just now
                plug.shutdown(socket.SHUT_RDWR)

    def check(self, uri: str) -> SplitResult:
        """The URI's parts.  Raises BAD_URI where that can be said without asking the name service."""
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            raise BAD_URI(uri=uri) from None
        if not uri.isascii() or parts.scheme not in _PORTS or not host or parts.username is not None:
            raise BAD_URI(uri=uri)
        if host not in self.trusted_hosts:
            if port not in self.ports:
                raise BAD_URI(uri=uri)
            literal = _literal(host)
            if literal is not None and not is_public(literal):
                raise BAD_URI(uri=uri)
        return parts

    def fetch(self, uri: str, *, token: str = "", limit: int = 0) -> Iterator[bytes]:
        """The content, in chunks, at most `limit` bytes (0: any number).  Raises BAD_URI or FETCH_FAILED.

        With a `token` for another Glance no redirect is followed: it goes to that host alone.
        """
        try:
            for _hop in range(REDIRECTS + 1):
                with self._connected(uri) as connection:
                    answer = _get(connection, uri, token)
                    if answer.status in _REDIRECT_STATUSES and not token:
                        uri = urljoin(uri, answer.getheader("Location") or "")
                        continue
                    if answer.status != 200:
                        raise FETCH_FAILED(uri=uri, reason=f"the server answered {answer.status} {answer.reason}")
                    yield from _content(uri, answer, limit)
                    return
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise FETCH_FAILED(uri=uri, reason=str(error) or type(error).__name__) from None
        raise FETCH_FAILED(uri=uri, reason=f"more than {REDIRECTS} redirects")

    @contextmanager
    def _connected(self, uri: str) -> Iterator[http.client.HTTPConnection]:
        """A connection to the URI's host, known to `close`.  Raises BAD_URI."""
        parts = self.check(uri)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        plug = _connect(parts.scheme, host, (self._address(uri, host, port), port))
        connection = http.client.HTTPConnection(host, port, timeout=SILENCE)
        connection.sock = plug
        self.live.add(plug)
        try:
            yield connection
        finally:
            self.live.discard(plug)
            connection.close()
            plug.close()

    def _address(self, uri: str, host: str, port: int) -> str:
        """The one address to connect to.  Raises BAD_URI where the name has any that is not public."""
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if host not in self.trusted_hosts and not all(is_public(ipaddress.ip_address(each)) for each in found):
            raise BAD_URI(uri=uri)
        return found[0]


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether anybody on the internet could be behind the address: no private, local, shared or special one."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if embedded is not None:
            return is_public(embedded)
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _connect(scheme: str, host: str, address: tuple[str, int]) -> socket.socket:
    """A connection to `address` with whoever can prove to be `host`."""
    plug = socket.create_connection(address, SILENCE)
    if scheme == "https":
        import ssl

        return ssl.create_default_context().wrap_socket(plug, server_hostname=host)
    return plug


def _get(connection: http.client.HTTPConnection, uri: str, token: str) -> http.client.HTTPResponse:
    parts = urlsplit(uri)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "nephele", "Accept-Encoding": "identity"}
    connection.request("GET", target, headers={**headers, "X-Auth-Token": token} if token else headers)
    return connection.getresponse()


def _content(uri: str, answer: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
    expected, have, deadline = answer.length, 0, time.monotonic() + WITHIN
    while chunk := answer.read(CHUNK):
        have += len(chunk)
        if limit and have > limit:
            raise FETCH_FAILED(uri=uri, reason=f"more than {limit} bytes")
        if time.monotonic() > deadline:
            raise FETCH_FAILED(uri=uri, reason=f"only {have} bytes came in {WITHIN / 3600:g} hours")
        yield chunk
    if expected is not None and have != expected:
        raise FETCH_FAILED(uri=uri, reason=f"only {have} of {expected} bytes came")
