"""What tests with hosts of their own share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path: libvirtd's sockets lie below it, and theirs may have 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="nephele-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
