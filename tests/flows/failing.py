"""`python failing.py FILE up …`: a cloud in which steps fail, once each, after they have done their work.

FILE holds what is to fail next, as `kind:step`; it is removed when that has failed.
"""

import sys
from pathlib import Path
from typing import Any

from nephele.cli import main
from nephele.kernel import drive
from nephele.kernel.errors import Error
from nephele.kernel.operations import Step

BROKEN_ON_PURPOSE = Error("test.broken", 500, "Broken on purpose.")


def fail_at(order: Path) -> None:
    """Have the step that `order` names fail once it is done."""
    do = drive.Drive._do

    def failing(self: Any, step: Step) -> None:
        do(self, step)
        if order.exists() and order.read_text() == f"{self.work.kind}:{step.name}":
            order.unlink()
            raise BROKEN_ON_PURPOSE()

    drive.Drive._do = failing  # type: ignore[method-assign]


if __name__ == "__main__":
    fail_at(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
