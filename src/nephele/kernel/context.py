"""Who asks: the verified caller, handed to every service call."""

from msgspec import Struct


class AccessRule(Struct, frozen=True, array_like=True):
    """A request that an application credential may make; its path may hold `*`, `**` and `{names}`."""

    service: str
    method: str
    path: str


class Context(Struct, frozen=True, kw_only=True):
    """A caller whose token was verified.

    `token` is what the caller sent: it is handed on to other services, never stored or logged.
    `roles` holds effective role names, with those they imply.
    """

    request_id: str
    user_id: str = ""
    user_name: str = ""
    user_domain_id: str = ""
    project_id: str = ""
    project_name: str = ""
    project_domain_id: str = ""
    domain_id: str = ""
    system_scope: str = ""
    roles: frozenset[str] = frozenset()
    token: str = ""
    token_expires_at: int = 0
    global_request_id: str = ""
    server_id: str = ""
    """Set where the token was delegated to a host for the work on one server only."""

    token_issued_at: int = 0
    """When the token was issued (Instant)."""
    token_issue_ms: float = 0.0
    """How long the authentication behind the token took, password hashing included."""
    auth_methods: tuple[str, ...] = ()
    """How the caller proved who it is: `password`, `token`, `application_credential`."""
    trust_id: str = ""
    """Set where the token acts for another user by a trust."""
    application_credential_id: str = ""
    access_rules: tuple["AccessRule", ...] | None = None
    """The only requests that the token is good for; None where it is good for all."""

    @property
    def is_admin(self) -> bool:
        """Whether the caller administers the whole cloud."""
        return "admin" in self.roles
