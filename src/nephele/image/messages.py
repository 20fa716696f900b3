"""What a compute agent asks of Glance over the bus, with the user's token."""

from msgspec import Struct

from nephele.kernel.bus import Method
from nephele.kernel.trace import Span


class AskImage(Struct, frozen=True, kw_only=True):
    """Which image, for whom."""

    token: str
    request_id: str
    image_id: str


class ImageAnswer(Struct, frozen=True, kw_only=True):
    """An image's metadata and where its data is.

    `size` in bytes, `virtual_size` 0 where it is not known; `min_disk` in GB, `min_ram` in MB.  `path` is the data
    file on a file system that hosts may share with Glance; who cannot read it downloads over HTTP.
    """

    id: str
    name: str
    status: str
    owner: str
    disk_format: str
    container_format: str
    size: int
    virtual_size: int
    checksum: str
    os_hash_algo: str
    os_hash_value: str
    min_disk: int
    min_ram: int
    properties: dict[str, str]
    path: str
    spans: tuple[Span, ...] = ()


ASK_IMAGE = Method("image.ask_image", AskImage, ImageAnswer)
"""Verifies the token, and that its user may see the image; refuses one that is not active."""
