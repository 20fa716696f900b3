"""What a client sends to get a token: how it proves who it is, and what the token is to be good for."""

from msgspec import Struct, field


class DomainRef(Struct, frozen=True):
    """A domain by id or name."""

    id: str = ""
    name: str = ""


class UserRef(Struct, frozen=True):
    """A user by id, or by name in a domain, with a password."""

    id: str = ""
    name: str = ""
    domain: DomainRef = DomainRef()
    password: str = ""


class PasswordProof(Struct, frozen=True):
    """The method `password`."""

    user: UserRef


class TokenProof(Struct, frozen=True):
    """The method `token`."""

    id: str


class PasscodeRef(Struct, frozen=True):
    """A user by id, or by name in a domain, with a passcode."""

    id: str = ""
    name: str = ""
    domain: DomainRef = DomainRef()
    passcode: str = ""


class PasscodeProof(Struct, frozen=True):
    """The method `totp`."""

    user: PasscodeRef


class CredentialProof(Struct, frozen=True):
    """The method `application_credential`: by id, or by name and user."""

    secret: str
    id: str = ""
    name: str = ""
    user: UserRef | None = None


class Proofs(Struct, frozen=True):
    """What a client proves: the methods that it names, each with its part."""

    methods: tuple[str, ...]
    password: PasswordProof | None = None
    token: TokenProof | None = None
    application_credential: CredentialProof | None = None
    totp: PasscodeProof | None = None


class ProjectRef(Struct, frozen=True):
    """A project by id, or by name in a domain."""

    id: str = ""
    name: str = ""
    domain: DomainRef | None = None


class SystemRef(Struct, frozen=True):
    """The whole system."""

    all: bool = False


class TrustRef(Struct, frozen=True):
    """A trust."""

    id: str


class Scope(Struct, frozen=True):
    """What the token is to be good for: one of these."""

    project: ProjectRef | None = None
    domain: DomainRef | None = None
    system: SystemRef | None = None
    trust: TrustRef | None = field(default=None, name="OS-TRUST:trust")
    unscoped: dict[str, object] | None = None


class Login(Struct, frozen=True):
    """A request for a token; a scope of the text `unscoped` asks for none, not even the user's default project."""

    identity: Proofs
    scope: Scope | str | None = None
