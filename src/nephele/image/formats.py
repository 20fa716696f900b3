"""Whether an image's data is what it claims to be, decided while it streams past, before any tool opens it.

The inspectors are oslo.utils'; which verdicts are accepted is decided here:

- a format that is inspected (qcow2, vmdk, vhd, vhdx, vdi, iso) must be found, alone, and safe: no backing file, no
  external data file, no unknown features, no extents elsewhere;
- `raw` and the formats nobody can inspect (ami, aki, ari, ploop) may hold anything but such a virtual disk;
- in a container other than `bare` the data may be anything, but if it is a virtual disk, then a safe one.
"""

from typing import TYPE_CHECKING

from nephele.image.errors import NOT_A_DISK, UNSAFE, WRONG_FORMAT

if TYPE_CHECKING:
    from oslo_utils.imageutils.format_inspector import FileInspector, InspectWrapper

INSPECTED = frozenset({"qcow2", "vmdk", "vhd", "vhdx", "vdi", "iso"})
_PLAIN = frozenset({"raw", "gpt", "luks", "iso"})
"""What a plain disk may look like: nothing known, partitioned, encrypted, or a CD."""


class _Source:
    """What the inspector reads from: the chunk that was put there."""

    chunk = b""

    def read(self, _size: int) -> bytes:
        return self.chunk


class Inspection:
    """Watches data as it streams past.

    Args:
        disk_format: what the image claims.
        container_format: what the claim is wrapped in.
    """

    def __init__(self, disk_format: str, container_format: str) -> None:
        from oslo_utils.imageutils import format_inspector

        self._library = format_inspector
        self._claimed = disk_format
        self._strict = container_format == "bare"
        self._source = _Source()
        self._wrapper: InspectWrapper = format_inspector.InspectWrapper(self._source)  # type: ignore[arg-type]
        self._decided = False
        self._size = 0

    def watch(self, chunk: bytes) -> None:
        """See the next chunk; after the headers this costs nothing."""
        self._size += len(chunk)
        if not self._decided:
            self._source.chunk = chunk
            self._wrapper.read(len(chunk))
            self._decided = self._wrapper.formats is not None

    def conclude(self) -> int:
        """The size in bytes of the disk that the data describes.

        Raises WRONG_FORMAT, UNSAFE or NOT_A_DISK.
        """
        self._wrapper.close()
        found = {str(each): each for each in self._wrapper.formats or []}
        for name, inspector in found.items():
            if name not in _PLAIN:
                self._check_safety(inspector)
        if not self._strict:
            return 0
        if self._claimed in INSPECTED:
            return self._virtual_size(found)
        if not found.keys() <= _PLAIN:
            raise WRONG_FORMAT(claimed=self._claimed, found=_spoken(found))
        return self._size

    def _virtual_size(self, found: "dict[str, FileInspector]") -> int:
        if self._claimed not in found or not found.keys() <= {self._claimed, *self._company()}:
            raise WRONG_FORMAT(claimed=self._claimed, found=_spoken(found))
        self._check_safety(found[self._claimed])
        return int(found[self._claimed].virtual_size)

    def _company(self) -> set[str]:
        """What may be found beside the claimed format: a bootable CD often begins with a partition table."""
        return {"gpt"} if self._claimed == "iso" else set()

    def _check_safety(self, inspector: "FileInspector") -> None:
        try:
            inspector.safety_check()
        except self._library.SafetyCheckFailed as failed:
            raise UNSAFE(reasons="; ".join(str(each) for each in failed.failures.values())) from None
        except self._library.ImageFormatError as error:
            raise NOT_A_DISK(reason=str(error)) from None


def _spoken(found: "dict[str, FileInspector]") -> str:
    return " and ".join(sorted(found))
