#!/usr/bin/env python
"""Prints docs/microversions.md: `python scripts/microversions.py > docs/microversions.md`."""

from nephele.compute.microversions import CHANGES

HEAD = """\
# Nova's microversions

Printed by `scripts/microversions.py` from `src/nephele/compute/microversions.py`; a test fails where they differ.

Every one from 2.1 to 2.104 is served. What a microversion concerns that does not exist here is answered as
OpenStack answers on a deployment without it.

| version | what came with it | here |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"| 2.{minor} | {what} | {without or 'yes'} |\n" for minor, what, without in CHANGES)


if __name__ == "__main__":
    print(page(), end="")
