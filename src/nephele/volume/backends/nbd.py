"""Volumes as files that a storage daemon serves, so that any host reaches them over the network.

Disks are kept as `file` keeps them.  One that a host connects is exported under its own name by a
`qemu-storage-daemon`, which opens overlays itself, so that every export is a raw disk.  The daemon outlives this
process, as guests that write must not see it go; a later process finds it by its socket.  Connections are encrypted,
and both ends show certificates.

    DIR/nbd/control       the daemon's socket
    DIR/nbd/tls/          a certificate authority of our own; hosts need ca-cert.pem and the two client-*.pem files
"""

import fcntl
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nephele.kernel.errors import Refused
from nephele.volume.backends.certificates import make_certificates
from nephele.volume.backends.file import FileBackend
from nephele.volume.errors import BACKEND_FAILED
from nephele.volume.messages import NbdConnection
from nephele.volume.model import Layout

_START_SECONDS = 10.0
_ANSWER_SECONDS = 30.0


class NbdBackend(FileBackend):
    """Volumes in the directory `root`, served at `host` and `port`.

    Args:
        root: where the files are.
        name: as in `host@NAME#pool`.
        host: the address that the daemon listens on, and that hosts connect to.
        port: its port.
        tls: encrypt, and let only those in that show a certificate of ours.
    """

    protocol = "nbd"
    extends_attached = False

    def __init__(self, root: Path, name: str = "nbd", *, host: str = "127.0.0.1", port: int = 10809, tls: bool = True):
        super().__init__(root, name)
        self.host, self.port, self.tls = host, port, tls
        self._own = self.root / "nbd"
        self._own.mkdir(mode=0o700, exist_ok=True)
        self.certificates = self._own / "tls"

    def prepare(self) -> None:
        with self._daemon():
            return

    def connection(self, disk: str, layout: Layout) -> NbdConnection:
        with self._daemon() as ask:
            if disk not in _exports(ask):
                file = {"driver": "file", "node-name": _node(disk, "f"), "filename": str(self.root / disk)}
                format = {"driver": layout.format, "node-name": _node(disk), "file": file, "discard": "unmap"}
                if not any(node["node-name"] == _node(disk) for node in ask("query-named-block-nodes", flat=True)):
                    ask("blockdev-add", **format)
                export = {"type": "nbd", "id": disk, "node-name": _node(disk), "name": disk, "writable": True}
                ask("block-export-add", **export)
        return NbdConnection(host=self.host, port=self.port, export=disk, tls=self.tls)

    def disconnect(self, disk: str) -> None:
        if not self._runs():
            return
        with self._daemon() as ask:
            self._withdraw(ask, disk)

    @staticmethod
    def _withdraw(ask: "Ask", disk: str) -> None:
        if disk in _exports(ask):
            ask("block-export-del", id=disk, mode="hard")
            deadline = time.monotonic() + _ANSWER_SECONDS
            while disk in _exports(ask) and time.monotonic() < deadline:
                time.sleep(0.01)
        if any(node["node-name"] == _node(disk) for node in ask("query-named-block-nodes", flat=True)):
            ask("blockdev-del", **{"node-name": _node(disk)})

    def delete(self, disk: str) -> None:
        self.disconnect(disk)
        super().delete(disk)

    def release(self, disk: str, layout: Layout, name: str) -> None:
        self.disconnect(disk)
        super().release(disk, layout, name)

    def stop(self) -> None:
        """End the daemon: every guest loses its volumes."""
        if self._runs():
            with self._daemon() as ask:
                ask("quit")
            deadline = time.monotonic() + _START_SECONDS
            while self._runs() and time.monotonic() < deadline:
                time.sleep(0.01)

    # -- the daemon --------------------------------------------------------------------------------------------

    @property
    def _control(self) -> Path:
        return self._own / "control"

    def _runs(self) -> bool:
        line = _dial(self._control)
        if line is not None:
            line.close()
        return line is not None

    @contextmanager
    def _daemon(self) -> Iterator["Ask"]:
        """The daemon, started where it does not run; one asker at a time, over all processes."""
        with (self._own / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            line = _dial(self._control)
            is_new = line is None
            with Ask(line or self._start()) as ask:
                if is_new:
                    self._listen(ask)
                yield ask

    def _start(self) -> socket.socket:
        program = shutil.which("qemu-storage-daemon")
        if program is None:
            raise BACKEND_FAILED(reason="qemu-storage-daemon is not installed")
        self._control.unlink(missing_ok=True)
        words = ["--chardev", f"socket,id=control,path={self._control},server=on,wait=off"]
        words += ["--monitor", "chardev=control"]
        if self.tls:
            make_certificates(self.certificates, self.host)
            words += ["--object", f"tls-creds-x509,id=tls,dir={self.certificates},endpoint=server,verify-peer=on"]
        with (self._own / "log").open("ab") as log:
            process = subprocess.Popen(
                [program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            line = _dial(self._control)
            if line is not None:
                return line
            time.sleep(0.01)
        said = (self._own / "log").read_text(errors="replace").strip().rpartition("\n")[2]
        raise BACKEND_FAILED(reason=f"qemu-storage-daemon did not start: {said}")

    def _listen(self, ask: "Ask") -> None:
        """Let a new daemon serve; one that can't ends."""
        address = {"type": "inet", "data": {"host": self.host, "port": str(self.port)}}
        credentials = {"tls-creds": "tls"} if self.tls else {}
        try:
            ask("nbd-server-start", addr=address, **{"max-connections": 0, **credentials})
        except Refused:
            ask("quit")
            raise


class Ask:
    """Asks the daemon by QMP.  Raises BACKEND_FAILED with what it said."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self._talk = line, line.makefile("rw")
        try:
            self._talk.readline()
            self("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Ask":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up: the daemon listens to one asker at a time."""
        self._talk.close()
        self._line.close()

    def __call__(self, command: str, **arguments: Any) -> Any:
        try:
            self._talk.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self._talk.flush()
            while "event" in (answer := json.loads(self._talk.readline())):
                continue
        except (OSError, ValueError) as error:
            raise BACKEND_FAILED(reason=f"qemu-storage-daemon does not answer {command}: {error}") from error
        if "error" in answer:
            raise BACKEND_FAILED(reason=f"{command}: {answer['error'].get('desc', answer['error'])}")
        return answer["return"]


def _dial(path: Path) -> socket.socket | None:
    """A line to the daemon; None where nobody listens."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(_ANSWER_SECONDS)
    try:
        line.connect(str(path))
    except OSError:
        line.close()
        return None
    return line


def _exports(ask: Ask) -> set[str]:
    return {export["id"] for export in ask("query-block-exports") if not export["shutting-down"]}


def _node(disk: str, kind: str = "n") -> str:
    """A node's name: a letter first, 31 characters at most; the end of the volume's id is as good as all of it."""
    return f"{kind}{disk[-28:]}"
