"""The end of a guest's serial console, from the log that libvirt writes."""

import os
from pathlib import Path


def read_end(path: Path, max_bytes: int) -> bytes:
    """The last bytes that the guest wrote; virtlogd moves a log that grew large to `console.log.0`."""
    end = _read_end(path, max_bytes)
    if len(end) < max_bytes:
        end = _read_end(path.with_name(path.name + ".0"), max_bytes - len(end)) + end
    return end


def _read_end(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(size - max_bytes, 0))
            return log.read(max_bytes)
    except FileNotFoundError:
        return b""
