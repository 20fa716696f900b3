"""`python killing.py STEP WHEN up …`: a cloud that is killed, as by `kill -9`, before or after one step."""

import os
import signal
import sys
from typing import Any

from nephele.cli import main
from nephele.kernel import drive
from nephele.kernel.operations import Step


def kill_at(wanted: str, when: str) -> None:
    """Have this process die at `kind:step`, `before` it is done or `after`, when nothing of it was stored yet."""
    do = drive.Drive._do

    def deadly(self: Any, step: Step) -> None:
        here = f"{self.work.kind}:{step.name}" == wanted
        if here and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        do(self, step)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)

    drive.Drive._do = deadly  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_at(sys.argv[1], sys.argv[2])
    sys.exit(main(sys.argv[3:]))
