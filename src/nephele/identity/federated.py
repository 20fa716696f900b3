"""Signing in by way of an identity provider: whom it vouches for becomes a user here, with groups and projects."""

from collections.abc import Iterable, Mapping
from typing import Any

from nephele.identity.assignments import Assignments
from nephele.identity.errors import GROUP_NOT_FOUND, NO_OIDC, ROLE_NOT_FOUND
from nephele.identity.federation import Federation, IdentityProvider
from nephele.identity.mapping import GroupRef, Mapped, MappedProject, MappedUser, Place, apply, read_rules
from nephele.identity.model import Actor, Assignment, OidcProvider, Project, Target, User
from nephele.identity.oidc import Oidc
from nephele.identity.projects import Projects
from nephele.identity.proving import Subject
from nephele.identity.roles import Roles
from nephele.identity.shadows import Shadows
from nephele.identity.shared import Shared
from nephele.identity.users import Groups, Users
from nephele.kernel.clock import SECOND, Instant
from nephele.kernel.errors import UNAUTHORIZED


class Federated:
    """Turns assertions into subjects.

    Args:
        shared: store, time.
        federation: who is believed, and how it is understood.
        told: the OpenID Connect providers behind identity providers, by their ids.
        lifetime: of a token, in microseconds: how long memberships last where the provider says nothing else.
    """

    def __init__(
        self,
        shared: Shared,
        federation: Federation,
        users: Users,
        groups: Groups,
        projects: Projects,
        roles: Roles,
        assignments: Assignments,
        told: Mapping[str, OidcProvider],
        lifetime: Instant,
    ) -> None:
        self._shared, self._federation = shared, federation
        self._users, self._groups, self._projects = users, groups, projects
        self._roles, self._assignments = roles, assignments
        self._shadows = Shadows(shared, users)
        self._oidc = {name: Oidc(settings) for name, settings in told.items()}
        self._lifetime = lifetime

    def sign_in(self, provider_id: str, protocol_id: str, token: str) -> Subject:
        """Whom the provider's token is about.  Asks the provider over the network: call it outside the event loop.

        Raises IDENTITY_PROVIDER_NOT_FOUND, PROTOCOL_NOT_FOUND, NO_OIDC, PROVIDER_AWAY, NOT_MAPPED or UNAUTHORIZED.
        """
        provider = self._federation.provider(provider_id)
        protocol = self._federation.protocol(provider_id, protocol_id)
        if not provider.enabled:
            raise UNAUTHORIZED()
        oidc = self._oidc.get(provider_id)
        if oidc is None:
            raise NO_OIDC(id=provider_id)
        claims = oidc.claims(token)
        if provider.remote_ids and claims["iss"] not in provider.remote_ids:
            raise UNAUTHORIZED()
        rules = read_rules(self._federation.mapping(protocol.mapping_id).rules)
        mapped = apply(rules, assertion_of(claims))
        user = self._user(provider, f"{provider_id}/{protocol_id}", mapped.user)
        self._lend(provider, user, mapped)
        for project in mapped.projects:
            self._provision(provider, user, project)
        return Subject(user_id=user.id, methods=(protocol_id,), provider_id=provider_id, protocol_id=protocol_id)

    def _user(self, provider: IdentityProvider, source: str, who: MappedUser) -> User:
        if who.type == "local":
            domain_id = self._domain_id(who.domain) or provider.domain_id
            found = self._users.get(who.id) if who.id else self._users.named(who.name, domain_id)
            if found is None:
                raise UNAUTHORIZED()
            return found
        return self._shadows.user(source, who.id or who.name, who.name or who.id, provider.domain_id, email=who.email)

    def _lend(self, provider: IdentityProvider, user: User, mapped: Mapped) -> None:
        """The memberships that the mapping gives, for a while."""
        minutes = provider.authorization_ttl
        until = self._shared.clock.now() + (minutes * 60 * SECOND if minutes else self._lifetime)
        self._groups.lend(user.id, [self._group_id(group, provider) for group in mapped.groups], until)

    def _group_id(self, ref: GroupRef, provider: IdentityProvider) -> str:
        if ref.id:
            return self._groups.get(ref.id).id
        domain_id = self._domain_id(ref.domain) or provider.domain_id
        found = self._groups.find([("name", ref.name), ("domain_id", domain_id)])
        if not found:
            raise GROUP_NOT_FOUND(id=ref.name)
        return found[0].id

    def _provision(self, provider: IdentityProvider, user: User, wanted: MappedProject) -> None:
        """A project of the provider's domain, made as needed, and the user's roles on it."""
        project = self._projects.named(wanted.name, provider.domain_id)
        if project is None:
            domain_id = provider.domain_id
            project = self._projects.create(Project("", wanted.name, domain_id, domain_id, False, True, "", {}, {}))
        ids = self._roles.graph().ids_by_name
        for role in wanted.roles:
            if role.name not in ids:
                raise ROLE_NOT_FOUND(id=role.name)
            self._assignments.grant(Assignment(Actor.USER, user.id, Target.PROJECT, project.id, ids[role.name]))

    def _domain_id(self, place: Place) -> str:
        if place.id or not place.name:
            return place.id
        found = self._projects.named(place.name, "")
        return found.id if found else ""


def assertion_of(claims: Mapping[str, Any]) -> dict[str, list[str]]:
    """Claims by the names that mappings for Keystone use: `OIDC-email`, `HTTP_OIDC_EMAIL`, `OIDC_CLAIM_email`."""
    found: dict[str, list[str]] = {"REMOTE_USER": [str(claims["sub"])]}
    for name, value in claims.items():
        values = _texts(value)
        if values:
            word = name.upper().replace("-", "_")
            found |= dict.fromkeys((f"OIDC-{name}", f"OIDC_CLAIM_{name}", f"HTTP_OIDC_{word}"), values)
    return found


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split(";") if value else []
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, int | float):
        return [str(value)]
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return [text for one in value for text in _texts(one)]
    return []
