"""JSON schemas of what this service speaks of: clients read from them which attributes are not custom ones."""

from collections.abc import Callable
from typing import Any

from nephele.image.model import CONTAINER_FORMATS, DISK_FORMATS, MemberStatus, Status, TaskStatus, Visibility
from nephele.image.service import Images
from nephele.kernel.errors import NOT_FOUND
from nephele.web.call import Call

Schema = dict[str, Any]


def _text(about: str, limit: int = 0, *, null: bool = False, fixed: bool = False, words: Any = ()) -> Schema:
    schema: Schema = {"type": ["null", "string"] if null else "string", "description": about}
    if limit:
        schema["maxLength"] = limit
    if words:
        schema["enum"] = [*([None] if null else []), *(str(word) for word in words)]
    return _fixed(schema) if fixed else schema


def _fixed(schema: Schema) -> Schema:
    return {**schema, "readOnly": True}


def _number(about: str) -> Schema:
    return {"type": "integer", "description": about}


def _truth(about: str) -> Schema:
    return {"type": "boolean", "description": about}


_SIZE: Schema = {"type": ["null", "integer"], "readOnly": True}
_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_LOCATION: Schema = {
    "type": "object",
    "required": ["url", "metadata"],
    "properties": {
        "url": {"type": "string", "maxLength": 255},
        "metadata": {"type": "object"},
        "validation_data": {
            "description": "Hashes that the image gets, or already has.",
            "type": "object",
            "writeOnly": True,
            "additionalProperties": False,
            "required": ["os_hash_algo", "os_hash_value"],
            "properties": {
                "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
                "os_hash_algo": {"type": "string", "maxLength": 64},
                "os_hash_value": {"type": "string", "maxLength": 128},
            },
        },
    },
}
_IMAGE: Schema = {
    "id": {"type": "string", "description": "The image's UUID", "pattern": _UUID},
    "name": _text("What people call the image", 255, null=True),
    "status": _text("Where the image stands", fixed=True, words=Status),
    "visibility": _text("Who sees the image", words=Visibility),
    "protected": _truth("Whether the image is kept from deletion"),
    "os_hidden": _truth("Whether the image is left out of lists"),
    "checksum": _text("md5 of the data", 32, null=True, fixed=True),
    "os_hash_algo": _text("Which hash os_hash_value is", 64, null=True, fixed=True),
    "os_hash_value": _text("Hash of the data", 128, null=True, fixed=True),
    "owner": _text("Project that the image belongs to", 255, null=True),
    "size": {**_SIZE, "description": "Bytes of the data"},
    "virtual_size": {**_SIZE, "description": "Bytes of the disk that the data describes"},
    "container_format": _text("What the disk is wrapped in", null=True, words=CONTAINER_FORMATS),
    "disk_format": _text("Format of the disk", null=True, words=DISK_FORMATS),
    "created_at": _text("When the image was described first", fixed=True),
    "updated_at": _text("When it was changed last", fixed=True),
    "tags": {"type": "array", "description": "Words to find it by", "items": {"type": "string", "maxLength": 255}},
    "direct_url": _text("Where the data is, for other services", fixed=True),
    "min_ram": _number("Memory that a server needs, in MB"),
    "min_disk": _number("Disk that a server needs, in GB"),
    "self": _text("The image's URL", fixed=True),
    "file": _text("The data's URL", fixed=True),
    "stores": _text("Stores that hold the data, separated by commas", fixed=True),
    "schema": _text("The URL of this schema", fixed=True),
    "locations": {"type": "array", "description": "Where the data is", "items": _LOCATION},
}
_MEMBER: Schema = {
    "created_at": _text("When the image was shared with the project"),
    "image_id": {"type": "string", "description": "The image", "pattern": _UUID},
    "member_id": _text("The project"),
    "status": _text("What the project said to it", words=MemberStatus),
    "updated_at": _text("When it last said so"),
    "schema": {"readOnly": True, "type": "string"},
}
_TASK: Schema = {
    "id": {"type": "string", "description": "The task's UUID", "pattern": _UUID},
    "type": _text("What kind of task it is", words=("import", "api_image_import")),
    "status": _text("Where the task stands", words=TaskStatus),
    "input": {"type": ["null", "object"], "description": "What was asked"},
    "result": {"type": ["null", "object"], "description": "What came of it"},
    "owner": _text("The project it works for"),
    "message": _text("Why it failed"),
    "image_id": _text("The image it works on"),
    "request_id": _text("The request that started it"),
    "user_id": _text("The user it works for"),
    "expires_at": _text("When it will be forgotten", null=True),
    "created_at": _text("When it was asked for"),
    "updated_at": _text("When it moved last"),
    "self": {"readOnly": True, "type": "string"},
    "schema": {"readOnly": True, "type": "string"},
}
_LINKS = [
    {"rel": "self", "href": "{self}"},
    {"rel": "enclosure", "href": "{file}"},
    {"rel": "describedby", "href": "{schema}"},
]


def _image() -> Schema:
    return {"name": "image", "properties": _IMAGE, "additionalProperties": {"type": "string"}, "links": _LINKS}


def collection(name: str, item: Schema, *, paged: bool = True) -> Schema:
    """The schema of a list of items."""
    links = [{"rel": "describedby", "href": "{schema}"}]
    properties: Schema = {name: {"type": "array", "items": item}, "schema": {"type": "string"}}
    if paged:
        links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, *links]
        properties |= {"first": {"type": "string"}, "next": {"type": "string"}}
    return {"name": name, "properties": properties, "links": links}


_SCHEMAS: dict[str, Callable[[], Schema]] = {
    "image": _image,
    "images": lambda: collection("images", _image()),
    "member": lambda: {"name": "member", "properties": _MEMBER},
    "members": lambda: collection("members", {"name": "member", "properties": _MEMBER}, paged=False),
    "task": lambda: {"name": "task", "properties": _TASK},
    "tasks": lambda: collection("tasks", {"name": "task", "properties": _TASK}),
}


def show(_images: Images, call: Call) -> Schema:
    """GET /v2/schemas/{schema}."""
    return answer(_SCHEMAS, call.path["schema"])


def answer(schemas: dict[str, Callable[[], Schema]], name: str) -> Schema:
    """One of the schemas.  Raises NOT_FOUND."""
    schema = schemas.get(name)
    if schema is None:
        raise NOT_FOUND()
    return schema()
