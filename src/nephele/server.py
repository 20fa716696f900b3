"""Serves a cloud on one port until it is told to stop."""

import asyncio
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import IO, Any

import uvloop

from nephele.config import Settings
from nephele.kernel.errors import Error
from nephele.kernel.memory import give_memory_back
from nephele.web.app import Asgi

STATE_IN_USE = Error(
    "state.in_use",
    409,
    "{directory} is in use by another nephele (process {pid}).",
    "Stop that one, or name another --state-dir.",
)
PORT_TAKEN = Error(
    "port.taken",
    409,
    "Port {port} on {address} is taken: {reason}.",
    "Name another with --port, or 0 for any free one.",
)


def serve(settings: Settings, *, log_level: str, started: float, say: Callable[[str], None]) -> int:
    """Run the cloud in the foreground.

    Args:
        settings: what it is told.
        log_level: of Python's logging.
        started: `perf_counter()` when the process began, for the ready line.
        say: prints a line.

    Returns:
        the exit status.

    Raises:
        STATE_IN_USE, PORT_TAKEN.
    """
    give_memory_back()
    os.umask(0o066)  # files are ours alone; folders may be passed, where QEMU runs as a user of its own
    settings.state_dir.mkdir(mode=0o711 if settings.driver == "libvirt" else 0o700, parents=True, exist_ok=True)
    with locked_state(settings.state_dir):
        listener = _listen(settings)
        logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
        from nephele.cloud import Cloud

        port = listener.getsockname()[1]
        url = settings.public_url or f"http://{settings.listen}:{port}"
        cloud = Cloud(settings, url)
        cloud.start()
        sys.setswitchinterval(0.001)  # requests are answered beside operations that keep the processor busy
        gc.freeze()  # what a cloud is made of stays: the collector need not look at it again
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(cloud.app, listener, lambda: _announce(settings, url, started, say)))
        finally:
            cloud.stop()
    return 0


def _announce(settings: Settings, url: str, started: float, say: Callable[[str], None]) -> None:
    clouds = settings.state_dir / "clouds.yaml"
    say(f"nephele is ready at {url} after {perf_counter() - started:.2f} s")
    say(f"  clients    export OS_CLIENT_CONFIG_FILE={clouds.resolve()} OS_CLOUD=nephele")
    say("  try        openstack server create --image nephele-guest --flavor m1.nano --network private first")


async def _serve(app: Asgi, listener: socket.socket, announce: Callable[[], None]) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        http="httptools",
        ws=_websockets,  # type: ignore[arg-type]
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    announce()
    await server.main_loop()
    await server.shutdown(sockets=[listener])


def _websockets(*parts: Any, **named: Any) -> Any:
    """Uvicorn's protocol for websockets, which nobody needs until the first console is opened."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(*parts, **named)


def locked_state(directory: Path) -> IO[str]:
    """Hold the state directory for this process; the kernel lets go when it dies, however it dies."""
    file = (directory / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        raise STATE_IN_USE(directory=directory, pid=file.read().strip() or "unknown") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _listen(settings: Settings) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in settings.listen else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.listen, settings.port))
        listener.listen(1024)
    except OSError as error:
        raise PORT_TAKEN(port=settings.port, address=settings.listen, reason=error.strerror) from None
    return listener
