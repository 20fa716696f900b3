"""The table of Keystone's operations, mounted at `/identity`."""

from typing import Any

from nephele.identity import policy
from nephele.identity.api import (
    app_credentials,
    assignments,
    auth,
    bodies,
    catalog,
    credentials,
    domain_config,
    domains,
    endpoint_filters,
    federation,
    grants,
    groups,
    keys,
    limits,
    oauth2,
    projects,
    revocations,
    roles,
    trusts,
    unsupported,
    users,
    versions,
)
from nephele.identity.login import Login
from nephele.identity.service import Identity
from nephele.kernel.policy import Policy
from nephele.web import faults
from nephele.web.bodies import envelope
from nephele.web.routing import PUBLIC, Api, Route

ROUTES = [
    Route("GET", "/", versions.show_all, PUBLIC, status=300),
    Route("GET", "/v3", versions.show_v3, PUBLIC),
    # tokens
    Route(
        "POST",
        "/v3/auth/tokens",
        auth.issue,
        PUBLIC,
        envelope("auth", Login),
        status=201,
        waits=True,
        authenticates=True,
    ),
    Route("GET", "/v3/auth/tokens", auth.show),
    Route("HEAD", "/v3/auth/tokens", auth.check),
    Route("DELETE", "/v3/auth/tokens", auth.revoke, status=204),
    Route("GET", "/v3/auth/catalog", auth.catalog, "identity:get_auth_catalog"),
    Route("GET", "/v3/auth/projects", auth.projects, "identity:get_auth_projects"),
    Route("GET", "/v3/auth/domains", auth.domains, "identity:get_auth_domains"),
    Route("GET", "/v3/auth/system", auth.system, "identity:get_auth_system"),
    Route("GET", "/v3/OS-FEDERATION/projects", auth.projects, "identity:get_auth_projects"),
    Route("GET", "/v3/OS-FEDERATION/domains", auth.domains, "identity:get_auth_domains"),
    Route("GET", "/v3/OS-REVOKE/events", revocations.index, "identity:list_revoke_events"),
    Route("POST", "/v3/OS-OAUTH2/token", oauth2.token, PUBLIC, bytes, waits=True, authenticates=True),
    # users
    Route("GET", "/v3/users", users.index, waits=True),
    Route("POST", "/v3/users", users.create, body=users.BODY, status=201, waits=True),
    Route("GET", "/v3/users/{user_id}", users.show),
    Route("PATCH", "/v3/users/{user_id}", users.update, body=users.BODY, waits=True),
    Route("DELETE", "/v3/users/{user_id}", users.delete, status=204),
    Route(
        "POST",
        "/v3/users/{user_id}/password",
        users.change_password,
        PUBLIC,
        users.PASSWORD_BODY,
        status=204,
        waits=True,
        authenticates=True,
    ),
    Route("GET", "/v3/users/{user_id}/groups", users.groups),
    Route("GET", "/v3/users/{user_id}/projects", users.projects),
    # application credentials
    Route("GET", "/v3/users/{user_id}/application_credentials", app_credentials.index),
    Route(
        "POST",
        "/v3/users/{user_id}/application_credentials",
        app_credentials.create,
        body=app_credentials.BODY,
        status=201,
        waits=True,
    ),
    Route("GET", "/v3/users/{user_id}/application_credentials/{application_credential_id}", app_credentials.show),
    Route(
        "DELETE",
        "/v3/users/{user_id}/application_credentials/{application_credential_id}",
        app_credentials.delete,
        status=204,
    ),
    Route("GET", "/v3/users/{user_id}/access_rules", app_credentials.rules),
    Route("GET", "/v3/users/{user_id}/access_rules/{access_rule_id}", app_credentials.rule),
    Route("DELETE", "/v3/users/{user_id}/access_rules/{access_rule_id}", app_credentials.delete_rule, status=204),
    # trusts
    Route("GET", "/v3/OS-TRUST/trusts", trusts.index),
    Route("POST", "/v3/OS-TRUST/trusts", trusts.create, body=trusts.BODY, status=201),
    Route("GET", "/v3/OS-TRUST/trusts/{trust_id}", trusts.show),
    Route("DELETE", "/v3/OS-TRUST/trusts/{trust_id}", trusts.delete, status=204),
    Route("GET", "/v3/OS-TRUST/trusts/{trust_id}/roles", trusts.roles),
    Route("GET", "/v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}", trusts.role),
    # credentials and policies
    Route("GET", "/v3/credentials", credentials.index),
    Route("POST", "/v3/credentials", credentials.create, body=credentials.BODY, status=201),
    Route("GET", "/v3/credentials/{credential_id}", credentials.show),
    Route("PATCH", "/v3/credentials/{credential_id}", credentials.update, body=credentials.BODY),
    Route("DELETE", "/v3/credentials/{credential_id}", credentials.delete, status=204),
    Route("GET", "/v3/users/{user_id}/credentials/OS-EC2", credentials.ec2_index),
    Route(
        "POST",
        "/v3/users/{user_id}/credentials/OS-EC2",
        credentials.ec2_create,
        body=bodies.NewEc2Credential,
        status=201,
    ),
    Route("GET", "/v3/users/{user_id}/credentials/OS-EC2/{access}", credentials.ec2_show),
    Route("DELETE", "/v3/users/{user_id}/credentials/OS-EC2/{access}", credentials.ec2_delete, status=204),
    Route("GET", "/v3/policies", credentials.policies, "identity:list_policies"),
    Route(
        "POST", "/v3/policies", credentials.create_policy, "identity:create_policy", credentials.POLICY_BODY, status=201
    ),
    Route("GET", "/v3/policies/{policy_id}", credentials.policy, "identity:get_policy"),
    Route(
        "PATCH",
        "/v3/policies/{policy_id}",
        credentials.update_policy,
        "identity:update_policy",
        credentials.POLICY_BODY,
    ),
    Route("DELETE", "/v3/policies/{policy_id}", credentials.delete_policy, "identity:delete_policy", status=204),
    # limits
    Route("GET", "/v3/registered_limits", limits.registered, "identity:list_registered_limits"),
    Route(
        "POST",
        "/v3/registered_limits",
        limits.register,
        "identity:create_registered_limits",
        limits.NEW_REGISTERED,
        status=201,
    ),
    Route("GET", "/v3/registered_limits/{limit_id}", limits.show_registered, "identity:get_registered_limit"),
    Route(
        "PATCH",
        "/v3/registered_limits/{limit_id}",
        limits.update_registered,
        "identity:update_registered_limit",
        limits.CHANGED_REGISTERED,
    ),
    Route(
        "DELETE",
        "/v3/registered_limits/{limit_id}",
        limits.unregister,
        "identity:delete_registered_limit",
        status=204,
    ),
    Route("GET", "/v3/limits/model", limits.model, "identity:get_limit_model"),
    Route("GET", "/v3/limits", limits.index, "identity:list_limits"),
    Route("POST", "/v3/limits", limits.create, "identity:create_limits", limits.NEW, status=201),
    Route("GET", "/v3/limits/{limit_id}", limits.show),
    Route("PATCH", "/v3/limits/{limit_id}", limits.update, "identity:update_limit", limits.CHANGED),
    Route("DELETE", "/v3/limits/{limit_id}", limits.delete, "identity:delete_limit", status=204),
    # groups
    Route("GET", "/v3/groups", groups.index, waits=True),
    Route("POST", "/v3/groups", groups.create, body=groups.BODY, status=201),
    Route("GET", "/v3/groups/{group_id}", groups.show),
    Route("PATCH", "/v3/groups/{group_id}", groups.update, body=groups.BODY),
    Route("DELETE", "/v3/groups/{group_id}", groups.delete, status=204),
    Route("GET", "/v3/groups/{group_id}/users", groups.members),
    Route("PUT", "/v3/groups/{group_id}/users/{user_id}", groups.add, status=204),
    Route("GET", "/v3/groups/{group_id}/users/{user_id}", groups.check, status=204),
    Route("DELETE", "/v3/groups/{group_id}/users/{user_id}", groups.remove, status=204),
    # projects
    Route("GET", "/v3/projects", projects.index),
    Route("POST", "/v3/projects", projects.create, body=projects.BODY, status=201),
    Route("GET", "/v3/projects/{project_id}", projects.show),
    Route("PATCH", "/v3/projects/{project_id}", projects.update, body=projects.BODY),
    Route("DELETE", "/v3/projects/{project_id}", projects.delete, status=204),
    Route("GET", "/v3/projects/{project_id}/tags", projects.tags),
    Route("PUT", "/v3/projects/{project_id}/tags", projects.set_tags, body=bodies.TagList),
    Route("DELETE", "/v3/projects/{project_id}/tags", projects.clear_tags, status=204),
    Route("GET", "/v3/projects/{project_id}/tags/{tag}", projects.check_tag, status=204),
    Route("PUT", "/v3/projects/{project_id}/tags/{tag}", projects.add_tag, status=201),
    Route("DELETE", "/v3/projects/{project_id}/tags/{tag}", projects.remove_tag, status=204),
    # domains
    Route("GET", "/v3/domains", domains.index),
    Route("POST", "/v3/domains", domains.create, "identity:create_domain", domains.BODY, status=201),
    Route("GET", "/v3/domains/{domain_id}", domains.show),
    Route("PATCH", "/v3/domains/{domain_id}", domains.update, body=domains.BODY),
    Route("DELETE", "/v3/domains/{domain_id}", domains.delete, status=204),
    # roles
    Route("GET", "/v3/roles", roles.index),
    Route("POST", "/v3/roles", roles.create, body=roles.BODY, status=201),
    Route("GET", "/v3/roles/{role_id}", roles.show),
    Route("PATCH", "/v3/roles/{role_id}", roles.update, body=roles.BODY),
    Route("DELETE", "/v3/roles/{role_id}", roles.delete, status=204),
    Route("GET", "/v3/roles/{role_id}/implies", roles.implied, "identity:list_implied_roles"),
    Route("GET", "/v3/roles/{role_id}/implies/{implied_role_id}", roles.show_implied, "identity:get_implied_role"),
    Route("PUT", "/v3/roles/{role_id}/implies/{implied_role_id}", roles.imply, "identity:create_implied_role"),
    Route(
        "DELETE",
        "/v3/roles/{role_id}/implies/{implied_role_id}",
        roles.imply_no_more,
        "identity:delete_implied_role",
        status=204,
    ),
    Route(
        "HEAD",
        "/v3/roles/{role_id}/implies/{implied_role_id}",
        roles.show_implied,
        "identity:check_implied_role",
        status=204,
    ),
    Route("GET", "/v3/role_inferences", roles.all_inferences, "identity:list_role_inference_rules"),
    Route("GET", "/v3/role_assignments", assignments.index),
    # catalog
    Route("GET", "/v3/regions", catalog.regions, "identity:list_regions"),
    Route("POST", "/v3/regions", catalog.create_region, "identity:create_region", catalog.REGION_BODY, status=201),
    Route("GET", "/v3/regions/{region_id}", catalog.region, "identity:get_region"),
    Route(
        "PUT",
        "/v3/regions/{region_id}",
        catalog.create_region,
        "identity:create_region",
        catalog.REGION_BODY,
        status=201,
    ),
    Route("PATCH", "/v3/regions/{region_id}", catalog.update_region, "identity:update_region", catalog.REGION_BODY),
    Route("DELETE", "/v3/regions/{region_id}", catalog.delete_region, "identity:delete_region", status=204),
    Route("GET", "/v3/services", catalog.services, "identity:list_services"),
    Route("POST", "/v3/services", catalog.create_service, "identity:create_service", catalog.SERVICE_BODY, status=201),
    Route("GET", "/v3/services/{service_id}", catalog.service, "identity:get_service"),
    Route(
        "PATCH", "/v3/services/{service_id}", catalog.update_service, "identity:update_service", catalog.SERVICE_BODY
    ),
    Route("DELETE", "/v3/services/{service_id}", catalog.delete_service, "identity:delete_service", status=204),
    Route("GET", "/v3/endpoints", catalog.endpoints, "identity:list_endpoints"),
    Route(
        "POST", "/v3/endpoints", catalog.create_endpoint, "identity:create_endpoint", catalog.ENDPOINT_BODY, status=201
    ),
    Route("GET", "/v3/endpoints/{endpoint_id}", catalog.endpoint, "identity:get_endpoint"),
    Route(
        "PATCH",
        "/v3/endpoints/{endpoint_id}",
        catalog.update_endpoint,
        "identity:update_endpoint",
        catalog.ENDPOINT_BODY,
    ),
    Route("DELETE", "/v3/endpoints/{endpoint_id}", catalog.delete_endpoint, "identity:delete_endpoint", status=204),
]


for _part in ("", "/{group}", "/{group}/{option}"):
    _config = f"/v3/domains/{{domain_id}}/config{_part}"
    ROUTES += [
        Route(
            "GET", f"/v3/domains/config/default{_part}", domain_config.defaults, "identity:get_domain_config_default"
        ),
        Route("GET", _config, domain_config.show),
        Route("PATCH", _config, domain_config.merge, "identity:update_domain_config", domain_config.BODY),
        Route("DELETE", _config, domain_config.delete, "identity:delete_domain_config", status=204),
    ]
ROUTES.append(
    Route(
        "PUT",
        "/v3/domains/{domain_id}/config",
        domain_config.replace,
        "identity:create_domain_config",
        domain_config.BODY,
    )
)

_PROVIDERS, _MAPPINGS = "/v3/OS-FEDERATION/identity_providers", "/v3/OS-FEDERATION/mappings"
_PROVIDER, _MAPPING = _PROVIDERS + "/{provider_id}", _MAPPINGS + "/{mapping_id}"
_PROTOCOL = _PROVIDER + "/protocols/{protocol_id}"


def _kept(path: str, name: str, handlers: tuple[Any, Any, Any, Any], new: Any, changed: Any) -> list[Route]:
    """What is created by PUT under an id of the client's choice."""
    show, create, update, delete = handlers
    return [
        Route("GET", path, show, f"identity:get_{name}"),
        Route("PUT", path, create, f"identity:create_{name}", new, status=201),
        Route("PATCH", path, update, f"identity:update_{name}", changed),
        Route("DELETE", path, delete, f"identity:delete_{name}", status=204),
    ]


ROUTES += [
    Route("GET", _PROVIDERS, federation.providers, "identity:list_identity_providers"),
    *_kept(
        _PROVIDER,
        "identity_provider",
        (federation.provider, federation.create_provider, federation.update_provider, federation.delete_provider),
        federation.PROVIDER,
        federation.CHANGED_PROVIDER,
    ),
    Route("GET", _PROVIDER + "/protocols", federation.protocols, "identity:list_protocols"),
    *_kept(
        _PROTOCOL,
        "protocol",
        (federation.protocol, federation.create_protocol, federation.update_protocol, federation.delete_protocol),
        federation.PROTOCOL,
        federation.CHANGED_PROTOCOL,
    ),
    Route("GET", _MAPPINGS, federation.mappings, "identity:list_mappings"),
    *_kept(
        _MAPPING,
        "mapping",
        (federation.mapping, federation.create_mapping, federation.update_mapping, federation.delete_mapping),
        federation.MAPPING,
        federation.MAPPING,
    ),
    *(
        Route(method, _PROTOCOL + "/auth", federation.sign_in, PUBLIC, status=201, waits=True, authenticates=True)
        for method in ("GET", "POST")
    ),
]

_OAUTH1, _ACCESS = "/v3/OS-OAUTH1", "/v3/users/{user_id}/OS-OAUTH1/access_tokens"
ROUTES += [
    *(Route(method, f"{_OAUTH1}/consumers", unsupported.oauth1) for method in ("GET", "POST")),
    *(
        Route(method, f"{_OAUTH1}/consumers/{{consumer_id}}", unsupported.oauth1)
        for method in ("GET", "PATCH", "DELETE")
    ),
    Route("POST", f"{_OAUTH1}/request_token", unsupported.oauth1, PUBLIC),
    Route("PUT", f"{_OAUTH1}/authorize/{{request_token_id}}", unsupported.oauth1),
    Route("POST", f"{_OAUTH1}/access_token", unsupported.oauth1, PUBLIC),
    Route("GET", _ACCESS, unsupported.oauth1),
    *(Route(method, f"{_ACCESS}/{{access_token_id}}", unsupported.oauth1) for method in ("GET", "DELETE")),
    Route("GET", f"{_ACCESS}/{{access_token_id}}/roles", unsupported.oauth1),
    Route("GET", f"{_ACCESS}/{{access_token_id}}/roles/{{role_id}}", unsupported.oauth1),
    Route("POST", "/v3/auth/OS-FEDERATION/saml2", unsupported.saml),
    Route("POST", "/v3/auth/OS-FEDERATION/saml2/ecp", unsupported.saml),
    Route("GET", "/v3/OS-FEDERATION/saml2/metadata", unsupported.saml, PUBLIC),
    Route("GET", "/v3/OS-FEDERATION/service_providers", unsupported.saml),
    *(
        Route(method, "/v3/OS-FEDERATION/service_providers/{provider_id}", unsupported.saml)
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ),
]

_FILTERS = "/v3/OS-EP-FILTER"
ROUTES += [
    Route("GET", _FILTERS + "/endpoint_groups", endpoint_filters.index, "identity:list_endpoint_groups"),
    Route(
        "POST",
        _FILTERS + "/endpoint_groups",
        endpoint_filters.create,
        "identity:create_endpoint_group",
        endpoint_filters.BODY,
        status=201,
    ),
    Route("GET", _FILTERS + "/endpoint_groups/{group_id}", endpoint_filters.show, "identity:get_endpoint_group"),
    Route(
        "PATCH",
        _FILTERS + "/endpoint_groups/{group_id}",
        endpoint_filters.update,
        "identity:update_endpoint_group",
        endpoint_filters.BODY,
    ),
    Route(
        "DELETE",
        _FILTERS + "/endpoint_groups/{group_id}",
        endpoint_filters.delete,
        "identity:delete_endpoint_group",
        status=204,
    ),
    Route(
        "GET",
        _FILTERS + "/endpoint_groups/{group_id}/projects",
        endpoint_filters.projects_of_group,
        "identity:list_projects_associated_with_endpoint_group",
    ),
    Route(
        "GET",
        _FILTERS + "/endpoint_groups/{group_id}/endpoints",
        endpoint_filters.endpoints_of_group,
        "identity:list_endpoints_associated_with_endpoint_group",
    ),
    Route(
        "PUT",
        _FILTERS + "/endpoint_groups/{group_id}/projects/{project_id}",
        endpoint_filters.add_group,
        "identity:add_endpoint_group_to_project",
        status=204,
    ),
    Route(
        "GET",
        _FILTERS + "/endpoint_groups/{group_id}/projects/{project_id}",
        endpoint_filters.check_group,
        "identity:get_endpoint_group_in_project",
    ),
    Route(
        "DELETE",
        _FILTERS + "/endpoint_groups/{group_id}/projects/{project_id}",
        endpoint_filters.remove_group,
        "identity:remove_endpoint_group_from_project",
        status=204,
    ),
    Route(
        "GET",
        _FILTERS + "/projects/{project_id}/endpoint_groups",
        endpoint_filters.groups_of_project,
        "identity:list_endpoint_groups_for_project",
    ),
    Route(
        "GET",
        _FILTERS + "/projects/{project_id}/endpoints",
        endpoint_filters.endpoints_of_project,
        "identity:list_endpoints_for_project",
    ),
    Route(
        "PUT",
        _FILTERS + "/projects/{project_id}/endpoints/{endpoint_id}",
        endpoint_filters.add,
        "identity:add_endpoint_to_project",
        status=204,
    ),
    Route(
        "GET",
        _FILTERS + "/projects/{project_id}/endpoints/{endpoint_id}",
        endpoint_filters.check,
        "identity:check_endpoint_in_project",
        status=204,
    ),
    Route(
        "DELETE",
        _FILTERS + "/projects/{project_id}/endpoints/{endpoint_id}",
        endpoint_filters.remove,
        "identity:remove_endpoint_from_project",
        status=204,
    ),
    Route(
        "GET",
        _FILTERS + "/endpoints/{endpoint_id}/projects",
        endpoint_filters.projects_of_endpoint,
        "identity:list_projects_for_endpoint",
    ),
]


def _grants(place: str, *, before: str = "", behind: str = "", listed: bool = True) -> list[Route]:
    """The routes of roles given to users and groups on one kind of place."""
    routes = []
    for actor in ("users/{user_id}", "groups/{group_id}"):
        path = f"/v3{before}/{place}/{actor}/roles"
        if listed:
            routes.append(Route("GET", path + behind, grants.index))
        one = path + "/{role_id}" + behind
        routes += [
            Route("PUT", one, grants.grant, status=204),
            Route("GET", one, grants.check, status=204),
            Route("DELETE", one, grants.revoke, status=204),
        ]
    return routes


ROUTES += [
    *_grants("projects/{project_id}"),
    *_grants("domains/{domain_id}"),
    *_grants("system"),
    *_grants("domains/{domain_id}", before="/OS-INHERIT", behind="/inherited_to_projects"),
    *_grants("projects/{project_id}", before="/OS-INHERIT", behind="/inherited_to_projects"),
]


OWN_ROUTES = [
    Route("GET", "/v1/identity/keys", keys.index, "nephele:identity:list_keys"),
    Route("POST", "/v1/identity/keys", keys.rotate, "nephele:identity:rotate_keys"),
]
"""What is our own, under `/nephele`."""


def own_api(identity: Identity, rules: Policy) -> Api:
    """What is our own, under `/nephele`."""
    return Api("nephele", "/nephele", identity, OWN_ROUTES, faults.nephele, rules)


def api(identity: Identity, rules: Policy | None = None) -> Api:
    """The identity service's HTTP face."""
    return Api("identity", "/identity", identity, ROUTES, faults.keystone, rules or Policy(policy.RULES, policy.SCOPES))
