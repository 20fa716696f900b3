"""What the identity service speaks of.  Ids that point nowhere are empty strings."""

from enum import StrEnum

from msgspec import Struct

from nephele.kernel.clock import Instant

Extra = dict[str, object]
"""Attributes that a client gave a resource and that mean nothing to the cloud."""


class Target(StrEnum):
    """What a role is assigned on."""

    PROJECT = "project"
    DOMAIN = "domain"
    SYSTEM = "system"


class Actor(StrEnum):
    """Whom a role is assigned to."""

    USER = "user"
    GROUP = "group"


class Interface(StrEnum):
    """Whom an endpoint is for."""

    PUBLIC = "public"
    INTERNAL = "internal"
    ADMIN = "admin"


SYSTEM = "system"
"""The target id of assignments on the whole system."""


class Project(Struct, frozen=True):
    """A project, or a domain where `is_domain`."""

    id: str
    name: str
    domain_id: str
    parent_id: str
    is_domain: bool
    enabled: bool
    description: str
    options: Extra
    extra: Extra
    tags: tuple[str, ...] = ()


class User(Struct, frozen=True):
    """A user; the password's hash never leaves the service.  `password_expires_at` 0: it does not."""

    id: str
    name: str
    domain_id: str
    enabled: bool
    default_project_id: str
    description: str | None
    options: Extra
    extra: Extra
    password_expires_at: Instant = 0


class Group(Struct, frozen=True):
    """A group of users."""

    id: str
    name: str
    domain_id: str
    description: str
    extra: Extra


class Role(Struct, frozen=True):
    """A role; with a domain it only stands for the roles that it implies."""

    id: str
    name: str
    domain_id: str
    description: str | None
    options: Extra
    extra: Extra


class Assignment(Struct, frozen=True):
    """Somebody has a role on something; `inherited`: on the projects below it only."""

    actor_type: Actor
    actor_id: str
    target_type: Target
    target_id: str
    role_id: str
    inherited: bool = False


class Region(Struct, frozen=True):
    """A region of the catalog."""

    id: str
    parent_id: str
    description: str
    extra: Extra


class Service(Struct, frozen=True):
    """A service of the catalog."""

    id: str
    type: str
    name: str
    enabled: bool
    description: str | None
    extra: Extra


class Endpoint(Struct, frozen=True):
    """Where a service answers.  `url` may hold `$(public_url)s`, `$(project_id)s` and `$(user_id)s`."""

    id: str
    service_id: str
    region_id: str
    interface: Interface
    url: str
    enabled: bool
    extra: Extra
