"""How metadata definitions say no."""

from nephele.kernel.errors import Error

NAMESPACE_NOT_FOUND = Error("metadef.namespace_not_found", 404, "Namespace {namespace} not found")
NAMESPACE_EXISTS = Error(
    "metadef.namespace_exists", 409, "The metadata definition namespace={namespace} already exists."
)
ITEM_NOT_FOUND = Error(
    "metadef.item_not_found", 404, "The {kind} with name={name} was not found in namespace={namespace}."
)
ITEM_EXISTS = Error("metadef.item_exists", 409, "A {kind} with name={name} already exists in namespace={namespace}.")
NAMESPACE_PROTECTED = Error(
    "metadef.protected",
    403,
    "Metadata definition namespace {namespace} is protected, and nothing of it is deleted.",
    "Set its attribute `protected` to false first.",
)
ATTRIBUTE_READ_ONLY = Error("metadef.read_only", 403, "Attribute '{name}' is read-only.")
