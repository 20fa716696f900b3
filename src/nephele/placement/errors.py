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
PARENT_NOT_FOUND = Error("placement.parent_not_found", 400, "Parent provider {uuid} does not exist.")
PARENT_FIXED = Error(
    "placement.parent_fixed", 400, "Resource provider {uuid}: changing or removing its parent needs microversion 1.37."
)
PARENT_LOOP = Error(
    "placement.parent_loop",
    400,
    "Resource provider {uuid} can't be moved below {parent}: creating a loop in the provider tree is not allowed.",
)
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
PROVIDER_CHANGED = Error(
    "placement.provider_changed",
    409,
    "resource provider generation conflict: {uuid} is at generation {generation}, not {given}",
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
CLASS_NOT_FOUND = Error("placement.class_not_found", 404, "No such resource class {name}.")
UNKNOWN_CLASS = Error("placement.unknown_class", 400, "No such resource class in {where}: {names}.")
CLASS_EXISTS = Error("placement.class_exists", 409, "Conflicting resource class already exists: {name}")
CLASS_STANDARD = Error("placement.class_standard", 400, "Cannot delete standard resource class {name}.")
CLASS_IN_USE = Error("placement.class_in_use", 409, "Resource class {name} is in use in inventory.")
TRAIT_NOT_FOUND = Error("placement.trait_not_found", 404, "No such trait {name}.")
UNKNOWN_TRAITS = Error("placement.unknown_traits", 400, "No such trait(s): {names}.")
TRAIT_STANDARD = Error("placement.trait_standard", 400, "Cannot delete standard trait {name}.")
TRAIT_IN_USE = Error("placement.trait_in_use", 409, "The trait {name} is in use by a resource provider.")
INVENTORY_NOT_FOUND = Error("placement.inventory_not_found", 404, "No inventory of class {name} found for {uuid}")
NO_INVENTORY_TO_UPDATE = Error(
    "placement.no_inventory_to_update",
    400,
    "No inventory record with resource class for resource provider {uuid}: no inventory of class {name}.",
)
INVENTORY_EXISTS = Error(
    "placement.inventory_exists", 409, "Update conflict: inventory of class {name} already exists.", "", CONCURRENT
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
    "Unable to update inventory for resource provider {uuid}: Invalid inventory for '{name}'. "
    "The reserved value is greater than {or_equal}total.",
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
    "Unable to allocate inventory: resource provider '{uuid}' has no inventory of {name}.",
)
NO_ALLOCATIONS = Error("placement.no_allocations", 404, "No allocations for consumer '{uuid}'")
