"""What the identity service speaks of.  Ids that point nowhere are empty strings."""

import re
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


class LimitModel(StrEnum):
    """How the limits of a domain and of its projects relate."""

    FLAT = "flat"
    STRICT_TWO_LEVEL = "strict_two_level"


class Hashing(Struct, frozen=True, forbid_unknown_fields=True):
    """What one hash of a password costs: argon2id's memory, passes over it, and threads."""

    memory_kib: int = 9216
    passes: int = 4
    lanes: int = 1


class Compliance(Struct, frozen=True, forbid_unknown_fields=True):
    """What is demanded of passwords and of who uses them, by Keystone's names; 0 or empty: nothing.

    Args:
        lockout_failure_attempts: wrong passwords in a row after which a user is locked out.
        lockout_duration: for so many seconds; 0: until an administrator sets a new password.
        password_expires_days: days after which a password must be changed.
        unique_last_password_count: passwords, the present one included, that a new one must differ from.
        minimum_password_age: days that a password must be used before its user may change it again.
        password_regex: what a password must match.
        password_regex_description: what the refusal says of it.
        change_password_upon_first_use: a password that an administrator sets is good for changing it only.
        disable_user_account_days_inactive: days without a sign-in after which a user counts as disabled.
    """

    lockout_failure_attempts: int = 0
    lockout_duration: int = 1800
    password_expires_days: int = 0
    unique_last_password_count: int = 0
    minimum_password_age: int = 0
    password_regex: str = ""
    password_regex_description: str = ""
    change_password_upon_first_use: bool = False
    disable_user_account_days_inactive: int = 0

    def __post_init__(self) -> None:
        try:
            re.compile(self.password_regex)
        except re.error as error:
            raise ValueError(f"password_regex is no regular expression: {error}") from None


class OidcProvider(Struct, frozen=True, forbid_unknown_fields=True):
    """An OpenID Connect provider, by the name of the identity provider that it stands behind.

    Args:
        issuer: its address, as its tokens name it.
        audiences: the clients whose tokens are taken: who else a token is for is not let in with it.
        client_id: as whom it is asked about tokens that only it can read.
        client_secret: with that.
        ca_file: certificates that its own is checked with, besides no others; empty: the system's.
    """

    issuer: str
    audiences: tuple[str, ...]
    client_id: str = ""
    client_secret: str = ""
    ca_file: str = ""
