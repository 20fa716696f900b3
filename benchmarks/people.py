"""What sign-ins and listings cost among 100,000 users, 10,000 projects and 200,000 role assignments.

    python benchmarks/people.py [USERS PROJECTS ASSIGNMENTS]

Every figure is the median of this process's CPU time.
"""

import random
import sys
import tempfile
from pathlib import Path

from tokens import median_us, over_http

from nephele.identity.assignments import Wanted, on_system
from nephele.identity.login import Login, Proofs, Scope, SystemRef, TokenProof
from nephele.identity.login import ProjectRef as Project
from nephele.identity.model import Actor, Target
from nephele.identity.proving import Subject
from nephele.identity.service import Identity
from nephele.identity.tables import assignments, groups, memberships, projects, users
from nephele.kernel.clock import SystemClock
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store, metadata


def fill(identity: Identity, people: int, places: int, given: int) -> None:
    """A domain with users (a tenth of them in one of 100 groups), flat projects, and roles spread over them."""
    chance = random.Random(1)
    roles = [role.id for role in identity.roles.find([]) if role.name in ("manager", "member", "reader")]
    plain = {"enabled": True, "options": {}, "extra": {}}
    with identity.store.write() as db:
        row = {"default_project_id": "", "description": None, "domain_id": "default", "password_hash": "", **plain}
        db.execute(users.insert(), [{"id": f"u{n:07}", "name": f"user{n}", **row} for n in range(people)])
        about = {"domain_id": "default", "parent_id": "default", "is_domain": False, "description": "", **plain}
        db.execute(projects.insert(), [{"id": f"p{n:07}", "name": f"project{n}", **about} for n in range(places)])
        kind = {"domain_id": "default", "description": "", "extra": {}}
        db.execute(groups.insert(), [{"id": f"g{n:03}", "name": f"group{n}", **kind} for n in range(100)])
        joined = [{"user_id": f"u{n:07}", "group_id": f"g{n % 100:03}"} for n in range(0, people, 10)]
        db.execute(memberships.insert(), joined)
        seen = set()
        while len(seen) < given:
            who = (Actor.GROUP, f"g{chance.randrange(100):03}") if chance.random() < 0.01 else None
            who = who or (Actor.USER, f"u{chance.randrange(people):07}")
            seen.add((*who, f"p{chance.randrange(places):07}", chance.choice(roles)))
        names = ("actor_type", "actor_id", "target_id", "role_id")
        more = {"target_type": Target.PROJECT, "inherited": False}
        db.execute(assignments.insert(), [{**dict(zip(names, one, strict=True)), **more} for one in sorted(seen)])


def main(people: int, places: int, given: int) -> None:
    """Print one line for each figure."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'people.db'}")
        with store.write() as db:
            metadata.create_all(db)
        identity = Identity(store, SystemClock(), Ids())
        identity.start()
        identity.seed("secret", "secret")
        fill(identity, people, places, given)
        user_id = f"u{people // 20 * 10:07}"  # one who is in a group, too
        roles = identity.roles.graph().ids_by_name
        identity.assignments.grant(on_system(Actor.USER, user_id, roles["admin"]))
        mine = sorted(identity.assignments.project_ids(user_id))[0]
        user = identity.users.get(user_id)
        subject = Subject(user_id=user_id, methods=("password",))
        on_project = Scope(project=Project(id=mine))

        def token_for(scope: Scope) -> str:
            epoch = identity.revocations.current()
            return identity.keys.sign(identity.authentication.admit(user, subject, scope, None, epoch))

        token, admin = token_for(on_project), token_for(Scope(system=SystemRef(all=True)))
        again = Login(Proofs(("token",), token=TokenProof(token)), on_project)

        def verify_anew() -> None:
            identity.forget_verified()
            identity.verify(token)

        def places_of() -> set[str]:
            return identity.assignments.project_ids(user_id)

        listing = f"user.id={user_id}&effective&include_names"
        figures = {
            "issue a token, proof apart": (lambda: token_for(on_project), 300),
            "issue by token": (lambda: identity.issue(again), 300),
            "verify, first time": (verify_anew, 300),
            "verify, known": (lambda: identity.verify(token), 3000),
            "GET /v3/auth/tokens": (over_http(identity, token), 500),
            "effective roles of a user": (lambda: identity.assignments.find_effective(Wanted(user_id=user_id)), 300),
            "… over HTTP, with names": (
                over_http(identity, admin, "/identity/v3/role_assignments", listing),
                100,
            ),
            "projects of a user": (lambda: identity.projects.find([], only=places_of()), 300),
            "GET /v3/users?name=": (
                over_http(identity, admin, "/identity/v3/users", f"name=user{people // 2}&domain_id=default"),
                100,
            ),
        }
        print(f"{people} users, {places} projects, {given} assignments; this user has {len(places_of())} projects")
        for name, (work, rounds) in figures.items():
            print(f"{name:28} {median_us(work, rounds):10.1f} us CPU")
        store.close()


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:] or ("100000", "10000", "200000")))
