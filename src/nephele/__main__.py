"""`python -m nephele`."""

import sys

from nephele.cli import main

sys.exit(main())
