"""What the identity service refuses, in Keystone's words."""

from nephele.kernel.errors import Error


def _missing(what: str) -> Error:
    return Error(f"identity.{what.replace(' ', '_')}_not_found", 404, f"Could not find {what}: {{id}}.")


USER_NOT_FOUND = _missing("user")
GROUP_NOT_FOUND = _missing("group")
PROJECT_NOT_FOUND = _missing("project")
DOMAIN_NOT_FOUND = _missing("domain")
ROLE_NOT_FOUND = _missing("role")
REGION_NOT_FOUND = _missing("region")
SERVICE_NOT_FOUND = _missing("service")
ENDPOINT_NOT_FOUND = _missing("endpoint")
CREDENTIAL_NOT_FOUND = _missing("credential")
APP_CREDENTIAL_NOT_FOUND = _missing("application credential")
ACCESS_RULE_NOT_FOUND = _missing("access rule")
TRUST_NOT_FOUND = _missing("trust")
POLICY_NOT_FOUND = _missing("policy")
LIMIT_NOT_FOUND = _missing("limit")
REGISTERED_LIMIT_NOT_FOUND = _missing("registered limit")
ENDPOINT_GROUP_NOT_FOUND = _missing("endpoint group")
NOT_ASSOCIATED = Error("identity.not_associated", 404, "{what} {id} is not associated with project {project_id}.")
TOKEN_NOT_FOUND = Error("identity.token_not_found", 404, "Could not find token.")
TAG_NOT_FOUND = Error("identity.tag_not_found", 404, "Could not find project tag: {id}.")
MEMBER_NOT_FOUND = Error("identity.member_not_found", 404, "User {user_id} is not a member of group {group_id}.")
ASSIGNMENT_NOT_FOUND = Error(
    "identity.assignment_not_found",
    404,
    "Could not find role assignment with role: {role_id}, {actor_type}: {actor_id}, {target_type}: {target_id}.",
)
IMPLIED_ROLE_NOT_FOUND = Error("identity.implied_role_not_found", 404, "{prior_id} does not imply {implied_id}.")

DOMAIN_CONFIG_NOT_FOUND = Error(
    "identity.domain_config_not_found", 404, "Could not find {what} in the configuration of domain {domain_id}."
)
BAD_DOMAIN_CONFIG = Error("identity.bad_domain_config", 403, "Invalid domain specific configuration: {reason}.")

IDENTITY_PROVIDER_NOT_FOUND = _missing("identity provider")
PROTOCOL_NOT_FOUND = _missing("federated protocol")
MAPPING_NOT_FOUND = _missing("mapping")
REMOTE_ID_TAKEN = Error("identity.remote_id_taken", 409, "Another identity provider has the remote id {id} already.")
BAD_MAPPING = Error("identity.bad_mapping", 400, "The mapping can not be used: {reason}.")
NOT_MAPPED = Error(
    "identity.not_mapped", 401, "No rule of the mapping makes a user of what the identity provider asserts."
)
NO_OIDC = Error(
    "identity.no_oidc",
    401,
    "The identity provider {id} can not be signed in with.",
    "Name its issuer in the settings, under [identity.oidc.{id}].",
)
DIRECTORY_AWAY = Error(
    "identity.directory_away", 503, "The directory of this domain can not be asked: {reason}.", "It is at {url}."
)
READ_ONLY_DOMAIN = Error(
    "identity.read_only_domain",
    403,
    "You are not authorized to perform the requested action: the users and groups of domain {domain_id} are"
    " a directory's, which is read only.",
)
PROVIDER_AWAY = Error(
    "identity.provider_away", 503, "The identity provider can not be asked: {reason}.", "Its address is {url}."
)

OVER_PARENT_LIMIT = Error(
    "identity.over_parent_limit",
    403,
    "Invalid resource limit: {resource} of {owner} would be {limit}, and {parent} has {parent_limit}.",
)

DUPLICATE = Error(
    "identity.duplicate", 409, "Conflict occurred attempting to store {what} - Duplicate entry found with {found}."
)
INVALID = Error("identity.invalid", 400, "{reason}")
REFUSED = Error("identity.refused", 403, "You are not authorized to perform the requested action: {action}.")
IMMUTABLE = Error(
    "identity.immutable",
    403,
    'Unable to change the immutable {what} {id}: set its option "immutable" to false first.',
)
TREE_TOO_DEEP = Error("identity.tree_too_deep", 403, "Max hierarchy depth reached for the branch of {id}.")
WRONG_METHOD = Error("identity.wrong_method", 401, "Attempted to authenticate with an unsupported method: {method}.")
PASSWORD_LOCKED = Error(
    "identity.password_locked", 400, "You cannot change your password: an administrator has locked it."
)
PASSWORD_EXPIRED = Error(
    "identity.password_expired", 401, "The password is expired and needs to be changed for user: {user_id}."
)
PASSWORD_TOO_WEAK = Error(
    "identity.password_too_weak", 400, "The password does not match the requirements: {requirements}."
)
PASSWORD_USED_BEFORE = Error(
    "identity.password_used_before",
    400,
    "The new password cannot be one of the last {count} passwords of this user, the present one included.",
)
PASSWORD_TOO_YOUNG = Error(
    "identity.password_too_young",
    400,
    "You cannot change your password yet: a password must be used for {days} day(s). An administrator can reset it.",
)
WRONG_PASSWORD = Error("identity.wrong_password", 401, "The original password is not right.")
