"""`python -m nephele.demo [--keep | --clean]`."""

import argparse
import os
import signal
import sys

from openstack.exceptions import SDKException

from nephele.demo.folder import demo_folder
from nephele.demo.script import clean, run
from nephele.kernel.errors import Refused
from nephele.lab.errors import NEEDS_ROOT


def main() -> int:
    """Run the demo; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nephele.demo", description="A real VM through the OpenStack API.")
    parser.add_argument("--keep", action="store_true", help="leave the cloud and its server running")
    parser.add_argument("--clean", action="store_true", help="remove what demos kept, and all caches")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is also stopped
    try:
        if os.geteuid() != 0:
            raise NEEDS_ROOT(user=os.geteuid())
        if asked.clean:
            clean(demo_folder())
        else:
            run(demo_folder(), keep=asked.keep)
    except Refused as refusal:
        print(f"\n{refusal.message}", refusal.error.next_step, sep="\n", file=sys.stderr)
        return 1
    except SDKException as refusal:
        print(f"\nThe API says no: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
