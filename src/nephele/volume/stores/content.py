"""A backup's content: blocks by their hash, so that an incremental one stores only what its parents do not have.

    <container>/<backup id>/00000000      blocks, deflated
    <container>/<backup id>/manifest      JSON: which block is which object

A manifest names every block of the disk that holds anything, whichever backup stored it: restoring needs no other.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from nephele.volume.backends.blocks import Block, Cut, is_zero
from nephele.volume.errors import BACKUP_DAMAGED
from nephele.volume.stores.protocol import BackupStore

BLOCK = 4 << 20
"""Bytes of a block."""


class Stored(Struct, frozen=True, array_like=True):
    """One block: its number, the hash of its bytes, and the object that holds them."""

    number: int
    sha256: str
    name: str


class Manifest(Struct, frozen=True, kw_only=True):
    """All of a disk."""

    version: int = 1
    block: int = BLOCK
    size: int
    blocks: list[Stored]


def prefix_of(container: str, backup_id: str) -> str:
    """What the names of all objects of a new backup begin with."""
    return f"{container}/{backup_id}/"


def read_manifest(store: BackupStore, prefix: str) -> Manifest:
    """Raises OBJECT_MISSING, BACKUP_DAMAGED."""
    raw = store.get(f"{prefix}manifest")
    try:
        return msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BACKUP_DAMAGED(backup_id=prefix, reason=f"its manifest is no manifest: {error}") from error


def write(store: BackupStore, prefix: str, pieces: Iterable[bytes], parent: Manifest | None) -> int:
    """Store a disk, from its first byte to its last; the manifest comes last.

    Returns:
        how many objects this took, the manifest not counted.
    """
    known = {(one.number, one.sha256): one for one in parent.blocks} if parent else {}
    found: list[Stored] = []
    made = 0
    disk = Cut(pieces, BLOCK)
    for number, block in disk:
        if is_zero(block):
            continue
        digest = hashlib.sha256(block).hexdigest()
        one = known.get((number, digest))
        if one is None:
            one = Stored(number, digest, f"{prefix}{made:08d}")
            store.put(one.name, zlib.compress(block, 1))
            made += 1
        found.append(one)
    store.put(f"{prefix}manifest", msgspec.json.encode(Manifest(size=disk.length, blocks=found)))
    return made


def read(store: BackupStore, manifest: Manifest) -> Iterator[Block]:
    """Every block, its hash compared.  Raises OBJECT_MISSING, BACKUP_DAMAGED."""
    for one in manifest.blocks:
        try:
            block = zlib.decompress(store.get(one.name))
        except zlib.error as error:
            raise BACKUP_DAMAGED(
                backup_id=one.name.rpartition("/")[0], reason=f"{one.name} can't be inflated: {error}"
            ) from error
        if hashlib.sha256(block).hexdigest() != one.sha256:
            raise BACKUP_DAMAGED(backup_id=one.name.rpartition("/")[0], reason=f"{one.name} is not what was stored")
        yield one.number * manifest.block, block
