"""Who may do what in Placement: upstream's rule names and defaults."""

_ADMIN_OR_SERVICE = "rule:admin_or_service_api"
_PROVIDERS = "placement:resource_providers"
_CRUD = ("list", "create", "show", "update", "delete")

RULES: dict[str, str] = {
    "admin_api": "role:admin",
    "service_api": "role:service",
    "admin_or_service_api": "role:admin or role:service",
    "project_reader_api": "role:reader and project_id:%(project_id)s",
    "admin_or_project_reader_or_service_api": "role:admin or rule:project_reader_api or role:service",
    **{f"{_PROVIDERS}:{act}": _ADMIN_OR_SERVICE for act in _CRUD},
    **{f"{_PROVIDERS}:inventories:{act}": _ADMIN_OR_SERVICE for act in _CRUD},
    **{f"{_PROVIDERS}:aggregates:{act}": _ADMIN_OR_SERVICE for act in ("list", "update")},
    **{f"{_PROVIDERS}:traits:{act}": _ADMIN_OR_SERVICE for act in ("list", "update", "delete")},
    f"{_PROVIDERS}:allocations:list": _ADMIN_OR_SERVICE,
    f"{_PROVIDERS}:usages": _ADMIN_OR_SERVICE,
    **{f"placement:resource_classes:{act}": _ADMIN_OR_SERVICE for act in _CRUD},
    **{f"placement:traits:{act}": _ADMIN_OR_SERVICE for act in ("list", "show", "update", "delete")},
    **{f"placement:allocations:{act}": _ADMIN_OR_SERVICE for act in ("list", "manage", "update", "delete")},
    "placement:allocation_candidates:list": _ADMIN_OR_SERVICE,
    "placement:usages": "rule:admin_or_project_reader_or_service_api",
    "placement:reshaper:reshape": "rule:service_api",
}

SCOPES = {"": frozenset({"project"})}
"""What a token must be for."""
