"""The `openstack` command, forked from a process that has imported it: a second instead of four for each call.

It is the client's own `main`, with its own arguments, environment and output; only its imports are done before.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

TIMEOUT_SECONDS = 120
_PRELOADED = [
    "keystoneclient.v3.client",
    "openstack.connection",
    "openstackclient.compute.v2.server",
    "openstackclient.identity.v3.project",
    "openstackclient.image.v2.image",
    "openstackclient.network.v2.network",
    "openstackclient.shell",
    "openstackclient.volume.v3.volume",
    "osc_placement.plugin",
]


class Done(NamedTuple):
    """What the command answered."""

    status: int | None
    """None: it was still running at the time limit."""
    output: str
    errors: str


def _make_context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


_CONTEXT = _make_context()


def openstack(words: Sequence[str], environment: Mapping[str, str]) -> Done:
    """Run `openstack WORDS` to its end."""
    with tempfile.TemporaryDirectory(prefix="nephele-openstack-") as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        child = _CONTEXT.Process(target=_become, args=(list(words), dict(environment), str(output), str(errors)))
        child.start()
        child.join(TIMEOUT_SECONDS)
        if child.is_alive():
            child.kill()
            child.join()
            return Done(None, output.read_text(), f"it still ran after {TIMEOUT_SECONDS} s")
        return Done(child.exitcode, output.read_text(), errors.read_text())


def _become(words: list[str], environment: dict[str, str], output: str, errors: str) -> None:
    """In the forked process: be the command."""
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((0, os.devnull), (1, output), (2, errors)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.argv = ["openstack", *words]
    from openstackclient import shell

    sys.exit(shell.main(words))
