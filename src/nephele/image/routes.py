"""What Glance answers: one line an operation.  The service itself asks the policy, for that depends on the image."""

from typing import Any

from nephele.image.api import data, images, versions
from nephele.image.service import Images
from nephele.kernel.policy import Policy
from nephele.web import faults
from nephele.web.routing import PUBLIC, Api, Route

IMAGE = "/v2/images/{image_id}"

ROUTES = [
    Route("GET", "/", versions.versions, PUBLIC, status=300),
    Route("GET", "/versions", versions.versions, PUBLIC),
    Route("POST", "/v2/images", images.create, body=Any, status=201),
    Route("GET", "/v2/images", images.index),
    Route("GET", IMAGE, images.show),
    Route("PATCH", IMAGE, images.update, body=Any),
    Route("DELETE", IMAGE, images.delete, status=204),
    Route("PUT", IMAGE + "/file", data.upload, status=204),
    Route("GET", IMAGE + "/file", data.download),
    Route("POST", IMAGE + "/actions/deactivate", images.deactivate, status=204),
    Route("POST", IMAGE + "/actions/reactivate", images.reactivate, status=204),
    Route("PUT", IMAGE + "/tags/{tag}", images.add_tag, status=204),
    Route("DELETE", IMAGE + "/tags/{tag}", images.remove_tag, status=204),
]


def api(service: Images, policy: Policy) -> Api:
    """Glance's HTTP face, at /image."""
    return Api("image", "/image", service, ROUTES, faults.glance, policy)
