"""Short soaks; `python -m tests.soak.soak --seconds 3600` is the long one."""

from pathlib import Path

from tests.soak.soak import Report, soak

UNRELIABLE = (str(Path(__file__).parent / "unreliable.py"), "0.03")


def assert_all_well(report: Report) -> None:
    assert report.bad == []
    assert report.stuck == []
    assert report.findings == []
    assert report.illegal == {}
    assert report.changes > 500, "it did hardly anything"


def test_random_commands_faults_and_kills_leave_nothing_stuck_and_nothing_behind(tmp_path: Path) -> None:
    report = soak(tmp_path, seconds=30, kills=2)
    assert_all_well(report)
    assert report.kills == 2


def test_lost_doubled_and_late_messages_leave_nothing_stuck_and_nothing_behind(tmp_path: Path) -> None:
    assert_all_well(soak(tmp_path, seconds=20, kills=0, program=UNRELIABLE))
