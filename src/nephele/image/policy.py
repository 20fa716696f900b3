"""Who may do what with images: upstream's rule names and defaults."""

_MEMBER = "(role:member and project_id:%(project_id)s)"
_READER = "(role:reader and project_id:%(project_id)s)"
_SEES = (
    "(project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s"
    " or 'public':%(visibility)s or 'shared':%(visibility)s)"
)
_ADMIN = "rule:context_is_admin"
_ADMIN_OR_MEMBER = f"{_ADMIN} or {_MEMBER}"
_ADMIN_OR_READER = f"{_ADMIN} or {_READER}"
_SHARED_WITH = f"{_ADMIN} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))"
_READS_NAMESPACE = f"{_ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"

RULES = {
    "default": "@",
    "context_is_admin": "role:admin",
    "service_api": "role:service or role:admin",
    "add_image": f"{_ADMIN} or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
    "delete_image": _ADMIN_OR_MEMBER,
    "get_image": f"{_ADMIN} or (role:reader and {_SEES})",
    "get_images": _ADMIN_OR_READER,
    "modify_image": _ADMIN_OR_MEMBER,
    "publicize_image": _ADMIN,
    "communitize_image": _ADMIN_OR_MEMBER,
    "download_image": f"{_ADMIN} or (role:member and {_SEES})",
    "upload_image": _ADMIN_OR_MEMBER,
    "delete_image_location": _ADMIN,
    "get_image_location": _ADMIN_OR_READER,
    "set_image_location": _ADMIN_OR_MEMBER,
    "add_image_location": f"rule:service_api or {_MEMBER}",
    "fetch_image_location": "rule:service_api",
    "add_member": _ADMIN_OR_MEMBER,
    "delete_member": _ADMIN_OR_MEMBER,
    "get_member": _SHARED_WITH,
    "get_members": _SHARED_WITH,
    "modify_member": f"{_ADMIN} or (role:member and project_id:%(member_id)s)",
    "manage_image_cache": _ADMIN,
    "deactivate": _ADMIN_OR_MEMBER,
    "reactivate": _ADMIN_OR_MEMBER,
    "copy_image": _ADMIN,
    "stores_info_detail": "rule:context_is_admin or rule:service_api",
    "get_task": "rule:default",
    "get_tasks": "rule:default",
    "add_task": "rule:default",
    "tasks_api_access": _ADMIN,
    "metadef_default": "@",
    "metadef_admin": _ADMIN,
    "get_metadef_namespace": _READS_NAMESPACE,
    "get_metadef_namespaces": _ADMIN_OR_READER,
    "modify_metadef_namespace": "rule:metadef_admin",
    "add_metadef_namespace": "rule:metadef_admin",
    "delete_metadef_namespace": "rule:metadef_admin",
    "get_metadef_object": _READS_NAMESPACE,
    "get_metadef_objects": _READS_NAMESPACE,
    "modify_metadef_object": "rule:metadef_admin",
    "add_metadef_object": "rule:metadef_admin",
    "delete_metadef_object": "rule:metadef_admin",
    "list_metadef_resource_types": _READS_NAMESPACE,
    "get_metadef_resource_type": _READS_NAMESPACE,
    "add_metadef_resource_type_association": "rule:metadef_admin",
    "remove_metadef_resource_type_association": "rule:metadef_admin",
    "get_metadef_property": _READS_NAMESPACE,
    "get_metadef_properties": _READS_NAMESPACE,
    "modify_metadef_property": "rule:metadef_admin",
    "add_metadef_property": "rule:metadef_admin",
    "remove_metadef_property": "rule:metadef_admin",
    "get_metadef_tag": _READS_NAMESPACE,
    "get_metadef_tags": _READS_NAMESPACE,
    "modify_metadef_tag": "rule:metadef_admin",
    "add_metadef_tag": "rule:metadef_admin",
    "add_metadef_tags": "rule:metadef_admin",
    "delete_metadef_tag": "rule:metadef_admin",
    "delete_metadef_tags": "rule:metadef_admin",
}
"""Check texts by rule name."""

SCOPES = {"": frozenset({"project"})}
"""What a token must be for."""
