"""A small S3: path-style objects in one bucket, in memory; requests with a wrong signature or hash are refused."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from nephele.volume.stores.s3 import Account, sign

PAGE = 2
"""Names in one page of a listing: few, so that tests see several."""


class S3Server(ThreadingHTTPServer):
    """The store; `failing` answers come before any true one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.failing: list[int] = []
        url = f"http://127.0.0.1:{self.server_address[1]}/s3"
        self.account = Account(url=url, bucket="backups", access_key="key", secret_key="secret", region="here")


class _Handler(BaseHTTPRequestHandler):
    server: S3Server

    def log_message(self, *_: object) -> None:
        return

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.failing:
            return self._answer(self.server.failing.pop(), b"<Error><Code>InternalError</Code></Error>")
        if not self._is_signed(body):
            return self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        where = urlsplit(self.path)
        name = unquote(where.path).removeprefix("/s3/backups").removeprefix("/")
        if self.command == "PUT":
            self.server.objects[name] = body
            return self._answer(200, b"")
        if self.command == "DELETE":
            return self._answer(204 if self.server.objects.pop(name, None) is not None else 404, b"")
        if not name:
            return self._answer(200, self._listing(dict(parse_qsl(where.query))))
        found = self.server.objects.get(name)
        return (
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>") if found is None else self._answer(200, found)
        )

    do_GET = do_PUT = do_DELETE = _serve  # noqa: N815 - the library's names

    def _is_signed(self, body: bytes) -> bool:
        if hashlib.sha256(body).hexdigest() != self.headers["x-amz-content-sha256"]:
            return False
        headers = {name: self.headers[name] for name in ("host", "x-amz-content-sha256", "x-amz-date")}
        where = urlsplit(self.path)
        moment = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        query = dict(parse_qsl(where.query, keep_blank_values=True))
        return self.headers["authorization"] == sign(
            self.server.account, self.command, where.path, query, headers, moment
        )

    def _listing(self, query: dict[str, str]) -> bytes:
        after = query.get("continuation-token", "")
        names = sorted(name for name in self.server.objects if name.startswith(query["prefix"]) and name > after)
        keys = "".join(f"<Contents><Key>{escape(name)}</Key></Contents>" for name in names[:PAGE])
        more = f"<NextContinuationToken>{names[PAGE - 1]}</NextContinuationToken>" if len(names) > PAGE else ""
        return f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{keys}{more}</ListBucketResult>'.encode()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server for the length of the block."""
    server = S3Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
