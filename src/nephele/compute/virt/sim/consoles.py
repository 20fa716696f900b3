"""The consoles of simulated guests: sockets as QEMU has them, behind which nothing runs but a thread that answers.

The serial one shows what the guest's log says and echoes what is typed; the screen speaks the RFB protocol (RFC 6143)
and is one grey rectangle.
"""

import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from nephele.kernel.errors import Refused

WIDTH, HEIGHT = 320, 200
GREY = b"\x40\x40\x40\x00"
_VERSION = b"RFB 003.008\n"
_FORMAT = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
"""32 bits a pixel, depth 24, little-endian, true colour."""
_SIZES = {0: 19, 4: 7, 5: 5}
"""How long a client's messages are after their type: pixel format, key, pointer."""
Talk = Callable[[socket.socket], None]


class SimConsoles:
    """The sockets of all simulated guests of a process, made when they are first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: dict[tuple[str, str, str], Path] = {}
        self._folder: Path | None = None
        self._sockets: list[socket.socket] = []

    def path(self, host: str, server_id: str, kind: str, talk: Talk) -> str:
        """Where a guest's console is served; `talk` speaks with each who connects."""
        key = (host, server_id, kind)
        with self._lock:
            found = self._listening.get(key)
            if found is None:
                self._folder = self._folder or Path(tempfile.mkdtemp(prefix="nephele-sim-"))
                found = self._listening[key] = self._folder / f"{len(self._listening)}.sock"
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(str(found))
                listener.listen(4)
                self._sockets.append(listener)
                threading.Thread(target=_serve, args=(listener, talk), name="sim console", daemon=True).start()
            return str(found)

    def close(self) -> None:
        """Hang up, and remove the sockets."""
        with self._lock:
            for listener in self._sockets:
                listener.close()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
            self._sockets.clear()
            self._listening.clear()


def _serve(listener: socket.socket, talk: Talk) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_speak, args=(line, talk), name="sim console", daemon=True).start()


def _speak(line: socket.socket, talk: Talk) -> None:
    with line:
        try:
            talk(line)
        except (OSError, EOFError, Refused):
            return  # who was there hung up, or the guest is gone


def echo(line: socket.socket, said: str, note: Callable[[str], None]) -> None:
    """A serial console: what the guest `said` so far, then an echo; each whole line is noted."""
    line.sendall(said.replace("\n", "\r\n").encode())
    line.sendall(b"\r\nNo system runs in this simulated guest: what you type comes back.\r\n> ")
    typed = b""
    while data := line.recv(4096):
        for byte in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"):
            if byte == 0x0A:
                line.sendall(b"\r\n" + typed + b"\r\n> ")
                note(typed.decode(errors="replace"))
                typed = b""
            else:
                line.sendall(bytes([byte]))
                typed += bytes([byte])


def show_screen(line: socket.socket, name: str) -> None:
    """A screen without anything on it, called `name`."""
    line.sendall(_VERSION)
    _read(line, 12)
    line.sendall(b"\x01\x01")  # one kind of security: none
    _read(line, 1)
    line.sendall(bytes(4))
    _read(line, 1)
    title = name.encode()
    line.sendall(struct.pack(">HH", WIDTH, HEIGHT) + _FORMAT + struct.pack(">I", len(title)) + title)
    while True:
        (kind,) = _read(line, 1)
        if kind == 2:  # encodings: raw is always understood
            _read(line, 4 * struct.unpack(">xH", _read(line, 3))[0])
        elif kind == 3:
            _send_screen(line, incremental=_read(line, 9)[0] != 0)
        elif kind == 6:  # pasted text
            _read(line, struct.unpack(">xxxI", _read(line, 7))[0])
        elif kind in _SIZES:
            _read(line, _SIZES[kind])
        else:
            return


def _send_screen(line: socket.socket, *, incremental: bool) -> None:
    """The whole screen once; nothing ever changes on it."""
    if not incremental:
        line.sendall(struct.pack(">BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0) + GREY * (WIDTH * HEIGHT))


def _read(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
