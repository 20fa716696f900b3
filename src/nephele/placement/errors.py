"""Why Placement says no.  `name` is the code that the API shows and that never changes."""

from nephele.kernel.errors import Error

CONCURRENT = "placement.concurrent_update"
INVENTORY_INUSE = "placement.inventory.inuse"

PROVIDER_NOT_FOUND = Error(
    "placement.provider_not_found",
    404,
    "No resource provider with uuid {uuid} found",
    name="placement.resource_provider.not_found",
)
ALLOCATED_PROVIDER_NOT_FOUND = Error(
    "placement.allocated_provider_not_found", 400, "Allocation for resource provider '{uuid}' that does not exist."
)
_CREATING = 'Unable to create resource provider "{name}", {uuid}: '
_SAVING = "Unable to save resource provider {uuid}: "
PARENT_NOT_FOUND = Error("placement.parent_not_found", 400, _CREATING + "parent provider UUID does not exist.")
PARENT_IS_SELF = Error("placement.parent_is_self", 400, _CREATING + "parent provider UUID cannot be same as UUID.")
NEW_PARENT_NOT_FOUND = Error("placement.new_parent_not_found", 400, _SAVING + "parent provider UUID does not exist.")
PARENT_FIXED = Error(
    "placement.parent_fixed",
    400,
    _SAVING + "re-parenting a provider is not currently allowed.",
    "Microversion 1.37 allows it.",
)
PARENT_KEPT = Error(
    "placement.parent_kept",
    400,
    _SAVING + "un-parenting a provider is not currently allowed.",
    "Microversion 1.37 allows it.",
)
PARENT_LOOP = Error("placement.parent_loop", 400, _SAVING + "creating loop in the provider tree is not allowed.")
PROVIDER_EXISTS = Error(
    "placement.provider_exists",
    409,
    "Conflicting resource provider {field}: {value} already exists.",
    name="placement.duplicate_name",
)
PROVIDER_IN_USE = Error(
    "placement.provider_in_use",
    409,
    "Unable to delete resource provider {uuid}: Resource provider has allocations.",
    "Delete or move its consumers first.",
    "placement.resource_provider.inuse",
)
PROVIDER_HAS_CHILDREN = Error(
    "placement.provider_has_children",
    409,
    "Unable to delete parent resource provider {uuid}: It has child resource providers.",
    "Delete the children first.",
    "placement.resource_provider.cannot_delete_parent",
)
PROVIDER_TO_DELETE_NOT_FOUND = Error(
    "placement.provider_to_delete_not_found",
    404,
    "No resource provider with uuid {uuid} found for delete",
    name="placement.resource_provider.not_found",
)
PROVIDER_CHANGED = Error(
    "placement.provider_changed",
    409,
    "resource provider generation conflict for provider {uuid}: actual: {generation}, given: {given}",
    "Read the provider again and repeat the change.",
    CONCURRENT,
)
CONSUMER_CHANGED = Error(
    "placement.consumer_changed",
    409,
    "consumer generation conflict - expected {expected} but got {given}",
    "Read the consumer's allocations again and repeat the change.",
    CONCURRENT,
)
PROVIDER_MOVED_ON = Error(
    "placement.provider_moved_on",
    409,
    "Resource provider's generation already changed. Please update the generation and try again.",
    "Read the provider again and repeat the change.",
    CONCURRENT,
)
CLASS_NOT_FOUND = Error("placement.class_not_found", 404, "No such resource class {name}.")
UNKNOWN_CLASS = Error("placement.unknown_class", 400, "{where}: No such resource class {name}.")
CLASS_EXISTS = Error("placement.class_exists", 409, "Conflicting resource class already exists: {name}")
CLASS_NAME_TAKEN = Error("placement.class_name_taken", 409, "Resource class already exists: {name}")
CLASS_STANDARD = Error(
    "placement.class_standard", 400, "Error in delete resource class: Cannot delete standard resource class {name}."
)
CLASS_STANDARD_KEPT = Error(
    "placement.class_standard_kept", 400, "Cannot update standard resource class {name}: only custom ones can change."
)
CLASS_IN_USE = Error(
    "placement.class_in_use",
    409,
    "Error in delete resource class: Resource Class is in use in inventory: {name}.",
    "Remove its inventories first.",
)
TRAIT_NOT_FOUND = Error("placement.trait_not_found", 404, "No such trait(s): {name}.")
UNKNOWN_TRAITS = Error("placement.unknown_traits", 400, "No such trait(s): {names}.")
UNKNOWN_TRAITS_TO_SET = Error("placement.unknown_traits_to_set", 400, "No such trait {names}")
BAD_TRAIT = Error(
    "placement.bad_trait",
    400,
    "The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "
    '"CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"',
)
TRAIT_STANDARD = Error("placement.trait_standard", 400, "Cannot delete standard trait {name}.")
TRAIT_IN_USE = Error("placement.trait_in_use", 409, "The trait {name} is in use by a resource provider.")
INVENTORY_NOT_FOUND = Error("placement.inventory_not_found", 404, "No inventory of class {name} for {uuid}")
NO_INVENTORY_TO_DELETE = Error(
    "placement.no_inventory_to_delete", 404, "No inventory of class {name} found for delete on {uuid}"
)
NO_INVENTORY_TO_UPDATE = Error(
    "placement.no_inventory_to_update",
    400,
    "No inventory record with resource class for resource provider {uuid}: there is none of class {name}.",
)
INVENTORY_EXISTS = Error(
    "placement.inventory_exists",
    409,
    "Update conflict: there is an inventory of class {name} already.",
    "Replace it with PUT.",
    CONCURRENT,
)
INVENTORY_IN_USE = Error(
    "placement.inventory_in_use",
    409,
    "update conflict: Inventory for '{names}' on resource provider '{uuid}' in use.",
    "Move its consumers away first.",
    INVENTORY_INUSE,
)
BAD_CAPACITY = Error(
    "placement.bad_capacity",
    400,
    "Unable to {act} inventory for resource provider {uuid}: Invalid inventory for '{name}' on resource provider "
    "'{uuid}'. The reserved value is greater than {or_equal}total.",
)
OVER_CAPACITY = Error(
    "placement.over_capacity",
    409,
    "Unable to allocate inventory: Unable to create allocation for '{name}' on resource provider '{uuid}'. "
    "The requested amount would exceed the capacity: asked for {asked}, {free} of {capacity} are free.",
)
BAD_AMOUNT = Error(
    "placement.bad_amount",
    409,
    "Unable to allocate inventory: Unable to create allocation for '{name}' on resource provider '{uuid}'. "
    "The requested amount would violate inventory constraints: {asked} is not a multiple of {step_size} "
    "from {min_unit} to {max_unit}.",
)
NOTHING_TO_ALLOCATE = Error(
    "placement.nothing_to_allocate",
    409,
    "Unable to allocate inventory: Inventory for '{name}' on resource provider '{uuid}' invalid: there is none.",
)
NO_ALLOCATIONS = Error("placement.no_allocations", 404, "No allocations for consumer '{uuid}'")
BAD_CONSUMER = Error("placement.bad_consumer", 400, "Malformed consumer_uuid: {uuid}")
RESHAPED_PROVIDER_NOT_FOUND = Error(
    "placement.reshaped_provider_not_found",
    400,
    "Resource provider {uuid} in inventories not found.",
    name="placement.resource_provider.not_found",
)
BAD_JSON = Error("placement.bad_json", 400, "Malformed JSON: {reason}")
INVALID_JSON = Error("placement.invalid_json", 400, "JSON does not validate: {reason}")
NO_CONTENT_TYPE = Error("placement.no_content_type", 400, "content-type header required when content-length > 0")
BAD_MEDIA = Error("placement.bad_media", 415, "The media type {got} is not supported, use application/json")
JSON_ONLY = Error("placement.json_only", 406, "Only application/json is provided")
BAD_QUERY = Error("placement.bad_query", 400, "{reason}")
BAD_VALUE = Error("placement.bad_value", 400, "{reason}", name="placement.query.bad_value")
MISSING_VALUE = Error("placement.missing_value", 400, "{reason}", name="placement.query.missing_value")
DUPLICATE_KEY = Error("placement.duplicate_key", 400, "{reason}", name="placement.query.duplicate_key")
