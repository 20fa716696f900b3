"""Backup stores keep to one protocol; S3's signatures are as published; a backup's content is judged by its hashes."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.volume.s3_server import S3Server, running_s3

from nephele.kernel.errors import Refused
from nephele.volume.backends.blocks import Cut
from nephele.volume.stores import content
from nephele.volume.stores.file import FileStore
from nephele.volume.stores.protocol import BackupStore
from nephele.volume.stores.s3 import Account, S3Store, sign

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> BackupStore:
    made: dict[str, Callable[[], BackupStore]] = {
        "file": lambda: FileStore(tmp_path / "backups"),
        "s3": lambda: S3Store(s3.account),
    }
    return made[request.param]()


def test_objects_come_and_go(store: BackupStore) -> None:
    for name in ("a/1/x", "a/1/y", "a/1/z", "a/1 ä&b/x", "a/2/x"):
        for data in (b"old", name.encode()):
            store.put(name, data)
    assert store.get("a/1 ä&b/x") == "a/1 ä&b/x".encode()
    assert list(store.names("a/1/")) == ["a/1/x", "a/1/y", "a/1/z"]
    for _twice in range(2):
        store.delete("a/1/")
    assert list(store.names("a/1/")) == []
    with pytest.raises(Refused, match="no object a/1/x"):
        store.get("a/1/x")
    assert store.get("a/2/x") == b"a/2/x"


def test_signatures_are_as_published() -> None:
    """The examples of "Signature Calculations for the Authorization Header" in Amazon's reference of S3."""
    account = Account(
        url="https://s3.amazonaws.com",
        bucket="examplebucket",
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    moment = datetime(2013, 5, 24, tzinfo=UTC)
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": "20130524T000000Z",
    }
    got = sign(account, "GET", "/test.txt", {}, {**headers, "range": "bytes=0-9"}, moment)
    assert got.endswith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    got = sign(account, "GET", "/", {"max-keys": "2", "prefix": "J"}, headers, moment)
    assert got.endswith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


def test_a_store_that_falters_is_asked_again_and_one_that_fails_says_so(s3: S3Server) -> None:
    store = S3Store(s3.account)
    s3.failing = [500, 503]
    store.put("a/1/x", b"x")
    assert s3.objects == {"a/1/x": b"x"}
    s3.failing = [500] * 3
    with pytest.raises(Refused, match="InternalError"):
        store.get("a/1/x")
    wrong = Account(url=s3.account.url, bucket="backups", access_key="key", secret_key="wrong", region="here")
    with pytest.raises(Refused, match="403: SignatureDoesNotMatch"):
        S3Store(wrong).get("a/1/x")
    nobody = Account(url="http://127.0.0.1:1", bucket="b", access_key="key", secret_key="x")
    with pytest.raises(Refused, match="does not answer"):
        S3Store(nobody).get("a/1/x")


def test_directories_are_kept_in(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "backups")
    (tmp_path / "secret").write_bytes(b"mine")
    for name in ("../secret", "/etc/hostname", "a/../../secret"):
        with pytest.raises(Refused):
            store.get(name)
        with pytest.raises(Refused):
            store.put(name, b"")
    with pytest.raises(Refused):
        store.delete("../")
    assert (tmp_path / "secret").read_bytes() == b"mine"


def pieces(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 1 << 20):
        yield data[at : at + (1 << 20)]


def test_incremental_content_stores_what_changed(store: BackupStore) -> None:
    first = bytearray(os.urandom(3 * content.BLOCK) + bytes(5 * content.BLOCK))
    assert content.write(store, "c/one/", pieces(bytes(first)), None) == 3
    parent = content.read_manifest(store, "c/one/")
    second = first[:]
    second[content.BLOCK : content.BLOCK + 4] = b"new!"
    second[2 * content.BLOCK : 3 * content.BLOCK] = bytes(content.BLOCK)
    second[7 * content.BLOCK :] = b"x" * content.BLOCK
    assert content.write(store, "c/two/", pieces(bytes(second)), parent) == 2
    assert len(list(store.names("c/two/"))) == 3
    for backup_id, wanted in (("one", first), ("two", second)):
        seen = bytearray(len(wanted))
        manifest = content.read_manifest(store, f"c/{backup_id}/")
        assert manifest.size == len(wanted)
        for at, block in content.read(store, manifest):
            seen[at : at + len(block)] = block
        assert seen == wanted


def test_damage_is_seen(store: BackupStore) -> None:
    content.write(store, "c/one/", pieces(os.urandom(content.BLOCK) + b"end"), None)
    manifest = content.read_manifest(store, "c/one/")
    for damage in (b"not deflated", __import__("zlib").compress(b"other")):
        store.put("c/one/00000000", damage)
        with pytest.raises(Refused, match="damaged"):
            list(content.read(store, manifest))
    store.put("c/one/manifest", b"{}")
    with pytest.raises(Refused, match="manifest"):
        content.read_manifest(store, "c/one/")


@pytest.mark.parametrize("size", [512, 4096, 1 << 20, 3_000_000])
def test_pieces_become_blocks(size: int) -> None:
    disk = bytearray(5_000_001)
    for at in (0, 999_999, 1 << 20, 4_999_990, 5_000_000):
        disk[at : at + 3] = b"abc"[: len(disk) - at]
    for length in (size, 1 << 20, 700_001):
        whole = bytes(disk)
        cut = Cut((whole[at : at + length] for at in range(0, len(whole), length)), 1 << 20)
        seen = bytearray(len(whole))
        numbers = []
        for number, block in cut:
            numbers.append(number)
            seen[number << 20 : (number << 20) + len(block)] = block
        assert (bytes(seen), cut.length, numbers) == (whole, len(whole), sorted(set(numbers)))
