"""The guest's parts that can be checked without building it: archive, partition table, order of modules, scripts."""

import struct
import subprocess
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from nephele.guest import packages
from nephele.guest.disk import FIRST, SECTOR, join
from nephele.guest.errors import COMMAND_FAILED, MISSING_PROGRAM, NO_MODULE
from nephele.guest.initrd import cpio
from nephele.guest.kernel import LATER, OTHER_DISKS, Kernel
from nephele.kernel.errors import Refused

ROOTFS = Path(str(files("nephele.guest") / "rootfs"))
SCRIPTS = [path for path in sorted(ROOTFS.rglob("*")) if path.is_file() and path.read_bytes().startswith(b"#!")]


def test_an_archive_unpacks_to_the_same_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "tool").write_bytes(b"odd length!")
    (tree / "bin" / "tool").chmod(0o755)
    (tree / "empty").write_bytes(b"")
    archive = cpio(tree)
    assert archive == cpio(tree)
    listed = _list(archive)
    assert listed == {"bin": (0o40755, b""), "bin/tool": (0o100755, b"odd length!"), "empty": (0o100644, b"")}


def _list(archive: bytes) -> dict[str, tuple[int, bytes]]:
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110 : at + 110 + numbers[11] - 1].decode()
        at += -(-(110 + numbers[11]) // 4) * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (numbers[1], archive[at : at + numbers[6]])
        at += -(-numbers[6] // 4) * 4


def test_the_partition_table_says_where_the_partitions_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").write_bytes(b"\xeb\xfe")
    monkeypatch.setattr("nephele.guest.disk._BOOT_CODE", tmp_path / "code")
    (tmp_path / "boot").write_bytes(b"B" * SECTOR * 4)
    (tmp_path / "root").write_bytes(b"R" * SECTOR * 8)
    join(tmp_path / "boot", tmp_path / "root", tmp_path / "disk")
    disk = (tmp_path / "disk").read_bytes()
    assert disk[:2] == b"\xeb\xfe"
    assert disk[510:512] == b"\x55\xaa"
    for number, kind, letter in ((0, 0x0E, b"B"), (1, 0x83, b"R")):
        entry = disk[446 + 16 * number : 462 + 16 * number]
        start, length = struct.unpack("<II", entry[8:])
        assert entry[4] == kind
        assert set(disk[start * SECTOR : (start + length) * SECTOR]) == set(letter)
    assert struct.unpack("<I", disk[454:458])[0] == FIRST


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel package: `a` needs `b_c` (in the file b-c.ko) and `built`, which needs no file."""
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / "vmlinuz-1").write_bytes(b"")
    folder = tmp_path / "lib" / "modules" / "1"
    folder.mkdir(parents=True)
    (folder / "modules.builtin").write_text("kernel/built.ko\n")
    (folder / "a.ko").write_bytes(b"x\0depends=b_c,built\0y")
    (folder / "b-c.ko").write_bytes(b"x\0depends=\0y")
    return Kernel(tmp_path)


def test_modules_come_after_what_they_need(kernel: Kernel, tmp_path: Path) -> None:
    assert kernel.in_order("a", "b-c", "built") == ["b_c", "a"]
    kernel.install(tmp_path / "out", {"one": ("a",)})
    assert (tmp_path / "out" / "one.list").read_text() == "b_c.ko\na.ko\n"
    assert (tmp_path / "out" / "b_c.ko").exists()


def test_a_module_that_is_not_there_is_named(kernel: Kernel) -> None:
    with pytest.raises(Refused, match="no module absent") as refusal:
        kernel.in_order("absent")
    assert refusal.value.error is NO_MODULE


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_guests_scripts_are_shell_and_load_only_modules_it_has(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
    for line in script.read_text().splitlines():
        words = line.replace(";", " ").replace("&&", " ").split()
        for before, word in pairwise(words):
            if before == "load" and "$" not in word:
                assert word in (*LATER, *OTHER_DISKS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("http://a/b", "-q -O - http://a/b"),
        ("-X POST -d x=1 http://a/b", "-q -O - --post-data x=1 http://a/b"),
        ("-d x=1 http://a/b -X POST", "-q -O - --post-data x=1 http://a/b"),
        ("-X POST http://a/b", "-q -O - http://a/b --post-data "),
        ("-fsS -o page -H a:b http://a/b", "-q -O page --header a:b http://a/b"),
        ("-X PUT http://a/b", None),
        ("-w format http://a/b", None),
        ("--retry 3 http://a/b", None),
        ("-o", None),
        ("", None),
    ],
)
def test_curl_tells_wget_what_it_was_told_and_refuses_the_rest(tmp_path: Path, words: str, told: str | None) -> None:
    (tmp_path / "wget").write_text('#!/bin/sh\necho "$*"\n')
    (tmp_path / "wget").chmod(0o755)
    command = ["sh", str(ROOTFS / "usr" / "bin" / "curl"), *words.split()]
    done = subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == ((2, "") if told is None else (0, f"{told}\n"))


def test_packages_of_an_earlier_guest_are_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(packages, "_names", lambda: ["asked"])

    def ask(*words: str, **_: object) -> str:
        asked.extend(words)
        return ""

    monkeypatch.setattr(packages, "run", ask)
    names = [f"{program}_1_amd64.deb" for program in packages.PROGRAMS]
    for kept in (names, names[1:]):
        for name in kept:
            (tmp_path / name).touch()
        (tmp_path / "packages.txt").write_text("".join(f"{name}\n" for name in kept))
        packages.download(tmp_path)
        assert bool(asked) == (kept is not names)


def test_a_failing_program_is_refused_with_its_own_words() -> None:
    from nephele.guest.commands import run

    with pytest.raises(Refused, match="no-such-file") as refusal:
        run("ls", "/no-such-file")
    assert refusal.value.error is COMMAND_FAILED
    with pytest.raises(Refused, match="no-such-program") as refusal:
        run("no-such-program")
    assert refusal.value.error is MISSING_PROGRAM
