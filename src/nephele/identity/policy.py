"""Who may do what in the identity service: upstream's rule names and defaults.

Differences in writing only: `token.domain.id` of upstream's checks is the caller's `domain_id` here, and
`token.project.domain.id` its `project_domain_id`.  Targets are flat: `target.user.domain_id`.
"""

ADMIN = "rule:admin_required"
READER = "rule:admin_required or (role:reader and system_scope:all)"
ANYONE = "@"


def _reader_or(*others: str) -> str:
    return " or ".join((READER, *others))


def _admin_or(*others: str) -> str:
    return " or ".join((ADMIN, *others))


_OWN_PROJECT = "(role:reader and domain_id:%(target.project.domain_id)s) or project_id:%(target.project.id)s"
_OWN_CREDENTIAL = "user_id:%(target.credential.user_id)s"
_TRUSTOR = "user_id:%(target.trust.trustor_user_id)s"
_TRUSTEE = "user_id:%(target.trust.trustee_user_id)s"
_GLOBAL_OR_OWN_ROLE = "(domain_id:%(target.role.domain_id)s or 'None':%(target.role.domain_id)s)"


def _in_domain(role: str) -> str:
    """The caller has `role` in the domain that both the user or group and the project or domain belong to."""
    pairs = [
        f"(role:{role} and domain_id:%(target.{actor}.domain_id)s and domain_id:%(target.{place})s)"
        for actor in ("user", "group")
        for place in ("project.domain_id", "domain.id")
    ]
    return f"({' or '.join(pairs)})"


_GRANT = _admin_or(
    f"({_in_domain('admin')} and {_GLOBAL_OR_OWN_ROLE})",
    f"({_in_domain('manager')} and rule:domain_managed_target_role)",
)


def _crud(thing: str, read: str = READER, change: str = ADMIN, plural: str = "") -> dict[str, str]:
    """The five rules that most resources have."""
    return {
        f"identity:get_{thing}": read,
        f"identity:list_{plural or thing + 's'}": read,
        f"identity:create_{thing}": change,
        f"identity:update_{thing}": change,
        f"identity:delete_{thing}": change,
    }


RULES: dict[str, str] = {
    "admin_required": "role:admin",
    "service_role": "role:service",
    "service_or_admin": "rule:admin_required or rule:service_role",
    "owner": "user_id:%(user_id)s",
    "admin_or_owner": "rule:admin_required or rule:owner",
    "token_subject": "user_id:%(target.token.user_id)s",
    "domain_managed_target_role": (
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s"
    ),
    # tokens
    "identity:check_token": _reader_or("rule:token_subject"),
    "identity:validate_token": _reader_or("rule:service_role", "rule:token_subject"),
    "identity:revoke_token": _admin_or("rule:token_subject"),
    "identity:list_revoke_events": "rule:service_or_admin",
    "identity:get_auth_catalog": ANYONE,
    "identity:get_auth_projects": ANYONE,
    "identity:get_auth_domains": ANYONE,
    "identity:get_auth_system": ANYONE,
    # users and groups
    **_crud("user", change=_admin_or("(role:manager and domain_id:%(target.user.domain_id)s)")),
    "identity:get_user": _reader_or(
        "(role:reader and domain_id:%(target.user.domain_id)s)", "user_id:%(target.user.id)s"
    ),
    "identity:list_users": _reader_or("(role:reader and domain_id:%(target.domain_id)s)"),
    "identity:list_user_projects": _reader_or(
        "(role:reader and domain_id:%(target.user.domain_id)s)", "user_id:%(target.user.id)s"
    ),
    **_crud(
        "group",
        _reader_or("(role:reader and domain_id:%(target.group.domain_id)s)"),
        _admin_or("(role:manager and domain_id:%(target.group.domain_id)s)"),
    ),
    "identity:list_groups_for_user": _reader_or(
        "(role:reader and domain_id:%(target.user.domain_id)s)", "user_id:%(target.user.id)s"
    ),
    "identity:list_users_in_group": _reader_or("(role:reader and domain_id:%(target.group.domain_id)s)"),
    "identity:check_user_in_group": _reader_or(
        "(role:reader and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)"
    ),
    **dict.fromkeys(
        ("identity:add_user_to_group", "identity:remove_user_from_group"),
        _admin_or("(role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)"),
    ),
    # projects and domains
    **_crud("project", change=_admin_or("(role:manager and domain_id:%(target.project.domain_id)s)")),
    "identity:get_project": _reader_or(_OWN_PROJECT),
    "identity:list_projects": _reader_or("(role:reader and domain_id:%(target.domain_id)s)"),
    "identity:list_project_tags": _reader_or(_OWN_PROJECT),
    "identity:get_project_tag": _reader_or(_OWN_PROJECT),
    **dict.fromkeys(
        (
            "identity:update_project_tags",
            "identity:create_project_tag",
            "identity:delete_project_tags",
            "identity:delete_project_tag",
        ),
        _admin_or("(role:manager and domain_id:%(target.project.domain_id)s)"),
    ),
    **_crud("domain"),
    "identity:get_domain": _reader_or("domain_id:%(target.domain.id)s", "project_domain_id:%(target.domain.id)s"),
    "identity:list_domains": _reader_or("(role:reader and domain_id:%(target.domain.id)s)"),
    # roles
    **_crud("role"),
    "identity:get_role": _reader_or("(role:manager and rule:domain_managed_target_role)"),
    "identity:list_roles": _reader_or("(role:manager and not domain_id:None)"),
    **_crud("domain_role"),
    "identity:get_implied_role": READER,
    "identity:list_implied_roles": READER,
    "identity:create_implied_role": ADMIN,
    "identity:delete_implied_role": ADMIN,
    "identity:list_role_inference_rules": READER,
    "identity:check_implied_role": READER,
    "identity:check_grant": _reader_or(f"({_in_domain('reader')} and {_GLOBAL_OR_OWN_ROLE})"),
    "identity:list_grants": _reader_or(_in_domain("reader")),
    "identity:create_grant": _GRANT,
    "identity:revoke_grant": _GRANT,
    **{
        f"identity:{verb}_for_{actor}": rule
        for actor in ("user", "group")
        for verb, rule in (
            ("list_system_grants", READER),
            ("check_system_grant", READER),
            ("create_system_grant", ADMIN),
            ("revoke_system_grant", ADMIN),
        )
    },
    "identity:list_role_assignments": _reader_or("(role:reader and domain_id:%(target.domain_id)s)"),
    "identity:list_role_assignments_for_tree": _reader_or("(role:reader and domain_id:%(target.domain_id)s)"),
    # delegation
    "identity:get_application_credential": _reader_or("rule:owner"),
    "identity:list_application_credentials": _reader_or("rule:owner"),
    "identity:create_application_credential": "rule:owner",
    "identity:delete_application_credential": "rule:admin_or_owner",
    "identity:get_access_rule": "(role:reader and system_scope:all) or user_id:%(target.user.id)s",
    "identity:list_access_rules": "(role:reader and system_scope:all) or user_id:%(target.user.id)s",
    "identity:delete_access_rule": "(role:admin and system_scope:all) or user_id:%(target.user.id)s",
    "identity:create_trust": _TRUSTOR,
    "identity:list_trusts": READER,
    "identity:list_trusts_for_trustor": _reader_or(_TRUSTOR),
    "identity:list_trusts_for_trustee": _reader_or(_TRUSTEE),
    "identity:get_trust": _reader_or(_TRUSTOR, _TRUSTEE),
    "identity:list_roles_for_trust": _reader_or(_TRUSTOR, _TRUSTEE),
    "identity:get_role_for_trust": _reader_or(_TRUSTOR, _TRUSTEE),
    "identity:delete_trust": _admin_or(_TRUSTOR),
    # credentials, policies and limits
    **_crud("credential", _reader_or(_OWN_CREDENTIAL), _admin_or(_OWN_CREDENTIAL)),
    "identity:ec2_get_credential": _reader_or(_OWN_CREDENTIAL),
    "identity:ec2_list_credentials": _reader_or("rule:owner"),
    "identity:ec2_create_credential": _admin_or(f"(role:member and {_OWN_CREDENTIAL})"),
    "identity:ec2_delete_credential": _admin_or(f"(role:member and {_OWN_CREDENTIAL})"),
    **_crud("policy", plural="policies"),
    "identity:get_limit_model": ANYONE,
    "identity:get_limit": _reader_or(
        "domain_id:%(target.limit.domain_id)s",
        "domain_id:%(target.limit.project_domain_id)s",
        "project_id:%(target.limit.project_id)s",
    ),
    "identity:list_limits": ANYONE,
    "identity:create_limits": ADMIN,
    "identity:update_limit": ADMIN,
    "identity:delete_limit": ADMIN,
    "identity:get_registered_limit": ANYONE,
    "identity:list_registered_limits": ANYONE,
    "identity:create_registered_limits": ADMIN,
    "identity:update_registered_limit": ADMIN,
    "identity:delete_registered_limit": ADMIN,
    # which endpoints a project sees
    **_crud("endpoint_group"),
    **dict.fromkeys(
        (
            "identity:list_projects_for_endpoint",
            "identity:check_endpoint_in_project",
            "identity:list_endpoints_for_project",
            "identity:list_projects_associated_with_endpoint_group",
            "identity:list_endpoints_associated_with_endpoint_group",
            "identity:get_endpoint_group_in_project",
            "identity:list_endpoint_groups_for_project",
        ),
        READER,
    ),
    **dict.fromkeys(
        (
            "identity:add_endpoint_to_project",
            "identity:remove_endpoint_from_project",
            "identity:add_endpoint_group_to_project",
            "identity:remove_endpoint_group_from_project",
        ),
        ADMIN,
    ),
    # the configuration of domains
    "identity:get_domain_config": READER,
    "identity:get_domain_config_default": READER,
    "identity:get_security_compliance_domain_config": ANYONE,
    "identity:create_domain_config": ADMIN,
    "identity:update_domain_config": ADMIN,
    "identity:delete_domain_config": ADMIN,
    # who vouches for people
    **_crud("identity_provider"),
    **_crud("protocol"),
    **_crud("mapping"),
    # what is our own
    "nephele:identity:list_keys": READER,
    "nephele:identity:rotate_keys": ADMIN,
    # catalog
    **_crud("region", read=ANYONE),
    **_crud("service"),
    **_crud("endpoint"),
}
"""Checks by rule name, as an operator's `policy.yaml` may override them."""

_IN_DOMAINS = ("user", "group", "project", "credential")
# fmt: off
_OF_DOMAINS_TOO = (
    *(f"{verb}_{thing}" for verb in ("get", "create", "update", "delete") for thing in _IN_DOMAINS),
    *(f"list_{thing}s" for thing in _IN_DOMAINS),
    "add_user_to_group", "check_grant", "check_token", "check_user_in_group", "create_grant",
    "create_project_tag", "delete_project_tag", "delete_project_tags", "ec2tokens_validate", "get_domain",
    "get_limit", "get_limit_model", "get_project_tag", "get_region", "get_registered_limit", "get_role",
    "get_security_compliance_domain_config", "list_domains", "list_grants", "list_groups_for_user",
    "list_limits", "list_project_tags", "list_regions", "list_registered_limits", "list_role_assignments",
    "list_role_assignments_for_tree", "list_roles", "list_user_projects", "list_users_in_group",
    "remove_user_from_group", "revoke_grant", "revoke_token", "revoke_tokens_for_user", "s3tokens_validate",
    "update_project_tags", "validate_token",
)
_OF_PROJECTS = (
    "authorize_request_token", "create_application_credential", "create_trust", "delete_access_token",
    "get_access_token", "get_access_token_role", "list_access_token_roles", "list_access_tokens",
)
_OF_ANYTHING = (
    "get_auth_catalog", "get_auth_domains", "get_auth_projects", "get_auth_system", "list_domains_for_user",
    "list_projects_for_user",
)
# fmt: on
SCOPES: dict[str, frozenset[str]] = {
    "": frozenset({"system", "project"}),
    **{f"identity:{name}": frozenset({"system", "domain", "project"}) for name in _OF_DOMAINS_TOO},
    **{f"identity:{name}": frozenset({"project"}) for name in _OF_PROJECTS},
    **{f"identity:{name}": frozenset() for name in _OF_ANYTHING},
}
"""What a token must be for; none named: anything, or nothing at all."""
