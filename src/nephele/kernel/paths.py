"""Where files outlive a cloud: caches that can be made again at any time."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/nephele`, by default `~/.cache/nephele`; made by whoever writes to it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nephele"
