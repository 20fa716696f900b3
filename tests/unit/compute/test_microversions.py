"""The table of microversions, compared with the code that looks at versions."""

import re
from pathlib import Path

import nephele.compute
from nephele.compute.microversions import CHANGES
from nephele.compute.routes import VERSIONS

SOURCE = "".join(path.read_text() for path in Path(nephele.compute.__path__[0]).rglob("*.py"))
ELSEWHERE = {
    1: "the first",
    2: "routes of key pairs",
    18: "web/dispatch.py: the project id in a path is checked and dropped, in all versions",
    27: "web/microversions.py",
    29: "the scheduler is always asked",
    30: "the scheduler is always asked",
    46: "web/dispatch.py: the header is sent in all versions",
    20: "the server's table of states allows it in all versions",
}
"""Microversions that no version is compared for in compute, and why."""


def test_there_is_no_gap() -> None:
    assert [change.minor for change in CHANGES] == list(range(VERSIONS.minimum[1], VERSIONS.maximum[1] + 1))


def test_what_a_microversion_changed_is_looked_at() -> None:
    looked_at = {int(minor) for minor in re.findall(r"\(2, (\d+)\)", SOURCE)}
    ended = {int(minor) + 1 for minor in re.findall(r"until=\(2, (\d+)\)", SOURCE)}
    here = {change.minor for change in CHANGES if not change.without}
    assert sorted(here - looked_at - ended - ELSEWHERE.keys()) == []
