"""Whatever happens: a token that is accepted says what the database says, and one whose ground is gone is refused."""

import random
from collections.abc import Callable

import pytest

from nephele.identity.app_credentials import AppCredential
from nephele.identity.assignments import Wanted, on_system
from nephele.identity.login import (
    CredentialProof,
    DomainRef,
    Login,
    PasswordProof,
    ProjectRef,
    Proofs,
    Scope,
    SystemRef,
    TokenProof,
    TrustRef,
    UserRef,
)
from nephele.identity.model import SYSTEM, Actor, Assignment, Group, Project, Target, User
from nephele.identity.projects import ProjectChange
from nephele.identity.service import Identity
from nephele.identity.trusts import Trust
from nephele.identity.users import UserChange
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused


class World:
    """A few domains, users, groups and projects, and a token of every sort."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        made = identity.projects.create
        self.domains = [made(Project("", name, "", "", True, True, "", {}, {})).id for name in ("north", "south")]
        top = made(Project("", "top", self.domains[0], "", False, True, "", {}, {})).id
        low = made(Project("", "low", self.domains[0], top, False, True, "", {}, {})).id
        self.projects = [top, low, made(Project("", "far", self.domains[1], "", False, True, "", {}, {})).id]
        self.users = [
            identity.users.create(User("", name, domain, True, "", None, {}, {}), "secret").id
            for name, domain in (("ann", self.domains[0]), ("bob", self.domains[1]), ("eve", "default"))
        ]
        self.group = identity.groups.create(Group("", "all", "default", "", {})).id
        self.roles = [role.id for role in identity.roles.find([]) if role.name in ("manager", "member", "reader")]
        self.tokens: dict[str, str] = {}
        for user in self.users:
            self._give(user)

    def _give(self, user: str) -> None:
        grant, role = self.identity.assignments.grant, self.roles[0]
        grant(Assignment(Actor.USER, user, Target.PROJECT, self.projects[0], role))
        grant(Assignment(Actor.USER, user, Target.PROJECT, self.projects[0], role, True))
        grant(Assignment(Actor.USER, user, Target.PROJECT, self.projects[2], role))
        grant(Assignment(Actor.USER, user, Target.DOMAIN, self.domains[0], role))
        grant(on_system(Actor.USER, user, role))
        self.identity.groups.add(self.group, user)

    def issue_all(self) -> None:
        """A token of every sort for every user."""
        for user in self.users:
            self.tokens[f"{user} unscoped"] = self._issue(user, None)
            for project in self.projects:
                self.tokens[f"{user} on {project}"] = self._issue(user, Scope(project=ProjectRef(id=project)))
            self.tokens[f"{user} domain"] = self._issue(user, Scope(domain=DomainRef(id=self.domains[0])))
            self.tokens[f"{user} system"] = self._issue(user, Scope(system=SystemRef(all=True)))
            self.tokens[f"{user} credential"] = self._by_credential(user)
            for trustee in self.users:
                for impersonation in (True, False):
                    name = f"{user} trusts {trustee} {impersonation}"
                    self.tokens[name] = self._by_trust(user, trustee, impersonation)

    def _issue(self, user: str, scope: Scope | None) -> str:
        proof = Proofs(("password",), password=PasswordProof(UserRef(id=user, password="secret")))
        return self.identity.issue(Login(proof, scope))[0]

    def _by_credential(self, user: str) -> str:
        new = AppCredential("", user, self.projects[2], "ci", None, 0, False, tuple(self.roles), ())
        made, _rules, secret = self.identity.app_credentials.create(new, [], "")
        proof = Proofs(("application_credential",), application_credential=CredentialProof(secret, made.id))
        return self.identity.issue(Login(proof))[0]

    def _by_trust(self, user: str, trustee: str, impersonation: bool) -> str:
        roles = (self.roles[1],)
        new = Trust("", user, trustee, self.projects[0], impersonation, roles, 0, None, 0, "")
        scope = Scope(trust=TrustRef(self.identity.trusts.create(new).id))
        proof = Proofs(
            ("token",), token=TokenProof(self.tokens.get(f"{trustee} unscoped") or self._issue(trustee, None))
        )
        return self.identity.issue(Login(proof, scope))[0]

    def moves(self, rng: random.Random) -> list[Callable[[], object]]:
        """What may happen, with randomly chosen subjects."""
        it, user, project, role = (
            self.identity,
            rng.choice(self.users),
            rng.choice(self.projects),
            rng.choice(self.roles),
        )
        actor = rng.choice([(Actor.USER, user), (Actor.GROUP, self.group)])
        place = rng.choice(
            [(Target.PROJECT, project), (Target.DOMAIN, rng.choice(self.domains)), (Target.SYSTEM, SYSTEM)]
        )
        assignment = Assignment(*actor, *place, role, place[0] is not Target.SYSTEM and rng.random() < 0.5)
        enabled = rng.random() < 0.5
        token = self.tokens[rng.choice(sorted(self.tokens))]
        return [
            lambda: it.assignments.grant(assignment),
            lambda: it.assignments.revoke(assignment),
            *[lambda: it.assignments.revoke(rng.choice(it.assignments.find(ANY)))] * 8,
            lambda: it.groups.add(self.group, user),
            lambda: it.groups.remove(self.group, user),
            lambda: it.users.update(user, UserChange(enabled=enabled)),
            lambda: it.users.update(user, UserChange(name="x" + it.ids.hex())),
            lambda: it.users.update(user, UserChange(password="secret")),
            lambda: it.projects.update(project, ProjectChange(enabled=enabled)),
            lambda: it.projects.update(project, ProjectChange(name="x" + it.ids.hex()[:8])),
            lambda: it.projects.update(rng.choice(self.domains), ProjectChange(enabled=enabled)),
            lambda: it.roles.imply_no_more(self.roles[0], self.roles[1]),
            lambda: it.roles.imply(self.roles[0], self.roles[1]),
            lambda: it.revoke(it.examine(token)[0]),
            lambda: it.users.delete(user) if rng.random() < 0.2 else None,
            lambda: it.projects.delete(project) if rng.random() < 0.2 else None,
            lambda: it.roles.delete(role) if rng.random() < 0.1 else None,
            lambda: it.trusts.delete(rng.choice(it.trusts.find([])).id),
        ]

    def check(self) -> int:
        """Every accepted token must say what the database says now: how many are accepted."""
        accepted = 0
        for name, token in self.tokens.items():
            try:
                seen = self.identity.verify(token)
            except Refused:
                continue
            accepted += 1
            true = self.identity.authentication.refresh(self.identity.keys.read(token))
            assert facts(seen) == (
                frozenset(true.roles),
                true.user_name,
                true.project_name,
                true.domain_id,
                true.system_scope,
            ), name
        return accepted


ANY = Wanted()


def facts(seen: Context) -> tuple[frozenset[str], str, str, str, str]:
    return seen.roles, seen.user_name, seen.project_name, seen.domain_id, seen.system_scope


@pytest.mark.parametrize("seed", range(8))
def test_what_is_accepted_is_true(identity: Identity, seed: int) -> None:
    rng = random.Random(seed)
    world = World(identity)
    world.issue_all()
    assert world.check() == len(world.tokens)
    for _ in range(25):
        move = rng.choice(world.moves(rng))
        try:
            move()
        except (Refused, IndexError):
            continue
        world.check()
