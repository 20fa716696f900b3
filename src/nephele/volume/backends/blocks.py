"""A disk's content as blocks: only those that hold something."""

import os
from collections.abc import Iterable, Iterator

Block = tuple[int, bytes]
"""Where the bytes begin, and the bytes."""


PIECE = 1 << 20
ZEROS = bytes(PIECE)
"""What readers give for holes, this very object, so that comparing with it costs nothing."""


def is_zero(piece: bytes) -> bool:
    """Whether there is nothing in it; a comparison of memory."""
    return not piece or (piece[0] == 0 and piece == (ZEROS if len(piece) == PIECE else bytes(len(piece))))


def blocks(pieces: Iterable[bytes]) -> Iterator[Block]:
    """The pieces of a disk, from its first byte to its last, without those that are empty."""
    at = 0
    for piece in pieces:
        if not is_zero(piece):
            yield at, piece
        at += len(piece)


class Cut:
    """The pieces of a disk as blocks of `size` bytes, by their numbers, without those that are empty.

    The last block is as long as it is; `length` is the disk's, once all blocks were taken.
    """

    def __init__(self, pieces: Iterable[bytes], size: int) -> None:
        self._pieces, self._size = pieces, size
        self.length = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        number, held = -1, bytearray()
        for piece in self._pieces:
            start = self.length
            self.length += len(piece)
            if is_zero(piece):
                continue
            while start < self.length:
                place, inside = divmod(start, self._size)
                part = piece[start - self.length + len(piece) :][: self._size - inside]
                if place != number:
                    if held:
                        yield number, bytes(held)
                    number, held = place, bytearray(self._size)
                held[inside : inside + len(part)] = part
                start += len(part)
        if held:
            yield number, bytes(held[: self.length - number * self._size])


def write_blocks(descriptor: int, content: Iterable[Block]) -> None:
    """Write each block to its place, and wait until the disk has them."""
    for at, block in content:
        view = memoryview(block)
        while view:
            done = os.pwrite(descriptor, view, at)
            view, at = view[done:], at + done
    os.fsync(descriptor)
