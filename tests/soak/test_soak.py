"""A short soak; `python -m tests.soak.soak --seconds 3600` is the long one."""

from pathlib import Path

from tests.soak.soak import soak


def test_random_commands_and_faults_leave_nothing_stuck_and_nothing_behind(tmp_path: Path) -> None:
    report = soak(tmp_path, seconds=45, kills=2)
    assert report.bad == []
    assert report.stuck == []
    assert report.findings == []
    assert report.illegal == {}
    assert report.kills == 2
    assert report.changes > 500, "it did hardly anything"
