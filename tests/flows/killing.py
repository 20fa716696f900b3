"""`python killing.py STEP WHEN up …`: a cloud that is killed, as by `kill -9`, before or after one step."""

import os
import signal
import sys
import time
from typing import Any

from nephele.cli import main
from nephele.kernel import drive
from nephele.kernel.operations import Step

ANSWERING = 0.3
"""Seconds after which whoever asked for the operation has the answer that it was accepted."""


def die() -> None:
    """The end of this process, at this step."""
    time.sleep(ANSWERING)
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(wanted: str, when: str) -> None:
    """Have this process die at `kind:step`, `before` it is done or `after`, when nothing of it was stored yet."""
    do = drive.Drive._do

    def deadly(self: Any, step: Step) -> None:
        here = f"{self.work.kind}:{step.name}" == wanted
        if here and when == "before":
            die()
        do(self, step)
        if here:
            die()

    drive.Drive._do = deadly  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_at(sys.argv[1], sys.argv[2])
    sys.exit(main(sys.argv[3:]))
