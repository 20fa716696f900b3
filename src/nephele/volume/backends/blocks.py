"""A disk's content as blocks: only those that hold something."""

import os
from collections.abc import Iterable, Iterator

Block = tuple[int, bytes]
"""Where the bytes begin, and the bytes."""


def is_zero(piece: bytes) -> bool:
    """Whether there is nothing in it; a comparison of memory."""
    return not piece or (piece[0] == 0 and piece == bytes(len(piece)))


def blocks(pieces: Iterable[bytes]) -> Iterator[Block]:
    """The pieces of a disk, from its first byte to its last, without those that are empty."""
    at = 0
    for piece in pieces:
        if not is_zero(piece):
            yield at, piece
        at += len(piece)


def cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of `size`, the last one as long as it is."""
    held = bytearray()
    for piece in pieces:
        if not held and len(piece) == size:
            yield piece
            continue
        held += piece
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def write_blocks(descriptor: int, content: Iterable[Block]) -> None:
    """Write each block to its place, and wait until the disk has them."""
    for at, block in content:
        view = memoryview(block)
        while view:
            done = os.pwrite(descriptor, view, at)
            view, at = view[done:], at + done
    os.fsync(descriptor)
