"""What clients send: known attributes, typed and checked, and whatever else they like to keep on a resource."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nephele.identity.errors import INVALID
from nephele.identity.model import Extra, Interface
from nephele.web.bodies import envelope, explain

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
ShortName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9-]+$")]
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/]*$")]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=80)]
Url = Annotated[str, Meta(max_length=225, pattern=r"^([a-zA-Z0-9+.-]+:|\$\(public_url\)s).+")]
Text = Annotated[str, Meta(max_length=65_535)]
Kind = TypeVar("Kind", bound=Struct)


def resource(name: str) -> Any:
    """The type of `{name: {…}}` whose attributes `read` will check."""
    return envelope(name, dict[str, Any])


def read(sent: dict[str, Any], kind: type[Kind], *, keeps_extra: bool = True) -> tuple[Kind, Extra]:
    """The known attributes as `kind`, and the others.  Raises BAD_REQUEST that names the attribute."""
    try:
        known = msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        raise INVALID(reason=explain(str(error))) from None
    names = set(kind.__struct_fields__) | {"id", "links"}
    return known, {key: value for key, value in sent.items() if key not in names} if keeps_extra else {}


def read_change(sent: dict[str, Any], kind: type[Kind], row_id: str) -> tuple[Kind, Extra]:
    """As `read`, for an update: it must hold something, and no other id."""
    if not sent:
        raise INVALID(reason="The request changes nothing: at least one attribute is needed.")
    if sent.get("id", row_id) != row_id:
        raise INVALID(reason=f"Cannot change the id {row_id}.")
    return read(sent, kind)


class ResourceOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of projects, domains and roles."""

    immutable: bool | UnsetType | None = UNSET


class UserOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of users."""

    ignore_change_password_upon_first_use: bool | UnsetType | None = UNSET
    ignore_password_expiry: bool | UnsetType | None = UNSET
    ignore_lockout_failure_attempts: bool | UnsetType | None = UNSET
    ignore_user_inactivity: bool | UnsetType | None = UNSET
    lock_password: bool | UnsetType | None = UNSET
    multi_factor_auth_enabled: bool | UnsetType | None = UNSET
    multi_factor_auth_rules: tuple[tuple[str, ...], ...] | UnsetType | None = UNSET


def options(sent: Struct | UnsetType) -> Extra:
    """The options that were sent, null for those to take away."""
    if sent is UNSET:
        return {}
    found: Extra = msgspec.to_builtins(sent)
    return found


class NewProject(Struct, frozen=True):
    """Attributes of a project to create."""

    name: ShortName
    domain_id: Id | None = None
    parent_id: Id | None = None
    is_domain: bool = False
    enabled: bool = True
    description: Text | None = None
    options: ResourceOptions | UnsetType = UNSET
    tags: Tags = ()


class ChangedProject(Struct, frozen=True):
    """Attributes of a project to update."""

    name: ShortName | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    parent_id: Id | UnsetType | None = UNSET
    is_domain: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    options: ResourceOptions | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET


class NewDomain(Struct, frozen=True):
    """Attributes of a domain to create."""

    name: ShortName
    enabled: bool = True
    description: Text | None = None
    explicit_domain_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")] | UnsetType = UNSET
    options: ResourceOptions | UnsetType = UNSET
    tags: Tags = ()


class ChangedDomain(Struct, frozen=True):
    """Attributes of a domain to update."""

    name: ShortName | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    options: ResourceOptions | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET


class TagList(Struct, frozen=True, forbid_unknown_fields=True):
    """The body that sets all tags of a project."""

    tags: Tags


class NewUser(Struct, frozen=True):
    """Attributes of a user to create."""

    name: Name
    domain_id: Id | None = None
    enabled: bool = True
    default_project_id: str | None = None
    description: Text | None = None
    password: str | None = None
    options: UserOptions | UnsetType = UNSET


class ChangedUser(Struct, frozen=True):
    """Attributes of a user to update."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    default_project_id: str | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    password: str | UnsetType | None = UNSET
    options: UserOptions | UnsetType = UNSET


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """A user's own change of its password."""

    original_password: str
    password: str


class NewGroup(Struct, frozen=True):
    """Attributes of a group to create."""

    name: Name
    domain_id: Id | None = None
    description: Text | None = None


class ChangedGroup(Struct, frozen=True):
    """Attributes of a group to update."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET


class NewRole(Struct, frozen=True):
    """Attributes of a role to create."""

    name: Name
    domain_id: Id | None = None
    description: Text | None = None
    options: ResourceOptions | UnsetType = UNSET


class ChangedRole(Struct, frozen=True):
    """Attributes of a role to update."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    options: ResourceOptions | UnsetType = UNSET


class NewRegion(Struct, frozen=True):
    """Attributes of a region to create."""

    id: Annotated[str, Meta(max_length=255)] = ""
    parent_region_id: Annotated[str, Meta(max_length=255)] | None = None
    description: Text | None = None


class ChangedRegion(Struct, frozen=True):
    """Attributes of a region to update."""

    parent_region_id: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET


class NewService(Struct, frozen=True):
    """Attributes of a service to create."""

    type: Name
    name: Annotated[str, Meta(max_length=255)] | None = None
    enabled: bool = True
    description: Text | None = None


class ChangedService(Struct, frozen=True):
    """Attributes of a service to update."""

    type: Name | UnsetType = UNSET
    name: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET


class NewEndpoint(Struct, frozen=True):
    """Attributes of an endpoint to create; `region` is the older name of `region_id`."""

    service_id: Id
    interface: Interface
    url: Url
    region_id: Annotated[str, Meta(max_length=255)] | None = None
    region: Annotated[str, Meta(max_length=255)] | None = None
    enabled: bool = True


class ChangedEndpoint(Struct, frozen=True):
    """Attributes of an endpoint to update."""

    service_id: Id | UnsetType = UNSET
    interface: Interface | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    region_id: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    region: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class RoleRef(Struct, frozen=True):
    """A role by id or name."""

    id: str = ""
    name: str = ""


class NewAccessRule(Struct, frozen=True):
    """An access rule that is there already, by its id, or a new one."""

    id: str = ""
    service: Annotated[str, Meta(max_length=64)] = ""
    path: Annotated[str, Meta(max_length=225, pattern=r"^(/|$)")] = ""
    method: Literal["", "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"] = ""


class NewAppCredential(Struct, frozen=True):
    """Attributes of an application credential to create."""

    name: Name
    description: Text | None = None
    project_id: str | None = None
    secret: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    expires_at: str | None = None
    unrestricted: bool | None = None
    roles: tuple[RoleRef, ...] | None = None
    access_rules: tuple[NewAccessRule, ...] | None = None


class NewTrust(Struct, frozen=True):
    """Attributes of a trust to create."""

    trustor_user_id: str
    trustee_user_id: str
    impersonation: bool
    project_id: str | None = None
    roles: tuple[RoleRef, ...] = ()
    expires_at: str | None = None
    remaining_uses: Annotated[int, Meta(ge=1)] | None = None
    allow_redelegation: bool | None = None
    redelegation_count: Annotated[int, Meta(ge=0)] | None = None


class NewCredential(Struct, frozen=True):
    """Attributes of a credential to create."""

    type: Annotated[str, Meta(min_length=1, max_length=255)]
    blob: Text
    user_id: str | None = None
    project_id: str | None = None


class ChangedCredential(Struct, frozen=True):
    """Attributes of a credential to update."""

    type: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    blob: Text | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    project_id: str | UnsetType | None = UNSET


class NewEc2Credential(Struct, frozen=True):
    """The body that makes a pair of EC2 keys."""

    tenant_id: Annotated[str, Meta(min_length=1, max_length=64)]


class NewPolicy(Struct, frozen=True):
    """Attributes of a policy to create."""

    blob: Text
    type: Annotated[str, Meta(max_length=255)]


class ChangedPolicy(Struct, frozen=True):
    """Attributes of a policy to update."""

    blob: Text | UnsetType = UNSET
    type: Annotated[str, Meta(max_length=255)] | UnsetType = UNSET


class EndpointFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """What the endpoints of a group have in common."""

    interface: Interface | UnsetType = UNSET
    service_id: str | UnsetType = UNSET
    region_id: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewEndpointGroup(Struct, frozen=True):
    """Attributes of an endpoint group to create."""

    name: Name
    filters: EndpointFilter
    description: Text | None = None


class ChangedEndpointGroup(Struct, frozen=True):
    """Attributes of an endpoint group to update."""

    name: Name | UnsetType = UNSET
    filters: EndpointFilter | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET


LimitValue = Annotated[int, Meta(ge=-1, le=0x7FFFFFFF)]


class NewRegisteredLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes of a registered limit to create."""

    service_id: str
    resource_name: Name
    default_limit: LimitValue
    region_id: str | None = None
    description: Text | None = None


class ChangedRegisteredLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes of a registered limit to update."""

    service_id: str | UnsetType = UNSET
    resource_name: Name | UnsetType = UNSET
    default_limit: LimitValue | UnsetType = UNSET
    region_id: str | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET


class NewLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes of a limit to create."""

    service_id: str
    resource_name: Name
    resource_limit: LimitValue
    project_id: str | None = None
    domain_id: str | None = None
    region_id: str | None = None
    description: Text | None = None


class ChangedLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes of a limit to update."""

    resource_limit: LimitValue | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
