"""What Glance answers: one line an operation.  The service itself asks the policy, for that depends on the image."""

from typing import Any

from nephele.image.api import data, images, imports, info, members, metadef_schemas, metadefs, schemas, versions
from nephele.image.api.metadefs import remover
from nephele.image.imports import ImportRequest
from nephele.image.metadefs.model import Part
from nephele.image.service import Images
from nephele.kernel.policy import Policy
from nephele.web import faults
from nephele.web.routing import PUBLIC, Api, Route

IMAGE = "/v2/images/{image_id}"
MEMBERS = IMAGE + "/members"

NAMESPACE = "/v2/metadefs/namespaces/{namespace_name}"
OBJECTS, PROPERTIES, TAGS = NAMESPACE + "/objects", NAMESPACE + "/properties", NAMESPACE + "/tags"
TYPES = NAMESPACE + "/resource_types"

METADEFS = [
    Route("GET", "/v2/schemas/metadefs/{schema}", metadef_schemas.show),
    Route("GET", "/v2/metadefs/resource_types", metadefs.resource_types),
    Route("GET", "/v2/metadefs/namespaces", metadefs.index),
    Route("POST", "/v2/metadefs/namespaces", metadefs.create, body=Any, status=201),
    Route("GET", NAMESPACE, metadefs.show),
    Route("PUT", NAMESPACE, metadefs.update, body=Any),
    Route("DELETE", NAMESPACE, metadefs.delete, status=204),
    Route("GET", OBJECTS, metadefs.objects),
    Route("POST", OBJECTS, metadefs.add_object, body=Any, status=201),
    Route("DELETE", OBJECTS, remover(Part.OBJECT, "", "delete_metadef_namespace"), status=204),
    Route("GET", OBJECTS + "/{object_name}", metadefs.show_object),
    Route("PUT", OBJECTS + "/{object_name}", metadefs.update_object, body=Any),
    Route(
        "DELETE", OBJECTS + "/{object_name}", remover(Part.OBJECT, "object_name", "delete_metadef_object"), status=204
    ),
    Route("GET", PROPERTIES, metadefs.properties),
    Route("POST", PROPERTIES, metadefs.add_property, body=Any, status=201),
    Route("DELETE", PROPERTIES, remover(Part.PROPERTY, "", "delete_metadef_namespace"), status=204),
    Route("GET", PROPERTIES + "/{property_name}", metadefs.show_property),
    Route("PUT", PROPERTIES + "/{property_name}", metadefs.update_property, body=Any),
    Route(
        "DELETE",
        PROPERTIES + "/{property_name}",
        remover(Part.PROPERTY, "property_name", "remove_metadef_property"),
        status=204,
    ),
    Route("GET", TAGS, metadefs.tags),
    Route("POST", TAGS, metadefs.add_tags, body=Any, status=201),
    Route("DELETE", TAGS, remover(Part.TAG, "", "delete_metadef_tags"), status=204),
    Route("POST", TAGS + "/{tag_name}", metadefs.add_tag, status=201),
    Route("GET", TAGS + "/{tag_name}", metadefs.show_tag),
    Route("PUT", TAGS + "/{tag_name}", metadefs.update_tag, body=Any),
    Route("DELETE", TAGS + "/{tag_name}", remover(Part.TAG, "tag_name", "delete_metadef_tag"), status=204),
    Route("GET", TYPES, metadefs.associations),
    Route("POST", TYPES, metadefs.associate, body=Any, status=201),
    Route(
        "DELETE",
        TYPES + "/{resource_type}",
        remover(Part.RESOURCE_TYPE, "resource_type", "remove_metadef_resource_type_association"),
        status=204,
    ),
]

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
    Route("PUT", IMAGE + "/stage", data.stage, status=204),
    Route("POST", IMAGE + "/import", imports.start, body=ImportRequest, status=202),
    Route("GET", IMAGE + "/tasks", imports.of_image),
    Route("GET", "/v2/tasks", imports.index, "tasks_api_access"),
    Route("POST", "/v2/tasks", imports.create, "tasks_api_access", imports.NewTask, status=201),
    Route("GET", "/v2/tasks/{task_id}", imports.show),
    Route("DELETE", "/v2/stores/{store_id}/{image_id}", imports.remove_from_store, status=204),
    Route("GET", IMAGE + "/locations", imports.locations),
    Route("POST", IMAGE + "/locations", imports.add_location, body=imports.NewLocation, status=202),
    Route("POST", IMAGE + "/actions/deactivate", images.deactivate, status=204),
    Route("POST", IMAGE + "/actions/reactivate", images.reactivate, status=204),
    Route("PUT", IMAGE + "/tags/{tag}", images.add_tag, status=204),
    Route("DELETE", IMAGE + "/tags/{tag}", images.remove_tag, status=204),
    Route("GET", MEMBERS, members.index),
    Route("POST", MEMBERS, members.add, body=members.NewMember),
    Route("GET", MEMBERS + "/{member_id}", members.show),
    Route("PUT", MEMBERS + "/{member_id}", members.decide, body=members.Decision),
    Route("DELETE", MEMBERS + "/{member_id}", members.remove, status=204),
    Route("GET", "/v2/info/import", info.imports),
    Route("GET", "/v2/info/stores", info.stores),
    Route("GET", "/v2/info/stores/detail", info.stores_detail, "stores_info_detail"),
    Route("GET", "/v2/info/usage", info.usage),
    Route("GET", "/v2/schemas/{schema}", schemas.show),
    *METADEFS,
]


def api(service: Images, policy: Policy) -> Api:
    """Glance's HTTP face, at /image."""
    return Api("image", "/image", service, ROUTES, faults.glance, policy, exact_paths=True)
