"""Which hosts this machine has: one small file each, in a folder that ends with the machine's boot, as they do."""

from pathlib import Path

import msgspec

from nephele.lab.processes import Process, is_alive

FOLDER = Path("/run/nephele-lab")


class Record(msgspec.Struct, frozen=True):
    """One host: where its files are, and the process that was started as its libvirtd."""

    name: str
    directory: Path
    libvirtd: Process

    @property
    def runs(self) -> bool:
        """Whether its libvirtd is alive."""
        return is_alive(self.libvirtd)


def write(record: Record) -> None:
    """Note that the host exists, in one step: readers see the old note or the new one."""
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    part = _path(record.name).with_suffix(".part")
    part.write_bytes(msgspec.json.encode(record, enc_hook=str))
    part.replace(_path(record.name))


def read(name: str) -> Record | None:
    """What was noted of the host."""
    try:
        return msgspec.json.decode(_path(name).read_bytes(), type=Record, dec_hook=_decode)
    except FileNotFoundError:
        return None


def read_all() -> list[Record]:
    """All hosts, by name."""
    found = (read(path.stem) for path in sorted(FOLDER.glob("*.json")))
    return [record for record in found if record is not None]


def forget(name: str) -> None:
    """Remove the note, and the folder with the last one."""
    _path(name).unlink(missing_ok=True)
    if FOLDER.exists() and not any(FOLDER.iterdir()):
        FOLDER.rmdir()


def _path(name: str) -> Path:
    return FOLDER / f"{name}.json"


def _decode(kind: type, value: object) -> object:
    return Path(str(value)) if kind is Path else value
