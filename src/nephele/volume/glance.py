"""How Cinder uses Glance: images become volumes, volumes become images."""

from collections.abc import Iterator

from nephele.image.messages import ImageAnswer
from nephele.image.model import Change, NewImage, Status, Visibility
from nephele.image.service import Images
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused


class Glance:
    """Glance, as `parts.Images` wants it.

    Args:
        images: the image service.
    """

    def __init__(self, images: Images) -> None:
        self._images = images

    def describe(self, ctx: Context, image_id: str) -> ImageAnswer:
        return self._images.describe(self._images.show(ctx, image_id))

    def create_for_upload(
        self,
        ctx: Context,
        *,
        name: str,
        disk_format: str,
        container_format: str,
        visibility: str,
        protected: bool,
        min_disk: int,
        properties: dict[str, str],
    ) -> str:
        new = NewImage(
            name=name,
            disk_format=disk_format,
            container_format=container_format,
            visibility=Visibility(visibility),
            protected=protected,
            min_disk=min_disk,
            properties=properties,
        )
        return self._images.create(ctx, new).id

    def upload(self, ctx: Context, image_id: str, pieces: Iterator[bytes]) -> None:
        if self._images.show(ctx, image_id).status != Status.ACTIVE:
            self._images.transfer.fill(ctx, image_id, pieces, move=False)

    def discard(self, ctx: Context, image_id: str) -> None:
        try:
            if self._images.show(ctx, image_id).protected:
                self._images.update(ctx, image_id, [Change("replace", "protected", False)])
            self._images.delete(ctx, image_id)
        except Refused as refused:
            if refused.status != 404:
                raise
