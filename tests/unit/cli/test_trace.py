"""How `nephele trace` draws a launch."""

from typing import Any

from nephele.cli.trace import draw, server_id

BUILDING = {"vm_state": "building", "task_state": "scheduling", "power_state": "NOSTATE"}
ACTIVE = {"vm_state": "active", "task_state": None, "power_state": "RUNNING"}


def step(number: int, at: str, took: float, **more: Any) -> dict[str, Any]:
    plain = {"part": "nova-api", "title": f"does step {number}", "result": "Success", "detail": {}}
    return {"step": number, "started_at": f"2026-01-01T00:00:{at}Z", "duration_ms": took, **plain, **more}


def trace(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    plain = {"server": "s1", "request_id": "req-1", "state": "done", "states": [BUILDING, ACTIVE], "undone": []}
    return {**plain, "steps": list(steps), **more}


def test_times_count_from_the_request() -> None:
    lines = draw(trace(step(1, "00.500000", 30), step(2, "01.000000", 0.25), step(7, "01.012500", 4.04))).splitlines()
    assert lines[0] == "server s1   request req-1   done"
    assert [line.split()[:4] for line in lines[3:6]] == [
        ["1", "nova-api", "-500.0", "30.0"],
        ["2", "nova-api", "0.0", "0.2"],
        ["7", "nova-api", "12.5", "4.0"],
    ]


def test_columns_are_aligned() -> None:
    drawn = draw(trace(step(1, "00.000001", 1), step(17, "59.000000", 12345.6, part="nova-conductor"))).splitlines()
    header, first, last = drawn[2:5]
    assert header.index("what happened") == first.index("does step 1") == last.index("does step 17")


def test_a_step_that_failed_is_marked_and_says_why() -> None:
    failed = step(12, "01.000000", 1, result="Error", detail={"error": "no such image", "image": "", "ports": []})
    line = draw(trace(failed)).splitlines()[3]
    assert line.startswith("12! ")
    assert line.endswith("does step 12  (error no such image)"), "what is empty is not said"


def test_lists_and_numbers_are_words() -> None:
    line = draw(trace(step(15, "01.000000", 1, detail={"addresses": ["10.0.0.2", "fd00::2"], "bytes": 0})))
    assert "(addresses 10.0.0.2 fd00::2, bytes 0)" in line


def test_the_states_are_one_line_and_what_was_undone_follows() -> None:
    undone = [{"title": "undo network", "result": "Success"}, {"title": "undo host", "result": "Error"}]
    lines = draw(trace(step(2, "01.000000", 1), undone=undone)).splitlines()
    assert lines[-3:] == [
        "states  building/scheduling/nostate → active/none/running",
        "undone  undo network (Success)",
        "undone  undo host (Error)",
    ]


def test_nothing_yet() -> None:
    assert draw(trace(state="pending")).endswith("nothing was recorded yet")


class Found:
    """Stands for a client: remembers what it was asked."""

    def find(self, path: str, kind: str, name: str) -> str:
        self.asked = (path, kind, name)
        return "the id"


def test_servers_are_found_by_name_whatever_is_in_it() -> None:
    client: Any = Found()
    assert server_id(client, "a b?&.x") == "the id"
    path, kind, name = client.asked
    assert (kind, name) == ("servers", "a b?&.x")
    assert path == r"/compute/v2.1/servers?name=%5Ea%5C%20b%5C%3F%5C%26%5C.x"
    id = "0a1b2c3d-1111-4222-8333-444455556666"
    assert server_id(client, id) == id
