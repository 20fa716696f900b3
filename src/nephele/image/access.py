"""Which image a caller means, and what the policy lets them do with it.

Who may not see an image learns nothing of it: every refusal on it is then a 404.
"""

import sqlalchemy as sa

from nephele.image import rows
from nephele.image.errors import IMAGE_NOT_FOUND
from nephele.image.model import Image, Visibility
from nephele.kernel.context import Context
from nephele.kernel.errors import FORBIDDEN
from nephele.kernel.policy import Policy


class Access:
    """Finds images for callers, and asks the policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def find(self, db: sa.Connection, caller: Context, image_id: str, rule: str = "get_image") -> Image:
        """The image, if the caller may see it and `rule` allows.  Raises IMAGE_NOT_FOUND or FORBIDDEN."""
        image = rows.find(db, image_id)
        if image is None or not rows.is_visible(db, caller, image):
            raise IMAGE_NOT_FOUND(image_id=image_id)
        self.check(caller, image, rule)
        return image

    def check(self, caller: Context, image: Image, rule: str) -> None:
        """Ask the policy about an image that the caller knows of.  Raises IMAGE_NOT_FOUND or FORBIDDEN."""
        if self.allows(caller, image, rule):
            return
        if rule == "get_image" or not self.allows(caller, image, "get_image"):
            raise IMAGE_NOT_FOUND(image_id=image.id)
        raise FORBIDDEN(rule=rule)

    def allows(self, caller: Context, image: Image, rule: str, member_id: str | None = None) -> bool:
        """Whether `rule` lets the caller act on the image, as the member `member_id` of it if they are one."""
        return self.policy.allows(rule, caller, target(image.owner, image.visibility, member_id))

    def check_visibility(self, caller: Context, owner: str | None, wanted: Visibility) -> None:
        """Ask the policy whether the caller may give that visibility to an image of `owner`.  Raises FORBIDDEN."""
        rule = {Visibility.PUBLIC: "publicize_image", Visibility.COMMUNITY: "communitize_image"}.get(wanted)
        if rule is not None:
            self.policy.enforce(rule, caller, target(owner, wanted))


def target(owner: str | None, visibility: str, member_id: str | None = None) -> dict[str, object]:
    """What the rules speak of."""
    return {"project_id": owner, "owner": owner, "visibility": visibility, "member_id": member_id}
