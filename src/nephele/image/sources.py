"""Where an import's data comes from: staged, fetched from the web, or taken from a Glance here or elsewhere."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from nephele.image.errors import FETCH_FAILED, NOT_ACTIVE
from nephele.image.fetch import Web
from nephele.image.files import Writer
from nephele.image.model import CONTAINER_FORMATS, DISK_FORMATS, Image, ImportMethod, Status
from nephele.kernel.context import Context

if TYPE_CHECKING:
    from nephele.image.imports import Method
    from nephele.image.service import Images

COPIED = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")
"""Properties that go with an image from one Glance to another begin so (upstream's default)."""
INTERFACES = ("public", "internal", "admin")
_LARGEST_DESCRIPTION = 1 << 20


@dataclass(frozen=True)
class Regions:
    """Which Glances there are.

    Args:
        own: the name of this region.
        endpoint: from region and interface to the URL of the Glance there; empty: there is none.
    """

    own: str = "RegionOne"
    endpoint: Callable[[str, str], str] = lambda _region, _interface: ""


@dataclass(frozen=True)
class Source:
    """Data to come: `pour` writes it; what is said of it besides replaces what the image says."""

    pour: Callable[[Writer], None]
    attributes: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


class Described(msgspec.Struct, frozen=True):
    """What another Glance says of an image, as far as it is used."""

    status: str
    disk_format: str
    container_format: str
    size: int


class Sources:
    """Finds the data of an import."""

    def __init__(self, images: "Images", web: Web, regions: Regions) -> None:
        self._images = images
        self.web = web
        self._regions = regions

    def find(self, caller: Context, image: Image, method: "Method") -> Source:
        """Where the data is.  Raises FETCH_FAILED, NOT_ACTIVE or what the other image's Glance refuses."""
        if method.name == ImportMethod.GLANCE_DIRECT:
            staged = self._images.files.staged(image.id)
            return Source(lambda writer: writer.take(staged, move=True))
        if method.name == ImportMethod.WEB_DOWNLOAD:
            return Source(partial(_pour, pieces=self.web.fetch(method.uri)))
        if method.glance_region == self._regions.own and method.glance_service_interface in INTERFACES:
            return self._here(caller, method.glance_image_id)
        return self._elsewhere(caller, method)

    def _here(self, caller: Context, image_id: str) -> Source:
        other = self._images.for_download(caller, image_id)
        path = self._images.open_data(other)
        formats = {"disk_format": other.disk_format or "", "container_format": other.container_format or ""}
        return Source(lambda writer: writer.take(path, move=False), formats, _copied(other.properties))

    def _elsewhere(self, caller: Context, method: "Method") -> Source:
        region, interface = method.glance_region, method.glance_service_interface
        glance = self._regions.endpoint(region, interface).rstrip("/")
        if not glance:
            raise FETCH_FAILED(uri=method.glance_image_id, reason=f"no {interface} image endpoint in region {region}")
        web = replace(self.web, trusted_hosts=frozenset({urlsplit(glance).hostname or ""}))
        url = f"{glance}/v2/images/{method.glance_image_id}"
        said = b"".join(web.fetch(url, token=caller.token, limit=_LARGEST_DESCRIPTION))
        try:
            described = msgspec.json.decode(said, type=Described)
            others = msgspec.json.decode(said, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise FETCH_FAILED(uri=url, reason=f"it is not described as an image: {error}") from None
        if described.status != Status.ACTIVE:
            raise NOT_ACTIVE(image_id=method.glance_image_id, status=described.status)
        if described.disk_format not in DISK_FORMATS or described.container_format not in CONTAINER_FORMATS:
            raise FETCH_FAILED(uri=url, reason="its formats are unknown here")
        formats = {"disk_format": described.disk_format, "container_format": described.container_format}
        return Source(partial(_pour, pieces=web.fetch(f"{url}/file", token=caller.token)), formats, _copied(others))


def _pour(writer: Writer, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        writer.store(piece)
        writer.hash(piece)


def _copied(properties: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in properties.items() if key.startswith(COPIED) and isinstance(value, str)}
