"""`python -m nephele.guest build`, the same as `nephele guest build`."""

import sys

from nephele.guest.cli import main

if __name__ == "__main__":
    sys.exit(main())
