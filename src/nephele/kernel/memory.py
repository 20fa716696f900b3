"""Memory that was needed for a moment is given back."""

import ctypes

ARENA_MAX, MMAP_THRESHOLD, TRIM_THRESHOLD = -8, -3, -1
"""Options of `mallopt`, as glibc's malloc.h numbers them."""
LARGE = 256 * 1024
"""Bytes from which on a block is mapped by itself and unmapped when it is freed."""


def give_memory_back() -> None:
    """Before any thread starts: tell glibc to keep little of what is freed.

    By itself it keeps heaps for up to eight times as many threads as there are processors, and once a large block was
    freed (a password's hash takes 9 MiB) it keeps as much and twice that at the end of each.  Other C libraries have
    no such options, and nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((ARENA_MAX, 2), (MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, LARGE)):
            mallopt(option, value)
