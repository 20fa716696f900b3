"""A guest that boots from another disk, so that its own can be repaired."""

from nephele.compute.messages import Command, Done, Prepared, Spawn
from nephele.kernel.bus import Method


class FetchImage(Command, frozen=True, kw_only=True):
    """Bring an image other than the server's own into the host's cache."""

    image_id: str


class Rescue(Spawn, frozen=True, kw_only=True):
    """Boot the guest from a disk over `base`, an image with these properties.

    `admin_pass` goes to the guest's config drive; after `timeout` seconds the guest that runs loses its power.
    """

    properties: dict[str, str]
    admin_pass: str
    timeout: int


class Unrescue(Spawn, frozen=True, kw_only=True):
    """Let the guest have its own disks again; start it, if `run`."""

    run: bool


FETCH_IMAGE = Method("compute_agent.fetch_image", FetchImage, Prepared)
RESCUE = Method("compute_agent.rescue", Rescue, Done)
UNRESCUE = Method("compute_agent.unrescue", Unrescue, Done)
