"""Authentication: from what a client proves to the claims of its token."""

import secrets
from base64 import urlsafe_b64encode

import msgspec

from nephele.identity.app_credentials import AppCredential, AppCredentials
from nephele.identity.assignments import Assignments
from nephele.identity.errors import INVALID, REFUSED
from nephele.identity.federation import Federation
from nephele.identity.login import Login, ProjectRef, Scope
from nephele.identity.model import SYSTEM, Project, Target, User
from nephele.identity.projects import Projects
from nephele.identity.proving import Proving, Subject, check_factors
from nephele.identity.shared import Shared
from nephele.identity.tokens import Claims
from nephele.identity.trusts import Trust, Trusts
from nephele.kernel.clock import SECOND, Instant, stopwatch
from nephele.kernel.errors import UNAUTHORIZED, Refused


class Authentication:
    """Makes the claims of tokens, and brings them up to date.

    Args:
        shared: store, time, ids, revocations.
        lifetime: of a token, in microseconds.
    """

    def __init__(
        self,
        shared: Shared,
        proving: Proving,
        projects: Projects,
        assignments: Assignments,
        credentials: AppCredentials,
        trusts: Trusts,
        federation: Federation,
        lifetime: Instant,
    ) -> None:
        self._shared, self._proving = shared, proving
        self._projects, self._assignments = projects, assignments
        self._credentials, self._trusts = credentials, trusts
        self._federation, self._lifetime = federation, lifetime

    def authenticate(self, login: Login, before: Claims | None, receipt: Claims | None = None) -> Claims:
        """The claims of a new token.  Hashes passwords: call it outside the event loop.

        Args:
            login: the request.
            before: what the token says that the method `token` brought, verified.
            receipt: what was proven before, of several factors.

        Raises:
            MissingFactors: where the user's rules demand more than was proven.
            UNAUTHORIZED: for whatever is wrong with the proof or the scope, without telling what; INVALID: for
            a request that can't be understood.
        """
        elapsed = stopwatch()
        epoch = self._shared.revocations.current()
        subject = self._proving.prove(login.identity, before, receipt)
        user = self.live_user(subject.user_id)
        check_factors(user, subject.methods)
        return msgspec.structs.replace(self.admit(user, subject, login.scope, before, epoch), issue_ms=elapsed())

    def admit(
        self, user: User, subject: Subject, scope: Scope | str | None, before: Claims | None, epoch: int
    ) -> Claims:
        """The claims of a user who has proven who it is.  Raises UNAUTHORIZED, INVALID or REFUSED."""
        claims = self._unscoped(user, subject, epoch)
        if subject.credential is not None:
            claims = self._by_credential(claims, subject.credential, scope)
        elif isinstance(scope, Scope) and scope.unscoped is None:
            claims = self._scoped(claims, scope, before)
        elif scope is None and before is None and user.default_project_id:
            claims = self._on_default_project(claims, user.default_project_id)
        self._proving.users.passwords.saw(user.id)
        return claims

    def live_user(self, user_id: str) -> User:
        """The user, if it and its domain are enabled.  Raises UNAUTHORIZED."""
        return self._proving.live_user(user_id)

    def _unscoped(self, user: User, subject: Subject, epoch: int) -> Claims:
        now = self._shared.clock.now()
        expires_at = (now + self._lifetime) // SECOND * SECOND
        if subject.expires_at is not None:
            expires_at = min(expires_at, subject.expires_at)
        audit_id = new_audit_id()
        return Claims(
            epoch=epoch,
            issued_at=now,
            expires_at=expires_at,
            issue_ms=0,
            methods=subject.methods,
            audit_ids=(audit_id, subject.audit_chain) if subject.audit_chain else (audit_id,),
            user_id=user.id,
            user_name=user.name,
            user_domain_id=user.domain_id,
            password_expires_at=user.password_expires_at,
            provider_id=subject.provider_id,
            protocol_id=subject.protocol_id,
        )

    def claims_of(self, user_id: str, scope: Scope) -> Claims:
        """What a token of that user for that scope would say.  Raises UNAUTHORIZED where it gets none."""
        subject = Subject(user_id=user_id, methods=())
        return self._scoped(self._unscoped(self.live_user(user_id), subject, 0), scope, None)

    def _scoped(self, claims: Claims, scope: Scope, before: Claims | None) -> Claims:
        asked = [part for part in (scope.project, scope.domain, scope.system, scope.trust) if part is not None]
        if len(asked) != 1:
            raise INVALID(reason="A scope names exactly one of project, domain, system and trust.")
        if before is not None and (before.trust_id or before.application_credential_id):
            raise REFUSED(action="get another scope with a token that was delegated")
        if scope.project is not None:
            return self._on_project(claims, self._find_project(scope.project))
        if scope.trust is not None:
            return self._by_trust(claims, self._trusts.used(scope.trust.id, claims.user_id))
        if scope.domain is not None:
            domain_id = self._proving.domain_id(scope.domain)
            if not domain_id or not self._projects.live(domain_id):
                raise UNAUTHORIZED()
            return self._on_domain(claims, domain_id)
        if scope.system is None or not scope.system.all:
            raise INVALID(reason="A system scope must be on all of the system.")
        return self._on_system(claims)

    def _find_project(self, ref: ProjectRef) -> Project | None:
        if ref.id:
            return self._projects.live(ref.id)
        if not ref.name or ref.domain is None or not (ref.domain.id or ref.domain.name):
            raise INVALID(reason="A project is named by its id, or by its name and domain.")
        domain_id = self._proving.domain_id(ref.domain)
        return self._projects.live_named(ref.name, domain_id) if domain_id else None

    def _by_credential(self, claims: Claims, credential: AppCredential, scope: Scope | str | None) -> Claims:
        """The claims that an application credential gives: its project, and those of its roles the user still has."""
        project = self._projects.live(credential.project_id)
        if isinstance(scope, Scope) and (scope.project is None or self._find_project(scope.project) != project):
            raise UNAUTHORIZED()
        rules = self._credentials.rules_of(credential)
        claims = msgspec.structs.replace(claims, application_credential_id=credential.id, access_rules=rules)
        return self._on_project(claims, project, only=self._assignments.names_of(credential.role_ids))

    def _by_trust(self, claims: Claims, trust: Trust) -> Claims:
        """The claims that a trust gives: the roles that it names, all of which the trustor must still have."""
        trustor, trustee = self.live_user(trust.trustor_user_id), self.live_user(trust.trustee_user_id)
        project = self._projects.live(trust.project_id)
        names = self._assignments.names_of(trust.role_ids)
        held = self._assignments.role_names(trustor.id, Target.PROJECT, trust.project_id)
        if project is None or not names <= held:
            raise REFUSED(action="use a trust whose trustor has lost a role or the project")
        user = trustor if trust.impersonation else trustee
        ends = min(claims.expires_at, trust.expires_at or claims.expires_at)
        return msgspec.structs.replace(
            _in_project(claims, project, names),
            trust_id=trust.id,
            user_id=user.id,
            user_name=user.name,
            user_domain_id=user.domain_id,
            expires_at=ends,
        )

    def _on_project(self, claims: Claims, project: Project | None, only: set[str] | None = None) -> Claims:
        """The claims with all roles on a project, or only those among some."""
        roles = self._assignments.role_names(claims.user_id, Target.PROJECT, project.id) if project else set()
        if only is not None:
            roles &= only
        if project is None or not roles:
            raise UNAUTHORIZED()
        return _in_project(claims, project, roles)

    def _on_domain(self, claims: Claims, domain_id: str) -> Claims:
        roles = self._assignments.role_names(claims.user_id, Target.DOMAIN, domain_id)
        if not roles:
            raise UNAUTHORIZED()
        return msgspec.structs.replace(claims, domain_id=domain_id, roles=tuple(sorted(roles)))

    def _on_system(self, claims: Claims) -> Claims:
        roles = self._assignments.role_names(claims.user_id, Target.SYSTEM, SYSTEM)
        if not roles:
            raise UNAUTHORIZED()
        return msgspec.structs.replace(claims, system_scope="all", roles=tuple(sorted(roles)))

    def _on_default_project(self, claims: Claims, project_id: str) -> Claims:
        """The claims on the user's default project, if it still has a role there."""
        project = self._projects.live(project_id)
        if project is None or not self._assignments.role_names(claims.user_id, Target.PROJECT, project_id):
            return claims
        return self._on_project(claims, project)

    def refresh(self, claims: Claims) -> Claims:
        """The claims as the database has them now: names and roles.  Raises UNAUTHORIZED where nothing is left."""
        if claims.trust_id:
            return self._refresh_trust(claims)
        user = self.live_user(claims.user_id)
        if claims.provider_id and not self._federation.is_enabled(claims.provider_id):
            raise UNAUTHORIZED()
        claims = msgspec.structs.replace(claims, user_name=user.name)
        if claims.application_credential_id:
            credential = self._credentials.live(claims.application_credential_id)
            if credential is None:
                raise UNAUTHORIZED()
            return self._by_credential(claims, credential, None)
        if claims.project_id:
            return self._on_project(claims, self._projects.live(claims.project_id))
        if claims.domain_id:
            if not self._projects.live(claims.domain_id):
                raise UNAUTHORIZED()
            return self._on_domain(claims, claims.domain_id)
        return self._on_system(claims) if claims.system_scope else claims

    def _refresh_trust(self, claims: Claims) -> Claims:
        trust = self._trusts.live(claims.trust_id)
        if trust is None:
            raise UNAUTHORIZED()
        try:
            return self._by_trust(claims, trust)
        except Refused:
            raise UNAUTHORIZED() from None


def _in_project(claims: Claims, project: Project, roles: set[str]) -> Claims:
    return msgspec.structs.replace(
        claims,
        project_id=project.id,
        project_name=project.name,
        project_domain_id=project.domain_id,
        roles=tuple(sorted(roles)),
    )


def new_audit_id() -> str:
    """A name of the token that is no secret."""
    return urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
