"""Authentication: from what a client proves to the claims of its token."""

import secrets
from base64 import urlsafe_b64encode

import msgspec
from msgspec import Struct

from nephele.identity.app_credentials import AppCredential, AppCredentials
from nephele.identity.assignments import Assignments
from nephele.identity.errors import INVALID, REFUSED, WRONG_METHOD
from nephele.identity.login import CredentialProof, DomainRef, Login, ProjectRef, Proofs, Scope, UserRef
from nephele.identity.model import SYSTEM, Project, Target, User
from nephele.identity.projects import Projects
from nephele.identity.shared import Shared
from nephele.identity.tokens import Claims
from nephele.identity.trusts import Trust, Trusts
from nephele.identity.users import Users
from nephele.kernel.clock import SECOND, Instant, stopwatch
from nephele.kernel.errors import UNAUTHORIZED, Refused

METHODS = frozenset(("password", "token", "application_credential"))
"""The ways to prove who one is."""


class Subject(Struct, frozen=True, kw_only=True):
    """Who it is, and what limits the way it was proven puts on the token."""

    user_id: str
    methods: tuple[str, ...]
    audit_chain: str = ""
    expires_at: Instant | None = None
    credential: AppCredential | None = None


class Authentication:
    """Makes the claims of tokens, and brings them up to date.

    Args:
        shared: store, time, ids, revocations.
        lifetime: of a token, in microseconds.
    """

    def __init__(
        self,
        shared: Shared,
        users: Users,
        projects: Projects,
        assignments: Assignments,
        credentials: AppCredentials,
        trusts: Trusts,
        lifetime: Instant,
    ) -> None:
        self._shared = shared
        self._users, self._projects, self._assignments = users, projects, assignments
        self._credentials, self._trusts = credentials, trusts
        self._lifetime = lifetime

    def authenticate(self, login: Login, before: Claims | None) -> Claims:
        """The claims of a new token.  Hashes passwords: call it outside the event loop.

        Args:
            login: the request.
            before: what the token says that the method `token` brought, verified.

        Raises:
            UNAUTHORIZED: for whatever is wrong with the proof or the scope, without telling what; INVALID: for
            a request that can't be understood.
        """
        elapsed = stopwatch()
        epoch = self._shared.revocations.current()
        subject = self._prove(login.identity, before)
        user = self.live_user(subject.user_id)
        _check_factors(user, subject.methods)
        scope = login.scope
        claims = self._unscoped(user, subject, epoch)
        if subject.credential is not None:
            claims = self._by_credential(claims, subject.credential, scope)
        elif isinstance(scope, Scope) and scope.unscoped is None:
            claims = self._scoped(claims, scope, before)
        elif scope is None and before is None and user.default_project_id:
            claims = self._on_default_project(claims, user.default_project_id)
        return msgspec.structs.replace(claims, issue_ms=elapsed())

    def _prove(self, proofs: Proofs, before: Claims | None) -> Subject:
        if not proofs.methods:
            raise INVALID(reason="The request names no authentication method.")
        subjects = [self._by_method(method, proofs, before) for method in dict.fromkeys(proofs.methods)]
        if len({subject.user_id for subject in subjects}) != 1:
            raise UNAUTHORIZED()
        last = subjects[-1]
        methods = tuple(dict.fromkeys(method for subject in subjects for method in subject.methods))
        limits = [subject.expires_at for subject in subjects if subject.expires_at is not None]
        return msgspec.structs.replace(last, methods=methods, expires_at=min(limits) if limits else None)

    def _by_method(self, method: str, proofs: Proofs, before: Claims | None) -> Subject:
        if method == "password":
            if proofs.password is None:
                raise INVALID(reason="The method password needs a part of that name.")
            return self._by_password(proofs.password.user)
        if method == "token":
            if before is None:
                raise INVALID(reason="The method token needs a part of that name.")
            return _by_token(before)
        if method == "application_credential":
            if proofs.application_credential is None:
                raise INVALID(reason="The method application_credential needs a part of that name.")
            return self._by_secret(proofs.application_credential)
        raise WRONG_METHOD(method=method)

    def _by_password(self, ref: UserRef) -> Subject:
        user_id = self.user_id(ref)
        if not self._users.has_password(user_id, ref.password):
            raise UNAUTHORIZED()
        return Subject(user_id=user_id, methods=("password",))

    def _by_secret(self, proof: CredentialProof) -> Subject:
        user_id = self.user_id(proof.user) if proof.user and not proof.id else ""
        if not proof.id and not (proof.name and proof.user):
            raise INVALID(reason="An application credential is named by its id, or by its name and user.")
        found = self._credentials.proven(proof.id, user_id, proof.name, proof.secret)
        if found is None:
            raise UNAUTHORIZED()
        limit = found.expires_at or None
        return Subject(user_id=found.user_id, methods=("application_credential",), expires_at=limit, credential=found)

    def user_id(self, ref: UserRef) -> str:
        """The id of the user that is named; empty where there is none."""
        if not ref.id and not ref.name:
            raise INVALID(reason="Invalid input for field identity/password/user: id or name must be present.")
        if not ref.id and not (ref.domain.id or ref.domain.name):
            raise INVALID(reason="Expecting to find domain in user: a name is unique within a domain only.")
        if ref.id:
            return ref.id
        domain_id = self._domain_id(ref.domain)
        user = self._users.named(ref.name, domain_id) if domain_id else None
        return user.id if user else ""

    def live_user(self, user_id: str) -> User:
        """The user, if it and its domain are enabled.  Raises UNAUTHORIZED."""
        user = self._users.live(user_id)
        if user is None:
            raise UNAUTHORIZED()
        return user

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
            domain_id = self._domain_id(scope.domain)
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
        domain_id = self._domain_id(ref.domain)
        return self._projects.live_named(ref.name, domain_id) if domain_id else None

    def _domain_id(self, ref: DomainRef) -> str:
        """The id of the domain that is named; empty where there is none."""
        if ref.id:
            return ref.id
        found = self._projects.named(ref.name, "") if ref.name else None
        return found.id if found else ""

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


def _check_factors(user: User, methods: tuple[str, ...]) -> None:
    """Raise UNAUTHORIZED unless the methods fulfil one of the user's multi-factor rules, where it has any.

    Methods that this cloud does not know are left out of a rule, as upstream does, so that nobody is locked out.
    """
    rules = user.options.get("multi_factor_auth_rules")
    if not isinstance(rules, list) or user.options.get("multi_factor_auth_enabled") is False:
        return
    known = [wanted for rule in rules if (wanted := METHODS & set(rule))]
    if known and not any(wanted <= set(methods) for wanted in known):
        raise UNAUTHORIZED()


def _by_token(before: Claims) -> Subject:
    return Subject(
        user_id=before.user_id,
        methods=("token", *(method for method in before.methods if method != "token")),
        audit_chain=before.audit_ids[-1],
        expires_at=before.expires_at,
    )


def new_audit_id() -> str:
    """A name of the token that is no secret."""
    return urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
