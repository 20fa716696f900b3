"""Who may do what with networks: upstream's rule names and defaults.

Rules named after an attribute (`create_network:shared`) are asked where a request gives that attribute; those
that begin with `get_` and name an attribute decide who sees it.
"""

_MEMBER = "rule:admin_only or rule:project_member"
_READER = "rule:admin_only or rule:project_reader"
_NET_OWNER = "rule:admin_only or rule:network_owner_member"
_NET_OWNER_OR_SERVICE = f"{_NET_OWNER} or rule:service_api"
_ADMIN_OR_SERVICE = "rule:admin_only or rule:service_api"
_ADMIN = "rule:admin_only"
_MANAGER = "rule:admin_only or (role:manager and project_id:%(project_id)s)"

_HELPERS = {
    "admin_only": "role:admin",
    "service_api": "role:service",
    "project_member": "role:member and project_id:%(project_id)s",
    "project_reader": "role:reader and project_id:%(project_id)s",
    "network_owner_member": "role:member and project_id:%(network:project_id)s",
    "network_owner_reader": "role:reader and project_id:%(network:project_id)s",
    "group_owner_member": "role:member and project_id:%(security_group:project_id)s",
    "group_owner_reader": "role:reader and project_id:%(security_group:project_id)s",
    "shared": "'True':%(shared)s",
    "external": "'True':%(router:external)s",
    "for_everyone": "'*':%(target_tenant)s",
    "compute_device": "'True':%(is_compute_device)s",
    "network_device": "'True':%(is_network_device)s",
}


def _all(kind: str, write: str = _MEMBER, read: str = _READER) -> dict[str, str]:
    """The four rules of a kind."""
    return {f"create_{kind}": write, f"get_{kind}": read, f"update_{kind}": write, f"delete_{kind}": write}


def _three(kind: str, write: str = _MEMBER, read: str = _READER) -> dict[str, str]:
    """The rules of a kind that never changes."""
    return {f"create_{kind}": write, f"get_{kind}": read, f"delete_{kind}": write}


def _guard(check: str, *rules: str) -> dict[str, str]:
    return dict.fromkeys(rules, check)


def _attributes(check: str, kind: str, verbs: str, *names: str) -> dict[str, str]:
    return {f"{verb}_{kind}:{name}": check for verb in verbs.split() for name in names}


_PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
_BINDING = ("binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details")

RULES: dict[str, str] = {
    **_HELPERS,
    **_all("network", read=f"{_READER} or rule:shared or rule:external or rule:service_api"),
    **_attributes(_ADMIN, "network", "create update", "shared", "router:external", "is_default"),
    **_attributes(_ADMIN, "network", "create get update", *_PROVIDER),
    **_attributes(_MEMBER, "network", "create update", "port_security_enabled"),
    **_all(
        "subnet",
        write=f"{_MEMBER} or rule:network_owner_member",
        read=f"{_READER} or rule:shared or rule:external or rule:network_owner_reader or rule:service_api",
    ),
    "create_subnet": _NET_OWNER,
    **_attributes(_ADMIN, "subnet", "create update", "service_types", "segment_id"),
    **_all(
        "port",
        write=f"{_MEMBER} or rule:service_api",
        read=f"{_READER} or rule:network_owner_reader or rule:service_api",
    ),
    "create_port": f"{_NET_OWNER_OR_SERVICE} or rule:shared",
    "delete_port": (
        f"{_ADMIN_OR_SERVICE} or (not rule:compute_device and (rule:network_owner_member or rule:project_member))"
    ),
    **_attributes(_NET_OWNER_OR_SERVICE, "port", "create", "mac_address"),
    "update_port:mac_address": f"{_ADMIN_OR_SERVICE} or (role:manager and project_id:%(network:project_id)s)",
    **_attributes(_NET_OWNER_OR_SERVICE, "port", "create update", "fixed_ips:ip_address"),
    **_attributes(_NET_OWNER_OR_SERVICE, "port", "create update", "port_security_enabled", "allowed_address_pairs"),
    **_attributes(f"not rule:network_device or {_NET_OWNER_OR_SERVICE}", "port", "create update", "device_owner"),
    "create_port:fixed_ips": f"{_NET_OWNER_OR_SERVICE} or rule:shared",
    "update_port:fixed_ips": _NET_OWNER_OR_SERVICE,
    **_attributes(_ADMIN_OR_SERVICE, "port", "create update", "binding:host_id"),
    **_attributes("rule:service_api", "port", "create update", "binding:profile"),
    **_attributes(_ADMIN_OR_SERVICE, "port", "get", *_BINDING),
    **_all("router"),
    **_attributes(_ADMIN, "router", "create get update", "distributed", "ha"),
    **_attributes(
        _ADMIN,
        "router",
        "create update",
        "external_gateway_info:enable_snat",
        "external_gateway_info:external_fixed_ips",
    ),
    **_guard(_MEMBER, "add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes"),
    **_all("floatingip"),
    "create_floatingip:floating_ip_address": _MANAGER,
    "get_floatingip_pool": _READER,
    **_all("floatingip_port_forwarding"),
    **_all("security_group", read=f"{_READER} or rule:shared"),
    **_three("security_group_rule", read=f"{_READER} or rule:group_owner_reader"),
    **_all("subnetpool", read=f"{_READER} or rule:shared"),
    **_attributes(_ADMIN, "subnetpool", "create update", "is_default"),
    "create_subnetpool:shared": _ADMIN,
    **_guard(_MEMBER, "add_prefixes", "remove_prefixes"),
    **_all("address_scope", read=f"{_READER} or rule:shared"),
    **_attributes(_ADMIN, "address_scope", "create update", "shared"),
    **_all("address_group", read=f"{_READER} or rule:shared"),
    **_guard(_MEMBER, "add_addresses", "remove_addresses"),
    **_all("policy", write=_MANAGER, read=f"{_READER} or rule:shared"),
    **{
        f"{verb}_{way}_{kind}_rule": _MANAGER if verb != "get" else f"{_READER} or rule:shared"
        for kind in ("bandwidth_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate", "packet_rate_limit")
        for way, verbs in (("policy", "create get update delete"), ("alias", "get update delete"))
        for verb in verbs.split()
    },
    **_guard(_MANAGER, "create_metering_label", "delete_metering_label"),
    **_guard(_MANAGER, "create_metering_label_rule", "delete_metering_label_rule"),
    **_guard(f"{_READER} or rule:shared", "get_metering_label"),
    **_guard(_READER, "get_metering_label_rule"),
    **_all("trunk"),
    **_guard(_MEMBER, "add_subports", "remove_subports"),
    "get_subports": _READER,
    **_all("segment", write=_ADMIN, read=_ADMIN),
    **_guard(_ADMIN, "create_default_security_group_rule", "delete_default_security_group_rule"),
    "get_default_security_group_rule": "rule:admin_only or role:reader",
    **_all("rbac_policy"),
    **_attributes("not rule:for_everyone or rule:admin_only", "rbac_policy", "create update", "target_tenant"),
    **_guard(_ADMIN, "get_agent", "update_agent", "delete_agent", "update_quota", "delete_quota"),
    **_guard(_ADMIN, "get_dhcp-networks", "create_dhcp-network", "delete_dhcp-network", "get_dhcp-agents"),
    **_guard(_ADMIN, "get_l3-routers", "create_l3-router", "delete_l3-router", "get_l3-agents"),
    "get_network_ip_availability": _ADMIN_OR_SERVICE,
    "get_quota": _READER,  # upstream's newest asks for a manager, and `openstack quota show` then fails for all others
    "get_availability_zone": "rule:admin_only or role:reader",
    "get_rule_type": "rule:admin_only or role:reader",
    "get_auto_allocated_topology": _READER,
    "delete_auto_allocated_topology": _MEMBER,
}

SCOPES = {"": frozenset({"project"})}
"""What a token must be for."""
